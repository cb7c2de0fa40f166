//! Random starts, alone in their program: the generator of random weights is shared by all tests of one.

mod support;

use burn::tensor::{Device, Tensor};
use fewmark_nets::{DipNetConfig, Upsampling, VmNetConfig};
use support::{image, samples};

/// The bits of the logits, and of the gradient to the input.
fn bits(x: &Tensor<4>, logits: Tensor<4>) -> Vec<u32> {
    let gradients = logits.clone().powf_scalar(2.0).sum().backward();
    let gradient = x.grad(&gradients).expect("a leaf of the graph");
    [logits, gradient].into_iter().flat_map(samples).map(f32::to_bits).collect()
}

#[test]
fn the_same_seed_gives_the_same_logits_and_another_one_others() {
    let device = Device::flex().autodiff();
    let vm = |seed| {
        device.seed(seed);
        let network = VmNetConfig { base_width: 4, ..VmNetConfig::default() }.init(&device).unwrap();
        let x = image([2, 2, 37, 48], &device).require_grad();
        bits(&x, network.forward(x.clone()))
    };
    assert!(vm(3) == vm(3) && vm(3) != vm(4));
    for upsampling in [Upsampling::Bilinear, Upsampling::Nearest] {
        let dip = |seed| {
            device.seed(seed);
            let network = DipNetConfig { upsampling, ..DipNetConfig::lighter() }.init(&device).unwrap();
            let x = image([1, 32, 37, 30], &device).require_grad();
            bits(&x, network.forward(x.clone()))
        };
        assert!(dip(3) == dip(3) && dip(3) != dip(4));
    }
}
