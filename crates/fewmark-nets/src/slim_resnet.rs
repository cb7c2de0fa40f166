//! A small residual encoder that a CPU can train from random weights.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvConfig};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{ConvNorm, ResidualBlock, Style};

/// Dilations of the blocks of the last resolution.
const DILATIONS: [usize; 4] = [1, 2, 4, 1];

/// Everything that decides a [`SlimResNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlimResNetConfig {
    /// Channels of the first convolution (32); the features have four times as many
    pub width: usize,
}

impl Default for SlimResNetConfig {
    fn default() -> Self {
        Self { width: 32 }
    }
}

impl SlimResNetConfig {
    /// Pixels per feature.
    pub const STRIDE: usize = 4;

    /// Channels of the features.
    pub fn features(&self) -> usize {
        4 * self.width
    }

    /// Makes the encoder with PyTorch's random first weights.
    ///
    /// # Errors
    /// If `width` is zero.
    pub fn init(&self, device: &Device) -> Result<SlimResNet, ConfigError> {
        ConfigError::expect_some("width", self.width)?;
        let style = Style::pytorch();
        let width = self.width;
        let conv = |channels, stride| {
            let config = ConvConfig::new(channels, [3; 3]).with_padding([1; 3]).with_stride([stride; 3]);
            style.conv_norm(&config, device)
        };
        let block = |channels, dilation| ResidualBlock::new([channels; 2], 1, [dilation; 2], &style, device);
        Ok(SlimResNet {
            stem: conv([1, width], 1),
            halve: conv([width, 2 * width], 2),
            fine: block(2 * width, 1),
            quarter: conv([2 * width, 4 * width], 2),
            coarse: DILATIONS.map(|dilation| block(4 * width, dilation)).into(),
            out: style.conv(&ConvConfig::new([4 * width; 2], [1; 3]).with_bias(false), device),
        })
    }
}

/// A residual encoder of stride 4: 1,364,960 parameters with a width of 32.
///
/// | layers | size |
/// |---|---|
/// | conv 3 (1, w) | 1 |
/// | conv 3 stride 2 (w, 2w), B(2w) | 1/2 |
/// | conv 3 stride 2 (2w, 4w), B(4w) with dilations 1, 2, 4, 1 | 1/4 |
/// | conv 1 (4w, 4w) without norm | 1/4 |
///
/// Batch norm and ReLU follow every convolution but the last, convolutions have no bias. B is a residual block of two convolutions of
/// 3x3 taps.
#[derive(Module, Debug)]
pub struct SlimResNet {
    stem: ConvNorm<4>,
    halve: ConvNorm<4>,
    fine: ResidualBlock<4>,
    quarter: ConvNorm<4>,
    coarse: Vec<ResidualBlock<4>>,
    out: Conv<4>,
}

impl SlimResNet {
    /// Features `[batch, 4 width, ceil(y / 4), ceil(x / 4)]` of grey images `[batch, 1, y, x]`.
    ///
    /// # Panics
    /// If the images have another number of channels or are empty.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let x = self.halve.forward(self.stem.forward(image, Activation::Relu), Activation::Relu);
        let x = self.quarter.forward(self.fine.forward(x), Activation::Relu);
        self.out.forward(self.coarse.iter().fold(x, |x, block| block.forward(x)))
    }
}
