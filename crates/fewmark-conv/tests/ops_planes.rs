//! Normalisation, pooling, interpolation and softmax against the same composed of Burn's own.

mod common;

use burn::tensor::{DType, Device, Tensor, TensorData, module::interpolate, ops};
use common::{check, normal, random, relative, values};
use fewmark_conv::{
    Activation,
    ops::{
        ConvOptions, PoolOptions, batch_norm, channel_affine, composed, conv, instance_norm, interpolate_linear,
        max_pool, reflect_pad, softmax,
    },
};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::LeakyRelu(0.2)];

fn check_normalisation<const R: usize>(dims: [usize; R]) {
    for activation in ACTIVATIONS {
        let x = random(dims).mul_scalar(2.0).add_scalar(3.0).detach().require_grad();
        let (gamma, beta) = (random([dims[1]]), random([dims[1]]));
        let (ours, mean, variance) = batch_norm(x.clone(), gamma.clone(), beta.clone(), 1e-3, activation);
        let (theirs, mean_2, variance_2) =
            composed::batch_norm(x.clone(), gamma.clone(), beta.clone(), 1e-3, activation);
        assert!(relative(&mean, &mean_2) < 1e-5);
        assert!(relative(&variance, &variance_2) < 1e-5);
        check(ours, theirs, &[&x, &gamma, &beta]);
        let ours = channel_affine(x.clone(), gamma.clone(), beta.clone(), activation);
        let theirs = composed::channel_affine(x.clone(), gamma.clone(), beta.clone(), activation);
        check(ours, theirs, &[&x, &gamma, &beta]);
    }
}

#[test]
fn normalisation_agrees_with_burn() {
    check_normalisation([3, 4, 5, 7]);
    check_normalisation([2, 1, 40, 41]);
    check_normalisation([1, 3, 3, 2]);
    check_normalisation([2, 3, 4, 5, 3]);
}

#[test]
fn normalisation_of_a_channel_far_from_zero_keeps_its_digits() {
    let device = Device::flex();
    let x = normal([2, 2, 64, 64], &device);
    let (one, zero) = (Tensor::<1>::ones([2], &device), Tensor::<1>::zeros([2], &device));
    let far = x.clone().add_scalar(1000.0);
    let near = far.clone().sub_scalar(1000.0);
    let (far, ..) = batch_norm(far, one.clone(), zero.clone(), 1e-5, Activation::None);
    let (near, ..) = batch_norm(near, one, zero, 1e-5, Activation::None);
    assert!(relative(&far, &near) < 1e-4);
}

#[test]
fn statistics_have_no_gradient() {
    let (x, gamma, beta) = (random([2, 3, 4, 4]), random([3]), random([3]));
    let (_, mean, variance) = batch_norm(x, gamma, beta, 1e-5, Activation::None);
    assert!(!mean.is_tracked() && !variance.is_tracked());
    assert!(mean.is_autodiff() && variance.is_autodiff());
}

#[test]
fn pooling_agrees_with_burn() {
    let check = |dims: [usize; 4], options: PoolOptions| {
        let x = random(dims);
        check(max_pool(x.clone(), options), composed::max_pool(x.clone(), options), &[&x]);
    };
    check([2, 3, 8, 6], PoolOptions::HALVES);
    check([1, 2, 7, 9], PoolOptions::HALVES);
    check([1, 2, 7, 9], PoolOptions { kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1] });
    check([2, 1, 6, 5], PoolOptions { kernel: [9, 3, 2], stride: [9, 1, 1], padding: [9, 1, 0] });
    check([1, 1, 1, 1], PoolOptions { kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1] });
}

#[test]
fn pooling_of_volumes_agrees_with_burn() {
    let check = |dims: [usize; 5], options: PoolOptions| {
        let x = random(dims);
        check(max_pool(x.clone(), options), composed::max_pool(x.clone(), options), &[&x]);
    };
    check([2, 3, 4, 8, 6], PoolOptions::HALVES);
    check([1, 2, 5, 7, 6], PoolOptions { kernel: [3; 3], stride: [2; 3], padding: [1; 3] });
    check([1, 2, 1, 7, 6], PoolOptions { kernel: [1, 2, 2], stride: [1, 2, 2], padding: [0; 3] });
}

#[test]
fn the_first_of_equal_samples_gets_the_gradient() {
    let x = Tensor::<4>::ones([1, 1, 2, 4], &common::device()).require_grad();
    let grads = max_pool(x.clone(), PoolOptions::HALVES).sum().backward();
    assert_eq!(values(&x.grad(&grads).unwrap()), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn interpolation_agrees_with_matrices() {
    for align_corners in [false, true] {
        for (dims, size) in [([2, 3, 5, 4], [9, 10, 8]), ([1, 1, 7, 9], [9, 3, 4]), ([1, 2, 1, 6], [1, 5, 1])] {
            let x = random(dims);
            let ours = interpolate_linear(x.clone(), size, align_corners);
            let theirs = composed::interpolate_linear(x.clone(), [1, size[1], size[2]], align_corners);
            check(ours, theirs, &[&x]);
        }
        for (dims, size) in [([1, 2, 3, 4, 5], [6, 8, 10]), ([2, 1, 4, 5, 3], [3, 11, 3]), ([1, 1, 1, 2, 2], [2, 3, 5])]
        {
            let x = random(dims);
            let ours = interpolate_linear(x.clone(), size, align_corners);
            check(ours, composed::interpolate_linear(x.clone(), size, align_corners), &[&x]);
        }
    }
}

#[test]
fn interpolation_of_images_agrees_with_burns_own() {
    for align_corners in [false, true] {
        let x = random([2, 3, 5, 7]);
        let options = ops::InterpolateOptions::new(ops::InterpolateMode::Bilinear).with_align_corners(align_corners);
        let theirs = interpolate(x.clone(), options.with_output_size([11, 6]));
        check(interpolate_linear(x.clone(), [1, 11, 6], align_corners), theirs, &[&x]);
    }
}

#[test]
fn interpolation_doubles_as_worked_by_hand() {
    let x = Tensor::<4>::from_data(TensorData::new(vec![0.0f32, 4.0, 8.0], [1, 1, 1, 3]), &Device::flex());
    let y = interpolate_linear(x.clone(), [1, 1, 6], false);
    assert_eq!(values(&y), [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]);
    let y = interpolate_linear(x, [1, 1, 5], true);
    assert_eq!(values(&y), [0.0, 2.0, 4.0, 6.0, 8.0]);
}

#[test]
fn reflection_agrees_with_selected_voxels_and_with_burns_own() {
    for (dims, padding) in [([2, 3, 5, 4], [[1; 2]; 3]), ([1, 2, 3, 7], [[9; 2], [0, 2], [6, 3]])] {
        let x = random(dims);
        let ours = reflect_pad(x.clone(), padding);
        check(ours, composed::reflect_pad(x.clone(), padding), &[&x]);
        let along = |axis: usize| (padding[axis][0], padding[axis][1]);
        let burns = x.clone().pad([along(1), along(2)], ops::PadMode::Reflect);
        check(reflect_pad(x.clone(), padding), burns, &[&x]);
    }
    for (dims, padding) in [([2, 1, 3, 4, 5], [[1; 2]; 3]), ([1, 2, 1, 2, 3], [[2, 1], [3, 5], [7, 0]])] {
        let x = random(dims);
        check(reflect_pad(x.clone(), padding), composed::reflect_pad(x.clone(), padding), &[&x]);
    }
}

#[test]
fn softmax_agrees_with_burn() {
    for (dims, groups) in [([2, 6, 5, 7], 1), ([1, 6, 31, 40], 3), ([1, 4, 3, 3], 4), ([3, 1, 2, 2], 1)] {
        let x = random(dims);
        check(softmax(x.clone(), groups), composed::softmax(x.clone(), groups), &[&x]);
    }
    let x = random([1, 16, 3, 12, 20]);
    check(softmax(x.clone(), 4), composed::softmax(x.clone(), 4), &[&x]);
}

#[test]
fn softmax_of_large_numbers_does_not_overflow() {
    let x = Tensor::<4>::from_data(TensorData::new(vec![1e4f32, 1e4, -1e4], [1, 3, 1, 1]), &Device::flex());
    let y = values(&softmax(x, 1));
    assert!((y[0] - 0.5).abs() < 1e-6 && (y[1] - 0.5).abs() < 1e-6 && y[2] < 1e-30, "{y:?}");
}

#[test]
fn views_are_read_as_what_they_are() {
    let view = || random([6, 4, 5, 3]).swap_dims(1, 3).slice([1..4, 0..3, 1..5, 0..3]);
    let x = view();
    assert!(relative(&softmax(x.clone(), 1), &composed::softmax(x.clone(), 1)) < 1e-5);
    let pooled = max_pool(x.clone(), PoolOptions::HALVES);
    assert_eq!(values(&pooled), values(&composed::max_pool(x.clone(), PoolOptions::HALVES)));
    let ours = interpolate_linear(x.clone(), [1, 5, 5], false);
    assert!(relative(&ours, &composed::interpolate_linear(x.clone(), [1, 5, 5], false)) < 1e-5);
    let padded = reflect_pad(x.clone(), [[1; 2]; 3]);
    assert_eq!(values(&padded), values(&composed::reflect_pad(x, [[1; 2]; 3])));
}

#[test]
fn other_types_of_numbers_are_left_to_burn() {
    let (x, weights, one) = (random([2, 4, 6, 8]), random([3, 4, 3, 3]), random([4]));
    let options = ConvOptions::same([1, 3, 3]);
    let [double, double_weights] = [x.clone(), weights.clone()].map(|tensor| tensor.cast(DType::F64));
    let double_one = one.clone().cast(DType::F64);
    let agree = |single: Tensor<4>, double: Tensor<4>| {
        assert_eq!((single.dtype(), double.dtype()), (DType::F32, DType::F64));
        assert!(relative(&single, &double.cast(DType::F32)) < 1e-5);
    };
    let relu = Activation::Relu;
    agree(conv(x.clone(), weights, None, options, relu), conv(double.clone(), double_weights, None, options, relu));
    agree(
        channel_affine(x.clone(), one.clone(), one.clone(), relu),
        channel_affine(double.clone(), double_one.clone(), double_one.clone(), relu),
    );
    agree(
        instance_norm(x.clone(), one.clone(), one, 1e-3, relu),
        instance_norm(double.clone(), double_one.clone(), double_one, 1e-3, relu),
    );
    agree(max_pool(x.clone(), PoolOptions::HALVES), max_pool(double.clone(), PoolOptions::HALVES));
    let double_size = [1, 12, 16];
    agree(interpolate_linear(x.clone(), double_size, false), interpolate_linear(double.clone(), double_size, false));
    agree(reflect_pad(x.clone(), [[2; 2]; 3]), reflect_pad(double.clone(), [[2; 2]; 3]));
    agree(softmax(x, 2), softmax(double, 2));
}
