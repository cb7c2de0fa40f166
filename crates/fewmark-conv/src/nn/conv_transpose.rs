//! The transposed convolution layer.

use burn::{
    config::Config,
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor},
};

use super::{DEFAULT_INITIALIZER, check_groups, weight_dims};
use crate::{
    Activation,
    ops::{self, ConvOptions},
};

/// A transposed convolution of images, rank 4.
pub type ConvTranspose2d = ConvTranspose<4>;

/// A transposed convolution of volumes, rank 5.
pub type ConvTranspose3d = ConvTranspose<5>;

/// Sizes of a [`ConvTranspose`], along z, y and x; rank 4 does not look at z.
#[derive(Config, Debug)]
pub struct ConvTransposeConfig {
    /// Channels of the input and of the output
    pub channels: [usize; 2],
    /// Size of the kernel in taps
    pub kernel_size: [usize; 3],
    /// Step between input voxels, in output voxels
    #[config(default = "[1, 1, 1]")]
    pub stride: [usize; 3],
    /// Voxels taken off both sides of the output
    #[config(default = "[0, 0, 0]")]
    pub padding: [usize; 3],
    /// Voxels added to the end of the output, fewer than the stride
    #[config(default = "[0, 0, 0]")]
    pub padding_out: [usize; 3],
    /// Step between taps, in output voxels
    #[config(default = "[1, 1, 1]")]
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other
    #[config(default = 1)]
    pub groups: usize,
    /// Whether a learnt number is added to every output channel
    #[config(default = true)]
    pub bias: bool,
    /// How weights and bias start; the fan-in is, as in Burn and PyTorch, that of the output channels
    #[config(default = "DEFAULT_INITIALIZER")]
    pub initializer: Initializer,
}

impl ConvTransposeConfig {
    /// A layer with these sizes and new parameters.
    ///
    /// # Panics
    /// If the groups do not divide both numbers of channels.
    pub fn init<const R: usize>(&self, device: &Device) -> ConvTranspose<R> {
        check_groups(self.channels, self.groups);
        let [ins, outs] = self.channels;
        let shape = weight_dims::<R>(ins, outs / self.groups, self.kernel_size);
        let taps: usize = shape[2..].iter().product();
        let (fan_in, fan_out) = (Some(outs / self.groups * taps), Some(ins / self.groups * taps));
        ConvTranspose {
            weight: self.initializer.init_with(shape, fan_in, fan_out, device),
            bias: self.bias.then(|| self.initializer.init_with([outs], fan_in, fan_out, device)),
            options: ConvOptions {
                stride: self.stride,
                padding: self.padding,
                dilation: self.dilation,
                groups: self.groups,
            },
            padding_out: self.padding_out,
        }
    }
}

/// A transposed convolution with learnt weights, from a [`ConvTransposeConfig`].
#[derive(Module, Debug)]
pub struct ConvTranspose<const R: usize> {
    /// `[in, out / groups, kernel...]`
    pub weight: Param<Tensor<R>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// How the kernel moves
    #[module(skip)]
    pub options: ConvOptions,
    /// Voxels added to the end of the output, along z, y and x
    #[module(skip)]
    pub padding_out: [usize; 3],
}

impl<const R: usize> ConvTranspose<R> {
    /// The transposed convolution of `[batch, in, ...]`, see [`ops::conv_transpose`].
    pub fn forward(&self, x: Tensor<R>) -> Tensor<R> {
        self.forward_with(x, Activation::None)
    }

    /// The transposed convolution and an activation in one pass.
    pub fn forward_with(&self, x: Tensor<R>, activation: Activation) -> Tensor<R> {
        let bias = self.bias.as_ref().map(Param::val);
        ops::conv_transpose(x, self.weight.val(), bias, self.options, self.padding_out, activation)
    }
}
