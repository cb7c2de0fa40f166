//! The weights of a network by their names.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use crate::tensor_file::Stored;

/// The identities of parameters by name: an optimiser knows its parameters by them.
pub(crate) type Identities = BTreeMap<String, u64>;

/// All weights of a network, running statistics included, and their identities.
pub(crate) fn of(network: &impl Module) -> (BTreeMap<String, Stored>, Identities) {
    let mut collector = Collector::default();
    // Running statistics wait in a map of their own until they are asked for in this way; a visit would not see the last step's.
    network.valid();
    network.visit(&mut collector);
    (collector.weights, collector.identities)
}

/// The network with other weights; `identities` may be empty.
///
/// # Errors
/// A sentence about the first weight that is missing, left over or of another shape.
pub(crate) fn apply<M: Module>(
    network: M,
    weights: BTreeMap<String, Stored>,
    identities: &Identities,
) -> Result<M, String> {
    let mut applier = Applier { path: Vec::new(), weights, identities, problem: None };
    let network = network.map(&mut applier);
    match (applier.problem, applier.weights.keys().next()) {
        (Some(problem), _) => Err(problem),
        (None, Some(name)) => Err(format!("the network has no weights {name:?}")),
        (None, None) => Ok(network),
    }
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    weights: BTreeMap<String, Stored>,
    identities: Identities,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (name, value) = (self.path.join("."), param.val());
        let shape = value.dims().to_vec();
        let samples = value.into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted");
        self.identities.insert(name.clone(), param.id.val());
        self.weights.insert(name, Stored::F32 { shape, samples });
    }
}

struct Applier<'a> {
    path: Vec<String>,
    weights: BTreeMap<String, Stored>,
    identities: &'a Identities,
    problem: Option<String>,
}

impl ModuleMapper for Applier<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let expected = param.lazy_shape();
        match self.weights.remove(&name) {
            Some(Stored::F32 { shape, samples }) if shape[..] == expected[..] => {
                let device = param.lazy_device();
                let id = self.identities.get(&name).map_or(param.id, |&id| ParamId::from(id));
                let value = Tensor::from_data(TensorData::new(samples, shape), &device);
                param.transform_for_load(value, id)
            }
            found => {
                let problem = match found {
                    None => format!("the weights {name:?} are missing"),
                    Some(Stored::F32 { shape, .. }) => {
                        format!("the weights {name:?} are of shape {shape:?}, not {:?}", &expected[..])
                    }
                    Some(Stored::Bytes(_)) => format!("the weights {name:?} are no numbers"),
                };
                self.problem.get_or_insert(problem);
                param
            }
        }
    }
}
