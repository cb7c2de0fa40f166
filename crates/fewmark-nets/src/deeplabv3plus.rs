//! DeepLabV3+ on MobileNetV2.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{BatchNorm, BatchNormConfig, Conv, ConvConfig};
use fewmark_conv::ops::interpolate_linear;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{ConvNorm, Dropout, Style, size};

/// Stages of MobileNetV2 after its first convolution: expansion, channels, blocks, stride of the first block.
const STAGES: [[usize; 4]; 7] =
    [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];

/// Channels of the first convolution.
const STEM: usize = 32;

/// Blocks after which the features are a quarter of the image's size and go to the decoder.
const LOW_LEVEL_BLOCKS: usize = 3;

/// Channels there, and those that the decoder makes of them.
const LOW_LEVEL: [usize; 2] = [24, 48];

/// Halvings of the size: the stages behind them are dilated instead.
const HALVINGS: usize = 4;

/// Channels of the pyramid and of the decoder.
const WIDTH: usize = 256;

/// Dilations of the pyramid's convolutions of 3x3 taps.
const DILATIONS: [usize; 3] = [6, 12, 18];

/// Everything that decides a [`DeepLabV3Plus`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepLabV3PlusConfig {
    /// Channels of the image (3)
    pub in_channels: usize,
    /// Classes, background included (3)
    pub classes: usize,
}

impl Default for DeepLabV3PlusConfig {
    fn default() -> Self {
        Self { in_channels: 3, classes: 3 }
    }
}

impl DeepLabV3PlusConfig {
    /// The network for images of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes }
    }

    /// Makes the network with random weights of the device's generator, which start as PyTorch starts them: nothing is
    /// pretrained.
    ///
    /// # Errors
    /// If a number is zero.
    pub fn init(&self, device: &Device) -> Result<DeepLabV3Plus, ConfigError> {
        let numbers = [("in_channels", self.in_channels), ("classes", self.classes)];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        let style = Style { normalised_bias: true, ..Style::pytorch() };
        let conv = |channels, kernel: usize| {
            style.conv_norm(&ConvConfig::new(channels, [kernel; 3]).with_padding([kernel / 2; 3]), device)
        };
        Ok(DeepLabV3Plus {
            backbone: Backbone::new(self.in_channels, device),
            pyramid: Pyramid::new(STAGES[STAGES.len() - 1][1], &style, device),
            low_level: conv(LOW_LEVEL, 1),
            merge: conv([LOW_LEVEL[1] + WIDTH, WIDTH], 3),
            merge_dropout: Dropout::of_samples(0.5),
            mix: conv([WIDTH; 2], 3),
            mix_dropout: Dropout::of_samples(0.1),
            out: style.conv(&ConvConfig::new([WIDTH, self.classes], [1; 3]), device),
        })
    }
}

/// DeepLabV3+ after Chen and others, Encoder-decoder with atrous separable convolution (ECCV 2018), on the MobileNetV2 of Sandler and
/// others (CVPR 2018), with the layers of a public PyTorch implementation (bubbliiiing, deeplabv3-plus-pytorch, output stride 16):
/// 5,813,523 parameters for 3 channels and 3 classes.
///
/// | part | layers | size |
/// |---|---|---|
/// | backbone | conv 3 stride 2 (in, 32) | 1/2 |
/// | | IR(1, 16) | 1/2 |
/// | | 2 IR(6, 24), the first of stride 2; these features are also the decoder's | 1/4 |
/// | | 3 IR(6, 32), the first of stride 2 | 1/8 |
/// | | 4 IR(6, 64), the first of stride 2; 3 IR(6, 96) | 1/16 |
/// | | 3 IR(6, 160), IR(6, 320); all but the first with dilation 2 | 1/16 |
/// | pyramid | side by side (320, 256): conv 1; conv 3 with dilation 6, 12 and 18; conv 1 of the image's mean | 1/16 |
/// | | conv 1 (1280, 256) | 1/16 |
/// | decoder | conv 1 (24, 48) of the backbone's features behind the enlarged pyramid | 1/4 |
/// | | conv 3 (304, 256), dropout 0.5, conv 3 (256, 256), dropout 0.1 | 1/4 |
/// | | conv 1 (256, classes), enlarged | 1 |
///
/// IR(t, c) is an inverted residual: a convolution of one tap to `t` times as many channels (none if `t` is 1), one of 3x3 taps of
/// each channel alone, one of one tap to `c` channels, and the way around where neither size nor channels change. Every convolution
/// but the last has batch norm. The backbone's have no bias and a ReLU that ends at 6 (none after the last of an IR), the others have
/// a bias and a ReLU. Features and logits are enlarged linearly with their corners aligned. Features are never smaller than 1/16:
/// where MobileNetV2 halves a fifth time, that implementation takes the stride away and dilates the convolutions behind it.
///
/// A batch of one image has a single value in every channel of the image's mean, whose variance is 0. PyTorch refuses to train
/// on it; here that one normalisation then uses its running statistics in training too, and leaves them as they are.
#[derive(Module, Debug)]
pub struct DeepLabV3Plus {
    backbone: Backbone,
    pyramid: Pyramid,
    low_level: ConvNorm<4>,
    merge: ConvNorm<4>,
    merge_dropout: Dropout,
    mix: ConvNorm<4>,
    mix_dropout: Dropout,
    out: Conv<4>,
}

impl DeepLabV3Plus {
    /// Logits `[batch, classes, y, x]` of images `[batch, in_channels, y, x]` of any size.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the image is empty.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let whole = size(&image);
        let (low_level, x) = self.backbone.forward(image);
        let x = interpolate_linear(self.pyramid.forward(x), size(&low_level), true);
        let low_level = self.low_level.forward(low_level, Activation::Relu);
        let x = self.merge.forward(Tensor::cat(vec![x, low_level], 1), Activation::Relu);
        let x = self.mix.forward(self.merge_dropout.forward(x), Activation::Relu);
        let logits = self.out.forward(self.mix_dropout.forward(x));
        interpolate_linear(logits, whole, true)
    }
}

/// MobileNetV2 without its classifier.
#[derive(Module, Debug)]
struct Backbone {
    stem: ConvNorm<4>,
    blocks: Vec<InvertedResidual>,
}

impl Backbone {
    fn new(in_channels: usize, device: &Device) -> Self {
        let style = Style::pytorch();
        let stem = ConvConfig::new([in_channels, STEM], [3; 3]).with_stride([2; 3]).with_padding([1; 3]);
        let (mut blocks, mut input, mut halvings, mut dilation) = (Vec::new(), STEM, 1, 1);
        for [expansion, output, count, stride] in STAGES {
            for block in 0..count {
                let wanted = if block == 0 { stride } else { 1 };
                let halved = wanted == 2 && halvings < HALVINGS;
                let stride = if halved { 2 } else { 1 };
                blocks.push(InvertedResidual::new([input, output], expansion, stride, dilation, &style, device));
                halvings += usize::from(halved);
                // The halving that is not done doubles the distance of the taps behind it.
                dilation *= wanted / stride;
                input = output;
            }
        }
        Self { stem: style.conv_norm(&stem, device), blocks }
    }

    /// The features at a quarter of the size, and the last ones.
    fn forward(&self, image: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let through = |x, blocks: &[InvertedResidual]| blocks.iter().fold(x, |x, block| block.forward(x));
        let (first, rest) = self.blocks.split_at(LOW_LEVEL_BLOCKS);
        let low_level = through(relu6(&self.stem, image), first);
        (low_level.clone(), through(low_level, rest))
    }
}

/// A convolution, its normalisation and a ReLU that ends at 6.
fn relu6(conv: &ConvNorm<4>, x: Tensor<4>) -> Tensor<4> {
    conv.forward(x, Activation::Relu).clamp_max(6.0)
}

#[derive(Module, Debug)]
struct InvertedResidual {
    expand: Option<ConvNorm<4>>,
    depthwise: ConvNorm<4>,
    project: ConvNorm<4>,
    #[module(skip)]
    around: bool,
}

impl InvertedResidual {
    fn new(
        [input, output]: [usize; 2],
        expansion: usize,
        stride: usize,
        dilation: usize,
        style: &Style,
        device: &Device,
    ) -> Self {
        let hidden = input * expansion;
        let one_tap = |channels| style.conv_norm(&ConvConfig::new(channels, [1; 3]), device);
        let depthwise = ConvConfig::new([hidden; 2], [3; 3])
            .with_groups(hidden)
            .with_stride([stride; 3])
            .with_dilation([dilation; 3])
            .with_padding([dilation; 3]);
        Self {
            expand: (expansion > 1).then(|| one_tap([input, hidden])),
            depthwise: style.conv_norm(&depthwise, device),
            project: one_tap([hidden, output]),
            around: stride == 1 && input == output,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let expanded = match &self.expand {
            Some(expand) => relu6(expand, x.clone()),
            None => x.clone(),
        };
        let y = self.project.forward(relu6(&self.depthwise, expanded), Activation::None);
        if self.around { x + y } else { y }
    }
}

/// Convolutions of several dilations side by side (atrous spatial pyramid pooling).
#[derive(Module, Debug)]
struct Pyramid {
    branches: Vec<ConvNorm<4>>,
    mean: Conv<4>,
    mean_norm: BatchNorm,
    project: ConvNorm<4>,
}

impl Pyramid {
    fn new(input: usize, style: &Style, device: &Device) -> Self {
        let one_tap = |input| ConvConfig::new([input, WIDTH], [1; 3]);
        let dilated = |dilation: usize| {
            let config = ConvConfig::new([input, WIDTH], [3; 3]).with_dilation([dilation; 3]);
            config.with_padding([dilation; 3])
        };
        let branches = std::iter::once(one_tap(input)).chain(DILATIONS.map(dilated));
        Self {
            branches: branches.map(|config| style.conv_norm(&config, device)).collect(),
            mean: style.conv(&one_tap(input), device),
            mean_norm: BatchNormConfig::new(WIDTH).init(device),
            project: style.conv_norm(&one_tap((DILATIONS.len() + 2) * WIDTH), device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = x.dims();
        let mut norm = self.mean_norm.clone();
        if batch == 1 {
            norm.training = Param::from_bool(false);
        }
        let mean = x.clone().mean_dim(3).mean_dim(2);
        let mean = self.mean.forward_norm(mean, &norm, Activation::Relu).expand([batch, WIDTH, height, width]);
        let branches = self.branches.iter().map(|branch| branch.forward(x.clone(), Activation::Relu));
        self.project.forward(Tensor::cat(branches.chain([mean]).collect(), 1), Activation::Relu)
    }
}
