//! Masks on the grid of features.

use fewmark_nets::FeatureMask;
use serde::{Deserialize, Serialize};

use super::frame::weighted;

/// How features are averaged under a mask of pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mask is brought to the grid of the features, linear between the middles of pixels, as PyTorch's `interpolate` without
    /// antialiasing (Ouyang and others 2020).
    #[default]
    Features,
    /// The features are enlarged to the pixels, linear between their middles, and averaged there (PANet: Wang and others, ICCV 2019). The
    /// same is reached by giving each feature its share of the mask's pixels. Features at the border weigh as much as others here; enlarged,
    /// they also stand for the half of a feature beyond their middles.
    Image,
}

impl Pooling {
    /// The mask of a square of `side` pixels on the grid of its features, of `size` rows and columns.
    pub(super) fn mask(self, mask: &[f32], side: usize, size: [usize; 2]) -> FeatureMask {
        let [rows, columns] = size.map(|count| self.taps(side, count));
        let share = weighted(mask, &rows, &columns, side);
        FeatureMask { share, size }
    }

    /// For each of `count` features along an axis the pixels that it has a share of; the shares of a feature sum to 1.
    fn taps(self, side: usize, count: usize) -> Vec<Vec<(usize, f32)>> {
        let ratio = side as f64 / count as f64;
        let middle = |of: usize, ratio: f64, last: usize| ((of as f64 + 0.5) * ratio - 0.5).clamp(0.0, last as f64);
        let near = |distance: f64| (1.0 - distance.abs()).max(0.0) as f32;
        let weight = |feature: usize, pixel: usize| match self {
            Self::Features => near(middle(feature, ratio, side - 1) - pixel as f64),
            Self::Image => near(middle(pixel, 1.0 / ratio, count - 1) - feature as f64),
        };
        let taps = |feature: usize| {
            let all: Vec<_> =
                (0..side).map(|pixel| (pixel, weight(feature, pixel))).filter(|tap| tap.1 > 0.0).collect();
            let sum: f32 = all.iter().map(|tap| tap.1).sum();
            all.into_iter().map(|(pixel, weight)| (pixel, weight / sum)).collect()
        };
        (0..count).map(taps).collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use fewmark_conv::ops::interpolate_linear;

    use super::*;

    #[test]
    fn a_mask_is_read_in_the_middle_of_its_features() {
        // One pixel of 8 x 8; features of 4 pixels read the four in their middle.
        let mut mask = vec![0.0; 64];
        mask[8 + 2] = 1.0;
        assert_eq!(Pooling::Features.mask(&mask, 8, [2, 2]).share, [0.25, 0.0, 0.0, 0.0]);
        mask[0] = 1.0;
        assert_eq!(Pooling::Features.mask(&mask, 8, [2, 2]).share[0], 0.25);
    }

    #[test]
    fn shares_give_the_mean_of_enlarged_features_under_the_mask() {
        let (side, count) = (24, 6);
        let features: Vec<f32> = (0..count * count).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        // Away from the border by more than half a feature
        let inside = |i: usize| (5..17).contains(&(i % side)) && (3..14).contains(&(i / side)) && i % 3 != 1;
        let mask: Vec<f32> = (0..side * side).map(|i| f32::from(u8::from(inside(i)))).collect();
        let shape = TensorData::new(features.clone(), [1, 1, count, count]);
        let large = interpolate_linear(Tensor::<4>::from_data(shape, &Device::flex()), [1, side, side], false);
        let large: Vec<f32> = large.into_data().try_to_vec().unwrap();
        let mean = |values: &[f32], weights: &[f32]| {
            values.iter().zip(weights).map(|(v, w)| v * w).sum::<f32>() / weights.iter().sum::<f32>()
        };
        let of_features = |pooling: Pooling| mean(&features, &pooling.mask(&mask, side, [count; 2]).share);
        assert!((of_features(Pooling::Image) - mean(&large, &mask)).abs() < 1e-6);
        assert!((of_features(Pooling::Features) - mean(&large, &mask)).abs() > 1e-3);
    }

    #[test]
    fn shares_of_a_full_mask_are_whole() {
        for pooling in [Pooling::Features, Pooling::Image] {
            let mask = pooling.mask(&[1.0; 20 * 20], 20, [5, 5]);
            assert!(mask.share.iter().all(|share| (share - 1.0).abs() < 1e-6), "{pooling:?}");
        }
    }
}
