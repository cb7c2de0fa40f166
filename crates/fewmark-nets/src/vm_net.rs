//! VM Net: the network that segments after a variational model.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_conv::ops::reflect_pad;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{LEVELS, Norm, Style, UShape, centre_crop};

/// Pixels that one of the coarsest level stands for.
const COARSEST: usize = 1 << (LEVELS - 1);

/// Everything that decides a [`VmNet`]. The paper does not say how its network is built, so every value is ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VmNetConfig {
    /// Channels of the first level; each of the four below has twice as many (16; 32 and 64 are its larger profiles)
    pub base_width: usize,
    /// Normalisation after each convolution (instance)
    pub norm: Norm,
}

impl Default for VmNetConfig {
    fn default() -> Self {
        Self { base_width: 16, norm: Norm::default() }
    }
}

impl VmNetConfig {
    /// Makes the network with random weights of the device's generator: Glorot's uniform kernels, biases of zero.
    ///
    /// `in_channels` is 2 in the paper: the image, and the geodesic distance or the markers' mask.
    ///
    /// # Errors
    /// If a number is zero.
    pub fn init(&self, in_channels: usize, device: &Device) -> Result<VmNet, ConfigError> {
        let numbers = [("in_channels", in_channels), ("base_width", self.base_width)];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        Ok(VmNet { layers: UShape::new([in_channels, 1], self.base_width, &Style::keras(self.norm), device) })
    }
}

/// A U-Net from an image and what its markers say to one logit a pixel: 1,943,905 parameters with the default configuration and
/// two channels.
///
/// | level | encoder | decoder |
/// |---|---|---|
/// | 1 | DC(2, 16) | transposed conv 2 stride 2 (32, 16), DC(32, 16), conv 1 (16, 1) |
/// | 2 | max pool 2, DC(16, 32) | transposed conv (64, 32), DC(64, 32) |
/// | 3 | max pool 2, DC(32, 64) | transposed conv (128, 64), DC(128, 64) |
/// | 4 | max pool 2, DC(64, 128) | transposed conv (256, 128), DC(256, 128) |
/// | 5 | max pool 2, DC(128, 256) | |
///
/// DC is twice a 3x3 convolution with bias, normalisation (epsilon 1e-3) and ReLU. The decoder reads the skip first.
#[derive(Module, Debug)]
pub struct VmNet {
    layers: UShape,
}

impl VmNet {
    /// Logits `[batch, 1, y, x]` of `[batch, in_channels, y, x]`; the probability is their sigmoid.
    ///
    /// An image of any size is continued by reflection to a multiple of 16 along both axes, as much before as behind, and the
    /// logits are cut to its size. A side shorter than its padding is reflected again and again, one of a single pixel repeated.
    /// With instance normalisation an image of 16 by 16 pixels or less has one pixel on the coarsest level, which is then blind.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the image is empty.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = image.dims();
        let missing = |size: usize| size.next_multiple_of(COARSEST) - size;
        let around = |size| [missing(size) / 2, missing(size).div_ceil(2)];
        let logits = self.layers.forward(reflect_pad(image, [[0; 2], around(height), around(width)]));
        centre_crop(logits, [height, width])
    }
}
