//! Computes output channels of a staged band.

use pulp::{Simd, WithSimd};

use super::correlation::{Correlation, Part};
use super::part_weights::PartWeights;
use super::staging::{Band, Staged};
use super::tile::{self, Factors, Left, Taps};

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

    /// How the positions of a part are cut into vectors.
    fn cut(&self, part: &Part) -> Cut {
        let c = self.correlation;
        let [_, rows, width] = c.part_positions(part);
        let rows = self.band.rows.1.min(rows).saturating_sub(self.band.rows.0);
        if width >= self.lanes && c.spread[2] == 1 {
            let starts = (0..width).step_by(self.lanes).map(|x| x.min(width - self.lanes));
            let row = c.spread[1] * c.sink[2];
            return Cut::Rows(
                (0..rows)
                    .flat_map(|y| starts.clone().map(move |x| (y, x)))
                    .map(|(y, x)| (y * self.staged.row() + x, y * row + x))
                    .collect(),
            );
        }
        let run = rows.saturating_sub(1) * self.staged.row() + width;
        let vectors = if rows == 0 { 0 } else { run.div_ceil(self.lanes) };
        Cut::Run((0..vectors).map(|v| (v * self.lanes, v * self.lanes)).collect())
    }

    /// Results of a tile that is computed in a run, 0 if none is.
    pub(crate) fn results_len(&self) -> usize {
        let longest = |cut: Cut| match cut {
            Cut::Rows(_) => 0,
            Cut::Run(vectors) => vectors.len() * self.lanes,
        };
        let parts = self.correlation.parts.iter();
        parts.map(|part| longest(self.cut(part))).max().unwrap_or(0) * self.tile
    }
}

/// The vectors of positions of one plane of a band: where each one starts among the staged sources, and among the results.
enum Cut {
    /// Each within a row, the last one of a row reaching back over the one before, so that it ends with the row: its results
    /// go where they belong at once. Only where a row has a vector, and its results are neighbours.
    Rows(Vec<(usize, usize)>),
    /// One after the other without regard to rows, which leaves gaps between them that are no results.
    Run(Vec<(usize, usize)>),
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
        let Self { place, parts, group, first, sources, bias, results, channels } = self;
        let Place { correlation: c, band, staged, tile, lanes } = place;
        let start = place.voxels().start;
        for weights in parts {
            let part = weights.part;
            let (segments, taps) = weights.offsets(&staged, c.sources);
            let (segments, taps) = (segments.as_slice(), &taps);
            let cut = place.cut(part);
            let [planes, rows, width] = c.part_positions(part);
            let [z, y, x] = part.residue;
            for plane in band.planes.0..band.planes.1.min(planes) {
                let right = &sources[(plane - band.planes.0) * staged.plane()..];
                let voxel = |row: usize| {
                    ((plane * c.spread[0] + z) * c.sink[1] + row * c.spread[1] + y) * c.sink[2] + x - start
                };
                let vectors = match &cut {
                    Cut::Rows(vectors) => {
                        let (rows, at) = (&mut *channels, voxel(band.rows.0));
                        let mut block = Direct { weights, group, first, right, segments, taps, bias, rows, at };
                        sweep_tile(simd, tile, vectors, &mut block);
                        continue;
                    }
                    Cut::Run(vectors) => vectors,
                };
                let run = vectors.len() * lanes;
                for (t, channels) in channels.chunks_mut(tile).enumerate() {
                    let (first, bias) = (first + t * tile, bias.map(|bias| &bias[t * tile..]));
                    let mut runs: Vec<_> = results.chunks_exact_mut(run.max(1)).take(channels.len()).collect();
                    let mut block =
                        Direct { weights, group, first, right, segments, taps, bias, rows: &mut runs, at: 0 };
                    sweep_tile(simd, tile, vectors, &mut block);
                    for (run, channel) in runs.iter().zip(channels) {
                        for row in band.rows.0..band.rows.1.min(rows) {
                            let from = &run[(row - band.rows.0) * staged.row()..][..width];
                            let to = channel[voxel(row)..].iter_mut().step_by(c.spread[2]);
                            to.zip(from).for_each(|(to, from)| *to = *from);
                        }
                    }
                }
            }
        }
    }
}

/// What a tile of output channels computes for vectors of positions.
pub(super) trait Block<S: Simd, V> {
    /// Computes `ROWS` output channels at `N` vectors.
    fn compute<const ROWS: usize, const N: usize>(&mut self, simd: S, vectors: [V; N]);
}

/// Computes vectors of positions for a tile of that many output channels.
#[inline(always)]
pub(super) fn sweep_tile<S: Simd, V: Copy>(simd: S, tile: usize, vectors: &[V], block: &mut impl Block<S, V>) {
    match tile {
        8 => sweep::<S, V, 8, 3>(simd, vectors, block),
        4 if S::REGISTER_COUNT >= 32 => sweep::<S, V, 4, 6>(simd, vectors, block),
        4 => sweep::<S, V, 4, 2>(simd, vectors, block),
        _ => sweep::<S, V, 1, 6>(simd, vectors, block),
    }
}

/// [`sweep_tile`] with `N` vectors at a time.
#[inline(always)]
fn sweep<S: Simd, V: Copy, const ROWS: usize, const N: usize>(simd: S, vectors: &[V], block: &mut impl Block<S, V>) {
    // One vector left over would wait for its own sums; with those before it makes pairs.
    let left_over = vectors.len() % N;
    let apart = if left_over == 1 && vectors.len() > N { N + 1 } else { left_over };
    let (vectors, rest) = vectors.split_at(vectors.len() - apart);
    let (chunks, _) = vectors.as_chunks::<N>();
    for chunk in chunks {
        block.compute::<ROWS, N>(simd, *chunk);
    }
    let (pairs, rest) = rest.as_chunks::<2>();
    for pair in pairs {
        block.compute::<ROWS, 2>(simd, *pair);
    }
    if let [vector] = *rest {
        block.compute::<ROWS, 1>(simd, [vector]);
    }
}

/// Sums over all taps at once: vectors of positions, each with its place among the staged sources and among the results. One tile of output
/// channels after the other takes the same vectors, whose sources are in the first-level cache then.
struct Direct<'a, 'b, 'c> {
    weights: &'a PartWeights<'b>,
    group: usize,
    /// Output channel of the first row, within the group
    first: usize,
    right: &'a [f32],
    segments: &'a [(usize, usize)],
    taps: &'a Taps,
    bias: Option<&'a [f32]>,
    /// Results of each output channel
    rows: &'a mut [&'c mut [f32]],
    /// Where their first one lies in a row
    at: usize,
}

impl<S: Simd> Block<S, (usize, usize)> for Direct<'_, '_, '_> {
    #[inline(always)]
    fn compute<const ROWS: usize, const N: usize>(&mut self, simd: S, vectors: [(usize, usize); N]) {
        let Self { weights, group, first, right, segments, taps, bias, rows, at } = self;
        let columns = vectors.map(|(from, _)| from);
        for (t, rows) in rows.chunks_mut(ROWS).enumerate() {
            let left = Left { values: weights.of(*group, *first + t * ROWS), rows: rows.len(), row: weights.sink };
            let mut start = [0.0; ROWS];
            if let Some(bias) = bias {
                start[..rows.len()].copy_from_slice(&bias[t * ROWS..][..rows.len()]);
            }
            let sums = tile::sum_taps(simd, &Factors { left, right, segments }, taps, columns, start);
            for (row, sums) in rows.iter_mut().zip(sums) {
                for n in 0..N {
                    tile::store::<S>(&mut row[*at + vectors[n].1..][..S::F32_LANES], sums[n]);
                }
            }
        }
    }
}
