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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn ones(device: &Device) -> Tensor<5> {
        Tensor::ones([50, 40, 2, 3, 4], device)
    }

    /// The values of each channel of each image.
    fn channels(x: Tensor<5>) -> Vec<Vec<f32>> {
        let samples: Vec<f32> = x.into_data().try_to_vec().unwrap();
        samples.chunks_exact(24).map(<[f32]>::to_vec).collect()
    }

    /// Whether `dropped` of `of` is a share of 0.6 but for seven standard deviations.
    fn is_share(dropped: usize, of: usize) -> bool {
        (dropped as f64 - 0.6 * of as f64).abs() < 7.0 * (0.24 * of as f64).sqrt()
    }

    #[test]
    fn what_is_kept_makes_up_for_what_is_dropped() {
        let found = channels(Dropout::of_samples(0.6).forward(ones(&Device::flex().autodiff())));
        assert!(found.iter().flatten().all(|&x| x == 0.0 || (x - 2.5).abs() < 1e-6));
        assert!(is_share(found.iter().flatten().filter(|&&x| x == 0.0).count(), 48_000));
        assert!(found.iter().any(|channel| channel.contains(&0.0) && channel.iter().any(|&x| x > 0.0)));
    }

    #[test]
    fn channels_are_dropped_as_a_whole_in_each_image_on_its_own() {
        let found = channels(Dropout::of_channels(0.6).forward(ones(&Device::flex().autodiff())));
        assert!(found.iter().all(|channel| channel.iter().all(|&x| x == channel[0])));
        assert!(is_share(found.iter().filter(|channel| channel[0] == 0.0).count(), 2000));
        assert_ne!(found[..40], found[40..80]);
    }

    #[test]
    fn nothing_is_dropped_outside_of_training() {
        let train = Device::flex().autodiff();
        let untouched = |x: Tensor<5>| channels(x).iter().flatten().all(|&x| x == 1.0);
        assert!(untouched(Dropout::of_samples(0.6).forward(ones(&Device::flex()))));
        assert!(untouched(Dropout::of_samples(0.0).forward(ones(&train))));
        assert!(untouched(Dropout::of_samples(0.6).freeze().forward(ones(&train))));
    }
}
