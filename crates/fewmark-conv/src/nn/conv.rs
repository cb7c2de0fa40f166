//! The convolution layer.

use burn::{
    config::Config,
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor},
};

use super::{BatchNorm, DEFAULT_INITIALIZER, check_groups, weight_dims};
use crate::{
    Activation,
    ops::{self, ConvOptions},
};

/// A convolution of images, rank 4.
pub type Conv2d = Conv<4>;

/// A convolution of volumes, rank 5.
pub type Conv3d = Conv<5>;

/// Sizes of a [`Conv`], along z, y and x; rank 4 does not look at z.
#[derive(Config, Debug)]
pub struct ConvConfig {
    /// Channels of the input and of the output
    pub channels: [usize; 2],
    /// Size of the kernel in taps
    pub kernel_size: [usize; 3],
    /// Step between output voxels, in input voxels
    #[config(default = "[1, 1, 1]")]
    pub stride: [usize; 3],
    /// Zeros put before and after the input, in voxels
    #[config(default = "[0, 0, 0]")]
    pub padding: [usize; 3],
    /// Step between taps, in input voxels
    #[config(default = "[1, 1, 1]")]
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other
    #[config(default = 1)]
    pub groups: usize,
    /// Whether a learnt number is added to every output channel
    #[config(default = true)]
    pub bias: bool,
    /// How weights and bias start
    #[config(default = "DEFAULT_INITIALIZER")]
    pub initializer: Initializer,
}

impl ConvConfig {
    /// A layer with these sizes and new parameters.
    ///
    /// # Panics
    /// If the groups do not divide both numbers of channels.
    pub fn init<const R: usize>(&self, device: &Device) -> Conv<R> {
        check_groups(self.channels, self.groups);
        let [ins, outs] = self.channels;
        let shape = weight_dims::<R>(outs, ins / self.groups, self.kernel_size);
        let taps: usize = shape[2..].iter().product();
        let (fan_in, fan_out) = (Some(ins / self.groups * taps), Some(outs / self.groups * taps));
        Conv {
            weight: self.initializer.init_with(shape, fan_in, fan_out, device),
            bias: self.bias.then(|| self.initializer.init_with([outs], fan_in, fan_out, device)),
            options: ConvOptions {
                stride: self.stride,
                padding: self.padding,
                dilation: self.dilation,
                groups: self.groups,
            },
        }
    }
}

/// A convolution with learnt weights, from a [`ConvConfig`].
#[derive(Module, Debug)]
pub struct Conv<const R: usize> {
    /// `[out, in / groups, kernel...]`
    pub weight: Param<Tensor<R>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// How the kernel moves
    #[module(skip)]
    pub options: ConvOptions,
}

impl<const R: usize> Conv<R> {
    /// The convolution of `[batch, in, ...]`, see [`ops::conv`].
    pub fn forward(&self, x: Tensor<R>) -> Tensor<R> {
        self.forward_with(x, Activation::None)
    }

    /// The convolution and an activation in one pass.
    pub fn forward_with(&self, x: Tensor<R>, activation: Activation) -> Tensor<R> {
        ops::conv(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.options, activation)
    }

    /// The convolution, a normalisation of its output and an activation.
    ///
    /// Where the normalisation does not use the batch's own statistics, all is one pass.
    pub fn forward_norm(&self, x: Tensor<R>, norm: &BatchNorm, activation: Activation) -> Tensor<R> {
        if norm.uses_batch(&x) {
            return norm.forward_with(self.forward(x), activation);
        }
        let (scale, shift) = norm.affine(&x.device());
        let shift = match &self.bias {
            Some(bias) => bias.val() * scale.clone() + shift,
            None => shift,
        };
        ops::conv_affine(x, self.weight.val(), [scale, shift], self.options, activation)
    }
}
