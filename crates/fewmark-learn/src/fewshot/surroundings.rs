//! What lies around an object: where its own features look like many others, those around it tell where it is.

use fewmark_nets::FeatureMask;

use super::place::{Body, blurred};

/// The window reaches to where the blurred mask is this share of its largest value.
const WINDOW: f32 = 0.1;

/// The features of a slice, each of length 1.
#[derive(Clone, Debug)]
pub(super) struct UnitFeatures {
    /// One feature after the other
    values: Vec<f32>,
    size: [usize; 2],
    channels: usize,
}

impl UnitFeatures {
    /// Of features `[channels, rows, columns]` in row-major order.
    pub(super) fn of(features: &[f32], size: [usize; 2]) -> Self {
        let count = size[0] * size[1];
        let channels = features.len() / count;
        let mut values = vec![0.0; features.len()];
        for (i, feature) in values.chunks_exact_mut(channels).enumerate() {
            feature.iter_mut().enumerate().for_each(|(channel, x)| *x = features[channel * count + i]);
            let length = feature.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            feature.iter_mut().for_each(|x| *x /= length);
        }
        Self { values, size, channels }
    }

    /// The features row by row, and rows and columns of them.
    pub(super) fn rows(&self) -> (impl Iterator<Item = &[f32]>, [usize; 2]) {
        (self.values.chunks_exact(self.channels), self.size)
    }

    /// Numbers of each feature.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// The feature at a row and column; none outside.
    fn at(&self, row: isize, column: isize) -> Option<&[f32]> {
        let [rows, columns] = self.size;
        let row = usize::try_from(row).ok().filter(|&row| row < rows)?;
        let column = usize::try_from(column).ok().filter(|&column| column < columns)?;
        self.values[(row * columns + column) * self.channels..].get(..self.channels)
    }
}

/// The features in a window around an object in a slice of the support, weighted by how near they are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Surroundings {
    /// What each feature of the slice counts, row by row; 0 outside the window
    pub(super) weights: Vec<f32>,
    /// The features in the window, of length 1, one after the other
    pub(super) features: Vec<f32>,
}

impl Surroundings {
    /// Those of an object in a slice; `blur` is the standard deviation of the Gaussian that weighs them, in sides of the square.
    pub(super) fn of(slice: &UnitFeatures, mask: &FeatureMask, blur: f64) -> Self {
        let mut weights = blurred(mask, blur);
        let least = WINDOW * weights.iter().copied().fold(0.0, f32::max);
        weights.iter_mut().filter(|weight| **weight <= least).for_each(|weight| *weight = 0.0);
        let window = slice.values.chunks_exact(slice.channels).zip(&weights).filter(|(_, weight)| **weight > 0.0);
        let features = window.flat_map(|(feature, _)| feature).copied().collect();
        Self { weights, features }
    }

    /// Numbers that they hold.
    pub(super) fn len(&self) -> usize {
        self.weights.len() + self.features.len()
    }

    /// Whether they can be of slices of this many features, of this many channels.
    pub(super) fn fit(&self, count: usize, channels: usize) -> bool {
        let inside = self.weights.iter().filter(|weight| **weight > 0.0).count();
        self.weights.len() == count && self.features.len() == channels * inside
    }

    /// The weighted mean of the cosine similarity to the features of another slice for each of some shifts along rows and columns, when the
    /// two bodies are laid over each other. Outside that slice nothing is similar.
    pub(super) fn similarity(&self, own: &Body, slice: &UnitFeatures, body: &Body, shifts: &[[isize; 2]]) -> Vec<f32> {
        let columns = slice.size[1];
        let mut sums = vec![0.0; shifts.len()];
        let window = self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
        for ((place, weight), feature) in window.zip(self.features.chunks_exact(slice.channels)) {
            let at = own.to(body, [(place / columns) as f64, (place % columns) as f64]);
            let [row, column] = at.map(|at| at.round() as isize);
            for (sum, [down, right]) in sums.iter_mut().zip(shifts) {
                if let Some(other) = slice.at(row + down, column + right) {
                    *sum += weight * dot(feature, other);
                }
            }
        }
        let all: f32 = self.weights.iter().sum();
        sums.iter_mut().for_each(|sum| *sum /= all.max(f32::MIN_POSITIVE));
        sums
    }
}

/// The sum of products, in lanes that the processor adds side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [8, 8];

    /// Features of three channels that differ everywhere, seen `down` rows and `right` columns further.
    fn features(down: usize, right: usize) -> UnitFeatures {
        let at = |row: usize, column: usize, channel: usize| {
            let i = (row + 8 - down) % 8 * 8 + (column + 8 - right) % 8;
            ((i * i + 7 * i * channel + 3) as f32 * 0.618).sin() + 0.1
        };
        let all = (0..3).flat_map(|channel| (0..64).map(move |i| at(i / 8, i % 8, channel)));
        UnitFeatures::of(&all.collect::<Vec<_>>(), SIZE)
    }

    fn object() -> FeatureMask {
        let inside = |i: usize| (3..5).contains(&(i / 8)) && (3..5).contains(&(i % 8));
        FeatureMask { share: (0..64).map(|i| f32::from(u8::from(inside(i)))).collect(), size: SIZE }
    }

    #[test]
    fn surroundings_are_found_where_they_were_moved_to() {
        let body = Body::of(&[vec![1.0; 64]], SIZE);
        let shown = Surroundings::of(&features(0, 0), &object(), 0.1);
        assert!(shown.fit(64, 3) && !shown.fit(49, 3) && !shown.fit(64, 4));
        assert!(shown.weights[3 * 8 + 2] > 0.0, "the window is wider than the object");
        let shifts = [[0, 0], [1, 2], [2, 1]];
        let found = shown.similarity(&body, &features(1, 2), &body, &shifts);
        assert!((found[1] - 1.0).abs() < 1e-5, "{found:?}");
        assert!(found[0] < 0.9 && found[2] < 0.9, "{found:?}");
    }

    #[test]
    fn products_in_lanes_are_those_of_one_after_the_other() {
        for length in [0, 5, 16, 37, 128] {
            let [a, b] = [0.7, 1.3].map(|step| (0..length).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>());
            let expected: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!((f64::from(dot(&a, &b)) - expected).abs() < 1e-5, "{length}");
        }
    }

    #[test]
    fn nothing_outside_a_slice_is_similar() {
        let body = Body::of(&[vec![1.0; 64]], SIZE);
        let shown = Surroundings::of(&features(0, 0), &object(), 0.0);
        // Half of the object, and all of it, is beyond the border.
        let found = shown.similarity(&body, &features(4, 0), &body, &[[4, 0], [8, 0]]);
        assert!((found[0] - 0.5).abs() < 1e-5 && found[1] == 0.0, "{found:?}");
    }
}
