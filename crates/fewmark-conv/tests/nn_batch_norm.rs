//! The batch normalisation layer against Burn's own.

mod common;

use burn::{
    module::Module,
    nn,
    tensor::{Device, activation::relu},
};
use common::{check, device, random, relative};
use fewmark_conv::{
    Activation,
    nn::{BatchNorm, BatchNormConfig, Conv, ConvConfig},
};

/// Burn's layer and ours with the same random parameters.
fn both(device: &Device) -> (nn::BatchNorm, BatchNorm) {
    let mut burn = nn::BatchNormConfig::new(3).with_momentum(0.3).init(device);
    burn.gamma = burn.gamma.map(|_| random([3]).detach().require_grad());
    burn.beta = burn.beta.map(|_| random([3]).detach().require_grad());
    let ours = BatchNormConfig::new(3).with_momentum(0.3).init(device);
    let ours = ours.load_record(burn.clone().into_record());
    (burn, ours)
}

#[test]
fn training_and_inference_are_burns() {
    let (burn, ours) = both(&device());
    for _ in 0..3 {
        let x = random([2, 3, 6, 5]);
        check(ours.forward(x.clone()), burn.forward(x.clone()), &[&x]);
        assert!(relative(&ours.running_mean.value(), &burn.running_mean.value()) < 1e-5);
        assert!(relative(&ours.running_var.value(), &burn.running_var.value()) < 1e-5);
    }
    let (burn, ours) = (burn.valid(), ours.valid());
    let x = random([2, 3, 2, 6, 5]).inner();
    assert!(relative(&ours.forward(x.clone()), &burn.forward(x.clone())) < 1e-5);
    assert!(relative(&ours.forward_with(x.clone(), Activation::Relu), &relu(burn.forward(x))) < 1e-5);
}

#[test]
fn a_frozen_layer_leaves_its_statistics_alone() {
    let (burn, ours) = both(&device());
    let (burn, ours) = (burn.freeze(), ours.freeze());
    let before = ours.running_mean.value();
    let x = random([2, 3, 6, 5]);
    check(ours.forward_with(x.clone(), Activation::Relu), relu(burn.forward(x.clone())), &[&x]);
    assert_eq!(relative(&ours.running_mean.value(), &before), 0.0);
}

#[test]
fn folding_into_a_convolution_changes_nothing() {
    let (_, norm) = both(&device());
    for bias in [false, true] {
        let conv: Conv<4> = ConvConfig::new([2, 3], [1, 3, 3]).with_bias(bias).init(&device());
        let x = random([2, 2, 6, 5]);
        let apart = |x| norm.forward_with(conv.forward(x), Activation::LeakyRelu(0.1));
        check(conv.forward_norm(x.clone(), &norm, Activation::LeakyRelu(0.1)), apart(x.clone()), &[&x]);
        let (norm, conv) = (norm.valid(), conv.valid());
        let x = x.inner();
        let apart = norm.forward_with(conv.forward(x.clone()), Activation::Relu);
        assert!(relative(&conv.forward_norm(x, &norm, Activation::Relu), &apart) < 1e-5);
    }
}

#[test]
fn a_folded_frozen_layer_has_the_same_gradients() {
    let (_, norm) = both(&device());
    let norm = norm.freeze();
    let conv: Conv<4> = ConvConfig::new([2, 3], [1, 3, 3]).init(&device());
    let x = random([2, 2, 6, 5]);
    let ours = conv.forward_norm(x.clone(), &norm, Activation::Relu);
    let theirs = norm.forward_with(conv.forward(x.clone()), Activation::Relu);
    let (weight, bias) = (conv.weight.val(), conv.bias.as_ref().unwrap().val());
    check(ours, theirs, &[&x, &weight, &bias]);
}
