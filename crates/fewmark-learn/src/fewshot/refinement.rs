//! What was found of an object, told again by what it looks like in the scan itself. A labelled scan says where an object lies and roughly how bright
//! it is; once most of it is found, the scan that is segmented says better how bright it is there (as a box does in GrabCut: Rother and others,
//! ACM Transactions on Graphics 2004).

use rayon::prelude::*;

use super::encoded::Encoded;
use super::fusion::{Found, Joined, SUREST};
use super::inference::InferenceConfig;
use crate::Error;

/// How often brightness and object are told by each other.
const ROUNDS: usize = 3;

/// Brightness tells of what lies near to what was found: standard deviation of the Gaussian by which it is widened, in sides of the square.
const NEAR: f64 = 0.01;

/// What brightness tells is smoothed by a Gaussian of this standard deviation, in sides of the square: noise is no object.
const SMOOTH: f64 = 0.006;

/// Brightness tells no more than such odds, in logarithms: less than [`SUREST`], so that by itself it brings in nothing that
/// place and features exclude.
const MOST: f32 = 3.0;

impl Encoded {
    /// The object of which this was found, with an outline along edges; see [`InferenceConfig::refinement`] and [`InferenceConfig::smoothing`].
    pub(super) fn refined(&self, found: Joined, smoothing: f64, config: &InferenceConfig) -> Result<Found, Error> {
        let Joined { share, odds, agreement } = found;
        let probability = probabilities(&odds);
        // How many have it inside and how likely all hold it to be count alike: where they are of two minds, those that are surer decide.
        let mask = share.into_iter().zip(&probability).map(|(share, p)| share + p > 1.0).collect();
        let mut found = Found { probability, mask, agreement };
        let area = odds.len() / self.depth();
        let of_slice = |z: usize| z * area..(z + 1) * area;
        let showing: Vec<usize> = (0..self.depth()).filter(|&z| found.mask[of_slice(z)].contains(&true)).collect();
        if config.refinement == 0.0 || showing.is_empty() {
            return Ok(found);
        }
        let odds: Vec<f32> = odds.into_iter().map(|odds| odds.clamp(-SUREST, SUREST)).collect();
        let mut told: Vec<Vec<f32>> = showing.iter().map(|&z| odds[of_slice(z)].to_vec()).collect();
        for _ in 0..ROUNDS {
            let slices = told.par_iter().map(|odds| self.surely(probabilities(odds)));
            let inside = slices.collect::<Result<Vec<_>, Error>>()?;
            let seen = self
                .appearance_of(showing.iter().copied().zip(inside.iter().map(|(inside, _)| inside)), config.window)?;
            let slices = showing.par_iter().zip(&inside).map(|(&z, (inside, near))| {
                let mut odds = odds[of_slice(z)].to_vec();
                if let Some(around) = self.around(z, inside, config.window)? {
                    for ((odds, &sample), near) in odds.iter_mut().zip(self.slice(z)).zip(near) {
                        *odds += near * (config.refinement as f32 * seen.odds(sample, around)).clamp(-MOST, MOST);
                    }
                }
                self.smoothed(&odds, SMOOTH)
            });
            told = slices.collect::<Result<_, Error>>()?;
        }
        let outlines = showing.par_iter().zip(&told).map(|(&z, odds)| self.outlined(z, odds, smoothing));
        for ((&z, odds), outline) in showing.iter().zip(&told).zip(outlines.collect::<Result<Vec<_>, Error>>()?) {
            found.probability[of_slice(z)].copy_from_slice(&probabilities(odds));
            found.mask[of_slice(z)].copy_from_slice(&outline);
        }
        Ok(found)
    }

    /// An object in a slice without what is far from where it is likely, of which there is so much that little of each adds up; and how near each pixel is
    /// to it, from 0 to 1.
    fn surely(&self, probability: Vec<f32>) -> Result<(Vec<f32>, Vec<f32>), Error> {
        let near: Vec<f32> = self.smoothed(&probability, NEAR)?.into_iter().map(|p| (4.0 * p).min(1.0)).collect();
        Ok((probability.into_iter().zip(&near).map(|(p, near)| p * near).collect(), near))
    }
}

/// The probabilities of which these are the logarithms of the odds.
pub(super) fn probabilities(odds: &[f32]) -> Vec<f32> {
    odds.iter().map(|odds| 1.0 / (1.0 + (-odds).exp())).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use fewmark_image::{Dimension, Geometry, Image};
    use fewmark_metrics::Confusion;

    use super::*;
    use crate::fewshot::{FewShotConfig, Predictor};

    const SIDE: usize = 128;

    fn square(from: usize) -> Vec<bool> {
        let of = |x: usize| (from..from + 30).contains(&x);
        (0..SIDE * SIDE).map(|i| of(i % SIDE) && of(i / SIDE)).collect()
    }

    #[test]
    fn what_was_found_beside_an_object_is_put_right_by_brightness() {
        let texture = |i: usize| 0.02 * ((i * 7) % 5) as f32;
        let object = square(40);
        let samples =
            object.iter().enumerate().map(|(i, &inside)| if inside { 0.7 } else { 0.3 } + texture(i)).collect();
        let geometry = Geometry::unit(Dimension::Three, [SIDE, SIDE, 1]).unwrap();
        let image = Image::new(samples, 1, geometry).unwrap();
        let predictor = Predictor::untrained(FewShotConfig::default(), crate::Compute::Cpu.device().unwrap()).unwrap();
        let scan = predictor.encode(&image, &mut |_| ControlFlow::Continue(())).unwrap();
        let found = square(43);
        let dice = |refinement| {
            let odds = found.iter().map(|&inside| if inside { 1.0 } else { -1.0 }).collect();
            let share = found.iter().map(|&inside| f32::from(u8::from(inside))).collect();
            let config = InferenceConfig { refinement, ..InferenceConfig::default() };
            let refined = scan.refined(Joined { share, odds, agreement: 3.0 }, 0.0, &config).unwrap();
            assert_eq!(refined.agreement, 3.0);
            Confusion::between(&refined.mask, &object).dice().unwrap()
        };
        assert!((dice(0.0) - Confusion::between(&found, &object).dice().unwrap()).abs() < 1e-9);
        assert!(dice(2.0) > 0.9, "{} from {}", dice(2.0), dice(0.0));
        // Nothing stays nothing.
        let nothing = Joined { share: vec![0.0; object.len()], odds: vec![-1.0; object.len()], agreement: 0.0 };
        assert!(!scan.refined(nothing, 0.0, &InferenceConfig::default()).unwrap().mask.contains(&true));
    }
}
