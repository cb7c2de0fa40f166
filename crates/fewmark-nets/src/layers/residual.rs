//! Residual blocks (He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016).

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use fewmark_conv::Activation;
use fewmark_conv::nn::ConvConfig;

use super::{ConvNorm, Style};

/// Two convolutions of three taps an axis, added to the input, and a ReLU.
#[derive(Module, Debug)]
pub(crate) struct ResidualBlock<const R: usize> {
    first: ConvNorm<R>,
    second: ConvNorm<R>,
    shortcut: Option<ConvNorm<R>>,
}

impl<const R: usize> ResidualBlock<R> {
    /// The first convolution has the stride; each has its dilation.
    pub(crate) fn new(
        channels: [usize; 2],
        stride: usize,
        dilation: [usize; 2],
        style: &Style,
        device: &Device,
    ) -> Self {
        let first = three(channels, dilation[0]).with_stride([stride; 3]);
        Self {
            first: style.conv_norm(&first, device),
            second: style.conv_norm(&three([channels[1]; 2], dilation[1]), device),
            shortcut: shortcut(channels, stride, style, device),
        }
    }

    /// The features `[batch, out, ...]` of `[batch, in, ...]`.
    pub(crate) fn forward(&self, x: Tensor<R>) -> Tensor<R> {
        let y = self.second.forward(self.first.forward(x.clone(), Activation::Relu), Activation::None);
        activation::relu(y + around(&self.shortcut, x))
    }
}

/// A convolution of one tap, one of three taps an axis, one of one tap to four times the channels, added to the input, and a ReLU. The
/// stride is that of the middle one, as in torchvision ("v1.5").
#[derive(Module, Debug)]
pub(crate) struct Bottleneck<const R: usize> {
    narrow: ConvNorm<R>,
    middle: ConvNorm<R>,
    wide: ConvNorm<R>,
    shortcut: Option<ConvNorm<R>>,
}

impl<const R: usize> Bottleneck<R> {
    /// How many times the middle convolution's channels come out.
    pub(crate) const EXPANSION: usize = 4;

    /// From `input` channels through `width` to [`EXPANSION`](Self::EXPANSION) times `width`.
    pub(crate) fn new(
        [input, width]: [usize; 2],
        stride: usize,
        dilation: usize,
        style: &Style,
        device: &Device,
    ) -> Self {
        let output = width * Self::EXPANSION;
        Self {
            narrow: style.conv_norm(&ConvConfig::new([input, width], [1; 3]), device),
            middle: style.conv_norm(&three([width; 2], dilation).with_stride([stride; 3]), device),
            wide: style.conv_norm(&ConvConfig::new([width, output], [1; 3]), device),
            shortcut: shortcut([input, output], stride, style, device),
        }
    }

    /// The features `[batch, out, ...]` of `[batch, in, ...]`.
    pub(crate) fn forward(&self, x: Tensor<R>) -> Tensor<R> {
        let y = self.narrow.forward(x.clone(), Activation::Relu);
        let y = self.wide.forward(self.middle.forward(y, Activation::Relu), Activation::None);
        activation::relu(y + around(&self.shortcut, x))
    }
}

/// A convolution of three taps an axis that keeps the size.
fn three(channels: [usize; 2], dilation: usize) -> ConvConfig {
    ConvConfig::new(channels, [3; 3]).with_dilation([dilation; 3]).with_padding([dilation; 3])
}

/// What the input goes through where channels or size change.
fn shortcut<const R: usize>(
    channels: [usize; 2],
    stride: usize,
    style: &Style,
    device: &Device,
) -> Option<ConvNorm<R>> {
    let needed = channels[0] != channels[1] || stride > 1;
    needed.then(|| style.conv_norm(&ConvConfig::new(channels, [1; 3]).with_stride([stride; 3]), device))
}

fn around<const R: usize>(shortcut: &Option<ConvNorm<R>>, x: Tensor<R>) -> Tensor<R> {
    match shortcut {
        Some(shortcut) => shortcut.forward(x, Activation::None),
        None => x,
    }
}
