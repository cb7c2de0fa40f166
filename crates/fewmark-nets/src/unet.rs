//! U-Net, as its most used PyTorch implementation has it.

use burn::module::Module;
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{BatchNorm, BatchNormConfig, Conv, ConvConfig, ConvTranspose, ConvTransposeConfig};
use fewmark_conv::ops::{PoolOptions, max_pool};
use serde::{Deserialize, Serialize};

use crate::ConfigError;

/// Levels of the encoder.
const LEVELS: usize = 5;

/// Everything that decides a [`UNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UNetConfig {
    /// Channels of the image (3)
    pub in_channels: usize,
    /// Classes, background included (3)
    pub classes: usize,
    /// Channels of the first level; each of the four below has twice as many (64)
    pub base_width: usize,
}

impl Default for UNetConfig {
    fn default() -> Self {
        Self { in_channels: 3, classes: 3, base_width: 64 }
    }
}

impl UNetConfig {
    /// The network of the usual width for images of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes, ..Self::default() }
    }

    /// Makes the network with random weights of the device's generator.
    ///
    /// # Errors
    /// If a number is zero.
    pub fn init(&self, device: &Device) -> Result<UNet, ConfigError> {
        let numbers = [("in_channels", self.in_channels), ("classes", self.classes), ("base_width", self.base_width)];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        let width = |level: usize| self.base_width << level;
        let double = |input, output| DoubleConv::new(input, output, device);
        let upsampling =
            |level| ConvTransposeConfig::new([width(level + 1), width(level)], [2; 3]).with_stride([2; 3]).init(device);
        Ok(UNet {
            encoder: (0..LEVELS)
                .map(|level| double(if level == 0 { self.in_channels } else { width(level - 1) }, width(level)))
                .collect(),
            upsampling: (0..LEVELS - 1).rev().map(upsampling).collect(),
            decoder: (0..LEVELS - 1).rev().map(|level| double(width(level + 1), width(level))).collect(),
            out: ConvConfig::new([width(0), self.classes], [1; 3]).init(device),
        })
    }
}

/// U-Net after Ronneberger, Fischer and Brox (2015) with padded convolutions and batch norm: 31,037,763 parameters for 3 channels
/// and 3 classes.
///
/// | level | encoder | decoder |
/// |---|---|---|
/// | 1 | DC(in, 64) | transposed conv 2 stride 2 (128, 64), DC(128, 64), conv 1 (64, classes) |
/// | 2 | max pool 2, DC(64, 128) | transposed conv (256, 128), DC(256, 128) |
/// | 3 | max pool 2, DC(128, 256) | transposed conv (512, 256), DC(512, 256) |
/// | 4 | max pool 2, DC(256, 512) | transposed conv (1024, 512), DC(1024, 512) |
/// | 5 | max pool 2, DC(512, 1024) | |
///
/// DC is twice a 3x3 convolution without bias, batch norm and ReLU. The decoder reads the skip first, then what comes from below,
/// padded with zeros where the skip has an odd size.
#[derive(Module, Debug)]
pub struct UNet {
    encoder: Vec<DoubleConv>,
    upsampling: Vec<ConvTranspose<4>>,
    decoder: Vec<DoubleConv>,
    out: Conv<4>,
}

impl UNet {
    /// Logits `[batch, classes, y, x]` of images `[batch, in_channels, y, x]` of at least 16 by 16 pixels.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or a side is shorter than 16.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let mut skips = Vec::with_capacity(LEVELS);
        let mut x = image;
        for (level, block) in self.encoder.iter().enumerate() {
            let pooled = if level == 0 { x } else { max_pool(x, PoolOptions::HALVES) };
            x = block.forward(pooled);
            if level + 1 < LEVELS {
                skips.push(x.clone());
            }
        }
        for ((up, block), skip) in self.upsampling.iter().zip(&self.decoder).zip(skips.into_iter().rev()) {
            let below = pad_to(up.forward(x), [skip.dims()[2], skip.dims()[3]]);
            x = block.forward(Tensor::cat(vec![skip, below], 1));
        }
        self.out.forward(x)
    }
}

/// Zeros around an image that make it `size`; the odd one goes behind.
fn pad_to(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let (dy, dx) = (size[0] - height, size[1] - width);
    if dy == 0 && dx == 0 {
        return x;
    }
    x.pad([(dy / 2, dy - dy / 2), (dx / 2, dx - dx / 2)], PadMode::Constant(0.0))
}

/// Twice a 3x3 convolution without bias, batch norm and ReLU.
#[derive(Module, Debug)]
struct DoubleConv {
    first: Conv<4>,
    first_norm: BatchNorm,
    second: Conv<4>,
    second_norm: BatchNorm,
}

impl DoubleConv {
    fn new(input: usize, output: usize, device: &Device) -> Self {
        let conv = |input| ConvConfig::new([input, output], [3; 3]).with_padding([1; 3]).with_bias(false).init(device);
        let norm = || BatchNormConfig::new(output).init(device);
        Self { first: conv(input), first_norm: norm(), second: conv(output), second_norm: norm() }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.first.forward_norm(x, &self.first_norm, Activation::Relu);
        self.second.forward_norm(x, &self.second_norm, Activation::Relu)
    }
}
