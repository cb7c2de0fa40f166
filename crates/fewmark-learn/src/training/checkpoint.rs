//! Everything that a training needs to go on as if it had not been interrupted.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::tensor_file::{self, Stored};
use crate::weights::{self, Identities};

const KIND: &str = "checkpoint";
const OPTIMIZER: &str = "optimizer";
const NETWORK: &str = "network.";

/// Where a training is, but for the tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// Steps taken.
    pub(crate) iteration: u64,
    /// Time spent, in seconds.
    pub(crate) seconds: f64,
    /// The last loss.
    pub(crate) loss: f32,
    /// The best validation score and its iteration.
    pub(crate) best: Option<(f64, u64)>,
    /// Validations since the best one.
    pub(crate) stale: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    state: Checkpoint,
    identities: Identities,
}

impl Checkpoint {
    /// Writes the state of a training, whole or not at all. Random numbers are a function of the seed and the iteration.
    pub(crate) fn write(&self, path: &Path, network: &impl Module, optimizer: &ModuleOptimizer) -> Result<(), Error> {
        let broken = |problem: String| Error::File { path: path.to_owned(), expected: KIND, problem };
        let (weights, identities) = weights::of(network);
        let record = optimizer.into_bytes().map_err(|e| broken(e.to_string()))?;
        let mut tensors: BTreeMap<String, Stored> =
            weights.into_iter().map(|(name, tensor)| (NETWORK.to_owned() + &name, tensor)).collect();
        tensors.insert(OPTIMIZER.to_owned(), Stored::Bytes(record.to_vec()));
        tensor_file::write(path, KIND, &Header { state: self.clone(), identities }, tensors)
    }

    /// Reads the state of a training into a network and an optimiser of the same kind.
    pub(crate) fn read<M: Module>(
        path: &Path,
        network: M,
        optimizer: ModuleOptimizer,
    ) -> Result<(Self, M, ModuleOptimizer), Error> {
        let broken = |problem: String| Error::File { path: path.to_owned(), expected: KIND, problem };
        let (Header { state, identities }, mut tensors): (Header, _) = tensor_file::read(path, KIND)?;
        let Some(Stored::Bytes(record)) = tensors.remove(OPTIMIZER) else {
            return Err(broken("the state of the optimiser is missing".into()));
        };
        let weights =
            tensors.into_iter().map(|(name, tensor)| (name.trim_start_matches(NETWORK).to_owned(), tensor)).collect();
        let network = weights::apply(network, weights, &identities).map_err(broken)?;
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(record)).map_err(|e| broken(e.to_string()))?;
        Ok((state, network, optimizer.load_record(record)))
    }
}
