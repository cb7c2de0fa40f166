//! Convolutions on Burn's tensors against Burn's own.

mod common;

use burn::tensor::{Device, Tensor};
use common::{check, device, normal, random, relative, values};
use fewmark_conv::{
    Activation,
    ops::{self, ConvOptions, composed},
};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::LeakyRelu(0.1)];

/// One convolution with every gradient against Burn's, for every activation, with and without bias.
fn check_conv<const R: usize>(x: [usize; R], weights: [usize; R], options: ConvOptions) {
    for activation in ACTIVATIONS {
        let (x, weights, bias) = (random(x), random(weights), random([weights[0]]));
        let ours = ops::conv(x.clone(), weights.clone(), Some(bias.clone()), options, activation);
        let theirs = composed::conv(x.clone(), weights.clone(), Some(bias.clone()), options, activation);
        check(ours, theirs, &[&x, &weights, &bias]);
        let ours = ops::conv(x.clone(), weights.clone(), None, options, activation);
        let theirs = composed::conv(x.clone(), weights.clone(), None, options, activation);
        check(ours, theirs, &[&x, &weights]);
    }
}

fn check_transpose<const R: usize>(x: [usize; R], weights: [usize; R], options: ConvOptions, padding: [usize; 3]) {
    for activation in ACTIVATIONS {
        let (x, weights, bias) = (random(x), random(weights), random([weights[1] * options.groups]));
        let ours = ops::conv_transpose(x.clone(), weights.clone(), Some(bias.clone()), options, padding, activation);
        let theirs =
            composed::conv_transpose(x.clone(), weights.clone(), Some(bias.clone()), options, padding, activation);
        check(ours, theirs, &[&x, &weights, &bias]);
        let ours = ops::conv_transpose(x.clone(), weights.clone(), None, options, padding, activation);
        let theirs = composed::conv_transpose(x.clone(), weights.clone(), None, options, padding, activation);
        check(ours, theirs, &[&x, &weights]);
    }
}

#[test]
fn convolutions_of_images_agree_with_burn() {
    let same = ConvOptions::same([1, 3, 3]);
    check_conv([2, 3, 7, 9], [4, 3, 3, 3], same);
    check_conv([1, 4, 8, 5], [6, 4, 3, 3], same.with_stride([1, 2, 2]));
    check_conv([1, 4, 9, 8], [6, 2, 3, 3], same.with_groups(2));
    check_conv([2, 4, 6, 7], [4, 1, 3, 3], same.with_groups(4));
    check_conv([1, 2, 9, 9], [3, 2, 3, 3], same.with_padding([0, 2, 2]).with_dilation([1, 2, 2]));
    check_conv([2, 5, 4, 3], [3, 5, 1, 1], ConvOptions::default());
    check_conv([1, 3, 1, 1], [2, 3, 3, 3], same);
    check_conv([1, 1, 11, 13], [2, 1, 7, 5], ConvOptions::same([1, 7, 5]).with_stride([1, 2, 1]));
}

#[test]
fn convolutions_of_volumes_agree_with_burn() {
    let same = ConvOptions::same([3, 3, 3]);
    check_conv([2, 2, 3, 5, 6], [3, 2, 3, 3, 3], same);
    check_conv([1, 4, 5, 4, 7], [2, 2, 3, 3, 3], same.with_stride([1, 2, 2]).with_groups(2));
    check_conv([1, 2, 1, 4, 4], [3, 2, 3, 3, 3], same.with_stride([2, 2, 2]));
    check_conv([1, 3, 4, 3, 5], [2, 3, 1, 1, 1], ConvOptions::default());
}

#[test]
fn transposed_convolutions_agree_with_burn() {
    let same = ConvOptions::same([1, 3, 3]);
    check_transpose([2, 3, 5, 7], [3, 4, 3, 3], same, [0; 3]);
    check_transpose([1, 3, 4, 5], [3, 2, 2, 2], ConvOptions::default().with_stride([1, 2, 2]), [0; 3]);
    check_transpose([1, 3, 4, 5], [3, 2, 3, 3], same.with_stride([1, 2, 2]), [0, 1, 1]);
    check_transpose([1, 4, 3, 3], [4, 3, 3, 3], same.with_groups(2), [0; 3]);
    check_transpose([2, 2, 1, 1], [2, 3, 3, 3], same.with_stride([1, 2, 2]), [0, 1, 0]);
    let volume = ConvOptions::same([3, 3, 3]);
    check_transpose([1, 2, 3, 4, 3], [2, 3, 3, 3, 3], volume, [0; 3]);
    check_transpose([1, 2, 3, 2, 4], [2, 3, 2, 2, 2], ConvOptions::default().with_stride([2, 2, 2]), [0; 3]);
    check_transpose([1, 2, 2, 3, 4], [2, 2, 3, 3, 3], volume.with_stride([1, 2, 2]), [0, 1, 0]);
}

#[test]
fn tensors_that_are_views_agree_with_burn() {
    let options = ConvOptions::same([1, 3, 3]);
    let view = || random([6, 2, 3, 5]).swap_dims(1, 2).slice([2..5, 0..3, 1..2, 0..5]);
    let (x, weights) = (view(), random([3, 3, 4, 3]).slice([0..3, 0..3, 1..4, 0..3]));
    let ours = ops::conv(x.clone(), weights.clone(), None, options, Activation::Relu);
    let theirs = composed::conv(x, weights, None, options, Activation::Relu);
    assert!(relative(&ours, &theirs) < 1e-5);
}

#[test]
fn an_expanded_gradient_is_read_as_what_it_is() {
    // The gradient of a sum is one number seen from everywhere.
    let options = ConvOptions::same([1, 3, 3]);
    let (x, weights) = (random([1, 2, 5, 6]), random([3, 2, 3, 3]));
    let ours = ops::conv(x.clone(), weights.clone(), None, options, Activation::None).sum().backward();
    let theirs = composed::conv(x.clone(), weights.clone(), None, options, Activation::None).sum().backward();
    assert!(relative(&x.grad(&ours).unwrap(), &x.grad(&theirs).unwrap()) < 1e-5);
    assert!(relative(&weights.grad(&ours).unwrap(), &weights.grad(&theirs).unwrap()) < 1e-5);
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let options = ConvOptions::same([1, 3, 3]).with_stride([1, 2, 2]);
    let plain = Device::flex();
    let make = |dims: [usize; 4]| normal(dims, &plain);
    let (x, weights, towards) = (make([1, 2, 5, 4]), make([3, 2, 3, 3]), make([3, 2, 3, 3]));
    let functional = make([1, 3, 3, 2]);
    let loss = |weights: Tensor<4>, functional: Tensor<4>, x: Tensor<4>| {
        (ops::conv(x, weights, None, options, Activation::LeakyRelu(0.2)) * functional).sum()
    };
    let tracked = weights.clone().autodiff().require_grad();
    let grads = loss(tracked.clone(), functional.clone().autodiff(), x.clone().autodiff()).backward();
    let slope = (tracked.grad(&grads).unwrap() * towards.clone()).sum().into_scalar::<f32>();
    let h = 1e-3;
    let at = |h: f32| {
        let moved = weights.clone() + towards.clone().mul_scalar(h);
        loss(moved, functional.clone(), x.clone()).into_scalar::<f32>()
    };
    let difference = (at(h) - at(-h)) / (2.0 * h);
    assert!((slope - difference).abs() < 2e-2 * slope.abs().max(1.0), "{slope} {difference}");
}

#[test]
fn only_parents_with_a_gradient_get_one() {
    let options = ConvOptions::default();
    let constant = |dims: [usize; 4]| normal(dims, &device());
    let (x, weights) = (constant([1, 2, 4, 4]), random([2, 2, 1, 1]));
    let grads = ops::conv(x.clone(), weights.clone(), None, options, Activation::Relu).sum().backward();
    assert!(x.grad(&grads).is_none());
    assert!(weights.grad(&grads).is_some());
    let (x, weights) = (random([1, 2, 4, 4]), constant([2, 2, 1, 1]));
    let grads = ops::conv(x.clone(), weights.clone(), None, options, Activation::Relu).sum().backward();
    assert!(x.grad(&grads).is_some());
    assert!(weights.grad(&grads).is_none());
}

#[test]
fn the_same_numbers_come_without_autodiff() {
    let (x, weights) = (random([1, 2, 5, 5]), random([2, 2, 3, 3]));
    let options = ConvOptions::same([1, 3, 3]);
    let tracked = ops::conv(x.clone(), weights.clone(), None, options, Activation::Relu);
    let plain = ops::conv(x.inner(), weights.inner(), None, options, Activation::Relu);
    assert_eq!(values(&tracked), values(&plain));
    assert!(!plain.is_autodiff());
}

#[test]
#[should_panic(expected = "the weights are for 3 channels in 1 groups, the input has 2")]
fn weights_for_other_channels_are_refused() {
    let _ = ops::conv(random([1, 2, 5, 5]), random([2, 3, 3, 3]), None, ConvOptions::default(), Activation::None);
}

#[test]
#[should_panic(expected = "the kernel spans 3 voxels along axis 2 (z, y, x), the padded input has 2")]
fn a_kernel_beyond_the_input_is_refused() {
    let _ = ops::conv(random([1, 2, 5, 2]), random([2, 2, 3, 3]), None, ConvOptions::default(), Activation::None);
}
