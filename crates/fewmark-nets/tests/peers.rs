//! The networks that MSNet is compared with against their public implementations: see `golden/make_peers.py`.

mod support;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use fewmark_nets::{DeepLabV3PlusConfig, DenseVoxNetConfig, Med3dConfig, R2UNetConfig, UNet3dConfig, UNetConfig};
use serde::Deserialize;
use support::{count, formula, image, samples, trained};

#[derive(Deserialize)]
struct Golden {
    /// Names and shapes of the trained parameters, in the order in which ours has them
    parameters: BTreeMap<String, Vec<(String, Vec<usize>)>>,
    logits: BTreeMap<String, Logits>,
}

#[derive(Deserialize)]
struct Logits {
    shape: Vec<usize>,
    /// Every how many samples one is given
    step: usize,
    sum: f64,
    logits: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/peers.json")).expect("the golden file")
}

/// Asserts that the parameters have the shapes of the reference, one by one, and that there are `expected` of them.
fn has_parameters(name: &str, network: &impl Module, expected: usize) {
    let (ours, theirs) = (trained(network), &golden().parameters[name]);
    for ((our_name, _, our_shape), (their_name, their_shape)) in ours.iter().zip(theirs) {
        assert_eq!(our_shape, their_shape, "{name}: {our_name} of ours, {their_name} of the reference");
    }
    assert_eq!((ours.len(), count(network)), (theirs.len(), expected), "{name}");
}

#[test]
fn parameters_are_those_of_the_references() {
    let device = Device::flex().autodiff();
    has_parameters("unet", &UNetConfig::new(3, 3).init(&device).unwrap(), 31_037_763);
    has_parameters("deeplabv3plus", &DeepLabV3PlusConfig::new(3, 3).init(&device).unwrap(), 5_813_523);
    has_parameters("r2unet", &R2UNetConfig::new(3, 3).init(&device).unwrap(), 39_091_523);
    has_parameters("med3d", &Med3dConfig::new(1, 4).init(&device).unwrap(), 17_340_480);
    has_parameters("densevoxnet", &DenseVoxNetConfig::new(1, 4).init(&device).unwrap(), 1_783_280);
    has_parameters("unet3d", &UNet3dConfig::new(1, 4).init(&device).unwrap(), 445_548);
}

/// Asserts that the logits are those of the reference to 1e-4 of the largest.
fn compare<const R: usize>(name: &str, logits: Tensor<R>) {
    let golden = golden().logits.remove(name).expect("a golden network");
    assert_eq!(logits.dims().to_vec(), golden.shape, "{name}");
    let largest = golden.logits.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let ours = samples(logits);
    for (i, (ours, theirs)) in ours.iter().step_by(golden.step).zip(&golden.logits).enumerate() {
        let i = i * golden.step;
        assert!((ours - theirs).abs() <= 1e-4 * largest, "{name}: logit {i} is {ours}, expected {theirs}");
    }
    let sum: f64 = ours.iter().map(|&x| f64::from(x)).sum();
    let tolerance = 1e-5 * f64::from(largest) * ours.len() as f64;
    assert!((sum - golden.sum).abs() <= tolerance, "{name}: the logits' sum is {sum}, expected {}", golden.sum);
}

#[test]
fn unet_has_the_logits_of_the_reference() {
    let device = Device::flex();
    let network = formula(UNetConfig { base_width: 2, ..UNetConfig::new(3, 3) }.init(&device).unwrap());
    compare("unet", network.forward(image([1, 3, 16, 21], &device)));
}

#[test]
fn deeplabv3plus_has_the_logits_of_the_reference() {
    let device = Device::flex();
    let network = formula(DeepLabV3PlusConfig::new(3, 3).init(&device).unwrap());
    compare("deeplabv3plus", network.forward(image([2, 3, 64, 48], &device)));
    compare("deeplabv3plus, odd", network.forward(image([1, 3, 37, 53], &device)));
    compare("deeplabv3plus, bright", network.forward(image([1, 3, 32, 32], &device) * 40.0));
}

#[test]
fn r2unet_has_the_logits_of_the_reference() {
    let device = Device::flex();
    let network = |base_width, steps| {
        formula(R2UNetConfig { base_width, steps, ..R2UNetConfig::new(3, 3) }.init(&device).unwrap())
    };
    compare("r2unet", network(3, 2).forward(image([1, 3, 32, 48], &device)));
    compare("r2unet, three steps", network(2, 3).forward(image([2, 3, 16, 16], &device)));
}

#[test]
fn med3d_has_the_logits_of_the_reference() {
    let device = Device::flex();
    let network = formula(Med3dConfig::new(1, 4).init(&device).unwrap());
    compare("med3d", network.forward(image([1, 1, 16, 24, 8], &device)));
    compare("med3d, odd", network.forward(image([1, 1, 5, 18, 9], &device)));
}

#[test]
fn densevoxnet_has_the_logits_of_the_reference() {
    let device = Device::flex();
    let network = formula(DenseVoxNetConfig::new(1, 4).init(&device).unwrap());
    let volume = image([2, 1, 8, 12, 4], &device);
    let [main, auxiliary] = network.forward_with_auxiliary(volume.clone());
    assert_eq!(samples(main.clone()), samples(network.forward(volume)));
    compare("densevoxnet", main);
    compare("densevoxnet, auxiliary", auxiliary);
}

#[test]
fn unet3d_has_the_logits_of_the_reference() {
    let device = Device::flex();
    let network = formula(UNet3dConfig::new(1, 4).init(&device).unwrap());
    compare("unet3d", network.forward(image([1, 1, 32, 16, 32], &device)));
    let narrow = formula(UNet3dConfig { base_width: 2, ..UNet3dConfig::new(2, 3) }.init(&device).unwrap());
    compare("unet3d, two channels", narrow.forward(image([2, 2, 32, 48, 32], &device)));
}

/// Normal with variance `2 / fan_out`; transposed convolutions uniform within `1 / sqrt(fan_in)`, where PyTorch counts the output
/// channels.
#[test]
fn med3d_starts_as_the_reference() {
    let network = Med3dConfig::new(1, 4).init(&Device::flex()).unwrap();
    let mut visitor = Kernels::default();
    network.visit(&mut visitor);
    assert_eq!(visitor.found.len(), 17);
    for (name, dims, values) in visitor.found {
        let taps: usize = dims[2..].iter().product();
        let variance = values.iter().map(|x| f64::from(x * x)).sum::<f64>() / values.len() as f64;
        let fan = (dims[if name.starts_with("upsampling") { 1 } else { 0 }] * taps) as f64;
        let expected = if name.starts_with("upsampling") { 1.0 / (3.0 * fan) } else { 2.0 / fan };
        // The variance of a normal sample has a relative error of sqrt(2 / n).
        let tolerance = 6.0 * (2.0 / values.len() as f64).sqrt();
        assert!((variance / expected - 1.0).abs() < tolerance, "{name}: {variance}, expected {expected}");
    }
}

/// Names, shapes and values of kernels.
#[derive(Default)]
struct Kernels {
    path: Vec<String>,
    found: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for Kernels {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D > 1 {
            self.found.push((self.path.join("."), param.dims().to_vec(), samples(param.val())));
        }
    }
}
