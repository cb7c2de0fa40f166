//! The losses of an episode (Ouyang and others 2020, equations 6 to 8).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use fewmark_conv::ops::interpolate_linear;
use fewmark_nets::{FeatureMask, PrototypeHead};

use super::config::FewShotConfig;
use super::episode::Episode;
use crate::Loss;

/// The cross-entropy of the query, segmented with the support, and that of the support, segmented with the query as it was segmented.
///
/// `support` and `query` are the features `[channels, y, x]` of the slices of the episode.
pub(super) fn episode(support: Tensor<3>, query: Tensor<3>, episode: &Episode, config: &FewShotConfig) -> Loss {
    let (head, window) = (&config.head, config.windows.training);
    let [_, rows, columns] = query.dims();
    let mask = config.pooling.mask(&episode.support.mask, config.size, [rows, columns]);
    let scores = scores(head, support.clone(), &mask, query.clone(), window);
    let segmentation = cross_entropy(scores.clone(), &episode.query.mask, config.loss.background, config.size);
    let mut terms = vec![("segmentation", segmentation.clone())];
    let mut total = segmentation;
    if config.loss.alignment > 0.0 {
        let values: Vec<f32> = scores.into_data().convert::<f32>().try_to_vec().expect("numbers just converted");
        let (background, object) = values.split_at(rows * columns);
        let share = background.iter().zip(object).map(|(b, o)| f32::from(u8::from(o > b))).collect();
        let found = FeatureMask { share, size: [rows, columns] };
        let back = self::scores(head, query, &found, support, window);
        let alignment = cross_entropy(back, &episode.support.mask, 1.0, config.size).mul_scalar(config.loss.alignment);
        terms.push(("alignment", alignment.clone()));
        total = total + alignment;
    }
    Loss { total, terms }
}

/// The scores `[2, y * x]` of background and object in the features of a query.
fn scores(head: &PrototypeHead, support: Tensor<3>, mask: &FeatureMask, query: Tensor<3>, window: usize) -> Tensor<2> {
    let [channels, rows, columns] = query.dims();
    let query = query.reshape([channels, rows * columns]);
    let prototypes = [false, true].map(|object| head.prototypes(support.clone(), mask, object, window));
    Tensor::cat(head.scores(prototypes, query).into(), 0)
}

/// The cross-entropy of scores, enlarged to the square of the mask: the mean over pixels, those of the background weighted.
fn cross_entropy(scores: Tensor<2>, mask: &[f32], background: f64, side: usize) -> Tensor<1> {
    let features = (scores.dims()[1] as f64).sqrt() as usize;
    let device = scores.device();
    let large = interpolate_linear(scores.reshape([1, 2, features, features]), [1, side, side], false);
    let log_p = log_softmax(large.reshape([2, side * side]), 0);
    let weight = |m: f32| f64::from(m) + background * f64::from(1.0 - m);
    let sum: f64 = mask.iter().map(|&m| weight(m)).sum::<f64>().max(f64::MIN_POSITIVE);
    let of = |class: f32| {
        mask.iter().map(move |&m| if m == class { (weight(m) / sum) as f32 } else { 0.0 }).collect::<Vec<f32>>()
    };
    let weights = Tensor::from_data(TensorData::new([of(0.0), of(1.0)].concat(), [2, side * side]), &device);
    (log_p * weights).sum().neg()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn of(scores: [f32; 2], mask: &[f32]) -> f32 {
        let samples = scores.into_iter().flat_map(|s| [s; 4]).collect::<Vec<f32>>();
        let scores = Tensor::from_data(TensorData::new(samples, [2, 4]), &Device::flex());
        cross_entropy(scores, mask, 0.05, 4).into_scalar::<f32>()
    }

    #[test]
    fn the_cross_entropy_is_a_mean_by_weights() {
        let mask: Vec<f32> = (0..16).map(|i| f32::from(u8::from(i < 4))).collect();
        assert!((of([0.3, 0.3], &mask) - std::f32::consts::LN_2).abs() < 1e-6);
        assert!(of([20.0, 0.0], &[0.0; 16]) < 1e-6);
        // Everything is called object: the 12 pixels that are not weigh 0.6 of 4.6.
        assert!((of([0.0, 10.0], &mask) - 10.0 * 0.6 / 4.6).abs() < 1e-3);
    }
}
