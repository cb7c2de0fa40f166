//! A 3-D U-Net with residual levels and logits from three of them.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvConfig};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{Dropout, LEVELS, cut, repeat_twice, size, standardised};

/// Slope of the activations below zero.
const SLOPE: f64 = 0.01;

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// Everything that decides a [`UNet3d`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UNet3dConfig {
    /// Channels of the volume (1)
    pub in_channels: usize,
    /// Classes, background included (4)
    pub classes: usize,
    /// Channels of the first level; each of the four below has twice as many (4)
    pub base_width: usize,
    /// Probability with which a channel is dropped on each level in training (0.6)
    pub dropout: f64,
}

impl Default for UNet3dConfig {
    fn default() -> Self {
        Self { in_channels: 1, classes: 4, base_width: 4, dropout: 0.6 }
    }
}

impl UNet3dConfig {
    /// The network for volumes of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes, ..Self::default() }
    }

    /// Makes the network with random weights of the device's generator, which start as PyTorch starts them.
    ///
    /// # Errors
    /// If a number is zero or `dropout` is not at least 0 and below 1.
    pub fn init(&self, device: &Device) -> Result<UNet3d, ConfigError> {
        let numbers = [("in_channels", self.in_channels), ("classes", self.classes), ("base_width", self.base_width)];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        ConfigError::expect_probability("dropout", self.dropout)?;
        let width = |level: usize| self.base_width << level;
        let config = |input, output, kernel: usize| {
            ConvConfig::new([input, output], [kernel; 3]).with_padding([kernel / 2; 3]).with_bias(false)
        };
        let conv = |input, output, kernel| config(input, output, kernel).init(device);
        let below = |level: usize| Encoder {
            enter: config(width(level - 1), width(level), 3).with_stride([2; 3]).init(device),
            mix: conv(width(level), width(level), 3),
        };
        let ascent = |level: usize| Ascent {
            up: conv(width(level + 1), width(level), 3),
            mix: (level + 2 == LEVELS).then(|| conv(width(level), width(level), 1)),
            merge: conv(2 * width(level), 2 * width(level), 3),
        };
        let above = |level: usize| Decoder {
            reduce: conv(2 * width(level + 1), width(level + 1), 1),
            ascent: ascent(level),
            logits: conv(2 * width(level), self.classes, 1),
        };
        Ok(UNet3d {
            enter: conv(self.in_channels, width(0), 3),
            first: conv(width(0), width(0), 3),
            second: conv(width(0), width(0), 3),
            encoder: (1..LEVELS).map(below).collect(),
            deepest: ascent(LEVELS - 2),
            decoder: (0..LEVELS - 2).rev().map(above).collect(),
            dropout: Dropout::of_channels(self.dropout),
        })
    }
}

/// A 3-D U-Net, named after Çiçek and others, 3D U-Net (MICCAI 2016), with the layers of a public PyTorch implementation
/// (MedicalZooPytorch, UNet3D), which are closer to those of Isensee and others (BraTS 2017): 445,548 parameters for 1 channel and
/// 4 classes.
///
/// The network that the MSNet paper compares with has 429,972 parameters and could not be identified; this one, with a base width
/// of 4, has 3.6 % more.
///
/// | level | encoder | decoder |
/// |---|---|---|
/// | 1 | conv 3 (in, 4), + \[L, conv 3, drop, L, conv 3\] | UP(8, 4), M(8), conv 1 (8, classes) |
/// | 2 | conv 3 stride 2 (4, 8), + \[R, drop, R\] | UP(16, 8), M(16), conv 1 (16, 8) |
/// | 3 | conv 3 stride 2 (8, 16), + \[R, drop, R\] | UP(32, 16), M(32), conv 1 (32, 16) |
/// | 4 | conv 3 stride 2 (16, 32), + \[R, drop, R\] | UP(64, 32), conv 1 (32, 32), N, M(64), conv 1 (64, 32) |
/// | 5 | conv 3 stride 2 (32, 64), + \[R, drop, R\] | |
///
/// No convolution has a bias. L is a leaky ReLU of slope 0.01 and N the normalisation of every channel of every volume, which has no
/// parameters, with an L. R is N and a convolution of 3x3x3 taps; both of a level have the same weights. `+ [..]` adds what the
/// brackets give to what they read. A level ends with N, except that the skip of the first is before it and has the L alone.
/// UP is N, every voxel twice along every axis, conv 3, N; M is conv 3, N of what comes from below and then the skip. Logits are also
/// made of M of levels 3 and 2, by a convolution of one tap each, doubled by repeating voxels, and added.
#[derive(Module, Debug)]
pub struct UNet3d {
    enter: Conv<5>,
    first: Conv<5>,
    second: Conv<5>,
    /// Levels 2 to 5
    encoder: Vec<Encoder>,
    /// Level 4
    deepest: Ascent,
    /// Levels 3 to 1
    decoder: Vec<Decoder>,
    dropout: Dropout,
}

impl UNet3d {
    /// Logits `[batch, classes, z, y, x]` of volumes `[batch, in_channels, z, y, x]` of any size.
    ///
    /// A level has half the size of the one above, rounded up, and what a doubling adds behind an odd size is cut off. A level of a
    /// single voxel is blind, since a normalised voxel is zero: that is level 5 where no axis has more than 16 voxels.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the volume is empty.
    pub fn forward(&self, volume: Tensor<5>) -> Tensor<5> {
        let entered = self.enter.forward(volume);
        let x = self.dropout.forward(self.first.forward(leaky(entered.clone())));
        let x = self.second.forward(leaky(x)) + entered;
        let mut skips = vec![leaky(x.clone())];
        let mut x = normalised(x);
        for level in &self.encoder {
            // The last level ends with the normalisation that begins the way up.
            x = normalised(level.forward(x, &self.dropout));
            skips.push(x.clone());
        }
        skips.pop();

        let mut skips = skips.into_iter().rev();
        let mut skip = || skips.next().expect("a skip for every level above the last");
        let mut x = self.deepest.forward(x, skip());
        let mut logits: Option<Tensor<5>> = None;
        for level in &self.decoder {
            x = level.ascent.forward(normalised(level.reduce.forward(x)), skip());
            let here = level.logits.forward(x.clone());
            logits = Some(match logits {
                Some(below) => cut(repeat_twice(below), size(&here)) + here,
                None => here,
            });
        }
        logits.expect("levels with logits")
    }
}

/// A level of the encoder below the first.
#[derive(Module, Debug)]
struct Encoder {
    enter: Conv<5>,
    mix: Conv<5>,
}

impl Encoder {
    fn forward(&self, x: Tensor<5>, dropout: &Dropout) -> Tensor<5> {
        let entered = self.enter.forward(x);
        let mix = |x| self.mix.forward(normalised(x));
        mix(dropout.forward(mix(entered.clone()))) + entered
    }
}

/// The way up to a level, and what is done with its skip.
#[derive(Module, Debug)]
struct Ascent {
    up: Conv<5>,
    mix: Option<Conv<5>>,
    merge: Conv<5>,
}

impl Ascent {
    /// From the normalised features below.
    fn forward(&self, below: Tensor<5>, skip: Tensor<5>) -> Tensor<5> {
        let mut x = normalised(self.up.forward(cut(repeat_twice(below), size(&skip))));
        if let Some(mix) = &self.mix {
            x = normalised(mix.forward(x));
        }
        normalised(self.merge.forward(Tensor::cat(vec![x, skip], 1)))
    }
}

/// A level of the decoder above the deepest.
#[derive(Module, Debug)]
struct Decoder {
    /// Of the level below
    reduce: Conv<5>,
    ascent: Ascent,
    logits: Conv<5>,
}

fn leaky(x: Tensor<5>) -> Tensor<5> {
    activation::leaky_relu(x, SLOPE)
}

/// Every channel of every volume with mean 0 and variance 1, and the activation.
fn normalised(x: Tensor<5>) -> Tensor<5> {
    standardised(x, EPSILON, Activation::LeakyRelu(SLOPE as f32))
}
