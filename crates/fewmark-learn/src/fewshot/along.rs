//! Where an object lies along a scan, beyond what the alignment of two scans tells: organs of two bodies do not lie equally far apart.

use std::collections::BTreeMap;

use super::inference::InferenceConfig;
use super::place::{Laying, blurred};
use super::search::{Labelled, agreement, correlation, mean_odds};

/// What a shift by a slice costs, in mean odds under the object's place; half as far costs a quarter.
const COST: f64 = 0.3;

/// Shifts that are tried are this far apart, in slices of the support.
pub(super) const STEP: f64 = 0.5;

/// A slice of a scan, on the grid of the features.
pub(super) struct Aligned {
    /// Where in the support it lies by the alignment of the scans, in slices
    pub(super) at: f64,
    /// The logarithm of the odds of the object in each feature
    pub(super) odds: Vec<f32>,
    /// What the slice looks like
    pub(super) picture: Vec<f32>,
}

/// By how many slices of the support all slices of a scan are shifted so that those in which the object then lies look most like the support's
/// around it and the odds under its place are best, no further than `config.shift`. `shown` are the slices of the support that show the object,
/// and `nearest` tells which of them is nearest to a place in it; none beyond the object's ends.
pub(super) fn shift(
    shown: &BTreeMap<usize, Labelled>,
    nearest: impl Fn(f64) -> Option<usize>,
    scan: &[Aligned],
    laying: &Laying,
    size: [usize; 2],
    config: &InferenceConfig,
) -> f64 {
    let laid: BTreeMap<usize, Laid> =
        shown.iter().map(|(&z, labelled)| (z, Laid::of(labelled, laying, size, config.window))).collect();
    let score = |shift: f64| {
        let of_slice = |slice: &Aligned| {
            let laid = &laid[&nearest(slice.at + shift)?];
            let likeness = correlation(&laid.picture, &slice.picture, &laid.near);
            Some(agreement(likeness, mean_odds(&laid.place, &slice.odds), config))
        };
        let scores: Vec<f64> = scan.iter().filter_map(of_slice).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64 - COST * shift * shift)
    };
    let steps = (config.shift / STEP) as i32;
    let shifts = (-steps..=steps).map(|step| f64::from(step) * STEP);
    let scored = shifts.filter_map(|shift| Some((score(shift)?, shift)));
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.0, |(_, shift)| shift)
}

/// A slice of the support, laid over a scan.
struct Laid {
    picture: Vec<f32>,
    place: Vec<f32>,
    /// How near each feature is to the object
    near: Vec<f32>,
}

impl Laid {
    fn of(labelled: &Labelled, laying: &Laying, size: [usize; 2], window: f64) -> Self {
        let place = laying.lay(labelled.place, size);
        let near = blurred(&place, size[1], window);
        Self { picture: laying.lay(&labelled.picture, size), place, near }
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Body;
    use super::*;

    const SIZE: [usize; 2] = [24, 24];

    /// What a slice at a place along the body looks like: it changes from slice to slice.
    fn picture(at: f64) -> Vec<f32> {
        let of = |i: usize| ((i / SIZE[1]) as f64 * 0.4 + at).sin() + ((i % SIZE[1]) as f64 * 0.3 - 0.7 * at).cos();
        (0..SIZE[0] * SIZE[1]).map(|i| of(i) as f32).collect()
    }

    fn found(by: f64, config: &InferenceConfig) -> f64 {
        let far = |i: usize| (i / SIZE[1]).abs_diff(12).max((i % SIZE[1]).abs_diff(11));
        let place: Vec<f32> = (0..SIZE[0] * SIZE[1]).map(|i| f32::from(u8::from(far(i) < 4))).collect();
        let shown: BTreeMap<usize, Labelled> =
            (6..11).map(|z| (z, Labelled { place: &place, picture: picture(z as f64) })).collect();
        let slice =
            |z: i32| Aligned { at: f64::from(z), odds: vec![0.0; place.len()], picture: picture(f64::from(z) + by) };
        let scan: Vec<Aligned> = (0..20).map(slice).collect();
        let body = Body::of(&[vec![1.0; place.len()]], SIZE);
        let nearest = |at: f64| (5.5..=10.5).contains(&at).then_some((at.round() as usize).clamp(6, 10));
        shift(&shown, nearest, &scan, &Laying::new([body; 2], [12.0, 11.0]), SIZE, config)
    }

    #[test]
    fn an_object_is_found_some_slices_from_where_the_alignment_has_it() {
        let config = InferenceConfig::default();
        assert_eq!([-2.0, 0.0, 1.0].map(|by| found(by, &config)), [-2.0, 0.0, 1.0]);
    }

    #[test]
    fn it_is_looked_for_no_further_than_it_may_be_shifted() {
        assert_eq!(found(2.0, &InferenceConfig { shift: 0.0, ..InferenceConfig::default() }), 0.0);
        assert!(found(2.0, &InferenceConfig { shift: 1.0, ..InferenceConfig::default() }) <= 1.0);
    }
}
