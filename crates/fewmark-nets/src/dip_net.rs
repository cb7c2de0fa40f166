//! DIP Net: the hourglass of Deep Image Prior.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvConfig};
use fewmark_conv::ops::{interpolate_linear, reflect_pad};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{ConvNorm, Norm, NormLayer, Style, centre_crop, repeat_twice, size};

/// Slope of the activations below zero.
const ACTIVATION: Activation = Activation::LeakyRelu(0.2);

/// How a [`DipNet`] doubles the size of its features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsampling {
    /// Linear interpolation between the middles of pixels
    #[default]
    Bilinear,
    /// Every pixel four times
    Nearest,
}

/// Everything that decides a [`DipNet`]. The default is [`paper`](Self::paper).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DipNetConfig {
    /// Channels of the noise (32)
    pub in_channels: usize,
    /// Channels of each scale on the way down, the finest first (five times 128)
    pub down: Vec<usize>,
    /// Channels of each scale on the way up, the finest first; as many scales as `down` (five times 128)
    pub up: Vec<usize>,
    /// Channels of every skip (4)
    pub skip: usize,
    /// How sizes are doubled (bilinear)
    pub upsampling: Upsampling,
    /// Normalisation (instance, ours; Deep Image Prior's code has batch normalisation of a single image, which is the same in training)
    pub norm: Norm,
}

impl Default for DipNetConfig {
    fn default() -> Self {
        Self::paper()
    }
}

impl DipNetConfig {
    /// The network of Deep Image Prior with five scales of 128 channels: 2,217,573 parameters.
    pub fn paper() -> Self {
        Self::of_widths(&[128; 5])
    }

    /// Five scales of 16, 32, 64, 128 and 128 channels: 1,041,781 parameters.
    pub fn light() -> Self {
        Self::of_widths(&[16, 32, 64, 128, 128])
    }

    /// Four scales of 32, 64, 128 and 128 channels: 1,033,713 parameters.
    pub fn four_scales() -> Self {
        Self::of_widths(&[32, 64, 128, 128])
    }

    /// Four scales of 16, 32, 64 and 64 channels: 265,569 parameters.
    pub fn lighter() -> Self {
        Self::of_widths(&[16, 32, 64, 64])
    }

    /// The same channels on the way down and up, and otherwise the paper's values.
    fn of_widths(widths: &[usize]) -> Self {
        Self {
            in_channels: 32,
            down: widths.to_vec(),
            up: widths.to_vec(),
            skip: 4,
            upsampling: Upsampling::default(),
            norm: Norm::default(),
        }
    }

    /// Makes the network with random weights of the device's generator: Glorot's uniform kernels, biases of zero.
    ///
    /// # Errors
    /// If a number or a width is zero, there is no scale, or `down` and `up` have not as many scales.
    pub fn init(&self, device: &Device) -> Result<DipNet, ConfigError> {
        self.validate()?;
        let style = Style::keras(self.norm);
        let scales = (0..self.down.len()).map(|scale| Scale::new(self, scale, &style, device)).collect();
        let out = style.conv(&ConvConfig::new([self.up[0], 1], [1; 3]), device);
        Ok(DipNet { scales, out, upsampling: self.upsampling })
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let numbers =
            [("in_channels", self.in_channels), ("the number of scales", self.down.len()), ("skip", self.skip)];
        let widths = self.down.iter().map(|&n| ("down", n)).chain(self.up.iter().map(|&n| ("up", n)));
        numbers.into_iter().chain(widths).try_for_each(|(what, n)| ConfigError::expect_some(what, n))?;
        if self.down.len() != self.up.len() {
            return Err(ConfigError::Scales { down: self.down.len(), up: self.up.len() });
        }
        Ok(())
    }
}

/// The hourglass with skips of Ulyanov, Vedaldi and Lempitsky, Deep image prior (CVPR 2018), from noise to one logit a pixel.
///
/// With `C` a convolution with bias and padding by reflection, its normalisation (epsilon 1e-3) and a leaky ReLU of slope 0.2, a scale
/// makes of its input `x`, the noise or the features of the finer scale,
///
/// ```text
/// skip = C1x1(x)
/// deep = C3x3(C3x3, stride 2(x)),  then the next coarser scale if there is one,  then doubled in size
/// y    = C1x1(C3x3(normalised([skip, deep])))
/// ```
///
/// and a convolution of one tap makes the logits of the finest `y`. Where a size is odd, `deep` is larger than `skip` and its middle is
/// taken.
#[derive(Module, Debug)]
pub struct DipNet {
    /// The finest first
    scales: Vec<Scale>,
    out: Conv<4>,
    #[module(skip)]
    upsampling: Upsampling,
}

impl DipNet {
    /// Logits `[batch, 1, y, x]` of noise `[batch, in_channels, y, x]` of any size; the probability is their sigmoid.
    ///
    /// A scale has half the size of the one above, rounded up. With instance normalisation a scale of a single pixel is
    /// blind: with five scales that is so below 33 pixels on both axes.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels` or the image is empty.
    pub fn forward(&self, noise: Tensor<4>) -> Tensor<4> {
        let mut skips = Vec::with_capacity(self.scales.len());
        let mut x = noise;
        for scale in &self.scales {
            skips.push(scale.skip.forward(x.clone(), ACTIVATION));
            x = scale.descend(x);
        }
        for (scale, skip) in self.scales.iter().zip(skips).rev() {
            x = scale.ascend(skip, double(x, self.upsampling));
        }
        self.out.forward(x)
    }
}

/// One scale of the hourglass.
#[derive(Module, Debug)]
struct Scale {
    skip: ConvNorm<4>,
    halve: ConvNorm<4>,
    deepen: ConvNorm<4>,
    joined: NormLayer,
    merge: ConvNorm<4>,
    mix: ConvNorm<4>,
}

impl Scale {
    fn new(config: &DipNetConfig, scale: usize, style: &Style, device: &Device) -> Self {
        let DipNetConfig { down, up, skip, .. } = config;
        let input = if scale == 0 { config.in_channels } else { down[scale - 1] };
        let joined = skip + up.get(scale + 1).unwrap_or(&down[scale]);
        let conv = |channels, kernel| style.conv_norm(&ConvConfig::new(channels, [kernel; 3]), device);
        let halve = ConvConfig::new([input, down[scale]], [3; 3]).with_stride([2; 3]);
        Self {
            skip: conv([input, *skip], 1),
            halve: style.conv_norm(&halve, device),
            deepen: conv([down[scale]; 2], 3),
            joined: style.norm(joined, device),
            merge: conv([joined, up[scale]], 3),
            mix: conv([up[scale]; 2], 1),
        }
    }

    /// The way to the next coarser scale.
    fn descend(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.halve.forward(by_one(x), ACTIVATION);
        self.deepen.forward(by_one(x), ACTIVATION)
    }

    /// What the scale gives to the next finer one, from its skip and what came from below.
    fn ascend(&self, skip: Tensor<4>, deep: Tensor<4>) -> Tensor<4> {
        let deep = centre_crop(deep, [skip.dims()[2], skip.dims()[3]]);
        let joined = self.joined.forward(Tensor::cat(vec![skip, deep], 1));
        let merged = self.merge.forward(by_one(joined), ACTIVATION);
        self.mix.forward(merged, ACTIVATION)
    }
}

/// The padding by reflection that leaves the size as it is in front of three taps.
fn by_one(x: Tensor<4>) -> Tensor<4> {
    reflect_pad(x, [[1; 2]; 3])
}

fn double(x: Tensor<4>, upsampling: Upsampling) -> Tensor<4> {
    match upsampling {
        Upsampling::Bilinear => {
            let size = size(&x).map(|n| 2 * n);
            interpolate_linear(x, size, false)
        }
        Upsampling::Nearest => repeat_twice(x),
    }
}
