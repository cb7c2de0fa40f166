//! A convolution and its normalisation.

use burn::module::{Initializer, Module};
use burn::tensor::{Device, Tensor};
use fewmark_conv::nn::{
    BatchNorm, BatchNormConfig, Conv, ConvConfig, ConvTranspose, ConvTransposeConfig, DEFAULT_INITIALIZER,
    InstanceNorm, InstanceNormConfig,
};
use fewmark_conv::{Activation, ops};
use serde::{Deserialize, Serialize};

/// How a network normalises its features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Every image by its own mean and variance, in training and afterwards: for training sets of one or two images, whose
    /// common statistics are not those of an image alone
    #[default]
    Instance,
    /// The batch by its mean and variance in training, by their running averages afterwards
    Batch,
}

impl Norm {
    /// A layer that starts as plain normalisation, with `epsilon` added to the variance.
    pub(crate) fn init(self, channels: usize, epsilon: f64, device: &Device) -> NormLayer {
        match self {
            Self::Instance => NormLayer::Instance(InstanceNormConfig::new(channels).with_epsilon(epsilon).init(device)),
            // A new batch weighs 0.1 in the running statistics, which is that layer's default.
            Self::Batch => NormLayer::Batch(BatchNormConfig::new(channels).with_epsilon(epsilon).init(device)),
        }
    }
}

/// A normalisation of either kind.
#[derive(Module, Debug)]
pub(crate) enum NormLayer {
    Instance(InstanceNorm),
    Batch(BatchNorm),
}

impl NormLayer {
    /// The normalised `[batch, channels, ...]`.
    pub(crate) fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        match self {
            Self::Instance(norm) => norm.forward(x),
            Self::Batch(norm) => norm.forward(x),
        }
    }
}

/// Every channel of every image `[batch, channels, ...]` with mean 0 and variance 1, and the activation. Nothing is learnt.
pub(crate) fn standardised<const R: usize>(x: Tensor<R>, epsilon: f64, activation: Activation) -> Tensor<R> {
    let (channels, device) = (x.dims()[1], x.device());
    let [one, zero] = [Tensor::ones([channels], &device), Tensor::zeros([channels], &device)];
    ops::instance_norm(x, one, zero, epsilon, activation)
}

/// What the layers of one network have in common.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) norm: Norm,
    /// Added to variances
    pub(crate) epsilon: f64,
    /// Whether a convolution that is normalised has a bias
    pub(crate) normalised_bias: bool,
    /// Of kernels, and of biases unless those start at zero
    pub(crate) initializer: Initializer,
    pub(crate) zero_bias: bool,
}

impl Style {
    /// PyTorch's defaults and batch normalisation, without the bias that it takes away.
    pub(crate) fn pytorch() -> Self {
        Self {
            norm: Norm::Batch,
            epsilon: 1e-5,
            normalised_bias: false,
            initializer: DEFAULT_INITIALIZER,
            zero_bias: false,
        }
    }

    /// Keras's defaults: kernels uniform within `sqrt(6 / (fan_in + fan_out))` (Glorot), biases of zero, epsilon 1e-3.
    pub(crate) fn keras(norm: Norm) -> Self {
        Self {
            norm,
            epsilon: 1e-3,
            normalised_bias: true,
            initializer: Initializer::XavierUniform { gain: 1.0 },
            zero_bias: true,
        }
    }

    /// A normalisation alone.
    pub(crate) fn norm(&self, channels: usize, device: &Device) -> NormLayer {
        self.norm.init(channels, self.epsilon, device)
    }

    /// A convolution with bias that is not normalised.
    pub(crate) fn conv<const R: usize>(&self, config: &ConvConfig, device: &Device) -> Conv<R> {
        let mut conv = config.clone().with_initializer(self.initializer.clone()).init(device);
        if self.zero_bias {
            conv.bias = conv.bias.map(|_| Initializer::Zeros.init([config.channels[1]], device));
        }
        conv
    }

    /// A transposed convolution with bias.
    pub(crate) fn conv_transpose<const R: usize>(
        &self,
        config: &ConvTransposeConfig,
        device: &Device,
    ) -> ConvTranspose<R> {
        let mut conv = config.clone().with_initializer(self.initializer.clone()).init(device);
        if self.zero_bias {
            conv.bias = conv.bias.map(|_| Initializer::Zeros.init([config.channels[1]], device));
        }
        conv
    }

    /// A convolution and its normalisation.
    pub(crate) fn conv_norm<const R: usize>(&self, config: &ConvConfig, device: &Device) -> ConvNorm<R> {
        ConvNorm {
            conv: self.conv(&config.clone().with_bias(self.normalised_bias), device),
            norm: self.norm(config.channels[1], device),
        }
    }
}

/// A convolution, a normalisation and an activation.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm<const R: usize> {
    conv: Conv<R>,
    norm: NormLayer,
}

impl<const R: usize> ConvNorm<R> {
    /// All three, of `[batch, in, ...]`.
    ///
    /// Instance normalisation takes away the mean of what it reads, and the bias of the convolution with it: that bias is not
    /// added, and has no gradient.
    pub(crate) fn forward(&self, x: Tensor<R>, activation: Activation) -> Tensor<R> {
        let Self { conv, norm } = self;
        match norm {
            NormLayer::Batch(norm) => conv.forward_norm(x, norm, activation),
            NormLayer::Instance(norm) => {
                let y = ops::conv(x, conv.weight.val(), None, conv.options, Activation::None);
                norm.forward_with(y, activation)
            }
        }
    }
}
