//! The residual networks of ImageNet as encoders of stride 8.

use burn::module::{Initializer, Module};
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvConfig, DEFAULT_INITIALIZER};
use fewmark_conv::ops::{PoolOptions, max_pool};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{Bottleneck, ConvNorm, ResidualBlock, Style};

/// Channels of the stem, and of the narrow convolutions of each stage.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// Of each stage: the stride of its first block, the dilation of its first block, and that of the others. What would be a stride in the
/// last two stages is a dilation, which begins with the second block.
const STAGES: [[usize; 3]; 4] = [[1, 1, 1], [2, 1, 1], [1, 1, 2], [1, 2, 4]];

/// Channels of a torchvision network's images.
const COLOURS: usize = 3;

/// Everything that decides a [`ResNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResNetConfig {
    /// Layers: 18, 34, 50 or 101 (101)
    pub depth: usize,
    /// Channels of the features (256)
    pub features: usize,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self { depth: 101, features: 256 }
    }
}

impl ResNetConfig {
    /// Pixels per feature.
    pub const STRIDE: usize = 8;

    /// Blocks of each stage, and whether they are bottlenecks.
    fn blocks(&self) -> Result<([usize; 4], bool), ConfigError> {
        Ok(match self.depth {
            18 => ([2, 2, 2, 2], false),
            34 => ([3, 4, 6, 3], false),
            50 => ([3, 4, 6, 3], true),
            101 => ([3, 4, 23, 3], true),
            depth => return Err(ConfigError::Depth { depth }),
        })
    }

    /// Makes the encoder with random weights of the device's generator: kernels are normal with variance `2 / fan_out` (He), the last
    /// convolution starts as PyTorch starts it.
    ///
    /// # Errors
    /// If there is no such depth or `features` is zero.
    pub fn init(&self, device: &Device) -> Result<ResNet, ConfigError> {
        ConfigError::expect_some("features", self.features)?;
        let (counts, deep) = self.blocks()?;
        let initializer = Initializer::KaimingNormal { gain: std::f64::consts::SQRT_2, fan_out_only: true };
        let style = Style { initializer, ..Style::pytorch() };
        let stem = ConvConfig::new([COLOURS, WIDTHS[0]], [7; 3]).with_stride([2; 3]).with_padding([3; 3]);
        let mut channels = WIDTHS[0];
        let mut stages = Vec::new();
        for ((width, count), [stride, first, others]) in WIDTHS.into_iter().zip(counts).zip(STAGES) {
            let mut blocks = Vec::new();
            for block in 0..count {
                let (stride, dilation) = if block == 0 { (stride, first) } else { (1, others) };
                blocks.push(if deep {
                    let block = Bottleneck::new([channels, width], stride, dilation, &style, device);
                    channels = width * Bottleneck::<4>::EXPANSION;
                    Block::Deep(block)
                } else {
                    let block = ResidualBlock::new([channels, width], stride, [dilation, others], &style, device);
                    channels = width;
                    Block::Plain(block)
                });
            }
            stages.push(Stage { blocks });
        }
        let out = ConvConfig::new([channels, self.features], [1; 3]).with_bias(false);
        Ok(ResNet {
            stem: style.conv_norm(&stem, device),
            stages,
            out: Style { initializer: DEFAULT_INITIALIZER, ..style }.conv(&out, device),
        })
    }
}

/// A residual network for classification (He, Zhang, Ren and Sun, CVPR 2016) with the layers of torchvision, made an encoder of stride 8 as in
/// torchvision's DeepLabV3: the strides of the last two stages are dilations, and a convolution of one tap takes the place of pooling and
/// classifier. With a depth of 101 this is the encoder of SSL-ALPNet (Ouyang and others, ECCV 2020): 43,024,448 parameters.
///
/// | part | layers | size |
/// |---|---|---|
/// | stem | conv 7 stride 2 (3, 64), max pool 3 stride 2 | 1/4 |
/// | stages | blocks of 64, of 128 with stride 2 | 1/8 |
/// | | blocks of 256 with dilation 2, of 512 with dilation 4 | 1/8 |
/// | out | conv 1 (512 or 2048, features) without norm or bias | 1/8 |
///
/// Blocks are residual blocks in depths 18 and 34, bottlenecks in 50 and 101. torchvision has no dilation in depths 18 and 34; here both
/// convolutions of a block have it.
#[derive(Module, Debug)]
pub struct ResNet {
    stem: ConvNorm<4>,
    stages: Vec<Stage>,
    out: Conv<4>,
}

#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<Block>,
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "all blocks of a network are of the same kind")]
enum Block {
    Plain(ResidualBlock<4>),
    Deep(Bottleneck<4>),
}

impl ResNet {
    /// Features `[batch, features, ceil(y / 8), ceil(x / 8)]` of grey images `[batch, 1, y, x]`, which are given to all three colours.
    ///
    /// # Panics
    /// If the images have another number of channels or are empty.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = image.dims();
        let last = self.stages(image.expand([batch, COLOURS, height, width])).pop();
        self.out.forward(last.expect("four stages"))
    }

    /// The features after each stage of colour images `[batch, 3, y, x]`.
    pub fn stages(&self, image: Tensor<4>) -> Vec<Tensor<4>> {
        let x = self.stem.forward(image, Activation::Relu);
        let mut x = max_pool(x, PoolOptions { kernel: [3; 3], stride: [2; 3], padding: [1; 3] });
        self.stages
            .iter()
            .map(|stage| {
                x = stage.blocks.iter().fold(x.clone(), |x, block| match block {
                    Block::Plain(block) => block.forward(x),
                    Block::Deep(block) => block.forward(x),
                });
                x.clone()
            })
            .collect()
    }
}
