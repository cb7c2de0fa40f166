//! Whole scans segmented by labelled ones.

use std::ops::ControlFlow;

use fewmark_grid::{Components, Connectivity};
use fewmark_image::{Image, LabelMap};
use serde::{Deserialize, Serialize};

use super::predictor::{Encoded, Predictor, SlicePrototypes};
use super::support::Support;
use crate::Error;

/// How whole scans are segmented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferenceConfig {
    /// Slices of the support, nearest along the body, by which a slice is segmented.
    pub neighbours: usize,
    /// Slices by which an object may be longer at each end than in the support.
    pub margin: f64,
    /// Weight of the place of an object in the support; 0 looks at features alone. Chosen on the scans that the first fold of abdominal MRI
    /// leaves to learn from (mean Dice x 100 with 0, 0.25, 0.5, 1: 65.9, 70.2, 71.6, 69.4); cardiac scans, which do not show the whole body,
    /// are better without it (35.9, -, 32.3, 21.6).
    pub prior: f64,
    /// Standard deviation of the Gaussian by which that place is blurred, in features.
    pub blur: f64,
    /// Whether only the largest part of each object is kept.
    pub largest: bool,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        Self { neighbours: 3, margin: 1.0, prior: 0.5, blur: 2.0, largest: true }
    }
}

/// Least and largest probability of an object by its place.
const PRIOR: [f32; 2] = [0.01, 0.99];

/// The answer for one scan.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The codes of the supports, in the geometry of the scan.
    pub labels: LabelMap,
    /// The probability of the likeliest object, `[1, z, y, x]`.
    pub probability: Image,
}

impl Predictor {
    /// The objects of some supports in a scan.
    ///
    /// Nothing needs to be known about where they are: the scan is aligned with each support along z by the similarity of slices, which
    /// gives each slice its neighbours in the support and each object its extent.
    ///
    /// # Errors
    /// [`Error::Stopped`] when `progress` breaks.
    pub fn segment(
        &self,
        scan: &Encoded,
        supports: &[Support],
        progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Prediction, Error> {
        let mut codes: Vec<u16> = supports.iter().flat_map(|support| support.codes()).copied().collect();
        codes.sort_unstable();
        codes.dedup();
        let geometry = scan.geometry();
        let area = geometry.len() / scan.depth();
        let stack = scan.stack();
        let aligned: Vec<_> = supports.iter().map(|support| (support, stack.in_stack(&support.stack))).collect();
        // The background has what the objects leave.
        let mut likeliest = vec![0.5_f32; geometry.len()];
        let mut labels = vec![0_u16; geometry.len()];
        let mut object = vec![0.0_f32; geometry.len()];
        for z in 0..scan.depth() {
            if progress(z as f64 / scan.depth() as f64).is_break() {
                return Err(Error::Stopped);
            }
            for &code in &codes {
                let odds: Vec<Vec<f32>> = aligned
                    .iter()
                    .filter_map(|(support, alignment)| self.odds(scan, z, support, code, alignment.place(z)))
                    .collect();
                if odds.is_empty() {
                    continue;
                }
                let mean = (0..odds[0].len()).map(|i| odds.iter().map(|o| o[i]).sum::<f32>() / odds.len() as f32);
                let p = scan.enlarged(&mean.collect::<Vec<_>>());
                for (i, odds) in (z * area..).zip(p) {
                    let p = 1.0 / (1.0 + (-odds).exp());
                    object[i] = object[i].max(p);
                    if p > likeliest[i] {
                        (likeliest[i], labels[i]) = (p, code);
                    }
                }
            }
        }
        if self.config().inference.largest {
            let grid = geometry.grid();
            for &code in &codes {
                let mask: Vec<bool> = labels.iter().map(|&l| l == code).collect();
                let kept = Components::of(&mask, &grid, Connectivity::Corner).largest();
                labels
                    .iter_mut()
                    .zip(mask)
                    .zip(kept)
                    .filter(|((_, was), is)| *was && !is)
                    .for_each(|((l, _), _)| *l = 0);
            }
        }
        Ok(Prediction {
            labels: LabelMap::new(labels, geometry.clone())?,
            probability: Image::new(object, 1, geometry.clone())?,
        })
    }

    /// The logarithm of the odds of an object in each pixel of a slice of a scan, row by row, where the slice is known to lie `at` in the
    /// support, in slices from 0; none where the object does not reach.
    ///
    /// # Panics
    /// If the scan has no such slice.
    pub fn odds_at(&self, scan: &Encoded, z: usize, support: &Support, code: u16, at: f64) -> Option<Vec<f32>> {
        self.odds(scan, z, support, code, at).map(|odds| scan.enlarged(&odds))
    }

    /// The same in the features of the slice.
    fn odds(&self, scan: &Encoded, z: usize, support: &Support, code: u16, at: f64) -> Option<Vec<f32>> {
        let InferenceConfig { neighbours, margin, prior, .. } = self.config().inference;
        let mut showing = support.showing(code);
        let (first, last) = (*showing.first()? as f64, *showing.last()? as f64);
        if support.slices.len() > 1 && !(first - margin - 0.5..=last + margin + 0.5).contains(&at) {
            return None;
        }
        showing.sort_by(|&a, &b| (a as f64 - at).abs().total_cmp(&(b as f64 - at).abs()));
        let near: Vec<&SlicePrototypes> =
            showing.iter().take(neighbours.max(1)).map(|&s| &support.slices[s][&code].prototypes).collect();
        let (mut odds, size) = self.feature_odds(scan, z, &self.joined(&near));
        if prior > 0.0 {
            let place = support.prior(code, at, &scan.body(), size);
            for (odds, place) in odds.iter_mut().zip(place) {
                let place = place.clamp(PRIOR[0], PRIOR[1]);
                *odds += prior as f32 * (place / (1.0 - place)).ln();
            }
        }
        Some(odds)
    }
}
