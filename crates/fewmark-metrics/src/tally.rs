use fewmark_grid::Grid;
use rayon::prelude::*;

use crate::Confusion;
use crate::region::Bounds;

/// What one walk through two label maps tells of a label.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    prediction: u64,
    truth: u64,
    both: u64,
    /// Around the voxels that have the label in any of the two.
    pub(crate) bounds: Bounds,
}

impl Tally {
    const EMPTY: Self = Self { prediction: 0, truth: 0, both: 0, bounds: Bounds::EMPTY };

    pub(crate) fn confusion(&self, voxels: usize) -> Confusion {
        Confusion::from_sizes(self.prediction, self.truth, self.both, voxels as u64)
    }

    fn merged(self, other: &Self) -> Self {
        Self {
            prediction: self.prediction + other.prediction,
            truth: self.truth + other.truth,
            both: self.both + other.both,
            bounds: self.bounds.union(other.bounds),
        }
    }
}

/// A tally for each of `labels`, and the number of voxels with the right label.
pub(crate) fn tally(prediction: &[u16], truth: &[u16], grid: &Grid, labels: &[u16]) -> (Vec<Tally>, u64) {
    let mut slots: Vec<Option<usize>> = vec![None; usize::from(u16::MAX) + 1];
    labels.iter().enumerate().for_each(|(slot, &label)| slots[usize::from(label)] = Some(slot));
    let nx = grid.size[0];
    let empty = || (vec![Tally::EMPTY; labels.len()], 0);
    prediction
        .par_chunks(nx)
        .zip(truth.par_chunks(nx))
        .enumerate()
        .fold(empty, |(mut tallies, mut right), (row, (prediction, truth))| {
            let [_, y, z] = grid.voxel(row * nx);
            for (x, (&p, &t)) in prediction.iter().zip(truth).enumerate() {
                right += u64::from(p == t);
                if let Some(slot) = slots[usize::from(p)] {
                    tallies[slot].prediction += 1;
                    tallies[slot].both += u64::from(p == t);
                    tallies[slot].bounds.include([x, y, z]);
                }
                if let Some(slot) = slots[usize::from(t)] {
                    tallies[slot].truth += 1;
                    tallies[slot].bounds.include([x, y, z]);
                }
            }
            (tallies, right)
        })
        .reduce(empty, |(a, right_a), (b, right_b)| {
            (a.into_iter().zip(&b).map(|(a, b)| a.merged(b)).collect(), right_a + right_b)
        })
}
