//! Labelled scans to segment others by.

use std::collections::BTreeMap;

use fewmark_image::{Dimension, Geometry, LabelMap, Orientation};
use fewmark_nets::FeatureMask;

use super::alignment::Stack;
use super::appearance::Appearance;
use super::deformation::Laid;
use super::encoded::Encoded;
use super::inference::InferenceConfig;
use super::place::{Body, Laying, blurred};
use super::predictor::{Predictor, SlicePrototypes};
use super::search::Labelled;
use crate::Error;

/// The place of an object is blurred by no more than this share of its thickness, so that rings stay rings.
const BLUR_OF_THICKNESS: f64 = 0.5;

/// Pictures of a slice differ by less in each pixel, in standard deviations of what is near, whatever machine they were made on.
const SAME: f32 = 1e-3;

/// What a labelled scan shows of the objects that are looked for.
#[derive(Clone, Debug)]
pub struct Support {
    /// Of each label that occurs the thickness of its object, in sides of the square.
    pub(super) thickness: BTreeMap<u16, f64>,
    /// Whether its labels were carried to it from others, see [`Predictor::carried`]
    pub(super) is_carried: bool,
    /// Where the axes of a volume point, see [`fewmark_image::Geometry::direction`]; none of a picture, whose axes say nothing
    pub(super) direction: Option<[[f64; 3]; 3]>,
    pub(super) stack: Stack,
    pub(super) body: Body,
    /// Of each slice, by label
    pub(super) slices: Vec<BTreeMap<u16, Shown>>,
    /// Of each slice that shows an object [`Encoded::picture`]
    pub(super) pictures: BTreeMap<usize, Vec<f32>>,
}

/// An object in a slice of the support.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) prototypes: SlicePrototypes,
    /// The share of the object in each pixel of the square
    pub(super) mask: Vec<f32>,
    /// The blurred mask on the grid of the features
    pub(super) place: Vec<f32>,
    pub(super) appearance: Appearance,
}

impl Support {
    /// The support that a scan and its labels are.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a label map without labels, [`Error::Image`] for one of another geometry.
    pub fn new(predictor: &Predictor, scan: &Encoded, labels: &LabelMap) -> Result<Self, Error> {
        Self::check(scan.geometry(), labels)?;
        let mut support = Self {
            thickness: BTreeMap::new(),
            is_carried: false,
            direction: (scan.geometry().dimension() == Dimension::Three).then(|| scan.geometry().direction()),
            stack: scan.stack(),
            body: scan.body(),
            slices: vec![BTreeMap::new(); scan.depth()],
            pictures: BTreeMap::new(),
        };
        let mut showing: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for z in 0..scan.depth() {
            labels.present_in(z).into_iter().for_each(|code| showing.entry(code).or_default().push(z));
        }
        predictor.expect_room_for(showing.values().map(Vec::len).sum())?;
        for (code, slices) in showing {
            let shots = predictor.shots(scan, labels, &slices, code);
            let thickness = thickness(shots.iter().map(|(_, shot)| shot.mask()));
            let InferenceConfig { blur, window, .. } = predictor.config().inference;
            let blur = blur.min(BLUR_OF_THICKNESS * thickness);
            for (z, shot) in shots {
                let FeatureMask { share, size: [_, columns] } = shot.mask();
                let place = blurred(share, *columns, blur);
                let appearance = scan.appearance(labels, z, code, window)?;
                let prototypes = predictor.prototypes(&shot);
                let mask = scan.share(labels, z, code);
                support.slices[z].insert(code, Shown { prototypes, mask, place, appearance });
                support.pictures.entry(z).or_insert_with(|| scan.picture(z).to_vec());
            }
            support.thickness.insert(code, thickness);
        }
        Ok(support)
    }

    /// Whether a label map can be the support of a scan.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a label map without labels, [`Error::Image`] for one of another geometry.
    pub fn check(scan: &Geometry, labels: &LabelMap) -> Result<(), Error> {
        scan.expect_same_space(labels.geometry()).map_err(fewmark_image::Error::from)?;
        if labels.present().is_empty() {
            return Err(Error::Unfit {
                problem: "there is no label but the background".into(),
                hint: "label an object in at least one slice, or leave it out",
            });
        }
        Ok(())
    }

    /// Whether its axes run as those of a scan, as near as turning it could bring them.
    pub fn runs_as(&self, scan: &Geometry) -> bool {
        self.direction.is_none_or(|own| Orientation::between(&own, &scan.direction()) == Orientation::SAME)
    }

    /// The labels that occur, in ascending order.
    pub fn codes(&self) -> impl Iterator<Item = u16> {
        self.thickness.keys().copied()
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> u64 {
        let shown = self.slices.iter().flat_map(BTreeMap::values);
        let of_object = |shown: &Shown| {
            let Shown { prototypes, mask, place, appearance } = shown;
            prototypes.len() + mask.len() + place.len() + appearance.0.len()
        };
        let numbers = shown.map(of_object).sum::<usize>();
        let stack = self.stack.parts().0.iter().map(Vec::len).sum::<usize>();
        let pictures = self.pictures.values().map(Vec::len).sum::<usize>();
        4 * (numbers + stack + pictures) as u64
    }

    /// Whether it is this very scan, whatever machine encoded it: whether its slices look like the scan's.
    pub(super) fn is_of(&self, scan: &Encoded) -> bool {
        let alike = |(&z, picture): (&usize, &Vec<f32>)| {
            let other = scan.picture(z);
            picture.len() == other.len() && picture.iter().zip(other).all(|(a, b)| (a - b).abs() < SAME)
        };
        self.slices.len() == scan.depth() && self.pictures.iter().all(alike)
    }

    /// Whether its labels were carried to it from others, see [`Predictor::carried`].
    pub fn is_carried(&self) -> bool {
        self.is_carried
    }

    /// The slices that show an object, in ascending order.
    pub fn showing(&self, code: u16) -> Vec<usize> {
        (0..self.slices.len()).filter(|&z| self.slices[z].contains_key(&code)).collect()
    }

    /// The slices that show an object, those nearest to a place first.
    pub(super) fn nearest_slices(&self, code: u16, at: f64) -> Vec<usize> {
        let mut near = self.showing(code);
        near.sort_by(|&a, &b| (a as f64 - at).abs().total_cmp(&(b as f64 - at).abs()));
        near
    }

    /// An object in these slices.
    pub(super) fn nearest(&self, code: u16, at: f64) -> impl Iterator<Item = &Shown> {
        self.nearest_slices(code, at).into_iter().map(move |z| &self.slices[z][&code])
    }

    /// Some of the slices that show an object, on the grid of the features.
    pub(super) fn labelled(
        &self,
        code: u16,
        slices: impl IntoIterator<Item = usize>,
        on_features: impl Fn(&[f32]) -> Vec<f32>,
    ) -> BTreeMap<usize, Labelled<'_>> {
        let of_slice =
            |z: usize| Labelled { place: &self.slices[z][&code].place, picture: on_features(&self.pictures[&z]) };
        slices.into_iter().map(|z| (z, of_slice(z))).collect()
    }

    /// A place in this scan, in slices, where it is no further from an object's ends than a margin, in slices; in a scan of one slice anywhere.
    pub(super) fn reached(&self, code: u16, at: f64, margin: f64) -> Option<f64> {
        let margin = margin + 0.5;
        let showing = self.showing(code);
        let (first, last) = (*showing.first()? as f64, *showing.last()? as f64);
        (self.slices.len() == 1 || (first - margin..=last + margin).contains(&at)).then_some(at)
    }

    /// The slices between which a place in this scan lies, of those that show an object, and what each counts there; beyond the last one that alone.
    ///
    /// # Panics
    /// If no slice shows the object.
    fn between(&self, code: u16, at: f64) -> impl Iterator<Item = (usize, f32)> {
        let showing = self.showing(code);
        let above = showing.partition_point(|&z| (z as f64) < at).min(showing.len() - 1);
        let (low, high) = (showing[above.saturating_sub(1)], showing[above]);
        let share = if low < high { ((at - low as f64) / (high - low) as f64).clamp(0.0, 1.0) as f32 } else { 1.0 };
        [(low, 1.0 - share), (high, share)].into_iter().filter(|&(_, weight)| weight > 0.0)
    }

    /// How likely an object is by its place alone in a slice that lies `at` in this scan: its mask there, laid over the slice, bent to what the slice
    /// looks like, and blurred. Between slices that show the object it is linear, beyond them that of the last one.
    ///
    /// # Errors
    /// As [`Laid::bent`].
    ///
    /// # Panics
    /// If no slice shows the object.
    pub(super) fn prior(
        &self,
        code: u16,
        at: f64,
        laying: &Laying,
        picture: &[f32],
        config: &InferenceConfig,
    ) -> Result<Prior, Error> {
        let side = picture.len().isqrt();
        let pixels = |sides: f64| sides * side as f64;
        let features = self.slices[self.showing(code)[0]][&code].place.len().isqrt();
        let laying = laying.in_pixels(side as f64 / features as f64);
        let lay = |plane| laying.lay(plane, [side; 2]);
        let mut prior = Prior { place: vec![0.0; picture.len()], likeness: 0.0 };
        for (z, weight) in self.between(code, at) {
            let mut laid = Laid { mask: lay(&self.slices[z][&code].mask), shown: lay(&self.pictures[&z]) };
            if config.deformation > 0.0 {
                laid = laid.bent(picture, pixels(config.deformation))?;
            }
            prior.likeness += f64::from(weight) * laid.likeness(picture, pixels(config.window))?;
            prior.place.iter_mut().zip(laid.mask).for_each(|(place, share)| *place += weight * share);
        }
        let blur = config.blur.min(BLUR_OF_THICKNESS * self.thickness[&code]);
        Ok(Prior { place: blurred(&prior.place, side, blur), ..prior })
    }
}

/// What the place of an object in a support says about a slice.
pub(super) struct Prior {
    /// How likely the object is in each pixel of the square
    pub(super) place: Vec<f32>,
    /// How alike the slices of the support and this one look there, from -1 to 1
    pub(super) likeness: f64,
}

/// How much what features say of an object counts, from 0 to 1; see [`InferenceConfig::full_thickness`].
pub(super) fn resolved(thickness: f64, full_thickness: f64) -> f64 {
    if full_thickness > 0.0 { (thickness / full_thickness).min(1.0) } else { 1.0 }
}

/// How thick an object is whose masks lie in some slices, in sides of the square: twice its area by the length of its outline, which is the
/// radius of a disc and the width of a ring.
fn thickness<'a>(masks: impl Iterator<Item = &'a FeatureMask>) -> f64 {
    let (mut area, mut length, mut side) = (0.0, 0.0, 1.0);
    for FeatureMask { share, size: [rows, columns] } in masks {
        side = *columns as f64;
        for (y, line) in share.chunks_exact(*columns).enumerate() {
            let below = &share[(y + 1).min(rows - 1) * columns..][..*columns];
            for x in 0..*columns {
                area += f64::from(line[x]);
                length += f64::from((below[x] - line[x]).hypot(line[(x + 1).min(columns - 1)] - line[x]));
            }
        }
    }
    if length > 0.0 { 2.0 * area / length / side } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The points of a square of 64 features whose distance from its middle is at least `from` and less than `to`.
    fn ring(from: f64, to: f64) -> FeatureMask {
        let side = 64;
        let far = |i: usize| ((i % side) as f64 - 32.0).hypot((i / side) as f64 - 32.0);
        let share = (0..side * side).map(|i| f32::from(u8::from((from..to).contains(&far(i))))).collect();
        FeatureMask { share, size: [side; 2] }
    }

    #[test]
    fn a_disc_is_as_thick_as_its_radius_and_a_ring_as_its_wall() {
        for (mask, expected) in [(ring(0.0, 20.0), 20.0), (ring(15.0, 21.0), 6.0), (ring(0.0, 5.0), 5.0)] {
            let found = 64.0 * thickness([&mask, &mask].into_iter());
            // Outlines of hard masks on a grid are up to a fifth too long.
            assert!((0.8 * expected..1.05 * expected).contains(&found), "{found} for {expected}");
        }
        assert_eq!(thickness([&FeatureMask { share: vec![1.0; 16], size: [4; 2] }].into_iter()), 1.0);
    }

    #[test]
    fn features_of_thin_objects_count_less() {
        assert_eq!([0.02, 0.08, 0.3].map(|thickness| resolved(thickness, 0.08)), [0.25, 1.0, 1.0]);
        assert_eq!(resolved(0.02, 0.0), 1.0);
    }
}
