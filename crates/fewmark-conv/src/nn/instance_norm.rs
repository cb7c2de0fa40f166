//! The instance normalisation layer.

use burn::{
    config::Config,
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor},
};

use crate::{Activation, ops};

/// Settings of an [`InstanceNorm`].
#[derive(Config, Debug)]
pub struct InstanceNormConfig {
    /// Number of channels
    pub num_channels: usize,
    /// Added to the variance
    #[config(default = 1e-5)]
    pub epsilon: f64,
}

impl InstanceNormConfig {
    /// A layer that starts as plain normalisation.
    ///
    /// # Panics
    /// If there are no channels or `epsilon` is not positive.
    pub fn init(&self, device: &Device) -> InstanceNorm {
        assert!(self.num_channels > 0, "instance normalisation of no channels");
        assert!(self.epsilon.is_finite() && self.epsilon > 0.0, "epsilon must be positive, got {}", self.epsilon);
        InstanceNorm {
            gamma: Initializer::Ones.init([self.num_channels], device),
            beta: Initializer::Zeros.init([self.num_channels], device),
            epsilon: self.epsilon,
        }
    }
}

/// Instance normalisation, `gamma (x - mean) / sqrt(variance + epsilon) + beta` per image and channel, over images or volumes.
///
/// Ulyanov, Vedaldi and Lempitsky, Instance normalization: the missing ingredient for fast stylization, 2016. Parameters are those
/// of an affine [`burn::nn::InstanceNorm`]. An image of one voxel has no variance: it becomes `beta`.
#[derive(Module, Debug)]
pub struct InstanceNorm {
    /// Learnt scale, `[channels]`
    pub gamma: Param<Tensor<1>>,
    /// Learnt shift, `[channels]`
    pub beta: Param<Tensor<1>>,
    /// Added to the variance
    pub epsilon: f64,
}

impl InstanceNorm {
    /// The normalised `[batch, channels, ...]`.
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        self.forward_with(x, Activation::None)
    }

    /// Normalisation and an activation in one pass.
    pub fn forward_with<const R: usize>(&self, x: Tensor<R>, activation: Activation) -> Tensor<R> {
        ops::instance_norm(x, self.gamma.val(), self.beta.val(), self.epsilon, activation)
    }
}
