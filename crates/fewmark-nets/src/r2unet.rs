//! R2U-Net: a U-Net of recurrent residual convolutions.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvConfig};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{ConvNorm, LEVELS, Style, cut, max_pairs, repeat_twice, size};

/// Everything that decides an [`R2UNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct R2UNetConfig {
    /// Channels of the image (3)
    pub in_channels: usize,
    /// Classes, background included (3)
    pub classes: usize,
    /// Channels of the first level; each of the four below has twice as many (64)
    pub base_width: usize,
    /// How often a recurrent convolution reads its own result (2)
    pub steps: usize,
}

impl Default for R2UNetConfig {
    fn default() -> Self {
        Self { in_channels: 3, classes: 3, base_width: 64, steps: 2 }
    }
}

impl R2UNetConfig {
    /// The network of the usual width for images of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes, ..Self::default() }
    }

    /// Makes the network with random weights of the device's generator, which start as PyTorch starts them.
    ///
    /// # Errors
    /// If a number is zero.
    pub fn init(&self, device: &Device) -> Result<R2UNet, ConfigError> {
        let numbers = [
            ("in_channels", self.in_channels),
            ("classes", self.classes),
            ("base_width", self.base_width),
            ("steps", self.steps),
        ];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        let style = Style { normalised_bias: true, ..Style::pytorch() };
        let width = |level: usize| self.base_width << level;
        let block = |input, output| RecurrentResidual::new([input, output], self.steps, &style, device);
        let above = || (0..LEVELS - 1).rev();
        Ok(R2UNet {
            encoder: (0..LEVELS)
                .map(|level| block(if level == 0 { self.in_channels } else { width(level - 1) }, width(level)))
                .collect(),
            upsampling: above().map(|level| three_taps([width(level + 1), width(level)], &style, device)).collect(),
            decoder: above().map(|level| block(width(level + 1), width(level))).collect(),
            out: style.conv(&ConvConfig::new([width(0), self.classes], [1; 3]), device),
        })
    }
}

/// R2U-Net after Alom and others, Recurrent residual convolutional neural network based on U-Net (2018), with the layers of its most
/// used PyTorch implementation (LeeJunHyun, Image_Segmentation): 39,091,523 parameters for 3 channels and 3 classes.
///
/// | level | encoder | decoder |
/// |---|---|---|
/// | 1 | RR(in, 64) | UP(128, 64), RR(128, 64), conv 1 (64, classes) |
/// | 2 | max pool 2, RR(64, 128) | UP(256, 128), RR(256, 128) |
/// | 3 | max pool 2, RR(128, 256) | UP(512, 256), RR(512, 256) |
/// | 4 | max pool 2, RR(256, 512) | UP(1024, 512), RR(1024, 512) |
/// | 5 | max pool 2, RR(512, 1024) | |
///
/// Every convolution has a bias. With `C` a 3x3 convolution, batch norm and ReLU, UP doubles the size by repeating voxels and
/// applies a `C`. RR is a convolution of one tap, whose result `x` goes through two recurrent layers and is added to what they give;
/// a recurrent layer is one `C` with one set of weights, `y <- C(x)` and then `steps` times `y <- C(x + y)`: three applications for
/// two steps, as in that implementation, and as many updates of the running statistics in training. The decoder reads the skip
/// first, then what comes from below.
#[derive(Module, Debug)]
pub struct R2UNet {
    encoder: Vec<RecurrentResidual>,
    /// From the coarsest level on
    upsampling: Vec<ConvNorm<4>>,
    /// From the coarsest level on
    decoder: Vec<RecurrentResidual>,
    out: Conv<4>,
}

impl R2UNet {
    /// Logits `[batch, classes, y, x]` of images `[batch, in_channels, y, x]` of any size.
    ///
    /// A level has half the size of the one above, rounded up: the last pixel of an odd side is pooled alone, and what the
    /// doubling adds behind is cut off. The implementation that this follows takes multiples of 16 only, where nothing of this
    /// happens.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the image is empty.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let mut skips = Vec::with_capacity(LEVELS);
        let mut x = image;
        for (level, block) in self.encoder.iter().enumerate() {
            x = block.forward(if level == 0 { x } else { max_pairs(x) });
            if level + 1 < LEVELS {
                skips.push(x.clone());
            }
        }
        for ((up, block), skip) in self.upsampling.iter().zip(&self.decoder).zip(skips.into_iter().rev()) {
            let below = up.forward(cut(repeat_twice(x), size(&skip)), Activation::Relu);
            x = block.forward(Tensor::cat(vec![skip, below], 1));
        }
        self.out.forward(x)
    }
}

/// A convolution of 3x3 taps that keeps the size, and its normalisation.
fn three_taps(channels: [usize; 2], style: &Style, device: &Device) -> ConvNorm<4> {
    style.conv_norm(&ConvConfig::new(channels, [3; 3]).with_padding([1; 3]), device)
}

/// Two recurrent convolutions after one of a single tap, and a way around them.
#[derive(Module, Debug)]
struct RecurrentResidual {
    enter: Conv<4>,
    first: ConvNorm<4>,
    second: ConvNorm<4>,
    #[module(skip)]
    steps: usize,
}

impl RecurrentResidual {
    fn new(channels: [usize; 2], steps: usize, style: &Style, device: &Device) -> Self {
        let recurrent = || three_taps([channels[1]; 2], style, device);
        let enter = style.conv(&ConvConfig::new(channels, [1; 3]), device);
        Self { enter, first: recurrent(), second: recurrent(), steps }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.enter.forward(x);
        x.clone() + self.recur(&self.second, self.recur(&self.first, x))
    }

    fn recur(&self, conv: &ConvNorm<4>, x: Tensor<4>) -> Tensor<4> {
        let start = conv.forward(x.clone(), Activation::Relu);
        (0..self.steps).fold(start, |y, _| conv.forward(x.clone() + y, Activation::Relu))
    }
}
