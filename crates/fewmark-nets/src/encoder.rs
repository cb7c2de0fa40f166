//! Encoders: images in, features of a coarser grid out, for methods that compare features.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{ConfigError, ResNet, ResNetConfig, SlimResNet, SlimResNetConfig};

/// An encoder and everything that decides it. In a file it is a table with a `name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EncoderConfig {
    /// [`SlimResNet`], for a CPU and random first weights
    Slim(SlimResNetConfig),
    /// [`ResNet`], with torchvision's layers and weights
    Resnet(ResNetConfig),
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self::Slim(SlimResNetConfig::default())
    }
}

impl EncoderConfig {
    /// Makes the encoder with random weights of the device's generator.
    ///
    /// # Errors
    /// If a number cannot be.
    pub fn init(&self, device: &Device) -> Result<Encoder, ConfigError> {
        Ok(match self {
            Self::Slim(config) => Encoder::Slim(config.init(device)?),
            Self::Resnet(config) => Encoder::Resnet(config.init(device)?),
        })
    }

    /// Channels of the features.
    pub fn features(&self) -> usize {
        match self {
            Self::Slim(config) => config.features(),
            Self::Resnet(config) => config.features,
        }
    }

    /// Pixels of the image per feature along each axis.
    pub fn stride(&self) -> usize {
        match self {
            Self::Slim(_) => SlimResNetConfig::STRIDE,
            Self::Resnet(_) => ResNetConfig::STRIDE,
        }
    }
}

/// Any of the encoders.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few encoders in a program")]
pub enum Encoder {
    /// See [`EncoderConfig::Slim`]
    Slim(SlimResNet),
    /// See [`EncoderConfig::Resnet`]
    Resnet(ResNet),
}

impl Encoder {
    /// Features `[batch, channels, ceil(y / stride), ceil(x / stride)]` of grey images `[batch, 1, y, x]`.
    ///
    /// # Panics
    /// If the images have another number of channels or are empty.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Slim(network) => network.forward(image),
            Self::Resnet(network) => network.forward(image),
        }
    }
}
