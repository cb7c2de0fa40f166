//! The fitting term `Phi(f, c1)`: negative where a sample looks like the marked region.

mod contrast;

use crate::{Error, otsu, statistics};
use rayon::prelude::*;

/// Least half-width of a band, for images in `[0, 1]`: nothing is known more exactly than this from a few clicks.
const LEAST_PUBLISHED_WIDTH: f64 = 0.02;
/// As [`LEAST_PUBLISHED_WIDTH`], for the robust band.
const LEAST_ROBUST_WIDTH: f64 = 0.05;
/// Makes the median absolute deviation of normal samples their standard deviation.
const DEVIATION_PER_MAD: f64 = 1.4826;

/// The grey values that count as foreground: `c1 - gamma1 .. c1 + gamma2`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittingBand {
    /// `c1`: the grey value of the marked region.
    pub center: f64,
    /// `gamma1`: half-width below the centre; positive.
    pub lower: f64,
    /// `gamma2`: half-width above the centre; positive.
    pub upper: f64,
}

impl FittingBand {
    /// A band with the given centre and half-widths.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when the centre is not finite, or a half-width not finite and positive.
    pub fn new(center: f64, lower: f64, upper: f64) -> Result<Self, Error> {
        if !center.is_finite() {
            return Err(Error::Parameter { name: "center", expected: "a grey value", found: center });
        }
        for (name, found) in [("lower", lower), ("upper", upper)] {
            if !(found.is_finite() && found > 0.0) {
                return Err(Error::Parameter { name, expected: "a positive half-width", found });
            }
        }
        Ok(Self { center, lower, upper })
    }

    /// The published band: `c1` is the mean of `f` in the marker, and the band ends at the nearest of 0, 1 and the two
    /// Otsu thresholds of the whole image on either side of it (code by M. Roberts of Roberts and Spencer 2019).
    ///
    /// `f` is scaled to `[0, 1]`. `gamma_floor_sd` widens a band that ends too near: each half-width is at least this
    /// many standard deviations of `f` in the marker, and 0.02. With 0 there is no such floor, as published, save one
    /// of 0.001 where the published code would divide by 0. An image of fewer than three grey values has no Otsu
    /// thresholds; 0 and 1 then stand alone.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::NoClick`] when the marker is empty; [`Error::NotFinite`]; [`Error::Parameter`] when
    /// `gamma_floor_sd` is negative.
    pub fn otsu(f: &[f32], marker: &[bool], gamma_floor_sd: f64) -> Result<Self, Error> {
        if !(gamma_floor_sd.is_finite() && gamma_floor_sd >= 0.0) {
            let expected = "a number of standard deviations";
            return Err(Error::Parameter { name: "gamma_floor_sd", expected, found: gamma_floor_sd });
        }
        let (center, deviation) = statistics::mean_and_deviation(&samples_in(f, marker)?);
        let thresholds = match otsu::multi_otsu(f) {
            Ok(thresholds) => thresholds.to_vec(),
            Err(Error::Parameter { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let levels = || [0.0, 1.0].into_iter().chain(thresholds.iter().map(|&threshold| f64::from(threshold)));
        let below = levels().filter(|level| *level < center).map(|level| center - level).fold(f64::INFINITY, f64::min);
        let above = levels().filter(|level| *level > center).map(|level| level - center).fold(f64::INFINITY, f64::min);
        let floor = if gamma_floor_sd == 0.0 { 1e-3 } else { LEAST_PUBLISHED_WIDTH.max(gamma_floor_sd * deviation) };
        let width = |distance: f64| if distance.is_finite() { distance.max(floor) } else { floor };
        Self::new(center, width(below), width(above))
    }

    /// A band that vessels and noise in the marker do not widen: three robust standard deviations (1.4826 times the
    /// median absolute deviation) to either side of the median of `f` in the marker, and at least 0.05.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::NoClick`] when the marker is empty; [`Error::Parameter`] when samples in the marker
    /// are not finite.
    pub fn robust(f: &[f32], marker: &[bool]) -> Result<Self, Error> {
        let mut samples = samples_in(f, marker)?;
        let center = statistics::median(&mut samples);
        let deviation = f64::from(statistics::median_absolute_deviation(&mut samples, center));
        let width = (3.0 * DEVIATION_PER_MAD * deviation).max(LEAST_ROBUST_WIDTH);
        Self::new(f64::from(center), width, width)
    }

    /// `Phi(f, c1) = (f - c1)² - lambda3 T(f)`, where `T` is the triangle of height 1 over the band: 1 at the centre, 0
    /// at its ends and beyond.
    ///
    /// So `Phi` is `-lambda3` at the centre, continuous, and not negative outside the band. Published: `lambda3 = 1`.
    pub fn phi(&self, f: &[f32], lambda3: f64) -> Vec<f32> {
        let (center, lambda3) = (self.center as f32, lambda3 as f32);
        let (per_lower, per_upper) = ((1.0 / self.lower) as f32, (1.0 / self.upper) as f32);
        let phi = |&f: &f32| {
            let offset = f - center;
            let position = if offset < 0.0 { -offset * per_lower } else { offset * per_upper };
            offset * offset - lambda3 * (1.0 - position).max(0.0)
        };
        f.par_iter().with_min_len(1 << 14).map(phi).collect()
    }
}

/// The samples in the marker.
fn samples_in(f: &[f32], marker: &[bool]) -> Result<Vec<f32>, Error> {
    if marker.len() != f.len() {
        return Err(Error::Length { what: "marker", expected: f.len(), found: marker.len() });
    }
    let samples: Vec<f32> = f.iter().zip(marker).filter(|(_, marked)| **marked).map(|(sample, _)| *sample).collect();
    if samples.is_empty() { Err(Error::NoClick) } else { Ok(samples) }
}
