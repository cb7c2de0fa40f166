//! Whole scans segmented by labelled ones.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fewmark_grid::{Components, Connectivity};
use fewmark_image::{Image, LabelMap};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::alignment::Alignment;
use super::along::{self, Aligned};
use super::appearance::Appearance;
use super::encoded::Encoded;
use super::frame::resize;
use super::fusion::{Found, Vote, joined};
use super::place::Body;
use super::predictor::{Predictor, SlicePrototypes};
use super::refinement::probabilities;
use super::search::{self, Query, mean_odds};
use super::support::{Prior, Support, resolved};
use crate::Error;

/// How whole scans are segmented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferenceConfig {
    /// How much larger the square is that the encoder sees than in its training: features then are finer, and small objects are not lost
    /// between them. Mean Dice x 100 with the encoder inside the program on scans that are learned from: cardiac MRI, three folds, 58.5 with 1,
    /// 63.0 with 1.5, 61.2 with 2; abdominal MRI, two folds, 80.1 with 1, 81.4 with 1.5.
    pub enlargement: f64,
    /// Slices of the support, nearest along the body, by which a slice is segmented.
    pub neighbours: usize,
    /// Slices by which an object may be longer at each end than in the support.
    pub margin: f64,
    /// Slices by which an object may lie elsewhere along the body than the alignment of the scans has it. Chosen like `turn`: scans of which
    /// nothing is known, abdominal MRI, two folds, 76.3 with 0, 77.4 with 3; cardiac MRI, five folds, 67.5
    /// and 67.4. Told by likeness and features, so not where `prior` and `appearance` are 0.
    pub shift: f64,
    /// Weight of the place of an object in the support; 0 looks at features alone. Chosen, as the numbers below, on the scans that the first
    /// fold of abdominal MRI leaves to learn from, five of them as supports of four others each, with the encoder inside the program and the
    /// paper's protocol (mean Dice x 100: features alone 69.5, with the place 73.4, the place moved 75.3, outlined on pixels 78.2, with the
    /// offset and a larger `smoothing` 79.9). Its weight was 0.5 then; a place that is bent is worth more, see `deformation`.
    pub prior: f64,
    /// Standard deviation of the Gaussian by which that place is blurred, in sides of the square; at most half an object's thickness.
    pub blur: f64,
    /// How far that place may be moved along rows and columns, together in all slices, to where slices look like the support around the object
    /// and features look like the object, in sides of the square.
    pub reach: f64,
    /// How far that place may be turned about the object's middle, in degrees to each side; where it may, it may also be a quarter larger or a fifth
    /// smaller. 0 moves it alone. Chosen, as what a turn and a size cost, with the encoder inside the program on scans that are learned
    /// from: mean Dice x 100 of cardiac MRI, five folds, 72.5 (scans of which nothing is known 61.8), where the surroundings were compared by features
    /// and only moved 68.1 (60.1); abdominal MRI, two folds, 82.1 (75.7) and 82.3 (76.7).
    pub turn: f64,
    /// In how many of these ways that place is bent, each of another turn or elsewhere; the one counts for which most speaks before and after.
    /// Chosen like `turn` (cardiac MRI, five folds: 72.5 and scans of which nothing is known 61.8 with 1, 74.1 and 63.9 with 4; abdominal
    /// MRI 82.1 and 75.7 with both). Time grows with it.
    pub candidates: usize,
    /// Weight of how alike slices look around an object when its place is moved: of a correlation, beside mean log odds. Objects that look alike, as
    /// the two ventricles of a heart, are told from each other by it. Chosen like `turn` (cardiac MRI, two folds, sizes for next to nothing: 72.6 with 10, 76.4 with 20,
    /// 75.9 with 40).
    pub context: f64,
    /// Standard deviation of the Gaussian that weighs what surrounds an object, in sides of the square.
    pub window: f64,
    /// How the place of an object is bent, once it is moved, to where slices look alike pixel by pixel: standard deviation of the Gaussian that
    /// smooths displacements, in sides of the square; 0 leaves it as it is. Chosen like `appearance`, with `prior` and `blur` (cardiac MRI, two folds:
    /// 64.7 without, 67.6 with 0.008, 70.9 with twice the weight and half the blur of the place, 71.3 with 0.0065; scans of which nothing is known
    /// 62.1, 64.6, 66.7, 67.2; abdominal MRI, one fold: 79.7 and 79.8, 76.9 and 76.6).
    pub deformation: f64,
    /// Weight of how bright an object is in the support beside what lies around it, told for each pixel near its place. Chosen like `context`
    /// (mean Dice x 100 of two folds of cardiac MRI and one of abdominal MRI: 62.9 and 78.9 without, 65.1 and 79.8 with 1; scans of which nothing
    /// is known 58.1 and 76.5, 61.7 and 76.9; with brightness of the whole scan's scale 63.6 and 78.3).
    pub appearance: f64,
    /// Weight of how bright what was found is beside what lies around it in the scan itself, told from all slices in which it was found, for each pixel
    /// near to it; 0 leaves what was found as it is. Chosen like `turn`: cardiac MRI, five folds, 75.3 (scans of which nothing is known 67.5)
    /// with 0, 77.2 (69.4) with 2; abdominal MRI, two folds, 82.0 (77.4) and 82.3 (78.2).
    pub refinement: f64,
    /// Thickness from which what features say about an object counts in full, in sides of the square; about a thinner one it counts in proportion, as
    /// features blur what they do not resolve. 0 counts all in full. Chosen like `turn`: cardiac MRI, five folds, 74.0 (66.9) with 0, 75.3 (67.5) with
    /// 0.08; abdominal MRI, two folds, encoders trained on their scans, 82.1 (76.9) and 82.1 (76.9). With a third for objects of all
    /// thicknesses 73.7 (68.0), and 81.2 (74.5).
    pub full_thickness: f64,
    /// Added to the logarithm of the odds of an object in each feature: the score of the background, which has many more prototypes, is larger by
    /// chance.
    pub offset: f64,
    /// Weight of the length of an object's outline, in sides of the square; 0 takes what is likelier than not. See `edges`. At most 1.25 times
    /// an object's thickness in the support, as thinner ones would be smoothed away.
    pub smoothing: f64,
    /// How much less an outline costs along the edges of the image: by `1 / (1 + edges |grad f|^2)`, with the gradient in contrasts of the
    /// scan per side of the square.
    pub edges: f64,
    /// Whether only the largest part of each object is kept.
    pub largest: bool,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        Self {
            enlargement: 1.5,
            neighbours: 3,
            margin: 1.0,
            shift: 3.0,
            prior: 1.0,
            blur: 0.015,
            reach: 0.3,
            turn: 60.0,
            candidates: 4,
            context: 20.0,
            window: 0.06,
            deformation: 0.0065,
            appearance: 1.0,
            refinement: 2.0,
            full_thickness: 0.08,
            offset: 0.5,
            smoothing: 0.09,
            edges: 0.06,
            largest: true,
        }
    }
}

impl InferenceConfig {
    /// The paper's: features alone, of the size that the encoder was trained on, by the nearest labelled slice.
    pub fn paper() -> Self {
        Self {
            enlargement: 1.0,
            neighbours: 1,
            prior: 0.0,
            deformation: 0.0,
            appearance: 0.0,
            refinement: 0.0,
            full_thickness: 0.0,
            offset: 0.0,
            smoothing: 0.0,
            largest: false,
            ..Self::default()
        }
    }

    /// Whether it matters where in the support an object lies.
    fn is_by_place(&self) -> bool {
        self.prior + self.appearance > 0.0
    }
}

/// See [`InferenceConfig::smoothing`]; this and the limit of the blur were chosen on cardiac MRI, scans that are learned from, with the encoder
/// inside the program (mean Dice x 100 of five folds: 51.4 without them, 52.8 with).
const SMOOTHING_OF_THICKNESS: f64 = 1.25;

/// Least and largest probability of an object by its place.
const PRIOR: [f32; 2] = [0.01, 0.99];

/// What speaks for an object in the features of a slice.
struct Evidence {
    /// The logarithm of its odds in each of them
    odds: Vec<f32>,
    /// How likely it is by its place alone, in each pixel of the square
    place: Vec<f32>,
}

/// Some slices of a scan that is looked at.
pub(super) struct View<'a> {
    /// Rows and columns of features
    pub(super) size: [usize; 2],
    pub(super) body: Body,
    /// Where in a support each lies, in slices, and what it looks like, see [`Encoded::picture`]
    pub(super) slices: Vec<(f64, &'a [f32])>,
}

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
    /// gives each slice its neighbours in the support and each object its extent. Labels that were carried to this very scan tell nothing of it and
    /// are passed over, and so are those that were carried to volumes where it is a single slice.
    ///
    /// # Errors
    /// [`Error::Stopped`] when `progress` breaks; [`Error::Unfit`] for a single slice and a support of several, as nothing tells which of them it shows.
    pub fn segment(
        &self,
        scan: &Encoded,
        supports: &[Support],
        progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Prediction, Error> {
        let given = || supports.iter().filter(|support| !support.is_carried);
        if scan.depth() == 1 && given().any(|support| support.slices.len() > 1) {
            return Err(Error::Unfit {
                problem: "it is a single slice, and the labelled scan has several".into(),
                hint: "give the whole scan, or label a single slice",
            });
        }
        let mut codes: Vec<u16> = supports.iter().flat_map(|support| support.codes()).collect();
        codes.sort_unstable();
        codes.dedup();
        let geometry = scan.geometry();
        let stack = scan.stack();
        // A scan is no witness of itself, and nothing tells which slice of a volume a single one shows.
        let is_witness = |support: &&Support| !support.is_of(scan) && (scan.depth() > 1 || support.slices.len() == 1);
        let carried = supports.iter().filter(|support| support.is_carried).filter(is_witness);
        let supports = given().chain(carried);
        let aligned: Vec<_> = supports.map(|support| (support, stack.in_stack(&support.stack))).collect();
        let mut labels = vec![0_u16; geometry.len()];
        let mut likeliest = vec![0.0_f32; geometry.len()];
        let mut probability = vec![0.0_f32; geometry.len()];
        for (done, &code) in codes.iter().enumerate() {
            if progress(done as f64 / codes.len() as f64).is_break() {
                return Err(Error::Stopped);
            }
            let margin = self.config().inference.margin;
            let shown = aligned.iter().map(|(support, alignment)| {
                let shift = self.shift_along(scan, support, code, alignment);
                let at = (0..scan.depth()).map(|z| support.reached(code, alignment.place(z) + shift, margin));
                (*support, at.collect())
            });
            let found = self.find(scan, code, &shown.collect::<Vec<_>>())?;
            for (i, (p, inside)) in found.probability.into_iter().zip(found.mask).enumerate() {
                probability[i] = probability[i].max(p);
                if inside && p > likeliest[i] {
                    (likeliest[i], labels[i]) = (p, code);
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
            probability: Image::new(probability, 1, geometry.clone())?,
        })
    }

    /// One object of some supports in a scan. With each support comes where in it each slice of the scan lies, in slices from 0; it finds nothing
    /// in slices that have no place in it. What several supports find is joined as votes, each weighed by what speaks for it, by whether it finds its
    /// way back to a support that was labelled by a person, and by how far it is what all find. What was found is told again by its brightness.
    ///
    /// # Errors
    /// [`Error::Classical`] for settings of the outline that cannot be.
    ///
    /// # Panics
    /// Where there are not as many places as slices.
    pub fn find(&self, scan: &Encoded, code: u16, shown: &[(&Support, Vec<Option<f64>>)]) -> Result<Found, Error> {
        let shows = |(support, at): &&(&Support, Vec<Option<f64>>)| {
            support.thickness.contains_key(&code) && at.iter().any(Option::is_some)
        };
        let shown: Vec<_> = shown.iter().filter(shows).collect();
        let labelled = shown.iter().map(|(support, _)| *support).find(|support| !support.is_carried);
        let vote = |(support, at): &&(&Support, Vec<Option<f64>>)| {
            let found = self.find_by(support, scan, code, at)?;
            let returned = match labelled {
                Some(labelled) if shown.len() > 1 && self.config().inference.is_by_place() => {
                    let own = if support.is_carried { labelled } else { support };
                    self.returned(&found.mask, scan, code, own)?
                }
                _ => 1.0,
            };
            Ok(Vote { found, returned })
        };
        let votes = shown.iter().map(vote).collect::<Result<Vec<_>, Error>>()?;
        let Some(joined) = joined(votes) else {
            let voxels = scan.geometry().len();
            return Ok(Found { probability: vec![0.0; voxels], mask: vec![false; voxels], agreement: 0.0 });
        };
        // A support that was labelled by a person knows better how thick the object is.
        let thickness = labelled.unwrap_or(shown[0].0).thickness[&code];
        scan.refined(joined, self.smoothing(thickness), &self.config().inference)
    }

    /// The smoothing of the outline of an object that is so thick.
    fn smoothing(&self, thickness: f64) -> f64 {
        self.config().inference.smoothing.min(SMOOTHING_OF_THICKNESS * thickness)
    }

    /// What a support that shows an object finds of it.
    fn find_by(&self, support: &Support, scan: &Encoded, code: u16, at: &[Option<f64>]) -> Result<Found, Error> {
        assert_eq!(at.len(), scan.depth(), "a place for each slice");
        let InferenceConfig { neighbours, window, prior, appearance, offset, .. } = self.config().inference;
        let smoothing = self.smoothing(support.thickness[&code]);
        let placed: Vec<(usize, f64)> = at.iter().enumerate().filter_map(|(z, at)| Some((z, (*at)?))).collect();
        let (agreement, evidence) = self.evidence(scan, support, code, &placed)?;
        let slices = placed.par_iter().zip(evidence).map(|(&(z, at), Evidence { odds, place })| {
            let (mut odds, place) = (scan.taken(&scan.enlarged(&odds)), scan.taken(&place));
            for (odds, place) in odds.iter_mut().zip(&place) {
                let place = place.clamp(PRIOR[0], PRIOR[1]);
                *odds += prior as f32 * (place / (1.0 - place)).ln() + offset as f32;
            }
            if appearance > 0.0 {
                let near = support.nearest(code, at).take(neighbours.max(1));
                let seen = Appearance::mean(near.map(|shown| &shown.appearance));
                if let Some(around) = scan.around(z, &place, window)? {
                    for ((odds, &sample), place) in odds.iter_mut().zip(scan.slice(z)).zip(place) {
                        *odds += appearance as f32 * (2.0 * place).min(1.0) * seen.odds(sample, around);
                    }
                }
            }
            let outline = scan.outlined(z, &odds, smoothing)?;
            Ok((z, odds, outline))
        });
        let area = scan.geometry().len() / scan.depth();
        let mut found =
            Found { probability: vec![0.0; scan.depth() * area], mask: vec![false; scan.depth() * area], agreement };
        for (z, odds, outline) in slices.collect::<Result<Vec<_>, Error>>()? {
            let slice = z * area..(z + 1) * area;
            found.probability[slice.clone()].copy_from_slice(&probabilities(&odds));
            found.mask[slice].copy_from_slice(&outline);
        }
        Ok(found)
    }

    /// By how many slices of a support an object lies elsewhere in it than the alignment has it; see [`along::shift`].
    fn shift_along(&self, scan: &Encoded, support: &Support, code: u16, alignment: &Alignment) -> f64 {
        let config = &self.config().inference;
        // A single slice is laid over all slices of a scan.
        if config.shift < along::STEP || !config.is_by_place() || support.slices.len() == 1 {
            return 0.0;
        }
        let (size, side) = (scan.size(), scan.side());
        let on_features = |picture: &[f32]| resize(picture, [side; 2], size);
        let places =
            (0..scan.depth()).filter_map(|z| Some((z, support.reached(code, alignment.place(z), config.shift)?)));
        let places: Vec<(usize, f64)> = places.collect();
        let aligned = places.par_iter().map(|&(z, at)| Aligned {
            at,
            odds: self.odds_by(support, code, at, scan, z),
            picture: on_features(scan.picture(z)),
        });
        let aligned: Vec<Aligned> = aligned.collect();
        let nearest = |at: f64| Some(support.nearest_slices(code, support.reached(code, at, 0.0)?)[0]);
        let queries: Vec<Query> = aligned
            .iter()
            .filter_map(|slice| {
                Some(Query { by: nearest(slice.at)?, odds: &slice.odds, picture: slice.picture.clone() })
            })
            .collect();
        let shown = support.labelled(code, support.showing(code), on_features);
        let laid = search::candidates(&shown, &queries, [scan.body(), support.body], size, config).into_iter().next();
        laid.map_or(0.0, |candidate| along::shift(&shown, nearest, &aligned, &candidate.laying, size, config))
    }

    /// The logarithm of the odds of an object in each feature of a slice that lies `at` in a support, by the slices nearest to it.
    fn odds_by(&self, support: &Support, code: u16, at: f64, scan: &Encoded, z: usize) -> Vec<f32> {
        let InferenceConfig { neighbours, full_thickness, .. } = self.config().inference;
        let near: Vec<&SlicePrototypes> =
            support.nearest(code, at).take(neighbours.max(1)).map(|shown| &shown.prototypes).collect();
        let resolved = resolved(support.thickness[&code], full_thickness) as f32;
        let odds = self.feature_odds(scan, z, &self.joined(&near));
        odds.into_iter().map(|odds| resolved * odds).collect()
    }

    /// What speaks for the place of an object, and for the object in each of some slices that lie somewhere in a support.
    fn evidence(
        &self,
        scan: &Encoded,
        support: &Support,
        code: u16,
        placed: &[(usize, f64)],
    ) -> Result<(f64, Vec<Evidence>), Error> {
        let odds = placed.par_iter().map(|&(z, at)| self.odds_by(support, code, at, scan, z));
        let odds: Vec<Vec<f32>> = odds.collect();
        let (agreement, places) = if self.config().inference.is_by_place() {
            let slices = placed.iter().map(|&(z, at)| (at, scan.picture(z))).collect();
            self.places(&View { size: scan.size(), body: scan.body(), slices }, support, code, &odds)?
        } else {
            (0.0, vec![vec![0.0; scan.side().pow(2)]; odds.len()])
        };
        let found = odds.into_iter().zip(places).map(|(odds, place)| Evidence { odds, place });
        Ok((agreement, found.collect()))
    }

    /// The place of an object in some slices of a scan, on the pixels of the square: turned, enlarged and moved to where the odds of its features and
    /// what surrounds it agree, then bent to what the slices look like. Of several candidates the one for which most speaks before and after it is
    /// bent; with it comes how much.
    pub(super) fn places(
        &self,
        scan: &View,
        support: &Support,
        code: u16,
        odds: &[Vec<f32>],
    ) -> Result<(f64, Vec<Vec<f32>>), Error> {
        let config = &self.config().inference;
        let on_features = |picture: &[f32]| resize(picture, [picture.len().isqrt(); 2], scan.size);
        let of_slice = |(&(at, picture), odds)| Query {
            by: support.nearest_slices(code, at)[0],
            odds,
            picture: on_features(picture),
        };
        let queries: Vec<Query> = scan.slices.iter().zip(odds.iter().map(Vec::as_slice)).map(of_slice).collect();
        let by: BTreeSet<usize> = queries.iter().map(|query| query.by).collect();
        let shown = support.labelled(code, by, on_features);
        let candidates = search::candidates(&shown, &queries, [scan.body, support.body], scan.size, config);
        let mut best: Option<(f64, Vec<Prior>)> = None;
        for candidate in candidates {
            let prior = |&(at, picture): &(f64, &[f32])| support.prior(code, at, &candidate.laying, picture, config);
            let found = scan.slices.par_iter().map(prior).collect::<Result<Vec<Prior>, Error>>()?;
            let score_bent = |(prior, odds): (&Prior, &Vec<f32>)| {
                candidate.score_bent(prior.likeness, mean_odds(&on_features(&prior.place), odds), config)
            };
            let bent = found.iter().zip(odds).map(score_bent).sum::<f64>() / found.len().max(1) as f64;
            let score = candidate.score + bent;
            if best.as_ref().is_none_or(|(other, _)| score.total_cmp(other).is_gt()) {
                best = Some((score, found));
            }
        }
        let (agreement, found) = best.unwrap_or_default();
        Ok((agreement, found.into_iter().map(|prior| prior.place).collect()))
    }
}
