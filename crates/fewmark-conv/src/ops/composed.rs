//! The operations of this crate composed of Burn's own: what runs on devices other than the CPU, and what the tests
//! compare the CPU's kernels with.

use burn::tensor::{
    Tensor,
    activation::{leaky_relu, relu},
    module::{conv_transpose2d, conv_transpose3d, conv2d, conv3d},
    ops::{ConvOptions as BurnConvOptions, ConvTransposeOptions},
};

use super::ConvOptions;
use crate::Activation;

/// The tensor under another constant for its rank.
fn same_rank<const R: usize, const S: usize>(x: Tensor<R>) -> Tensor<S> {
    assert_eq!(R, S, "a tensor of rank 4 or 5 is needed");
    Tensor::from_bridge(x.into_bridge())
}

/// An activation of every sample.
pub fn activate<const R: usize>(x: Tensor<R>, activation: Activation) -> Tensor<R> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, f64::from(slope)),
    }
}

/// See [`conv`](super::conv).
pub fn conv<const R: usize>(
    x: Tensor<R>,
    weights: Tensor<R>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    activation: Activation,
) -> Tensor<R> {
    let ConvOptions { stride, padding, dilation, groups } = options;
    let y = if R == 4 {
        let options = BurnConvOptions::new(plane(stride), plane(padding), plane(dilation), groups);
        same_rank(conv2d(same_rank(x), same_rank(weights), bias, options))
    } else {
        let options = BurnConvOptions::new(stride, padding, dilation, groups);
        same_rank(conv3d(same_rank(x), same_rank(weights), bias, options))
    };
    activate(y, activation)
}

/// See [`conv_transpose`](super::conv_transpose).
pub fn conv_transpose<const R: usize>(
    x: Tensor<R>,
    weights: Tensor<R>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    output_padding: [usize; 3],
    activation: Activation,
) -> Tensor<R> {
    let ConvOptions { stride, padding, dilation, groups } = options;
    let y = if R == 4 {
        let [stride, padding, dilation] = [stride, padding, dilation].map(plane);
        let options = ConvTransposeOptions::new(stride, padding, plane(output_padding), dilation, groups);
        same_rank(conv_transpose2d(same_rank(x), same_rank(weights), bias, options))
    } else {
        let options = ConvTransposeOptions::new(stride, padding, output_padding, dilation, groups);
        same_rank(conv_transpose3d(same_rank(x), same_rank(weights), bias, options))
    };
    activate(y, activation)
}

/// y and x of z, y and x.
fn plane([_, y, x]: [usize; 3]) -> [usize; 2] {
    [y, x]
}
