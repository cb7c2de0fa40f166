//! The fitting band by contrast.

use super::FittingBand;
use crate::statistics::{median, median_absolute_deviation};

/// Standard deviations of normal noise in one median absolute deviation.
const SD_PER_MAD: f64 = 1.4826;
/// The band is never narrower than this many standard deviations of the marker, or than [`LEAST_WIDTH`].
const LEAST_SD: f64 = 3.0;
const LEAST_WIDTH: f64 = 0.05;
/// The band ends at this share of the way from the centre to the median of what lies outside it: nearer to the other side than
/// halfway, because vessels and partial volume belong to the object more often than not.
const SHARE: f64 = 0.8;
/// A side with fewer samples than this share of the window has nothing to be told apart from.
const FEWEST: f64 = 0.02;
const CHANGE: f64 = 1e-4;
const ITERATIONS: usize = 50;

impl FittingBand {
    /// The band of the samples that are nearer to the marker's than to those of its surroundings.
    ///
    /// The centre `c` is the median in the marker. The half-width on each side is found in the window by iterating, from
    /// `t = max(3 sd, 0.05)`,
    ///
    /// ```text
    /// t <- max(0.8 median{ |f - c| : f on this side, |f - c| > t }, 3 sd, 0.05)
    /// ```
    ///
    /// a one-sided relative of Ridler and Calvard's threshold (1978). The marker must not be empty.
    pub(crate) fn contrast(f: &[f32], marker: &[bool], window: &[bool]) -> Result<Self, crate::Error> {
        let within = |mask: &[bool]| -> Vec<f32> { f.iter().zip(mask).filter(|(_, m)| **m).map(|(&f, _)| f).collect() };
        let mut marked = within(marker);
        let center = median(&mut marked);
        let deviation = SD_PER_MAD * f64::from(median_absolute_deviation(&mut marked, center));
        let least = (LEAST_SD * deviation).max(LEAST_WIDTH);
        let surroundings = within(window);
        let side = |sign: f32| {
            let mut offsets: Vec<f32> = surroundings.iter().map(|&f| sign * (f - center)).collect();
            offsets.retain(|&x| f64::from(x) > least);
            if (offsets.len() as f64) < FEWEST * surroundings.len() as f64 { least } else { half_width(offsets, least) }
        };
        Self::new(center.into(), side(-1.0), side(1.0))
    }
}

/// The fixed point of the iteration above for the offsets of one side that exceed `least`.
fn half_width(mut offsets: Vec<f32>, least: f64) -> f64 {
    offsets.sort_unstable_by(f32::total_cmp);
    let mut width = least;
    for _ in 0..ITERATIONS {
        let beyond = &offsets[offsets.partition_point(|&x| f64::from(x) <= width)..];
        let middle = match beyond.len() {
            0 => width,
            n if n % 2 == 1 => f64::from(beyond[n / 2]),
            n => f64::from(beyond[n / 2 - 1] + beyond[n / 2]) / 2.0,
        };
        let next = (SHARE * middle).max(least);
        if (next - width).abs() < CHANGE {
            break;
        }
        width = next;
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_ends_most_of_the_way_to_what_surrounds_the_object() {
        // An object of 0.2 in surroundings of 0.6, and nothing darker.
        let f: Vec<f32> = (0..100).map(|i| if i < 40 { 0.2 } else { 0.6 }).collect();
        let marker: Vec<bool> = (0..100).map(|i| i < 10).collect();
        let band = FittingBand::contrast(&f, &marker, &[true; 100]).unwrap();
        assert!((band.center - 0.2).abs() < 1e-6);
        assert!((band.lower - LEAST_WIDTH).abs() < 1e-9, "{band:?}");
        assert!((band.upper - SHARE * 0.4).abs() < 1e-6, "{band:?}");
    }

    #[test]
    fn noise_widens_the_band() {
        let f: Vec<f32> = (0..1000).map(|i| 0.5 + 0.1 * ((i * 37 % 101) as f32 / 50.0 - 1.0)).collect();
        let band = FittingBand::contrast(&f, &[true; 1000], &[true; 1000]).unwrap();
        // The median absolute deviation of a uniform distribution over ±0.1 is 0.05.
        assert!((band.lower - 3.0 * SD_PER_MAD * 0.05).abs() < 5e-3, "{band:?}");
    }
}
