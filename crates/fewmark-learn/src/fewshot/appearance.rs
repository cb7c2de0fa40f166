//! How bright an object is in the slices that show it, beside what lies around it: what tells them apart on pixels, finer than features.
//!
//! Brightness is told relative to the mean and the standard deviation around the object, so that neither the scale of a scan nor a slowly
//! varying field matters.

use fewmark_classical::edge::gaussian;
use fewmark_grid::Grid;

use crate::Error;

/// Levels of brightness that are told apart.
pub(super) const LEVELS: usize = 64;

/// Standard deviations from the mean to which they reach on both sides.
const REACH: f32 = 3.0;

/// Standard deviation of the Gaussian that smooths their histograms, in levels.
const SMOOTH: f64 = 2.0;

/// Share of a histogram that is spread evenly, so that a brightness that was not seen tells little.
const EVEN: f32 = 0.1;

/// The logarithm of the odds of an object for each level of brightness.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Appearance(pub(super) Vec<f32>);

/// What the samples of a slice are like around an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    mean: f32,
    deviation: f32,
}

impl Around {
    /// Of a slice in which each sample has a weight; none where all weights are 0.
    pub(super) fn of(slice: &[f32], weights: &[f32]) -> Option<Self> {
        let sum = |of: &dyn Fn(f32) -> f32| -> f64 {
            slice.iter().zip(weights).map(|(&sample, weight)| f64::from(weight * of(sample))).sum()
        };
        let all = sum(&|_| 1.0);
        let mean = (sum(&|sample| sample) / all) as f32;
        let deviation = (sum(&|sample| (sample - mean).powi(2)) / all).sqrt() as f32;
        (all > 0.0).then_some(Self { mean, deviation: deviation.max(f32::MIN_POSITIVE) })
    }

    fn level(self, sample: f32) -> usize {
        let share = ((sample - self.mean) / self.deviation / REACH + 1.0) / 2.0;
        ((share * LEVELS as f32) as usize).min(LEVELS - 1)
    }
}

impl Appearance {
    /// That of an object in some slices, each with how far each of its samples belongs to the object, from 0 to 1. What lies around it is weighed by a
    /// Gaussian of the standard deviation `window`, in the unit of the grid's spacing. No slice that shows the object tells nothing.
    pub(super) fn of<'a>(
        shown: impl IntoIterator<Item = (&'a [f32], &'a [f32])>,
        grid: &Grid,
        window: f64,
    ) -> Result<Self, Error> {
        let (mut object, mut others) = (vec![0.0; LEVELS], vec![0.0; LEVELS]);
        for (slice, inside) in shown {
            let near = gaussian(inside, grid, window)?;
            let Some(around) = Around::of(slice, &near) else { continue };
            for ((&sample, inside), near) in slice.iter().zip(inside).zip(near) {
                let level = around.level(sample);
                object[level] += inside;
                others[level] += (1.0 - inside) * near;
            }
        }
        let share = |histogram: &[f32]| -> Result<Vec<f32>, Error> {
            let smooth = gaussian(histogram, &Grid::unit([LEVELS, 1, 1]), SMOOTH)?;
            let all = smooth.iter().sum::<f32>().max(f32::MIN_POSITIVE);
            Ok(smooth.iter().map(|count| (1.0 - EVEN) * count / all + EVEN / LEVELS as f32).collect())
        };
        let (object, others) = (share(&object)?, share(&others)?);
        Ok(Self(object.iter().zip(&others).map(|(object, other)| (object / other).ln()).collect()))
    }

    /// The mean of several.
    pub(super) fn mean<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let (mut sum, mut count) = (vec![0.0; LEVELS], 0.0_f32);
        for Self(odds) in all {
            sum.iter_mut().zip(odds).for_each(|(sum, odds)| *sum += odds);
            count += 1.0;
        }
        sum.iter_mut().for_each(|sum| *sum /= count.max(1.0));
        Self(sum)
    }

    /// The logarithm of the odds for a sample.
    pub(super) fn odds(&self, sample: f32, around: Around) -> f32 {
        self.0[around.level(sample)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 40;

    /// A square object of one brightness in another, and both with some texture.
    fn slice(object: f32, others: f32) -> (Vec<f32>, Vec<f32>, Grid) {
        let is_inside = |i: usize| (15..25).contains(&(i % SIDE)) && (15..25).contains(&(i / SIDE));
        let inside: Vec<f32> = (0..SIDE * SIDE).map(|i| f32::from(u8::from(is_inside(i)))).collect();
        let texture = |i: usize| 0.02 * ((i * 7) % 5) as f32;
        let samples =
            inside.iter().enumerate().map(|(i, &inside)| if inside == 1.0 { object } else { others } + texture(i));
        (samples.collect(), inside, Grid::unit([SIDE, SIDE, 1]))
    }

    #[test]
    fn what_is_as_bright_as_the_object_speaks_for_it() {
        let (samples, object, grid) = slice(0.8, 0.3);
        let appearance = Appearance::of([(&samples[..], &object[..])], &grid, 4.0).unwrap();
        // Its place is known but for a pixel.
        let place: Vec<f32> = (0..object.len()).map(|i| if i > 0 { object[i - 1] } else { 0.0 }).collect();
        let around = Around::of(&samples, &gaussian(&place, &grid, 4.0).unwrap()).unwrap();
        for (sample, inside) in samples.iter().zip(&object) {
            let odds = appearance.odds(*sample, around);
            assert!(if *inside == 1.0 { odds > 1.0 } else { odds < -1.0 }, "{odds} for {sample}");
        }
    }

    #[test]
    fn the_scale_of_a_scan_does_not_matter() {
        let (samples, object, grid) = slice(0.8, 0.3);
        let scaled: Vec<f32> = samples.iter().map(|s| 40.0 * s - 7.0).collect();
        let [own, other] =
            [&samples, &scaled].map(|samples| Appearance::of([(&samples[..], &object[..])], &grid, 4.0).unwrap());
        for (own, other) in own.0.iter().zip(&other.0) {
            assert!((own - other).abs() < 0.2, "{own} and {other}");
        }
    }

    #[test]
    fn where_there_is_no_object_or_no_contrast_brightness_tells_nothing() {
        let (samples, object, grid) = slice(0.8, 0.3);
        let none = vec![0.0; object.len()];
        assert_eq!(Appearance::of([(&samples[..], &none[..])], &grid, 4.0).unwrap(), Appearance(vec![0.0; LEVELS]));
        assert!(Around::of(&samples, &vec![0.0; samples.len()]).is_none());
        let even = Appearance::of([(&vec![0.5; samples.len()][..], &object[..])], &grid, 4.0).unwrap();
        assert!(even.0.iter().all(|odds| odds.abs() < 1e-3), "{even:?}");
    }
}
