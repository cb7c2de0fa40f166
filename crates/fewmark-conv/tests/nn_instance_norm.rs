//! The instance normalisation layer against Burn's own.

mod common;

use burn::{
    module::Module,
    nn,
    tensor::{
        Tensor,
        activation::{leaky_relu, relu},
    },
};
use common::{check, device, random, relative, values};
use fewmark_conv::{
    Activation,
    nn::{InstanceNorm, InstanceNormConfig},
};

/// Burn's layer and ours with the same random parameters.
fn both() -> (nn::InstanceNorm, InstanceNorm) {
    let mut burn = nn::InstanceNormConfig::new(3).with_epsilon(1e-3).init(&device());
    burn.gamma = burn.gamma.map(|gamma| gamma.map(|_| random([3]).detach().require_grad()));
    burn.beta = burn.beta.map(|beta| beta.map(|_| random([3]).detach().require_grad()));
    let ours = InstanceNormConfig::new(3).with_epsilon(1e-3).init(&device());
    let ours = ours.load_record(burn.clone().into_record());
    (burn, ours)
}

#[test]
fn training_and_inference_are_burns() {
    let (burn, ours) = both();
    let x = random([2, 3, 6, 5]);
    check(ours.forward(x.clone()), burn.forward(x.clone()), &[&x]);
    let x = random([2, 3, 2, 6, 5]);
    let theirs = leaky_relu(burn.forward(x.clone()), 0.1);
    check(ours.forward_with(x.clone(), Activation::LeakyRelu(0.1)), theirs, &[&x]);
    let (burn, ours) = (burn.valid(), ours.valid());
    let x = x.inner();
    assert!(relative(&ours.forward_with(x.clone(), Activation::Relu), &relu(burn.forward(x))) < 1e-5);
}

#[test]
fn images_do_not_see_each_other() {
    let (_, ours) = both();
    let (first, second) = (random([1, 3, 4, 7]).inner(), random([1, 3, 4, 7]).inner());
    let ours = ours.valid();
    let together = ours.forward(Tensor::cat(vec![first.clone(), second.clone()], 0));
    let apart = Tensor::cat(vec![ours.forward(first), ours.forward(second)], 0);
    assert_eq!(values(&together), values(&apart));
}

#[test]
fn an_image_of_one_voxel_becomes_the_shift() {
    let (_, ours) = both();
    let ours = ours.valid();
    let y = ours.forward(random([1, 3, 1, 1]).inner());
    assert_eq!(values(&y), values(&ours.beta.val()));
}
