//! Med3D: a residual network for volumes with a decoder of transposed convolutions.

use burn::module::{Initializer, Module};
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{BatchNorm, BatchNormConfig, Conv, ConvConfig, ConvTranspose, ConvTransposeConfig};
use fewmark_conv::ops::{PoolOptions, max_pool};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{ConvNorm, ResidualBlock, Style, cut, size};

/// Stages: channels, stride, dilation of the first convolution.
const STAGES: [[usize; 3]; 4] = [[64, 1, 1], [128, 2, 1], [256, 1, 2], [512, 1, 4]];

/// Channels of the transposed convolutions, and of the convolution behind them.
const DECODER: [usize; 2] = [256, 128];

/// Halvings of the size, each of which a transposed convolution undoes.
const HALVINGS: usize = 3;

/// Everything that decides a [`Med3d`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Med3dConfig {
    /// Channels of the volume (1)
    pub in_channels: usize,
    /// Classes, background included (4)
    pub classes: usize,
}

impl Default for Med3dConfig {
    fn default() -> Self {
        Self { in_channels: 1, classes: 4 }
    }
}

impl Med3dConfig {
    /// The network for volumes of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes }
    }

    /// Makes the network with random weights of the device's generator: kernels of convolutions are normal with variance
    /// `2 / fan_out` (He), transposed convolutions start as PyTorch starts them.
    ///
    /// # Errors
    /// If a number is zero.
    pub fn init(&self, device: &Device) -> Result<Med3d, ConfigError> {
        let numbers = [("in_channels", self.in_channels), ("classes", self.classes)];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        let initializer = Initializer::KaimingNormal { gain: std::f64::consts::SQRT_2, fan_out_only: true };
        let style = Style { initializer, ..Style::pytorch() };
        let stem = ConvConfig::new([self.in_channels, STAGES[0][0]], [7; 3]).with_stride([2; 3]).with_padding([3; 3]);
        let inputs = [STAGES[0][0]].into_iter().chain(STAGES.map(|[channels, ..]| channels));
        let deepest = STAGES[STAGES.len() - 1][0];
        let merge = ConvConfig::new(DECODER, [3; 3]).with_padding([1; 3]);
        Ok(Med3d {
            stem: style.conv_norm(&stem, device),
            stages: inputs
                .zip(STAGES)
                .map(|(input, [channels, stride, dilation])| {
                    ResidualBlock::new([input, channels], stride, [dilation, 1], &style, device)
                })
                .collect(),
            upsampling: (0..HALVINGS)
                .map(|up| Doubling::new([if up == 0 { deepest } else { DECODER[0] }, DECODER[0]], device))
                .collect(),
            merge: style.conv_norm(&merge, device),
            out: style.conv(&ConvConfig::new([DECODER[1], self.classes], [1; 3]).with_bias(false), device),
        })
    }
}

/// Med3D after Chen, Ma and Zheng, Med3D: transfer learning for 3D medical image analysis (2019), of depth 10, with the layers of a
/// public PyTorch implementation (MedicalZooPytorch, ResNet3DMedNet), which is not that of the authors: 17,340,480 parameters for
/// 1 channel and 4 classes.
///
/// | part | layers | size |
/// |---|---|---|
/// | stem | conv 7 stride 2 (in, 64) | 1/2 |
/// | | max pool 3 stride 2 | 1/4 |
/// | stages | B(64, 64) | 1/4 |
/// | | B(64, 128) of stride 2, B(128, 256) of dilation 2, B(256, 512) of dilation 4 | 1/8 |
/// | decoder | transposed conv 2 stride 2 (512, 256) with bias, and twice (256, 256) | 1 |
/// | | conv 3 (256, 128), conv 1 (128, classes) without norm | 1 |
///
/// Batch norm and ReLU follow every convolution but the last, convolutions have no bias. B is a residual block: two convolutions of
/// 3x3x3 taps, the first with the stride or dilation, added to the input and then a ReLU; where channels or size change, the
/// input goes through a convolution of one tap and batch norm.
#[derive(Module, Debug)]
pub struct Med3d {
    stem: ConvNorm<5>,
    stages: Vec<ResidualBlock<5>>,
    upsampling: Vec<Doubling>,
    merge: ConvNorm<5>,
    out: Conv<5>,
}

impl Med3d {
    /// Logits `[batch, classes, z, y, x]` of volumes `[batch, in_channels, z, y, x]` of any size.
    ///
    /// Sizes are halved rounded up, so the decoder makes volumes whose sizes are multiples of 8; the logits are the first ones
    /// of those. No padding is added, and nothing is computed that they do not read.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the volume is empty.
    pub fn forward(&self, volume: Tensor<5>) -> Tensor<5> {
        let whole = size(&volume);
        let x = self.stem.forward(volume, Activation::Relu);
        let x = max_pool(x, PoolOptions { kernel: [3; 3], stride: [2; 3], padding: [1; 3] });
        let mut x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        for (up, doubling) in self.upsampling.iter().enumerate() {
            x = doubling.forward(x);
            // The last convolution reads one voxel beyond the volume.
            let here = size(&x);
            let read = |n: usize| (n + 1).div_ceil(1 << (HALVINGS - 1 - up));
            x = cut(x, std::array::from_fn(|axis| read(whole[axis]).min(here[axis])));
        }
        self.out.forward(cut(self.merge.forward(x, Activation::Relu), whole))
    }
}

/// A transposed convolution that doubles the size, batch norm and ReLU.
#[derive(Module, Debug)]
struct Doubling {
    conv: ConvTranspose<5>,
    norm: BatchNorm,
}

impl Doubling {
    fn new(channels: [usize; 2], device: &Device) -> Self {
        let conv = ConvTransposeConfig::new(channels, [2; 3]).with_stride([2; 3]).init(device);
        Self { conv, norm: BatchNormConfig::new(channels[1]).init(device) }
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.norm.forward_with(self.conv.forward(x), Activation::Relu)
    }
}
