//! The gradient to the weights of a convolution of one tap: products of rows.
//!
//! With one tap that keeps the size, `dw[o][i]` is the product of two rows of positions, of `dy` and of `x`, which lie in memory as the
//! vectors want them. Nothing is staged or sorted; that takes longer than the products where a sample meets few channels.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::tile::{load, store};
use crate::ConvShape;
use crate::level::Level;

/// Positions whose samples, of a few dozen channels, stay in a first- or second-level cache while all pairs of channels are multiplied.
const BLOCK: usize = 512;

/// Partial sums. A constant, so that the result does not depend on the number of threads.
const PARTIAL_SUMS: usize = 8;

/// Weights up to which a vector of sums for each of them stays in the cache.
const FEW_WEIGHTS: usize = 64 * 64;

/// Positions from which adding up the lanes of those vectors does not count.
const MANY_POSITIONS: usize = 4096;

/// Whether the weight gradient of a convolution is computed here.
pub(super) fn suits(shape: &ConvShape) -> bool {
    shape.is_pointwise() && shape.weights_len() <= FEW_WEIGHTS && shape.batch * positions(shape) >= MANY_POSITIONS
}

/// Fills `dw`, `[out_channels, in_channels]`.
pub(super) fn weight_gradient(shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], level: Level) {
    let positions = positions(shape);
    let blocks: Vec<(usize, usize)> =
        (0..shape.batch).flat_map(|image| (0..positions).step_by(BLOCK).map(move |first| (image, first))).collect();
    let lanes = level.lanes();
    let sums: Vec<Vec<f32>> = blocks
        .par_chunks(blocks.len().div_ceil(PARTIAL_SUMS))
        .with_max_len(1)
        .map(|blocks| {
            let mut sums = vec![0.0; dw.len() * lanes];
            for &(image, first) in blocks {
                let len = BLOCK.min(positions - first);
                let rows = |samples, channels| Rows { samples, first: image * channels * positions + first, positions };
                let (x, dy) = (rows(x, shape.in_channels), rows(dy, shape.out_channels));
                level.run(Products { dy, x, channels: [shape.out_channels, shape.in_channels], len, sums: &mut sums });
            }
            sums
        })
        .collect();
    for (weight, dw) in dw.iter_mut().enumerate() {
        *dw = sums.iter().map(|sums| sums[weight * lanes..][..lanes].iter().sum::<f32>()).sum();
    }
}

fn positions(shape: &ConvShape) -> usize {
    shape.input.iter().product()
}

/// A block of positions of every channel of an image.
#[derive(Clone, Copy)]
struct Rows<'a> {
    samples: &'a [f32],
    /// Of the block in channel 0
    first: usize,
    /// From one channel to the next
    positions: usize,
}

impl<'a> Rows<'a> {
    /// The block of a channel.
    #[inline(always)]
    fn of(&self, channel: usize, len: usize) -> &'a [f32] {
        &self.samples[self.first + channel * self.positions..][..len]
    }
}

/// Adds the products of all pairs of rows, of `dy` and of `x`, to `sums`, `[out][in][lane]`.
struct Products<'a, 'b> {
    dy: Rows<'a>,
    x: Rows<'a>,
    /// Of `dy` and of `x`
    channels: [usize; 2],
    len: usize,
    sums: &'b mut [f32],
}

impl WithSimd for Products<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.tiles::<S, 8, 3>(simd) } else { self.tiles::<S, 2, 4>(simd) }
    }
}

impl Products<'_, '_> {
    #[inline(always)]
    fn tiles<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let [outs, ins] = self.channels;
        for first_out in (0..outs).step_by(M) {
            for first_in in (0..ins).step_by(N) {
                // Rows of a tile beyond the last channel repeat it, and their sums go nowhere.
                let dy: [&[f32]; M] = std::array::from_fn(|m| self.dy.of((first_out + m).min(outs - 1), self.len));
                let x: [&[f32]; N] = std::array::from_fn(|n| self.x.of((first_in + n).min(ins - 1), self.len));
                let sums = products::<S, M, N>(simd, dy, x);
                for (m, row) in sums.into_iter().enumerate().take(outs - first_out) {
                    for (n, sum) in row.into_iter().enumerate().take(ins - first_in) {
                        let at = ((first_out + m) * ins + first_in + n) * S::F32_LANES;
                        let to = &mut self.sums[at..][..S::F32_LANES];
                        let before = load::<S>(to);
                        store::<S>(to, simd.add_f32s(before, sum));
                        let whole = self.len - self.len % S::F32_LANES;
                        for k in whole..self.len {
                            to[0] += dy[m][k] * x[n][k];
                        }
                    }
                }
            }
        }
    }
}

/// The products of each pair of rows, lane by lane, over the whole vectors that they have.
#[inline(always)]
fn products<S: Simd, const M: usize, const N: usize>(simd: S, dy: [&[f32]; M], x: [&[f32]; N]) -> [[S::f32s; N]; M] {
    let dy = dy.map(|row| S::as_simd_f32s(row).0);
    let x = x.map(|row| S::as_simd_f32s(row).0);
    let vectors = dy[0].len();
    let (dy, x) = (dy.map(|row| &row[..vectors]), x.map(|row| &row[..vectors]));
    let mut sums = [[simd.splat_f32s(0.0); N]; M];
    for k in 0..vectors {
        let x: [S::f32s; N] = std::array::from_fn(|n| x[n][k]);
        for m in 0..M {
            for n in 0..N {
                sums[m][n] = simd.mul_add_e_f32s(dy[m][k], x[n], sums[m][n]);
            }
        }
    }
    sums
}
