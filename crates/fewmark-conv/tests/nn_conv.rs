//! The layers against Burn's own.

mod common;

use burn::{
    module::{Module, Param},
    nn::conv::{Conv2dConfig, Conv3dConfig, ConvTranspose2dConfig, ConvTranspose3dConfig},
    tensor::{Device, Tensor, activation::relu},
};
use common::{device, random, relative, values};
use fewmark_conv::{
    Activation,
    nn::{Conv, Conv2d, ConvConfig, ConvTranspose, ConvTransposeConfig, UNIT_VARIANCE},
};

#[test]
fn convolutions_are_burns_with_the_same_parameters() {
    let device = device();
    let burn = Conv2dConfig::new([4, 6], [3, 5]).with_stride([2, 1]).with_groups(2).init(&device);
    let config = ConvConfig::new([4, 6], [9, 3, 5]).with_stride([9, 2, 1]).with_groups(2);
    let ours = Conv { weight: burn.weight.clone(), bias: burn.bias.clone(), ..config.init(&device) };
    let x = random([2, 4, 7, 8]);
    assert!(relative(&ours.forward(x.clone()), &burn.forward(x.clone())) < 1e-5);
    assert!(relative(&ours.forward_with(x.clone(), Activation::Relu), &relu(burn.forward(x))) < 1e-5);
    let burn = Conv3dConfig::new([2, 3], [3, 3, 3]).with_bias(false).init(&device);
    let ours: Conv<5> = ConvConfig::new([2, 3], [3, 3, 3]).with_bias(false).init(&device);
    let ours = Conv { weight: burn.weight.clone(), ..ours };
    let x = random([1, 2, 4, 5, 6]);
    assert!(relative(&ours.forward(x.clone()), &burn.forward(x)) < 1e-5);
}

#[test]
fn transposed_convolutions_are_burns_with_the_same_parameters() {
    let device = device();
    let burn = ConvTranspose2dConfig::new([4, 6], [3, 3])
        .with_stride([2, 2])
        .with_padding([1, 1])
        .with_padding_out([1, 0])
        .init(&device);
    let config = ConvTransposeConfig::new([4, 6], [3, 3, 3])
        .with_stride([2, 2, 2])
        .with_padding([1, 1, 1])
        .with_padding_out([0, 1, 0]);
    let ours = ConvTranspose { weight: burn.weight.clone(), bias: burn.bias.clone(), ..config.init(&device) };
    let x = random([2, 4, 3, 4]);
    assert!(relative(&ours.forward(x.clone()), &burn.forward(x)) < 1e-5);
    let burn = ConvTranspose3dConfig::new([4, 2], [2, 2, 2]).with_stride([2, 2, 2]).init(&device);
    let config = ConvTransposeConfig::new([4, 2], [2, 2, 2]).with_stride([2, 2, 2]);
    let ours = ConvTranspose { weight: burn.weight.clone(), bias: burn.bias.clone(), ..config.init(&device) };
    let x = random([1, 4, 2, 3, 2]);
    assert!(relative(&ours.forward(x.clone()), &burn.forward(x)) < 1e-5);
}

#[test]
fn new_layers_start_as_burns_do() {
    let device = device();
    let spread = |weight: &Param<Tensor<4>>| {
        let weight = values(&weight.val());
        let largest = weight.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let square = weight.iter().map(|w| w * w).sum::<f32>() / weight.len() as f32;
        (largest, square.sqrt())
    };
    let fan_in = 32.0 * 9.0f32;
    let config = ConvConfig::new([32, 64], [3, 3, 3]);
    let (largest, deviation) = spread(&config.init(&device).weight);
    assert!(largest <= 1.0 / fan_in.sqrt() && deviation > 0.97 / (3.0 * fan_in).sqrt(), "{largest} {deviation}");
    let (largest, deviation) = spread(&config.with_initializer(UNIT_VARIANCE).init(&device).weight);
    assert!(
        largest <= (3.0 / fan_in).sqrt() && (deviation * fan_in.sqrt() - 1.0).abs() < 0.03,
        "{largest} {deviation}"
    );
    // The fan-in of a transposed convolution is that of its output channels.
    let transposed = ConvTransposeConfig::new([8, 32], [1, 3, 3]).init(&device);
    let (largest, deviation) = spread(&transposed.weight);
    assert!(largest <= 1.0 / fan_in.sqrt() && deviation > 0.95 / (3.0 * fan_in).sqrt(), "{largest} {deviation}");
}

#[test]
fn records_are_exchanged_with_burns_layers() {
    let device = Device::flex();
    let burn = Conv2dConfig::new([2, 3], [3, 3]).init(&device);
    let record = burn.clone().into_record();
    let ours: Conv2d = ConvConfig::new([2, 3], [1, 3, 3]).init(&device);
    let ours = ours.load_record(record);
    assert_eq!(values(&ours.weight.val()), values(&burn.weight.val()));
    assert_eq!(values(&ours.bias.unwrap().val()), values(&burn.bias.unwrap().val()));
}

#[test]
#[should_panic(expected = "3 groups do not divide 4 and 6 channels")]
fn groups_that_do_not_divide_are_refused() {
    let _: Conv2d = ConvConfig::new([4, 6], [1, 3, 3]).with_groups(3).init(&device());
}
