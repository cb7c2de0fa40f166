//! Computes output channels of a staged band.

use pulp::{Simd, WithSimd};

use crate::correlation::Correlation;
use crate::part_weights::PartWeights;
use crate::staging::{Band, Staged};
use crate::tile::{self, Factors, Left};

/// The place of a job's results.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) correlation: &'a Correlation,
    pub(crate) band: Band,
    pub(crate) staged: Staged,
    /// Output channels of a tile
    pub(crate) tile: usize,
    pub(crate) lanes: usize,
}

impl Place<'_> {
    /// Sink voxels of the band, within a channel.
    pub(crate) fn voxels(&self) -> std::ops::Range<usize> {
        let c = self.correlation;
        let [_, height, width] = c.sink;
        let end = |a: usize, position: usize| (position * c.spread[a]).min(c.sink[a]);
        let at = |plane: usize, row: usize| (end(0, plane) * height + end(1, row)) * width;
        let (planes, rows) = (self.band.planes, self.band.rows);
        let last = if rows == (0, c.positions()[1]) { at(planes.1, 0) } else { at(planes.0, rows.1) };
        at(planes.0, rows.0)..last
    }

    /// Positions of a run over the rows of one plane, in whole vectors.
    fn run_len(&self) -> usize {
        let rows = self.band.rows.1 - self.band.rows.0;
        ((rows - 1) * self.staged.row() + self.correlation.positions()[2]).next_multiple_of(self.lanes)
    }

    /// Results of a run for a tile of output channels.
    pub(crate) fn results_len(&self) -> usize {
        self.run_len() * self.tile
    }
}

/// Output channels of one group of one image, over a band.
pub(crate) struct Compute<'a, 'b, 'c> {
    pub(crate) place: Place<'a>,
    pub(crate) parts: &'a [PartWeights<'b>],
    pub(crate) group: usize,
    /// First output channel within the group
    pub(crate) first: usize,
    /// Staged sources of the group
    pub(crate) sources: &'a [f32],
    /// What is added to each output channel, from the first one here on
    pub(crate) bias: Option<&'a [f32]>,
    /// Memory for [`Place::results_len`] samples
    pub(crate) results: &'a mut [f32],
    /// The voxels of the band of each output channel
    pub(crate) channels: &'a mut [&'c mut [f32]],
}

impl WithSimd for Compute<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Place { correlation: c, staged, tile, .. } = self.place;
        for part in self.parts {
            let (segments, steps) = part.offsets(&staged, c.sources);
            for (t, channels) in self.channels.chunks_mut(tile).enumerate() {
                let values = part.of(self.group, self.first + t * tile);
                let left = Left { values, rows: channels.len(), row: part.sink };
                let factors = Factors { left, right: self.sources, segments: &segments, steps: &steps };
                let bias = self.bias.map(|bias| &bias[t * tile..]);
                compute_part(simd, &self.place, part, &factors, bias, self.results, channels);
            }
        }
    }
}

/// Computes a part of a tile of output channels, and puts the results where they belong.
#[inline(always)]
fn compute_part<S: Simd>(
    simd: S,
    place: &Place<'_>,
    part: &PartWeights<'_>,
    factors: &Factors<'_>,
    bias: Option<&[f32]>,
    results: &mut [f32],
    channels: &mut [&mut [f32]],
) {
    let Place { correlation: c, band, staged, tile, .. } = place;
    let part = part.part;
    let [planes, rows, width] = c.part_positions(part);
    let run = place.run_len();
    let first_voxel = place.voxels().start;
    for plane in band.planes.0..band.planes.1.min(planes) {
        let start = (plane - band.planes.0) * staged.plane();
        match tile {
            8 => sweep::<S, 8, 3>(simd, factors, start, bias, run, results),
            4 if S::REGISTER_COUNT >= 32 => sweep::<S, 4, 6>(simd, factors, start, bias, run, results),
            4 => sweep::<S, 4, 2>(simd, factors, start, bias, run, results),
            _ => sweep::<S, 1, 6>(simd, factors, start, bias, run, results),
        }
        for (result, channel) in results.chunks_exact(run).zip(channels.iter_mut()) {
            for row in band.rows.0..band.rows.1.min(rows) {
                let from = &result[(row - band.rows.0) * staged.row()..][..width];
                let (z, y) = (plane * c.spread[0] + part.residue[0], row * c.spread[1] + part.residue[1]);
                let to = &mut channel[(z * c.sink[1] + y) * c.sink[2] - first_voxel..][..c.sink[2]];
                if c.spread[2] == 1 {
                    to.copy_from_slice(from);
                } else {
                    let to = to[part.residue[2]..].iter_mut().step_by(c.spread[2]);
                    for (to, from) in to.zip(from) {
                        *to = *from;
                    }
                }
            }
        }
    }
}

/// Computes a run of positions from `start` on: `results` is `[row][position]`.
#[inline(always)]
fn sweep<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    start: usize,
    bias: Option<&[f32]>,
    run: usize,
    results: &mut [f32],
) {
    let vectors = run / S::F32_LANES;
    let mut at = 0;
    while vectors - at >= N {
        stretch::<S, ROWS, N>(simd, factors, start, bias, at, run, results);
        at += N;
    }
    while vectors - at >= 2 {
        stretch::<S, ROWS, 2>(simd, factors, start, bias, at, run, results);
        at += 2;
    }
    if at < vectors {
        stretch::<S, ROWS, 1>(simd, factors, start, bias, at, run, results);
    }
}

/// Computes `N` vectors of a run.
#[inline(always)]
fn stretch<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    start: usize,
    bias: Option<&[f32]>,
    vector: usize,
    run: usize,
    results: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let at = vector * lanes;
    let factors = Factors { right: &factors.right[start + at..], ..*factors };
    let columns = std::array::from_fn(|n| n * lanes);
    let bias = |m: usize| bias.map_or(0.0, |bias| bias[m.min(bias.len() - 1)]);
    tile::tile::<S, ROWS, N>(simd, &factors, columns, bias, |m, n, sum| {
        tile::store::<S>(&mut results[m * run + at + n * lanes..][..lanes], sum);
    });
}
