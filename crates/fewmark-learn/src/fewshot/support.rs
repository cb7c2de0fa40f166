//! Labelled scans to segment others by.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use fewmark_image::{Geometry, LabelMap};
use fewmark_nets::FeatureMask;
use serde::{Deserialize, Serialize};

use super::alignment::Stack;
use super::augmentation::smooth;
use super::predictor::{Encoded, Predictor, SlicePrototypes};
use crate::Error;

/// What a labelled scan shows of the objects that are looked for.
#[derive(Clone, Debug)]
pub struct Support {
    /// The labels that occur.
    codes: Vec<u16>,
    pub(super) stack: Stack,
    pub(super) body: Body,
    /// Of each slice, by label
    pub(super) slices: Vec<BTreeMap<u16, Shown>>,
}

/// An object in a slice of the support.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) prototypes: SlicePrototypes,
    /// The blurred mask on the grid of the features
    pub(super) place: Vec<f32>,
}

/// The rectangle that the body fills in the slices of a scan: first and last row, first and last column, in features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    rows: [f64; 2],
    columns: [f64; 2],
}

impl Support {
    /// The support that a scan and its labels are.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a label map without labels, [`Error::Image`] for one of another geometry.
    pub fn new(predictor: &Predictor, scan: &Encoded, labels: &LabelMap) -> Result<Self, Error> {
        Self::check(scan.geometry(), labels)?;
        let codes = labels.present();
        let blur = predictor.config().inference.blur;
        let shown = |z: usize, code: u16| {
            let shot = predictor.shot(scan, labels, z, code);
            let empty = shot.mask().share.iter().all(|&share| share == 0.0);
            (!empty).then(|| {
                let FeatureMask { share, size } = shot.mask();
                let place = if blur > 0.0 { smooth(share.clone(), size[1], blur) } else { share.clone() };
                (code, Shown { prototypes: predictor.prototypes(&shot), place })
            })
        };
        let slices = (0..scan.depth()).map(|z| codes.iter().filter_map(|&code| shown(z, code)).collect()).collect();
        Ok(Self { codes, stack: scan.stack(), body: scan.body(), slices })
    }

    /// Whether a label map can be the support of a scan.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a label map without labels, [`Error::Image`] for one of another geometry.
    pub fn check(scan: &Geometry, labels: &LabelMap) -> Result<(), Error> {
        scan.expect_same_space(labels.geometry()).map_err(fewmark_image::Error::from)?;
        if labels.present().is_empty() {
            return Err(Error::Unfit {
                problem: "the support has no label but the background".into(),
                hint: "label the object in at least one slice of the support",
            });
        }
        Ok(())
    }

    /// A support that was kept.
    pub(super) fn from_parts(codes: Vec<u16>, stack: Stack, body: Body, slices: Vec<BTreeMap<u16, Shown>>) -> Self {
        Self { codes, stack, body, slices }
    }

    /// The labels that occur, in ascending order.
    pub fn codes(&self) -> &[u16] {
        &self.codes
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> u64 {
        let shown = self.slices.iter().flat_map(BTreeMap::values);
        let numbers = shown.map(|shown| shown.prototypes.len() + shown.place.len()).sum::<usize>();
        let stack = self.stack.parts().0.iter().map(Vec::len).sum::<usize>();
        4 * (numbers + stack) as u64
    }

    /// The slices that show an object.
    pub(super) fn showing(&self, code: u16) -> Vec<usize> {
        (0..self.slices.len()).filter(|&z| self.slices[z].contains_key(&code)).collect()
    }

    /// How likely an object is by its place alone, in each feature of a slice that lies `at` in this scan: its blurred mask there, the two
    /// bodies laid over each other. Between slices that show the object the mask is linear, beyond them it is that of the last one.
    ///
    /// # Panics
    /// If no slice shows the object.
    pub(super) fn prior(&self, code: u16, at: f64, body: &Body, size: [usize; 2]) -> Vec<f32> {
        let showing = self.showing(code);
        let above = showing.partition_point(|&z| (z as f64) < at).min(showing.len() - 1);
        let (low, high) = (showing[above.saturating_sub(1)], showing[above]);
        let share = if low < high { ((at - low as f64) / (high - low) as f64).clamp(0.0, 1.0) as f32 } else { 1.0 };
        let planes = [(low, 1.0 - share), (high, share)].map(|(z, weight)| (&self.slices[z][&code].place, weight));
        let mut prior = Vec::with_capacity(size[0] * size[1]);
        for row in 0..size[0] {
            for column in 0..size[1] {
                let [row, column] = body.to(&self.body, [row as f64, column as f64]);
                prior.push(planes.iter().map(|(plane, weight)| weight * at_place(plane, size, row, column)).sum());
            }
        }
        prior
    }
}

impl Body {
    /// The rectangle from the 2nd to the 98th percentile of the rows and columns of what is not background.
    pub(super) fn of(foreground: &[Vec<f32>], size: [usize; 2]) -> Self {
        let mut sums = [vec![0.0; size[0]], vec![0.0; size[1]]];
        for plane in foreground {
            for (i, share) in plane.iter().enumerate() {
                sums[0][i / size[1]] += f64::from(*share);
                sums[1][i % size[1]] += f64::from(*share);
            }
        }
        let [rows, columns] = sums.map(|sums| {
            let all: f64 = sums.iter().sum();
            let reached = |share: f64| {
                let mut sum = 0.0;
                let at = sums.iter().position(|x| {
                    sum += x;
                    sum >= share * all
                });
                at.unwrap_or(0) as f64
            };
            if all > 0.0 { [reached(0.02), reached(0.98)] } else { [0.0, (sums.len() - 1) as f64] }
        });
        Self { rows, columns }
    }

    /// The row and column in another body that correspond to those in this one.
    fn to(&self, other: &Self, [row, column]: [f64; 2]) -> [f64; 2] {
        let map = |at: f64, from: [f64; 2], to: [f64; 2]| {
            let length = (from[1] - from[0]).max(1.0);
            to[0] + (at - from[0]) * (to[1] - to[0]).max(1.0) / length
        };
        [map(row, self.rows, other.rows), map(column, self.columns, other.columns)]
    }
}

/// A plane between its features, linear; 0 outside.
fn at_place(plane: &[f32], [rows, columns]: [usize; 2], row: f64, column: f64) -> f32 {
    let (top, left) = (row.floor(), column.floor());
    let (down, right) = ((row - top) as f32, (column - left) as f32);
    let mut sum = 0.0;
    for (y, wy) in [(top, 1.0 - down), (top + 1.0, down)] {
        for (x, wx) in [(left, 1.0 - right), (left + 1.0, right)] {
            if (0.0..rows as f64).contains(&y) && (0.0..columns as f64).contains(&x) {
                sum += wy * wx * plane[y as usize * columns + x as usize];
            }
        }
    }
    sum
}

/// The features of a slice as numbers that do not depend on small shifts: means over a grid of 4 x 4.
pub(super) fn descriptor(features: &Tensor<3>) -> Vec<f32> {
    const CELLS: usize = 4;
    let [channels, rows, columns] = features.dims();
    let values: Vec<f32> = features.clone().into_data().convert::<f32>().try_to_vec().expect("numbers just converted");
    let mut means = vec![0.0; channels * CELLS * CELLS];
    for (i, value) in values.into_iter().enumerate() {
        let (channel, row, column) = (i / (rows * columns), i / columns % rows, i % columns);
        means[(channel * CELLS + row * CELLS / rows) * CELLS + column * CELLS / columns] += value;
    }
    means
}
