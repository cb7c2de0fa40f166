//! Networks and images that are the same on every machine, in every test and in the script of the golden values.

#![allow(dead_code, reason = "each test program uses its part")]

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

/// The network with the formula of `golden/make_nets.py` in place of its parameters.
pub(crate) fn formula<M: Module>(network: M) -> M {
    network.map(&mut Formula(0))
}

/// An image with the formula of `golden/make_nets.py`, in `0..1`.
pub(crate) fn image<const R: usize>(shape: [usize; R], device: &Device) -> Tensor<R> {
    let wave = |i: f64| (0.5 + 0.5 * (0.013 * i * i + 0.4 * i).sin()) as f32;
    let samples: Vec<f32> = (0..shape.iter().product()).map(|i: usize| wave(i as f64)).collect();
    Tensor::from_data(TensorData::new(samples, shape), device)
}

/// The i-th value of the p-th parameter tensor, before scaling.
pub(crate) fn wave(p: usize, i: usize) -> f64 {
    let x = i as f64;
    (0.61 * x * x + 1.7 * x + p as f64).sin()
}

/// Counts the parameters that it has met.
struct Formula(usize);

impl ModuleMapper for Formula {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let p = self.0;
        self.0 += 1;
        param.map(|old| {
            let (dims, count) = (old.dims(), old.dims().iter().product::<usize>());
            let scale = (2.0 * dims[0] as f64 / count as f64).sqrt();
            let value = |i| if D == 1 { 0.75 + 0.25 * wave(p, i) } else { scale * wave(p, i) };
            let values: Vec<f32> = (0..count).map(|i| value(i) as f32).collect();
            let new = Tensor::from_data(TensorData::new(values, dims), &old.device());
            if old.is_require_grad() { new.require_grad() } else { new }
        })
    }
}

/// The samples of a tensor.
pub(crate) fn samples<const R: usize>(x: Tensor<R>) -> Vec<f32> {
    x.into_data().try_to_vec().expect("a tensor of f32")
}

/// `1 - mean over classes of (2 sum y p + e) / (sum y + sum p + e)`.
pub(crate) fn dice_loss<const R: usize>(logits: Tensor<R>, truth: Tensor<R>) -> Tensor<1> {
    let axes: Vec<usize> = (0..R).filter(|&axis| axis != 1).collect();
    let over_pixels = |x: Tensor<R>| x.sum_dims(&axes);
    let p = softmax(logits, 1);
    let overlap = over_pixels(p.clone() * truth.clone()) * 2.0 + 1e-5;
    1.0 - (overlap / (over_pixels(p) + over_pixels(truth) + 1e-5)).mean()
}

/// Names, ids and shapes of the trained parameters.
#[derive(Default)]
struct Trained {
    path: Vec<String>,
    found: Vec<(String, ParamId, Vec<usize>)>,
}

impl ModuleVisitor for Trained {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.found.push((self.path.join("."), param.id, param.dims().to_vec()));
        }
    }
}

/// Trained parameters of a network on an autodiff device.
pub(crate) fn trained<M: Module>(network: &M) -> Vec<(String, ParamId, Vec<usize>)> {
    let mut visitor = Trained::default();
    network.visit(&mut visitor);
    visitor.found
}

/// Number of trained parameters of a network on an autodiff device.
pub(crate) fn count<M: Module>(network: &M) -> usize {
    trained(network).iter().map(|(_, _, shape)| shape.iter().product::<usize>()).sum()
}
