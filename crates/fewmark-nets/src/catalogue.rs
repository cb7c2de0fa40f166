//! The architectures that make class logits of images, under one roof: by name, and with one interface for all.

mod entries;
mod network;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{
    ConfigError, DeepLabV3PlusConfig, DenseVoxNetConfig, Med3dConfig, MsNetConfig, R2UNetConfig, UNet3dConfig,
    UNetConfig,
};
use entries::{CATALOGUE, Entry};

pub use network::{Network2d, Network3d, Segmenter};

/// An architecture and everything that decides its network.
///
/// In a file it is a table with a `name`, one of [`names`](Self::names), and those fields of the configuration that are not its
/// `Default`. Those of `msnet-2d` and `msnet-3d` are not what [`find`](Self::find) gives, which are
/// [`MsNetConfig::recommended`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use fewmark_nets::{Architecture, Segmenter};
///
/// # fn main() -> Result<(), fewmark_nets::ConfigError> {
/// let architecture = Architecture::find("msnet-3d", 1, 4)?;
/// assert_eq!((architecture.rank(), architecture.parameters()?), (5, 333_936));
/// let network = architecture.init_3d(&Device::flex())?;
/// let volume = Tensor::zeros([1, 1, 3, 16, 16], &Device::flex());
/// assert_eq!(network.forward(volume).dims(), [1, 4, 3, 16, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name")]
#[non_exhaustive]
pub enum Architecture {
    /// [`MsNet`](crate::MsNet) for images
    #[serde(rename = "msnet-2d")]
    MsNet2d(MsNetConfig),
    /// [`MsNet`](crate::MsNet) for volumes
    #[serde(rename = "msnet-3d")]
    MsNet3d(MsNetConfig),
    /// [`UNet`](crate::UNet)
    #[serde(rename = "unet")]
    UNet(UNetConfig),
    /// [`DeepLabV3Plus`](crate::DeepLabV3Plus)
    #[serde(rename = "deeplabv3plus")]
    DeepLabV3Plus(DeepLabV3PlusConfig),
    /// [`R2UNet`](crate::R2UNet)
    #[serde(rename = "r2unet")]
    R2UNet(R2UNetConfig),
    /// [`UNet3d`](crate::UNet3d)
    #[serde(rename = "unet3d")]
    UNet3d(UNet3dConfig),
    /// [`Med3d`](crate::Med3d)
    #[serde(rename = "med3d")]
    Med3d(Med3dConfig),
    /// [`DenseVoxNet`](crate::DenseVoxNet)
    #[serde(rename = "densevoxnet")]
    DenseVoxNet(DenseVoxNetConfig),
}

impl Architecture {
    /// The names of all, those for images first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CATALOGUE.iter().map(|entry| entry.name)
    }

    /// The architecture of a name with the usual widths, for images of `in_channels` channels and `classes` classes, background
    /// included.
    ///
    /// # Errors
    /// [`ConfigError::UnknownArchitecture`] if there is none of that name.
    pub fn find(name: &str, in_channels: usize, classes: usize) -> Result<Self, ConfigError> {
        match CATALOGUE.iter().find(|entry| entry.name == name) {
            Some(entry) => Ok((entry.config)(in_channels, classes)),
            None => Err(ConfigError::UnknownArchitecture { name: name.into(), names: Self::names().collect() }),
        }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.entry().name
    }

    /// The rank of the tensors that the network reads and returns: 4 for images, 5 for volumes.
    pub fn rank(&self) -> usize {
        self.entry().rank
    }

    /// What it is, in one sentence.
    pub fn summary(&self) -> &'static str {
        self.entry().summary
    }

    /// The paper that it is from, and the implementation whose layers it has if that is another's.
    pub fn source(&self) -> &'static str {
        self.entry().source
    }

    /// The fewest voxels that an image must have along every axis.
    pub fn smallest_size(&self) -> usize {
        self.entry().smallest_size
    }

    /// Samples of features that a training step keeps for each voxel of its input: what was measured for the usual width, in proportion to
    /// the width.
    pub fn kept_per_voxel(&self) -> usize {
        self.of_width(self.entry().kept_per_voxel)
    }

    /// Samples of features that it holds at most at once for each voxel of an image that it segments, measured likewise.
    pub fn held_per_voxel(&self) -> usize {
        self.of_width(self.entry().held_per_voxel)
    }

    /// What is so much for the usual width.
    fn of_width(&self, count: usize) -> usize {
        let (width, usual) = match self {
            Self::MsNet2d(config) | Self::MsNet3d(config) => (config.channels, 16),
            Self::UNet(config) => (config.base_width, 64),
            Self::R2UNet(config) => (config.base_width, 64),
            Self::UNet3d(config) => (config.base_width, 4),
            Self::DeepLabV3Plus(_) | Self::Med3d(_) | Self::DenseVoxNet(_) => (1, 1),
        };
        (count * width).div_ceil(usual)
    }

    /// Channels of the image, and classes, background included.
    pub fn channels(&self) -> [usize; 2] {
        match self {
            Self::MsNet2d(config) | Self::MsNet3d(config) => [config.in_channels, config.classes],
            Self::UNet(config) => [config.in_channels, config.classes],
            Self::DeepLabV3Plus(config) => [config.in_channels, config.classes],
            Self::R2UNet(config) => [config.in_channels, config.classes],
            Self::UNet3d(config) => [config.in_channels, config.classes],
            Self::Med3d(config) => [config.in_channels, config.classes],
            Self::DenseVoxNet(config) => [config.in_channels, config.classes],
        }
    }

    /// This for images of `in_channels` channels and `classes` classes, background included; all else stays.
    #[must_use]
    pub fn with_channels(self, in_channels: usize, classes: usize) -> Self {
        match self {
            Self::MsNet2d(config) => Self::MsNet2d(MsNetConfig { in_channels, classes, ..config }),
            Self::MsNet3d(config) => Self::MsNet3d(MsNetConfig { in_channels, classes, ..config }),
            Self::UNet(config) => Self::UNet(UNetConfig { in_channels, classes, ..config }),
            Self::DeepLabV3Plus(_) => Self::DeepLabV3Plus(DeepLabV3PlusConfig { in_channels, classes }),
            Self::R2UNet(config) => Self::R2UNet(R2UNetConfig { in_channels, classes, ..config }),
            Self::UNet3d(config) => Self::UNet3d(UNet3dConfig { in_channels, classes, ..config }),
            Self::Med3d(_) => Self::Med3d(Med3dConfig { in_channels, classes }),
            Self::DenseVoxNet(config) => Self::DenseVoxNet(DenseVoxNetConfig { in_channels, classes, ..config }),
        }
    }

    /// The number of trained parameters: running statistics are none.
    ///
    /// # Errors
    /// If the network cannot be built.
    pub fn parameters(&self) -> Result<usize, ConfigError> {
        let device = Device::flex();
        let mut counter = Counter::default();
        if self.rank() == 4 {
            self.init_2d(&device)?.visit(&mut counter);
        } else {
            self.init_3d(&device)?.visit(&mut counter);
        }
        Ok(counter.found)
    }

    /// The error for a network of another rank, 4 or 5.
    fn wrong_rank(&self, rank: usize) -> ConfigError {
        ConfigError::Rank { name: self.name(), dimensions: self.rank() - 2, expected: rank - 2 }
    }

    fn entry(&self) -> &'static Entry {
        match self {
            Self::MsNet2d(_) => &entries::MSNET_2D,
            Self::MsNet3d(_) => &entries::MSNET_3D,
            Self::UNet(_) => &entries::UNET,
            Self::DeepLabV3Plus(_) => &entries::DEEPLABV3PLUS,
            Self::R2UNet(_) => &entries::R2UNET,
            Self::UNet3d(_) => &entries::UNET3D,
            Self::Med3d(_) => &entries::MED3D,
            Self::DenseVoxNet(_) => &entries::DENSEVOXNET,
        }
    }
}

/// Counts parameters by their shapes, so that no random weights are drawn.
#[derive(Default)]
struct Counter {
    statistics: bool,
    found: usize,
}

impl ModuleVisitor for Counter {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.statistics = matches!(name, "running_mean" | "running_var");
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.statistics {
            self.found += param.lazy_shape().num_elements();
        }
    }
}
