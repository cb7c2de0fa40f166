//! Layers with Burn's own parameters, their names, layouts and initialisers, that run on this crate's operations.
//!
//! A layer's rank `R` is that of its tensors: 4 for images, 5 for volumes. Sizes in configurations are always along z, y
//! and x, and a layer of rank 4 does not look at z, so one configuration serves both.

mod batch_norm;
mod conv;
mod conv_transpose;
mod instance_norm;

use burn::module::Initializer;

pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use conv::{Conv, Conv2d, Conv3d, ConvConfig};
pub use conv_transpose::{ConvTranspose, ConvTranspose2d, ConvTranspose3d, ConvTransposeConfig};
pub use instance_norm::{InstanceNorm, InstanceNormConfig};

/// Burn's and PyTorch's start of a convolution: uniform within `1 / sqrt(fan_in)`.
pub const DEFAULT_INITIALIZER: Initializer =
    Initializer::KaimingUniform { gain: 0.577_350_269_189_625_8, fan_out_only: false };

/// Uniform within `sqrt(3 / fan_in)`, a standard deviation of `1 / sqrt(fan_in)`: a linear layer then keeps the variance
/// of its input.
pub const UNIT_VARIANCE: Initializer = Initializer::KaimingUniform { gain: 1.0, fan_out_only: false };

/// The sizes of weights: two numbers of channels and the kernel's size along the axes that rank `R` has.
fn weight_dims<const R: usize>(first: usize, second: usize, kernel: [usize; 3]) -> [usize; R] {
    assert!(R == 4 || R == 5, "a layer's tensors have rank 4 or 5, not {R}");
    let all = [first, second, kernel[0], kernel[1], kernel[2]];
    std::array::from_fn(|axis| if axis < 2 { all[axis] } else { all[axis + 5 - R] })
}

/// # Panics
/// If the groups do not divide both numbers of channels.
fn check_groups(channels: [usize; 2], groups: usize) {
    let divided = groups > 0 && channels.iter().all(|channels| channels.is_multiple_of(groups));
    assert!(divided, "{groups} groups do not divide {} and {} channels", channels[0], channels[1]);
}
