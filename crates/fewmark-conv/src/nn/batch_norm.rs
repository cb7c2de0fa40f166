//! The batch normalisation layer.

use burn::{
    config::Config,
    module::{Flag, Initializer, Module, Param, RunningState},
    tensor::{Device, Tensor},
};

use crate::{Activation, ops};

/// Settings of a [`BatchNorm`].
#[derive(Config, Debug)]
pub struct BatchNormConfig {
    /// Number of channels
    pub num_features: usize,
    /// Added to the variance
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Weight of a new batch in the running statistics, 0 to 1
    #[config(default = 0.1)]
    pub momentum: f64,
}

impl BatchNormConfig {
    /// A layer that starts as plain normalisation.
    ///
    /// # Panics
    /// If there are no channels, or `epsilon` is not positive, or `momentum` is not within 0 and 1.
    pub fn init(&self, device: &Device) -> BatchNorm {
        assert!(self.num_features > 0, "batch normalisation of no channels");
        assert!(self.epsilon.is_finite() && self.epsilon > 0.0, "epsilon must be positive, got {}", self.epsilon);
        assert!((0.0..=1.0).contains(&self.momentum), "momentum must be within 0 and 1, got {}", self.momentum);
        BatchNorm {
            gamma: Initializer::Ones.init([self.num_features], device),
            beta: Initializer::Zeros.init([self.num_features], device),
            training: Param::from_bool(true),
            running_mean: RunningState::new(Tensor::zeros([self.num_features], device)),
            running_var: RunningState::new(Tensor::ones([self.num_features], device)),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

/// Batch normalisation, `gamma (x - mean) / sqrt(variance + epsilon) + beta` per channel, over images or volumes.
///
/// Ioffe and Szegedy, Batch normalization: accelerating deep network training by reducing internal covariate shift,
/// ICML 2015. Parameters and behaviour are those of [`burn::nn::BatchNorm`]: the batch's own statistics are used on a
/// device with autodiff unless the layer is frozen, and the running variance is that of the batch, not the estimate of
/// the population's with which PyTorch follows it.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Learnt scale, `[channels]`
    pub gamma: Param<Tensor<1>>,
    /// Learnt shift, `[channels]`
    pub beta: Param<Tensor<1>>,
    /// Whether the batch's own statistics are used where autodiff is on
    pub training: Param<Flag>,
    /// Running mean, `[channels]`
    pub running_mean: RunningState<Tensor<1>>,
    /// Running variance, `[channels]`
    pub running_var: RunningState<Tensor<1>>,
    /// Weight of a new batch in the running statistics
    pub momentum: f64,
    /// Added to the variance
    pub epsilon: f64,
}

impl BatchNorm {
    /// The normalised `[batch, channels, ...]`.
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        self.forward_with(x, Activation::None)
    }

    /// Normalisation and an activation in one pass.
    pub fn forward_with<const R: usize>(&self, x: Tensor<R>, activation: Activation) -> Tensor<R> {
        if !self.uses_batch(&x) {
            let (scale, shift) = self.affine(&x.device());
            return ops::channel_affine(x, scale, shift, activation);
        }
        let device = x.device();
        let (y, mean, variance) = ops::batch_norm(x, self.gamma.val(), self.beta.val(), self.epsilon, activation);
        for (state, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            let old = state.value_sync().to_device(&device).mul_scalar(1.0 - self.momentum);
            state.update(old.add(batch.mul_scalar(self.momentum)).detach());
        }
        y
    }

    /// Whether an input is normalised with its own statistics.
    pub(super) fn uses_batch<const R: usize>(&self, x: &Tensor<R>) -> bool {
        x.is_autodiff() && self.training.is_enabled()
    }

    /// Normalisation with the running statistics as a factor and a summand of every channel.
    pub(super) fn affine(&self, device: &Device) -> (Tensor<1>, Tensor<1>) {
        let (mean, variance) =
            (self.running_mean.value().to_device(device), self.running_var.value().to_device(device));
        let scale = self.gamma.val() / variance.add_scalar(self.epsilon).sqrt();
        let shift = self.beta.val() - mean * scale.clone();
        (scale, shift)
    }
}
