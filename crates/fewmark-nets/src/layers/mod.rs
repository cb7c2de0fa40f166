//! What several networks are made of.

mod conv_norm;
mod dropout;
mod resample;
mod residual;
mod u_shape;

use burn::module::Initializer;

pub use conv_norm::Norm;
pub(crate) use conv_norm::{ConvNorm, NormLayer, Style, standardised};
pub(crate) use dropout::Dropout;
pub(crate) use resample::{average_pairs, centre_crop, cut, max_pairs, repeat_twice, size};
pub(crate) use residual::{Bottleneck, ResidualBlock};
pub(crate) use u_shape::{LEVELS, UShape};

/// Uniform weights with standard deviation `gain / sqrt(fan_in)`.
pub(crate) fn kaiming(gain: f64) -> Initializer {
    Initializer::KaimingUniform { gain, fan_out_only: false }
}
