//! Features that are dropped while a network is trained.

use burn::module::{Flag, Module, Param};
use burn::tensor::{Distribution, Tensor};

/// Sets features to zero at random while the network is trained, on a device with autodiff and unless the layer is frozen, and makes
/// the others larger by `1 / (1 - probability)`, so that the mean stays. Random numbers are those of the device's generator.
///
/// Srivastava and others, Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.
#[derive(Module, Debug)]
pub(crate) struct Dropout {
    probability: f64,
    #[module(skip)]
    whole_channels: bool,
    training: Param<Flag>,
}

impl Dropout {
    /// Every sample on its own is zero with `probability`, which is at least 0 and below 1.
    pub(crate) fn of_samples(probability: f64) -> Self {
        Self { probability, whole_channels: false, training: Param::from_bool(true) }
    }

    /// Every channel of every image is zero with `probability`, as a whole.
    pub(crate) fn of_channels(probability: f64) -> Self {
        Self { whole_channels: true, ..Self::of_samples(probability) }
    }

    /// The features `[batch, channels, ...]` that are left.
    pub(crate) fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        if !x.is_autodiff() || !self.training.is_enabled() || self.probability == 0.0 {
            return x;
        }
        let mut dims = x.dims();
        if self.whole_channels {
            dims[2..].fill(1);
        }
        let keep = 1.0 - self.probability;
        let kept = Tensor::random(dims, Distribution::Bernoulli(keep), &x.device());
        x * (kept / keep)
    }
}
