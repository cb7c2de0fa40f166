//! One interface for all networks of the catalogue.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::Architecture;
use crate::{ConfigError, DeepLabV3Plus, DenseVoxNet, Med3d, MsNet, R2UNet, UNet, UNet3d};

/// A network that makes class logits of images, tensors of rank `R`.
pub trait Segmenter<const R: usize>: Module {
    /// Makes the network of an architecture, with random weights of the device's generator.
    ///
    /// # Errors
    /// If the architecture is for another rank or its configuration cannot be built.
    fn of(architecture: &Architecture, device: &Device) -> Result<Self, ConfigError>;

    /// Logits `[batch, classes, ..]` of images `[batch, in_channels, ..]`.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or an axis is shorter than [`Architecture::smallest_size`].
    fn forward(&self, image: Tensor<R>) -> Tensor<R>;

    /// All logits that a training compares with the labels, with the weights of their losses: first those of
    /// [`forward`](Self::forward) with weight 1, then those of auxiliary outputs.
    ///
    /// # Panics
    /// As `forward`.
    fn outputs(&self, image: Tensor<R>) -> Vec<(Tensor<R>, f64)> {
        vec![(self.forward(image), 1.0)]
    }
}

/// A network of the catalogue for images.
///
/// Names of weights begin with that of the variant, as in `UNet.layers.out.weight`.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few networks in a program")]
pub enum Network2d {
    /// [`MsNet`]
    MsNet(MsNet<4>),
    /// [`UNet`]
    UNet(UNet),
    /// [`DeepLabV3Plus`]
    DeepLabV3Plus(DeepLabV3Plus),
    /// [`R2UNet`]
    R2UNet(R2UNet),
}

/// A network of the catalogue for volumes.
///
/// Names of weights begin with that of the variant, as in `Med3d.out.weight`.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few networks in a program")]
pub enum Network3d {
    /// [`MsNet`]
    MsNet(MsNet<5>),
    /// [`UNet3d`]
    UNet3d(UNet3d),
    /// [`Med3d`]
    Med3d(Med3d),
    /// [`DenseVoxNet`]
    DenseVoxNet(DenseVoxNet),
}

impl Segmenter<4> for Network2d {
    fn of(architecture: &Architecture, device: &Device) -> Result<Self, ConfigError> {
        architecture.init_2d(device)
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        match self {
            Self::MsNet(network) => network.forward(image),
            Self::UNet(network) => network.forward(image),
            Self::DeepLabV3Plus(network) => network.forward(image),
            Self::R2UNet(network) => network.forward(image),
        }
    }
}

impl Segmenter<5> for Network3d {
    fn of(architecture: &Architecture, device: &Device) -> Result<Self, ConfigError> {
        architecture.init_3d(device)
    }

    fn forward(&self, image: Tensor<5>) -> Tensor<5> {
        match self {
            Self::MsNet(network) => network.forward(image),
            Self::UNet3d(network) => network.forward(image),
            Self::Med3d(network) => network.forward(image),
            Self::DenseVoxNet(network) => network.forward(image),
        }
    }

    fn outputs(&self, image: Tensor<5>) -> Vec<(Tensor<5>, f64)> {
        match self {
            Self::DenseVoxNet(network) => {
                let [main, auxiliary] = network.forward_with_auxiliary(image);
                vec![(main, 1.0), (auxiliary, DenseVoxNet::AUXILIARY_WEIGHT)]
            }
            Self::MsNet(_) | Self::UNet3d(_) | Self::Med3d(_) => vec![(self.forward(image), 1.0)],
        }
    }
}

impl Architecture {
    /// Makes the network of an architecture for images, with random weights of the device's generator.
    ///
    /// # Errors
    /// [`ConfigError::Rank`] if it is for volumes, or if its configuration cannot be built.
    pub fn init_2d(&self, device: &Device) -> Result<Network2d, ConfigError> {
        Ok(match self {
            Self::MsNet2d(config) => Network2d::MsNet(config.init(device)?),
            Self::UNet(config) => Network2d::UNet(config.init(device)?),
            Self::DeepLabV3Plus(config) => Network2d::DeepLabV3Plus(config.init(device)?),
            Self::R2UNet(config) => Network2d::R2UNet(config.init(device)?),
            Self::MsNet3d(_) | Self::UNet3d(_) | Self::Med3d(_) | Self::DenseVoxNet(_) => {
                return Err(self.wrong_rank(4));
            }
        })
    }

    /// Makes the network of an architecture for volumes, with random weights of the device's generator.
    ///
    /// # Errors
    /// [`ConfigError::Rank`] if it is for images, or if its configuration cannot be built.
    pub fn init_3d(&self, device: &Device) -> Result<Network3d, ConfigError> {
        Ok(match self {
            Self::MsNet3d(config) => Network3d::MsNet(config.init(device)?),
            Self::UNet3d(config) => Network3d::UNet3d(config.init(device)?),
            Self::Med3d(config) => Network3d::Med3d(config.init(device)?),
            Self::DenseVoxNet(config) => Network3d::DenseVoxNet(config.init(device)?),
            Self::MsNet2d(_) | Self::UNet(_) | Self::DeepLabV3Plus(_) | Self::R2UNet(_) => {
                return Err(self.wrong_rank(5));
            }
        })
    }
}
