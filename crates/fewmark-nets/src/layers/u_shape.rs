//! The U of U-Net.

use burn::module::Module;
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvConfig, ConvTranspose, ConvTransposeConfig};
use fewmark_conv::ops::{PoolOptions, max_pool};

use super::{ConvNorm, Style};

/// Levels of the encoder.
pub(crate) const LEVELS: usize = 5;

/// Five levels, each with twice the channels of the one above and half its size: two convolutions on the way down, a skip, and
/// after a transposed convolution two on the way up; a convolution of one tap makes the logits.
#[derive(Module, Debug)]
pub(crate) struct UShape {
    encoder: Vec<DoubleConv>,
    upsampling: Vec<ConvTranspose<4>>,
    decoder: Vec<DoubleConv>,
    out: Conv<4>,
}

impl UShape {
    /// From `input` to `output` channels with `base_width` on the first level.
    pub(crate) fn new([input, output]: [usize; 2], base_width: usize, style: &Style, device: &Device) -> Self {
        let width = |level: usize| base_width << level;
        let double = |input, output| DoubleConv::new(input, output, style, device);
        let upsampling = |level| {
            let config = ConvTransposeConfig::new([width(level + 1), width(level)], [2; 3]).with_stride([2; 3]);
            style.conv_transpose(&config, device)
        };
        Self {
            encoder: (0..LEVELS)
                .map(|level| double(if level == 0 { input } else { width(level - 1) }, width(level)))
                .collect(),
            upsampling: (0..LEVELS - 1).rev().map(upsampling).collect(),
            decoder: (0..LEVELS - 1).rev().map(|level| double(width(level + 1), width(level))).collect(),
            out: style.conv(&ConvConfig::new([width(0), output], [1; 3]), device),
        }
    }

    /// Logits `[batch, output, y, x]` of `[batch, input, y, x]`, whose sides are at least 16.
    pub(crate) fn forward(&self, image: Tensor<4>) -> Tensor<4> {
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

/// Twice a 3x3 convolution, normalisation and ReLU.
#[derive(Module, Debug)]
struct DoubleConv {
    first: ConvNorm<4>,
    second: ConvNorm<4>,
}

impl DoubleConv {
    fn new(input: usize, output: usize, style: &Style, device: &Device) -> Self {
        let conv = |input| style.conv_norm(&ConvConfig::new([input, output], [3; 3]).with_padding([1; 3]), device);
        Self { first: conv(input), second: conv(output) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.second.forward(self.first.forward(x, Activation::Relu), Activation::Relu)
    }
}
