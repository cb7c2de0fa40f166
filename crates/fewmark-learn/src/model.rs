//! Model files: one `.safetensors` that holds the weights of a network and everything that is needed to use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::tensor_file::{self, Stored};
use crate::{Error, run, weights};

const KIND: &str = "model";

/// Begins the names of weights in a file with other tensors.
const NETWORK: &str = "network.";

/// What a model file says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The method that uses the network: "dip".
    pub method: String,
    /// Everything that decides how the method works.
    pub config: serde_json::Value,
    /// How the network was trained.
    pub training: Summary,
    /// Version of the program that wrote the file.
    pub version: String,
}

/// How a network was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Names of the cases.
    pub cases: Vec<String>,
    /// Steps taken.
    pub iterations: u64,
    /// Time taken, in seconds.
    pub seconds: f64,
    /// The last loss.
    pub loss: f32,
    /// Seed of everything random.
    pub seed: u64,
}

/// A model that was read, its network not built yet.
#[derive(Debug)]
pub struct Model {
    /// What the file says of itself.
    pub header: Header,
    weights: BTreeMap<String, Stored>,
    path: PathBuf,
}

/// Writes a model, whole or not at all.
///
/// # Errors
/// [`Error::Image`] when the file cannot be written.
pub fn write(path: &Path, header: &Header, network: &impl Module) -> Result<(), Error> {
    tensor_file::write(path, KIND, header, weights::of(network).0)
}

/// Writes a model of a network and other tensors, whole or not at all; names of weights begin with that of [`NETWORK`].
pub(crate) fn write_with(
    path: &Path,
    header: &Header,
    network: &impl Module,
    others: BTreeMap<String, Stored>,
) -> Result<(), Error> {
    let weights = weights::of(network).0.into_iter().map(|(name, tensor)| (format!("{NETWORK}{name}"), tensor));
    tensor_file::write(path, KIND, header, weights.chain(others).collect())
}

/// The model in the bytes of a file; `path` is what errors call it.
///
/// # Errors
/// [`Error::File`] when they are no model.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Model, Error> {
    let (header, weights) = tensor_file::parse(bytes, path, KIND)?;
    Ok(Model { header, weights, path: path.to_owned() })
}

/// The model file that a path names: that of a run folder, or the path itself.
pub fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(run::MODEL) } else { path.to_owned() }
}

/// Reads a model; of a run folder the one that it came to.
///
/// # Errors
/// [`Error::Image`] when the file cannot be read, [`Error::File`] when it is no model, [`Error::Run`] for a training that has not ended.
pub fn read(path: impl AsRef<Path>) -> Result<Model, Error> {
    let given = path.as_ref();
    let path = file_of(given);
    if run::is_unfinished(given) {
        return Err(Error::Run {
            path: given.to_owned(),
            problem: "the training has not ended, so there is no model yet".into(),
            hint: "go on with it: `fewmark train --resume FOLDER`",
        });
    }
    let (header, weights) = tensor_file::read(&path, KIND)?;
    Ok(Model { header, weights, path })
}

impl Model {
    /// The configuration of the method, as the type that it has.
    ///
    /// # Errors
    /// [`Error::File`] when it is of another type.
    pub fn config<C: serde::de::DeserializeOwned>(&self) -> Result<C, Error> {
        serde_json::from_value(self.header.config.clone()).map_err(|e| self.broken(format!("its configuration: {e}")))
    }

    /// Refuses the file where a check of its settings failed.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn expect(&self, checked: Result<(), Error>) -> Result<(), Error> {
        checked.map_err(|problem| self.broken(format!("its configuration: {problem}")))
    }

    /// A network with the weights of the file instead of its own.
    ///
    /// # Errors
    /// [`Error::File`] when they do not fit it.
    pub fn into_network<M: Module>(self, network: M) -> Result<M, Error> {
        let Self { weights, path, .. } = self;
        weights::apply(network, weights, &Default::default()).map_err(|problem| Error::File {
            path,
            expected: KIND,
            problem,
        })
    }

    /// A network with the weights of a file that [`write_with`] wrote, and the other tensors.
    pub(crate) fn into_network_and_others<M: Module>(self, network: M) -> Result<(M, BTreeMap<String, Stored>), Error> {
        let (weights, others): (BTreeMap<_, _>, _) =
            self.weights.into_iter().partition(|(name, _)| name.starts_with(NETWORK));
        let weights = weights.into_iter().map(|(name, tensor)| (name[NETWORK.len()..].to_owned(), tensor)).collect();
        Ok((Self { weights, ..self }.into_network(network)?, others))
    }

    pub(crate) fn broken(&self, problem: String) -> Error {
        Error::File { path: self.path.clone(), expected: KIND, problem }
    }
}
