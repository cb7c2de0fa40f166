//! Logits against a double-precision evaluation of the plain formulas: see `golden/make_nets.py`.

mod support;

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_nets::{MsNetConfig, RestrictV, Sharing, UNetConfig};
use serde::Deserialize;
use support::{formula, image, samples};

#[derive(Deserialize)]
struct Golden {
    shape: Vec<usize>,
    logits: Vec<f32>,
}

/// Asserts that every logit differs from the golden one by less than 1e-4 of the largest.
fn compare<const R: usize>(name: &str, logits: Tensor<R>) {
    let golden: BTreeMap<String, Golden> =
        serde_json::from_str(include_str!("golden/nets.json")).expect("the golden file");
    let golden = &golden[name];
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
