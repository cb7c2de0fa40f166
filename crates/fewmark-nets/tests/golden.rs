//! Logits and gradients against a double-precision evaluation of the plain formulas: see `golden/make_nets.py`.

mod support;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use fewmark_nets::{DipNetConfig, MsNetConfig, Norm, RestrictV, Sharing, UNetConfig, Upsampling, VmNetConfig};
use serde::Deserialize;
use support::{formula, image, samples, wave};

#[derive(Deserialize)]
struct Golden {
    shape: Vec<usize>,
    logits: Vec<f32>,
    /// Length of the gradient to each trained parameter, and its product with `wave`
    #[serde(default)]
    gradients: Vec<[f64; 2]>,
}

fn golden(name: &str) -> Golden {
    let mut all: BTreeMap<String, Golden> =
        serde_json::from_str(include_str!("golden/nets.json")).expect("the golden file");
    all.remove(name).expect("a golden network")
}

/// Asserts that every logit differs from the golden one by less than 1e-4 of the largest.
fn compare<const R: usize>(name: &str, logits: Tensor<R>) {
    let golden = golden(name);
    assert_eq!(logits.dims().to_vec(), golden.shape, "{name}");
    let largest = golden.logits.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    for (i, (ours, theirs)) in samples(logits).into_iter().zip(&golden.logits).enumerate() {
        assert!((ours - theirs).abs() <= 1e-4 * largest, "{name}: logit {i} is {ours}, expected {theirs}");
    }
}

fn msnet<const R: usize>(name: &str, config: MsNetConfig, shape: [usize; R]) {
    let device = Device::flex();
    let network = formula(config.init(&device).expect("a valid configuration"));
    compare(name, network.forward(image(shape, &device)));
}

#[test]
fn msnet_in_2d() {
    msnet("msnet 2-D", MsNetConfig::new(3, 3), [1, 3, 16, 16]);
}

#[test]
fn msnet_in_2d_with_other_options_and_odd_sizes() {
    let config = MsNetConfig {
        grids: 3,
        channels: 8,
        softmax_groups: 4,
        dt: 0.5,
        eps: 2.0,
        sharing: Sharing::PerGrid,
        restrict_v: RestrictV::Avg,
        ..MsNetConfig::new(1, 2)
    };
    msnet("msnet 2-D, other options", config, [2, 1, 9, 13]);
}

#[test]
fn msnet_on_one_grid() {
    msnet("msnet 2-D, one grid", MsNetConfig { grids: 1, ..MsNetConfig::new(1, 2) }, [1, 1, 5, 7]);
}

#[test]
fn msnet_in_3d() {
    msnet("msnet 3-D", MsNetConfig::new(1, 4), [1, 1, 5, 8, 6]);
}

#[test]
fn msnet_in_3d_standardised() {
    let standardised = MsNetConfig { standardise: true, eps: 4.0, ..MsNetConfig::new(1, 4) };
    msnet("msnet 3-D, standardised", standardised, [2, 1, 5, 8, 6]);
}

#[test]
fn msnet_in_3d_with_other_options() {
    let config =
        MsNetConfig { grids: 3, sharing: Sharing::PerGrid, restrict_v: RestrictV::Conv, ..MsNetConfig::new(1, 2) };
    msnet("msnet 3-D, other options", config, [1, 1, 4, 5, 3]);
}

#[test]
fn unet_with_running_statistics_and_odd_sizes() {
    let device = Device::flex();
    let network = formula(UNetConfig { base_width: 2, ..UNetConfig::new(3, 3) }.init(&device).unwrap());
    compare("unet", network.valid().forward(image([1, 3, 16, 21], &device)));
}

/// Length of the gradient to each trained parameter, and its product with `wave`; zeros where there is none.
struct Measured<'a> {
    gradients: &'a Gradients,
    found: Vec<[f64; 2]>,
}

impl ModuleVisitor for Measured<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() {
            return;
        }
        let gradient = param.grad(self.gradients).map(samples).unwrap_or_default();
        let p = self.found.len();
        let sum = |of: fn(f64, f64) -> f64| -> f64 {
            gradient.iter().enumerate().map(|(i, &g)| of(f64::from(g), wave(p, i))).sum()
        };
        self.found.push([sum(|g, _| g * g).sqrt(), sum(|g, wave| g * wave)]);
    }
}

/// Compares logits, and the gradients of their sum weighted with `wave`: each to 1e-3 of its length, and those that normalisation
/// makes zero to 1e-4 of the longest.
fn compare_trained(name: &str, network: &impl Module, logits: Tensor<4>) {
    compare(name, logits.clone());
    let weights: Vec<f32> = (0..logits.shape().num_elements()).map(|i| wave(7, i) as f32).collect();
    let weights = Tensor::from_data(TensorData::new(weights, logits.dims()), &logits.device());
    let gradients = (logits * weights).sum().backward();
    let mut measured = Measured { gradients: &gradients, found: Vec::new() };
    network.visit(&mut measured);

    let golden = golden(name).gradients;
    let longest = golden.iter().fold(0.0f64, |longest, [length, _]| longest.max(*length));
    assert_eq!(measured.found.len(), golden.len(), "{name}");
    for (p, (ours, theirs)) in measured.found.iter().zip(&golden).enumerate() {
        for (ours, expected) in ours.iter().zip(theirs) {
            let error = (ours - expected).abs();
            assert!(
                error <= 1e-3 * theirs[0] + 1e-4 * longest,
                "{name}: the gradient to parameter {p} has {ours}, expected {expected} of {theirs:?}"
            );
        }
    }
}

#[test]
fn vm_net_and_its_gradients() {
    let train = Device::flex().autodiff();
    let config = |norm| VmNetConfig { base_width: 2, norm };
    let network = |norm| formula(config(norm).init(2, &train).expect("a valid configuration"));
    let instance = network(Norm::Instance);
    let x = image([1, 2, 19, 20], &train);
    compare_trained("vm net", &instance, instance.forward(x.clone()));
    compare("vm net", instance.valid().forward(x.inner()));
    let batch = network(Norm::Batch);
    compare("vm net, running statistics", batch.valid().forward(image([1, 2, 5, 7], &Device::flex())));
    compare_trained("vm net, batch", &batch, batch.forward(image([2, 2, 9, 17], &train)));
}

#[test]
fn dip_net_and_its_gradients() {
    let train = Device::flex().autodiff();
    let network = |down: &[usize], up: &[usize], norm, upsampling| {
        let (down, up) = (down.to_vec(), up.to_vec());
        let config = DipNetConfig { in_channels: 3, down, up, skip: 2, upsampling, norm };
        formula(config.init(&train).expect("a valid configuration"))
    };
    let instance = network(&[3, 4, 5], &[5, 4, 3], Norm::Instance, Upsampling::Bilinear);
    let x = image([1, 3, 13, 18], &train);
    compare_trained("dip net", &instance, instance.forward(x.clone()));
    compare("dip net", instance.valid().forward(x.inner()));
    let batch = network(&[3, 4], &[4, 3], Norm::Batch, Upsampling::Nearest);
    compare("dip net, running statistics", batch.valid().forward(image([1, 3, 9, 11], &Device::flex())));
    compare_trained("dip net, batch", &batch, batch.forward(image([2, 3, 9, 11], &train)));
}
