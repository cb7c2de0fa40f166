//! U-Net, as its most used PyTorch implementation has it.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{Style, UShape};

/// Everything that decides a [`UNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UNetConfig {
    /// Channels of the image (3)
    pub in_channels: usize,
    /// Classes, background included (3)
    pub classes: usize,
    /// Channels of the first level; each of the four below has twice as many (64)
    pub base_width: usize,
}

impl Default for UNetConfig {
    fn default() -> Self {
        Self { in_channels: 3, classes: 3, base_width: 64 }
    }
}

impl UNetConfig {
    /// The network of the usual width for images of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes, ..Self::default() }
    }

    /// Makes the network with random weights of the device's generator.
    ///
    /// # Errors
    /// If a number is zero.
    pub fn init(&self, device: &Device) -> Result<UNet, ConfigError> {
        let numbers = [("in_channels", self.in_channels), ("classes", self.classes), ("base_width", self.base_width)];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        let channels = [self.in_channels, self.classes];
        Ok(UNet { layers: UShape::new(channels, self.base_width, &Style::pytorch(), device) })
    }
}

/// U-Net after Ronneberger, Fischer and Brox (2015) with padded convolutions and batch norm: 31,037,763 parameters for 3 channels
/// and 3 classes.
///
/// | level | encoder | decoder |
/// |---|---|---|
/// | 1 | DC(in, 64) | transposed conv 2 stride 2 (128, 64), DC(128, 64), conv 1 (64, classes) |
/// | 2 | max pool 2, DC(64, 128) | transposed conv (256, 128), DC(256, 128) |
/// | 3 | max pool 2, DC(128, 256) | transposed conv (512, 256), DC(512, 256) |
/// | 4 | max pool 2, DC(256, 512) | transposed conv (1024, 512), DC(1024, 512) |
/// | 5 | max pool 2, DC(512, 1024) | |
///
/// DC is twice a 3x3 convolution without bias, batch norm and ReLU. The decoder reads the skip first, then what comes from below,
/// padded with zeros where the skip has an odd size.
#[derive(Module, Debug)]
pub struct UNet {
    layers: UShape,
}

impl UNet {
    /// Logits `[batch, classes, y, x]` of images `[batch, in_channels, y, x]` of at least 16 by 16 pixels.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or a side is shorter than 16.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        self.layers.forward(image)
    }
}
