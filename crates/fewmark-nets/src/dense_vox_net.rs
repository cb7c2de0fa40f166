//! DenseVoxNet: densely connected convolutions for volumes.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{BatchNorm, BatchNormConfig, Conv, ConvConfig, ConvTranspose, ConvTransposeConfig};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{Dropout, cut, max_pairs, size};

/// Channels of the first convolution.
const STEM: usize = 16;

/// Layers of a dense block, and the channels that each adds.
const LAYERS: usize = 12;
const GROWTH: usize = 12;

/// Channels after the first dense block and after the second.
const DENSE: [usize; 2] = [STEM + LAYERS * GROWTH, STEM + 2 * LAYERS * GROWTH];

/// Channels of the transposed convolutions.
const DECODER: [usize; 2] = [128, 64];

/// Everything that decides a [`DenseVoxNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenseVoxNetConfig {
    /// Channels of the volume (1)
    pub in_channels: usize,
    /// Classes, background included (4)
    pub classes: usize,
    /// Probability with which a sample of a new feature is dropped in training (0.2)
    pub dropout: f64,
}

impl Default for DenseVoxNetConfig {
    fn default() -> Self {
        Self { in_channels: 1, classes: 4, dropout: 0.2 }
    }
}

impl DenseVoxNetConfig {
    /// The network for volumes of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes, ..Self::default() }
    }

    /// Makes the network with random weights of the device's generator, which start as PyTorch starts them.
    ///
    /// # Errors
    /// If a number is zero or `dropout` is not at least 0 and below 1.
    pub fn init(&self, device: &Device) -> Result<DenseVoxNet, ConfigError> {
        let numbers = [("in_channels", self.in_channels), ("classes", self.classes)];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        ConfigError::expect_probability("dropout", self.dropout)?;
        let block = |input| DenseBlock::new(input, self.dropout, device);
        let one_tap = |channels| ConvConfig::new(channels, [1; 3]);
        let doubling = |channels| ConvTransposeConfig::new(channels, [2; 3]).with_stride([2; 3]).init(device);
        Ok(DenseVoxNet {
            stem: one_tap([self.in_channels, STEM]).with_stride([2; 3]).with_bias(false).init(device),
            first: block(STEM),
            transition: NormConv::new(&one_tap([DENSE[0]; 2]), device),
            second: block(DENSE[0]),
            mix: NormConv::new(&one_tap([DENSE[1]; 2]).with_bias(false), device),
            upsampling: vec![doubling([DENSE[1], DECODER[0]]), doubling(DECODER)],
            auxiliary: doubling([DENSE[0], DECODER[1]]),
            out: one_tap([DECODER[1], self.classes]).with_bias(false).init(device),
        })
    }
}

/// DenseVoxNet after Yu and others, Automatic 3D cardiovascular MR segmentation with densely-connected volumetric ConvNets (MICCAI
/// 2017), with the layers of a public PyTorch implementation (MedicalZooPytorch, DenseVoxelNet): 1,783,280 parameters for 1 channel
/// and 4 classes.
///
/// | part | layers | size |
/// |---|---|---|
/// | stem | conv 1 stride 2 (in, 16) | 1/2 |
/// | dense block | 12 times NC3(all so far, 12), dropout 0.2, behind all so far: 160 channels | 1/2 |
/// | transition | NC1(160, 160) with bias; its result is also the auxiliary branch's | 1/2 |
/// | | max pool 2 | 1/4 |
/// | dense block | the same from 160 to 304 channels | 1/4 |
/// | decoder | NC1(304, 304) | 1/4 |
/// | | transposed conv 2 stride 2 (304, 128) and (128, 64), with bias | 1 |
/// | auxiliary | transposed conv 2 stride 2 (160, 64) of the transition, with bias | 1 |
/// | both | conv 1 (64, classes), with the same weights | 1 |
///
/// NC is batch norm, ReLU and a convolution, which has no bias where none is named. The stem has a single tap and a stride of 2: of
/// eight voxels the network sees one.
#[derive(Module, Debug)]
pub struct DenseVoxNet {
    stem: Conv<5>,
    first: DenseBlock,
    transition: NormConv,
    second: DenseBlock,
    mix: NormConv,
    upsampling: Vec<ConvTranspose<5>>,
    auxiliary: ConvTranspose<5>,
    out: Conv<5>,
}

impl DenseVoxNet {
    /// Weight of the auxiliary logits' loss beside that of the main ones (ours).
    pub const AUXILIARY_WEIGHT: f64 = 0.33;

    /// Logits `[batch, classes, z, y, x]` of volumes `[batch, in_channels, z, y, x]` of any size: the main ones of
    /// [`forward_with_auxiliary`](Self::forward_with_auxiliary).
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the volume is empty.
    pub fn forward(&self, volume: Tensor<5>) -> Tensor<5> {
        let whole = size(&volume);
        self.main(self.descend(volume), whole)
    }

    /// The main logits and those of the auxiliary branch, both as [`forward`](Self::forward) returns them.
    ///
    /// Sizes are halved rounded up: the last voxel of an odd axis is pooled alone, and what the doublings add behind is cut off.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the volume is empty.
    pub fn forward_with_auxiliary(&self, volume: Tensor<5>) -> [Tensor<5>; 2] {
        let whole = size(&volume);
        let halved = self.descend(volume);
        let auxiliary = self.out.forward(cut(self.auxiliary.forward(halved.clone()), whole));
        [self.main(halved, whole), auxiliary]
    }

    /// Features at half the size.
    fn descend(&self, volume: Tensor<5>) -> Tensor<5> {
        self.transition.forward(self.first.forward(self.stem.forward(volume)))
    }

    /// The main logits from features at half the size.
    fn main(&self, halved: Tensor<5>, whole: [usize; 3]) -> Tensor<5> {
        let half = size(&halved);
        let mut x = self.mix.forward(self.second.forward(max_pairs(halved)));
        for (up, size) in self.upsampling.iter().zip([half, whole]) {
            x = cut(up.forward(x), size);
        }
        self.out.forward(x)
    }
}

/// Convolutions that read all that those before them gave.
#[derive(Module, Debug)]
struct DenseBlock {
    layers: Vec<NormConv>,
    dropout: Dropout,
}

impl DenseBlock {
    fn new(input: usize, dropout: f64, device: &Device) -> Self {
        let layer = |layer: usize| {
            let config = ConvConfig::new([input + layer * GROWTH, GROWTH], [3; 3]);
            NormConv::new(&config.with_padding([1; 3]).with_bias(false), device)
        };
        Self { layers: (0..LAYERS).map(layer).collect(), dropout: Dropout::of_samples(dropout) }
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.layers.iter().fold(x, |x, layer| {
            let new = self.dropout.forward(layer.forward(x.clone()));
            Tensor::cat(vec![x, new], 1)
        })
    }
}

/// Batch norm, ReLU and a convolution.
#[derive(Module, Debug)]
struct NormConv {
    norm: BatchNorm,
    conv: Conv<5>,
}

impl NormConv {
    fn new(config: &ConvConfig, device: &Device) -> Self {
        Self { norm: BatchNormConfig::new(config.channels[0]).init(device), conv: config.init(device) }
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.conv.forward(self.norm.forward_with(x, Activation::Relu))
    }
}
