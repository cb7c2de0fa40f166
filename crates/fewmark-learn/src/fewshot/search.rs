//! Where an object of a labelled slice lies in another scan: its place is turned, enlarged and moved to where slices look alike around it.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;

use rayon::prelude::*;

use super::inference::InferenceConfig;
use super::place::{Body, Laying, Pose, blurred};

/// Odds count no more than this, so that a few certain features do not decide where an object lies.
const CLEAREST: f32 = 4.0;

/// What a move by the side of the square would cost, in mean odds under the object's place; half as far costs a quarter.
const SHIFT_COST: f64 = 20.0;

/// What a turn by 90 degrees would cost. Hearts are turned against each other by up to 70 degrees: with 6, five folds of cardiac MRI lose 2.6 of
/// Dice x 100, see [`InferenceConfig::turn`].
const TURN_COST: f64 = 1.0;

/// What an object e times as large or as small would cost.
const GROWTH_COST: f64 = 20.0;

/// Turns that are tried are so far apart, in degrees.
const TURN_STEP: f64 = 20.0;

/// Objects that are this much larger or smaller are tried.
const GROWTH: f64 = 1.25;

/// Candidates are of other turns, or so far apart, in sides of the square.
const APART: f64 = 0.03;

/// Slices are compared to where the blurred place is this share of its largest value.
const WINDOW: f32 = 0.1;

/// Least standard deviation of the samples in a window that counts as contrast.
const FLAT: f32 = 0.03;

/// A slice of the support, on the grid of the features.
pub(super) struct Labelled<'a> {
    /// How likely the object is in each feature
    pub(super) place: &'a [f32],
    /// What the slice looks like
    pub(super) picture: Vec<f32>,
}

/// A slice that is looked at, on the grid of the features.
pub(super) struct Query<'a> {
    /// The slice of the support that it is compared with
    pub(super) by: usize,
    /// The logarithm of the odds of the object in each feature
    pub(super) odds: &'a [f32],
    /// What the slice looks like
    pub(super) picture: Vec<f32>,
}

/// How a support may be laid over a scan.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) laying: Laying,
    /// What speaks for it, in mean odds under the object's place
    pub(super) score: f64,
    /// What its pose costs, which the score has paid
    cost: f64,
}

impl Candidate {
    /// What speaks for it once it is bent, by how alike slices look then and the mean odds under the object's place.
    pub(super) fn score_bent(&self, likeness: f64, odds: f64, config: &InferenceConfig) -> f64 {
        agreement(likeness, odds, config) - self.cost
    }
}

/// How a support is laid over a scan, the same in all slices: by bodies first, then in the pose in which the slices look most like those of the
/// support around the object (normalised cross-correlation, weighted by how near the object is) and the odds of the features under its place are best.
/// The best of each turn, and of a turn's sizes those that come to lie elsewhere; no more than `config.candidates`, the best first.
///
/// `bodies` are those of the scan and of the support, `size` is the number of rows and columns of features.
pub(super) fn candidates(
    shown: &BTreeMap<usize, Labelled>,
    queries: &[Query],
    bodies: [Body; 2],
    size: [usize; 2],
    config: &InferenceConfig,
) -> Vec<Candidate> {
    let centre = centre(shown.values().map(|labelled| labelled.place), size);
    let at_rest = Laying::new(bodies, centre);
    let reach = (config.reach * size[0] as f64).round() as usize;
    let padded: Vec<[Padded; 2]> = queries.iter().map(|query| query.padded(size, reach)).collect();
    let best_of = |pose: Pose| {
        let laying = at_rest.with(pose);
        let template = |labelled| Template::of(labelled, &laying, size, config.window);
        let templates: BTreeMap<usize, Template> = shown.iter().map(|(&z, labelled)| (z, template(labelled))).collect();
        let steps = 2 * reach + 1;
        let mut scores = vec![0.0; steps * steps];
        for (query, padded) in queries.iter().zip(&padded) {
            templates[&query.by].add_scores(padded, config.context as f32, &mut scores);
        }
        let scored = scores.into_iter().enumerate().map(|(i, score)| {
            let shift = [i / steps, i % steps].map(|at| at as f64 - reach as f64);
            let pose = Pose { shift, ..pose };
            (f64::from(score) / queries.len().max(1) as f64 - pose.cost(size), pose)
        });
        scored.max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let mut best: Vec<_> = poses(config.turn).into_par_iter().filter_map(best_of).collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut kept: Vec<(f64, Pose)> = Vec::new();
    for (score, pose) in best {
        if kept.iter().all(|(_, other)| pose.is_apart(other, size)) {
            kept.push((score, pose));
        }
    }
    kept.truncate(config.candidates);
    let candidate = |(score, pose): (f64, Pose)| Candidate { laying: at_rest.with(pose), score, cost: pose.cost(size) };
    kept.into_iter().map(candidate).collect()
}

/// What speaks for an object where slices look so much alike around it and the mean odds are these, in mean odds.
pub(super) fn agreement(likeness: f64, odds: f64, config: &InferenceConfig) -> f64 {
    config.context * likeness + odds
}

/// The mean odds under the place of an object, both on the grid of the features.
pub(super) fn mean_odds(place: &[f32], odds: &[f32]) -> f64 {
    let sum: f32 = place.iter().zip(odds).map(|(share, odds)| share * odds.clamp(-CLEAREST, CLEAREST)).sum();
    f64::from(sum / area(place))
}

/// How many features an object fills, no less than one.
fn area(place: &[f32]) -> f32 {
    place.iter().sum::<f32>().max(1.0)
}

/// The correlation of two planes where each place has a weight; of planes without contrast it is near 0.
pub(super) fn correlation(a: &[f32], b: &[f32], weights: &[f32]) -> f64 {
    let sum: f32 = weights.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let mean = |x: &[f32]| x.iter().zip(weights).map(|(x, weight)| x * weight).sum::<f32>() / sum;
    let means = [mean(a), mean(b)];
    let [mut both, mut of_a, mut of_b] = [0.0; 3];
    for ((a, b), weight) in a.iter().zip(b).zip(weights) {
        let [a, b] = [a - means[0], b - means[1]];
        both += weight * a * b;
        of_a += weight * a * a;
        of_b += weight * b * b;
    }
    let contrast = |square: f32| (square / sum).sqrt().max(FLAT);
    f64::from(both / sum / (contrast(of_a) * contrast(of_b)))
}

impl Pose {
    /// What speaks against it, in mean odds under the object's place.
    fn cost(&self, size: [usize; 2]) -> f64 {
        let far: f64 = self.shift.iter().zip(size).map(|(shift, side)| (shift / side as f64).powi(2)).sum();
        SHIFT_COST * far + TURN_COST * (self.angle / FRAC_PI_2).powi(2) + GROWTH_COST * self.growth.ln().powi(2)
    }

    /// Whether it is of another turn, or lays the object elsewhere.
    fn is_apart(&self, other: &Self, size: [usize; 2]) -> bool {
        let [down, right] = [0, 1].map(|axis| (self.shift[axis] - other.shift[axis]) / size[axis] as f64);
        self.angle != other.angle || down.hypot(right) >= APART
    }
}

/// The turns and sizes that are tried, up to so many degrees to each side; where nothing may be turned, nothing is enlarged either.
fn poses(turn: f64) -> Vec<Pose> {
    let steps = (turn / TURN_STEP).floor() as i32;
    let growths: &[f64] = if turn > 0.0 { &[1.0 / GROWTH, 1.0, GROWTH] } else { &[1.0] };
    let of_angle = |step: i32| {
        let angle = (f64::from(step) * TURN_STEP).to_radians();
        growths.iter().map(move |&growth| Pose { angle, growth, ..Pose::REST })
    };
    (-steps..=steps).flat_map(of_angle).collect()
}

/// The row and column in the middle of what some planes hold, or of the planes where they hold nothing.
fn centre<'a>(planes: impl Iterator<Item = &'a [f32]>, size: [usize; 2]) -> [f64; 2] {
    let (mut sum, mut middle) = (0.0, [0.0; 2]);
    for plane in planes {
        for (i, &share) in plane.iter().enumerate() {
            sum += f64::from(share);
            middle[0] += f64::from(share) * (i / size[1]) as f64;
            middle[1] += f64::from(share) * (i % size[1]) as f64;
        }
    }
    if sum > 0.0 { middle.map(|at| at / sum) } else { size.map(|n| (n - 1) as f64 / 2.0) }
}

/// A plane with a border of zeros.
struct Padded {
    samples: Vec<f32>,
    width: usize,
}

impl Query<'_> {
    /// What the slice looks like, and its odds, with a border as wide as places are moved.
    fn padded(&self, size: [usize; 2], border: usize) -> [Padded; 2] {
        let odds: Vec<f32> = self.odds.iter().map(|odds| odds.clamp(-CLEAREST, CLEAREST)).collect();
        [&self.picture, &odds].map(|plane| {
            let width = size[1] + 2 * border;
            let mut samples = vec![0.0; width * (size[0] + 2 * border)];
            for (row, line) in plane.chunks_exact(size[1]).enumerate() {
                samples[(row + border) * width + border..][..size[1]].copy_from_slice(line);
            }
            Padded { samples, width }
        })
    }
}

/// A feature of an object or near it.
struct Near {
    row: usize,
    column: usize,
    /// What it counts; the sum over all is 1
    weight: f32,
    /// What it looks like beside the mean, times what it counts
    seen: f32,
    /// The share of the object in it
    share: f32,
}

/// An object and what surrounds it, laid over another scan.
struct Template {
    near: Vec<Near>,
    /// Standard deviation of what they look like
    contrast: f32,
    /// Features of the object
    area: f32,
}

impl Template {
    /// `window` is the standard deviation of the Gaussian that weighs what surrounds the object, in sides of the square.
    fn of(labelled: &Labelled, laying: &Laying, size: [usize; 2], window: f64) -> Self {
        let place = laying.lay(labelled.place, size);
        let picture = laying.lay(&labelled.picture, size);
        let weights = blurred(&place, size[1], window);
        let least = WINDOW * weights.iter().copied().fold(0.0, f32::max);
        let inside: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > least).collect();
        let sum: f32 = inside.iter().map(|&i| weights[i]).sum();
        let mean: f32 = inside.iter().map(|&i| weights[i] * picture[i]).sum::<f32>() / sum;
        let variance: f32 = inside.iter().map(|&i| weights[i] / sum * (picture[i] - mean).powi(2)).sum();
        let of_feature = |&i: &usize| {
            let weight = weights[i] / sum;
            let seen = weight * (picture[i] - mean);
            Near { row: i / size[1], column: i % size[1], weight, seen, share: place[i] }
        };
        let near = inside.iter().map(of_feature).collect();
        Self { near, contrast: variance.sqrt(), area: area(&place) }
    }

    /// Adds what speaks for each shift, row by row from that to the upper left: `weight` times the correlation of what the slices look like, and
    /// the mean odds under the object. Outside the slice nothing is seen.
    fn add_scores(&self, [picture, odds]: &[Padded; 2], weight: f32, scores: &mut [f32]) {
        let steps = scores.len().isqrt();
        let [mut of_seen, mut of_mean, mut of_square, mut of_odds] = [(); 4].map(|()| vec![0.0_f32; scores.len()]);
        for near in &self.near {
            for down in 0..steps {
                let at = down * steps..(down + 1) * steps;
                let from = (near.row + down) * picture.width + near.column;
                let line = &picture.samples[from..from + steps];
                let sums = of_seen[at.clone()].iter_mut().zip(&mut of_mean[at.clone()]).zip(&mut of_square[at.clone()]);
                for (((of_seen, of_mean), of_square), sample) in sums.zip(line) {
                    *of_seen += near.seen * sample;
                    *of_mean += near.weight * sample;
                    *of_square += near.weight * sample * sample;
                }
                if near.share > 0.0 {
                    let line = &odds.samples[from..from + steps];
                    of_odds[at].iter_mut().zip(line).for_each(|(sum, odds)| *sum += near.share * odds);
                }
            }
        }
        for (i, score) in scores.iter_mut().enumerate() {
            let contrast = (of_square[i] - of_mean[i] * of_mean[i]).max(FLAT * FLAT).sqrt();
            *score += weight * of_seen[i] / (contrast * self.contrast.max(FLAT)) + of_odds[i] / self.area;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [40, 40];

    fn planes(of: impl Fn(f64, f64) -> f64) -> Vec<f32> {
        (0..SIZE[0] * SIZE[1]).map(|i| of((i / SIZE[1]) as f64, (i % SIZE[1]) as f64) as f32).collect()
    }

    /// An object at row 22, column 17, and a slice that looks different in all directions from it.
    fn support() -> (Vec<f32>, Vec<f32>) {
        let object = |row: f64, column: f64| f64::from(u8::from((row - 22.0).hypot(column - 17.0) < 4.0));
        let seen = |row: f64, column: f64| {
            (0.02 * row * row + 0.3 * column).sin() + (0.2 * row - 0.025 * column * column).cos()
        };
        (planes(object), planes(seen))
    }

    /// How the support is laid over a slice that looks like `picture` and has these odds.
    fn found(picture: Vec<f32>, odds: &[f32], config: &InferenceConfig) -> Laying {
        let (place, shown) = support();
        let body = Body::of(&[vec![1.0; SIZE[0] * SIZE[1]]], SIZE);
        let shown = BTreeMap::from([(3, Labelled { place: &place, picture: shown })]);
        candidates(&shown, &[Query { by: 3, odds, picture }], [body; 2], SIZE, config).remove(0).laying
    }

    fn laid_at(pose: Pose) -> Laying {
        let body = Body::of(&[vec![1.0; SIZE[0] * SIZE[1]]], SIZE);
        Laying::new([body; 2], [22.0, 17.0]).with(pose)
    }

    #[test]
    fn a_slice_that_is_turned_enlarged_and_moved_is_found() {
        let unknown = vec![0.0; SIZE[0] * SIZE[1]];
        for pose in [
            Pose { shift: [-3.0, 4.0], ..Pose::REST },
            Pose { angle: 40_f64.to_radians(), shift: [2.0, -5.0], ..Pose::REST },
            Pose { angle: -20_f64.to_radians(), growth: GROWTH, shift: [0.0, 3.0] },
        ] {
            let picture = laid_at(pose).lay(&support().1, SIZE);
            // Another scale and another offset change nothing.
            let picture = picture.into_iter().map(|x| 0.5 * x + 0.3).collect();
            assert_eq!(found(picture, &unknown, &InferenceConfig::default()), laid_at(pose));
        }
    }

    #[test]
    fn candidates_are_sorted_and_each_is_another() {
        let (place, picture) = support();
        let unknown = vec![0.0; SIZE[0] * SIZE[1]];
        let body = Body::of(&[vec![1.0; SIZE[0] * SIZE[1]]], SIZE);
        let of_count = |candidates: usize, turn: f64| {
            let shown = BTreeMap::from([(3, Labelled { place: &place, picture: picture.clone() })]);
            let query = Query { by: 3, odds: &unknown, picture: picture.clone() };
            let config = InferenceConfig { candidates, turn, ..InferenceConfig::default() };
            super::candidates(&shown, &[query], [body; 2], SIZE, &config)
        };
        let found = of_count(5, 60.0);
        assert_eq!(found.len(), 5);
        assert_eq!(found[0].laying, laid_at(Pose::REST));
        assert!(found.is_sorted_by(|a, b| a.score >= b.score), "{found:?}");
        let layings: Vec<_> = found.iter().map(|candidate| candidate.laying).collect();
        assert!((1..5).all(|i| !layings[..i].contains(&layings[i])), "{layings:?}");
        assert_eq!(of_count(1, 60.0)[0].laying, layings[0]);
        // One way to turn it and one size leave one way to lay it.
        assert_eq!(of_count(5, 0.0).len(), 1);
        // What a pose costs is paid before and after it is bent.
        let config = InferenceConfig { context: 10.0, ..InferenceConfig::default() };
        assert_eq!(found[0].score_bent(0.5, 2.0, &config), 7.0);
        assert!(found[1].score_bent(0.5, 2.0, &config) < 7.0);
    }

    #[test]
    fn correlations_are_those_where_weights_are() {
        let (a, weights) = ([0.0, 1.0, 2.0, 50.0], [1.0, 1.0, 1.0, 0.0]);
        for (b, expected) in [([5.0, 7.0, 9.0, -80.0], 1.0), ([3.0, 2.0, 1.0, 9.0], -1.0), ([1.0, 0.0, 1.0, 9.0], 0.0)]
        {
            let found = correlation(&a, &b, &weights);
            assert!((found - expected).abs() < 1e-6, "{found} for {b:?}");
        }
        assert!(correlation(&a, &[0.5; 4], &weights).abs() < 1e-6);
        assert_eq!(correlation(&a, &a, &[0.0; 4]), 0.0);
    }

    #[test]
    fn odds_are_those_under_the_place() {
        assert_eq!(mean_odds(&[0.0, 1.0, 3.0], &[9.0, 2.0, -2.0]), -1.0);
        // Less than a feature counts as one, and nothing is clearer than clear.
        assert_eq!(mean_odds(&[0.5, 0.0], &[100.0, 0.0]), 2.0);
    }

    #[test]
    fn without_turns_an_object_is_moved_alone_and_no_further_than_it_may() {
        let unknown = vec![0.0; SIZE[0] * SIZE[1]];
        let moved = Pose { shift: [2.0, 7.0], ..Pose::REST };
        let near = InferenceConfig { turn: 0.0, reach: 0.1, ..InferenceConfig::default() };
        let far = InferenceConfig { reach: 0.2, ..near.clone() };
        let picture = || laid_at(moved).lay(&support().1, SIZE);
        assert_eq!(found(picture(), &unknown, &far), laid_at(moved));
        assert_ne!(found(picture(), &unknown, &near), laid_at(moved));
    }

    #[test]
    fn odds_decide_where_nothing_is_to_be_seen_and_without_them_it_stays() {
        let flat = || vec![0.2; SIZE[0] * SIZE[1]];
        let moved = Pose { shift: [4.0, -3.0], ..Pose::REST };
        let odds: Vec<f32> = laid_at(moved).lay(&support().0, SIZE).into_iter().map(|x| 4.0 * x - 2.0).collect();
        assert_eq!(found(flat(), &odds, &InferenceConfig::default()), laid_at(moved));
        assert_eq!(found(flat(), &vec![0.0; odds.len()], &InferenceConfig::default()), laid_at(Pose::REST));
        // A few certain features do not outvote the rest.
        let mut certain = odds.clone();
        certain[0] = 1e6;
        assert_eq!(found(flat(), &certain, &InferenceConfig::default()), laid_at(moved));
    }

    #[test]
    fn an_object_that_is_nowhere_stays_there() {
        let (place, picture) = (vec![0.0; SIZE[0] * SIZE[1]], support().1);
        let body = Body::of(&[vec![1.0; SIZE[0] * SIZE[1]]], SIZE);
        let shown = BTreeMap::from([(0, Labelled { place: &place, picture: picture.clone() })]);
        let query = Query { by: 0, odds: &place, picture };
        let found = candidates(&shown, &[query], [body; 2], SIZE, &InferenceConfig::default());
        assert_eq!(found[0].laying, Laying::new([body; 2], [19.5; 2]));
    }
}
