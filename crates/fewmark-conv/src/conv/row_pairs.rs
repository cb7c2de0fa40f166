//! Two rows of results from four rows of sources, with four products in place of six: Winograd's minimal filtering F(2, 3) along y
//! (Lavin and Gray, CVPR 2016).
//!
//! With the weights `g0, g1, g2` of three rows of taps, and the four rows `d0..d3` that two rows of results read which are as far apart
//! as the taps,
//!
//! ```text
//! m0 = (d0 - d2) g0    m1 = (d1 + d2) (g0 + g1 + g2) / 2    m2 = (d2 - d1) (g0 - g1 + g2) / 2    m3 = (d1 - d3) g2
//! y0 = m0 + m1 + m2    y1 = m1 - m2 - m3
//! ```
//!
//! Each product is a correlation along x and z. Rows are transformed once, while they are staged, for all output channels; so this pays where
//! there are many of those.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::compute::{Block, Place, sweep_tile};
use super::correlation::{Correlation, Tap};
use super::staging::{Source, Staged};
use super::tile::{self, Factors, Left, Taps};
use crate::memory;

/// Products of a pair of rows.
const PRODUCTS: usize = 4;

/// Fewest output channels for which rows are transformed. Vectors of 16 samples take the products in half the time, so that the
/// transformation, which waits for the caches, weighs more.
fn fewest_sinks(lanes: usize) -> usize {
    if lanes >= 16 { 24 } else { 16 }
}

/// A correlation with three rows of taps.
pub(super) struct RowPairs {
    /// Rows from one tap to the next, and from the first result of a pair to the second
    distance: usize,
    columns: Vec<Column>,
}

/// Three taps above each other.
struct Column {
    /// Indices of their weights among a channel pair's, from the first row to the last
    weights: [usize; 3],
    /// Offset of the first from the corner of the taps, along z and x
    shift: [usize; 2],
}

impl RowPairs {
    /// The rows of taps of a correlation, if there are three at equal distances and neighbouring positions read neighbouring voxels.
    fn of(c: &Correlation) -> Option<Self> {
        let [part] = c.parts.as_slice() else { return None };
        let (least, most) = c.reach();
        let distance = (most[1] - least[1]) as usize / 2;
        if (c.step, c.spread, distance == 0) != ([1; 3], [1; 3], false) {
            return None;
        }
        let shift = |tap: &Tap, axis: usize| (tap.shift[axis] - least[axis]) as usize;
        let column = |first: &Tap| {
            let [z, x] = [0, 2].map(|axis| shift(first, axis));
            let at =
                |row| part.taps.iter().find(|tap| [0, 1, 2].map(|axis| shift(tap, axis)) == [z, row * distance, x]);
            Some(Column { weights: [at(0)?.weight, at(1)?.weight, at(2)?.weight], shift: [z, x] })
        };
        let columns: Vec<Column> =
            part.taps.iter().filter(|tap| shift(tap, 1) == 0).map(column).collect::<Option<_>>()?;
        (3 * columns.len() == part.taps.len()).then_some(Self { distance, columns })
    }

    /// The rows of taps of a correlation for which it pays to compute pairs of rows in vectors of so many samples.
    pub(super) fn suiting(c: &Correlation, lanes: usize) -> Option<Self> {
        (c.sinks >= fewest_sinks(lanes) && c.positions()[2] >= lanes).then(|| Self::of(c)).flatten()
    }

    /// Rows of a band that holds whole pairs and has about so many.
    pub(super) fn whole_rows(&self, rows: usize) -> usize {
        rows.next_multiple_of(2 * self.distance)
    }

    /// The first row of each pair of a band; the last ones may lack their second row.
    fn first_rows(&self, rows: usize) -> impl Iterator<Item = usize> {
        (0..rows).filter(|row| (row / self.distance).is_multiple_of(2))
    }

    /// Samples of a transformed plane of so many channels, `[pair][product][channel][x]`: what a tile reads lies together.
    fn plane_len(&self, staged: &Staged, sources: usize) -> usize {
        self.first_rows(self.rows(staged)).count() * PRODUCTS * sources * staged.row()
    }

    /// Rows of results of a band that is staged.
    fn rows(&self, staged: &Staged) -> usize {
        staged.size[1] - 2 * self.distance
    }

    /// Samples of so many channels that are staged and transformed, and of one before it is transformed.
    pub(super) fn staged_len(&self, staged: &Staged, sources: usize) -> [usize; 2] {
        [staged.size[0] * self.plane_len(staged, sources), staged.channel_len()]
    }

    /// The weights of the products, `[group][sink][product][source][column]`.
    pub(super) fn weights(&self, c: &Correlation, weights: &[f32]) -> Vec<f32> {
        let len = c.sources * self.columns.len();
        let mut products = memory::take(c.groups * c.sinks * PRODUCTS * len);
        products.par_chunks_mut(PRODUCTS * len).enumerate().for_each(|(row, products)| {
            let from = row / c.sinks * c.group_weights() + row % c.sinks * c.sink_stride;
            for (t, column) in self.columns.iter().enumerate() {
                for source in 0..c.sources {
                    let [g0, g1, g2] = column.weights.map(|weight| weights[from + source * c.source_stride + weight]);
                    let at = source * self.columns.len() + t;
                    products[at] = g0;
                    products[len + at] = (g0 + g1 + g2) / 2.0;
                    products[2 * len + at] = (g0 - g1 + g2) / 2.0;
                    products[3 * len + at] = g2;
                }
            }
        });
        products
    }
}

/// Stages neighbouring source channels and transforms their rows.
pub(super) struct Fill<'a, X> {
    pub(super) pairs: &'a RowPairs,
    pub(super) correlation: &'a Correlation,
    pub(super) staged: Staged,
    pub(super) source: &'a X,
    /// Index of the first channel among those of all images
    pub(super) first: usize,
    /// What [`RowPairs::staged_len`] says
    pub(super) memory: [&'a mut [f32]; 2],
}

impl<X: Source> WithSimd for Fill<'_, X> {
    type Output = ();

    // Plain loops: a closure would be compiled apart, without the vector instructions of the caller.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { pairs, correlation: c, staged, source, first, memory: [sources, plain] } = self;
        let (row, distance, rows) = (staged.row(), pairs.distance, pairs.rows(&staged));
        let plane_len = pairs.plane_len(&staged, c.sources);
        let mut line = Vec::new();
        for channel in 0..c.sources {
            staged.fill(source, (first + channel) * c.source_len(), plain, &mut line);
            for (plane, pairs_of_plane) in plain.chunks_exact(staged.plane()).zip(sources.chunks_exact_mut(plane_len)) {
                let products = pairs_of_plane.chunks_exact_mut(PRODUCTS * c.sources * row);
                for (y, products) in pairs.first_rows(rows).zip(products) {
                    let mut products = products.chunks_exact_mut(c.sources * row);
                    let [Some(m0), Some(m1), Some(m2), Some(m3)] = [(); PRODUCTS].map(|()| products.next()) else {
                        return;
                    };
                    let [m0, m1, m2, m3] = [m0, m1, m2, m3].map(|product| &mut product[channel * row..][..row]);
                    let d0 = &plane[y * row..][..row];
                    let d1 = &plane[(y + distance) * row..][..row];
                    let d2 = &plane[(y + 2 * distance) * row..][..row];
                    for x in 0..row {
                        m0[x] = d0[x] - d2[x];
                        m1[x] = d1[x] + d2[x];
                        m2[x] = d2[x] - d1[x];
                    }
                    if y + distance < rows {
                        let d3 = &plane[(y + 3 * distance) * row..][..row];
                        for x in 0..row {
                            m3[x] = d1[x] - d3[x];
                        }
                    } else {
                        m3.fill(0.0);
                    }
                }
            }
        }
    }
}

/// Output channels of one group of one image, over a band.
pub(super) struct Compute<'a, 'b, 'c> {
    pub(super) pairs: &'a RowPairs,
    pub(super) place: Place<'a>,
    /// [`RowPairs::weights`]
    pub(super) weights: &'a [f32],
    pub(super) group: usize,
    /// Staged sources of the group
    pub(super) sources: &'a [f32],
    /// What is added to each output channel of the group
    pub(super) bias: Option<&'a [f32]>,
    /// The voxels of the band of each output channel
    pub(super) channels: &'b mut [&'c mut [f32]],
}

impl WithSimd for Compute<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pairs, place, weights, group, sources, bias, channels } = self;
        let Place { correlation: c, band, staged, tile, lanes } = place;
        let width = c.positions()[2];
        let vectors: Vec<usize> = (0..width).step_by(lanes).map(|x| x.min(width - lanes)).collect();
        let (source_row, plane_len) = (staged.row(), pairs.plane_len(&staged, c.sources));
        let columns = pairs.columns.len();
        let together = tile::segment_channels(c.sources, columns);
        let segments: Vec<_> =
            (0..c.sources).step_by(together).map(|source| (source * columns, source * source_row)).collect();
        let taps = (0..together)
            .flat_map(|source| {
                let columns = pairs.columns.iter();
                columns.map(move |column| source * source_row + column.shift[0] * plane_len + column.shift[1])
            })
            .collect();
        let taps = Taps::new(taps);
        let (row, product_len) = (c.sources * columns, c.sources * source_row);
        let rows = band.rows.1 - band.rows.0;
        for (t, channels) in channels.chunks_mut(tile).enumerate() {
            let of_product = |product: usize| {
                let first = (group * c.sinks + t * tile) * PRODUCTS + product;
                Left { values: &weights[first * row..], rows: channels.len(), row: PRODUCTS * row }
            };
            let lefts = [0, 1, 2, 3].map(of_product);
            let bias = bias.map(|bias| &bias[t * tile..]);
            for plane in band.planes.0..band.planes.1 {
                let sources = &sources[(plane - band.planes.0) * plane_len..];
                let first = (plane * c.sink[1] + band.rows.0) * width - place.voxels().start;
                for (pair, y) in pairs.first_rows(rows).enumerate() {
                    let of_product = |product: usize| Factors {
                        left: lefts[product],
                        right: &sources[(pair * PRODUCTS + product) * product_len..],
                        segments: &segments,
                    };
                    let products = [0, 1, 2, 3].map(of_product);
                    let second = (y + pairs.distance < rows).then_some(first + (y + pairs.distance) * width);
                    let mut block =
                        PairBlock { products, taps: &taps, bias, channels, first: first + y * width, second };
                    sweep_tile(simd, tile, &vectors, &mut block);
                }
            }
        }
    }
}

/// A tile of output channels over a pair of rows.
struct PairBlock<'a, 'b, 'c> {
    products: [Factors<'a>; PRODUCTS],
    taps: &'a Taps,
    bias: Option<&'a [f32]>,
    channels: &'b mut [&'c mut [f32]],
    /// First voxel of each row in the band's channels
    first: usize,
    second: Option<usize>,
}

impl<S: Simd> Block<S, usize> for PairBlock<'_, '_, '_> {
    #[inline(always)]
    fn compute<const ROWS: usize, const N: usize>(&mut self, simd: S, columns: [usize; N]) {
        let Self { products, taps, bias, channels, first, second } = self;
        let mut start = [[0.0; ROWS]; PRODUCTS];
        if let Some(bias) = bias {
            start[1][..channels.len()].copy_from_slice(&bias[..channels.len()]);
        }
        // One loop rather than four calls, as each would be compiled anew.
        let mut sums = [[[simd.splat_f32s(0.0); N]; ROWS]; PRODUCTS];
        for (product, factors) in products.iter().take(if second.is_some() { 4 } else { 3 }).enumerate() {
            sums[product] = tile::sum_taps(simd, factors, taps, columns, start[product]);
        }
        let [m0, m1, m2, m3] = sums;
        for (m, channel) in channels.iter_mut().enumerate() {
            for n in 0..N {
                let sum = simd.add_f32s(m1[m][n], m2[m][n]);
                tile::store::<S>(&mut channel[*first + columns[n]..][..S::F32_LANES], simd.add_f32s(sum, m0[m][n]));
                if let Some(second) = *second {
                    let difference = simd.sub_f32s(m1[m][n], m2[m][n]);
                    let to = &mut channel[second + columns[n]..][..S::F32_LANES];
                    tile::store::<S>(to, simd.sub_f32s(difference, m3[m][n]));
                }
            }
        }
    }
}
