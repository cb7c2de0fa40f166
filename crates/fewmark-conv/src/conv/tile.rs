//! The one inner loop: a small block of a matrix product whose right side is read through offsets.
//!
//! `out[m][n] = sum over segments s and steps k of left[m][s][k] * right[segment(s) + step(k) + column(n)]`, with each `n` a
//! vector. A forward pass reads the taps of a staged image this way (a segment is a channel, a step is a tap, the columns are
//! neighbouring positions); a weight gradient reads positions (a segment is a row of the image, a step is a position, the columns
//! are taps and channels). Products are added in that order, so that a result depends neither on tiles nor on threads.

use pulp::Simd;

/// Left factors: rows of equal steps, neither packed nor copied.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    /// Starts with the first step of the first segment of the first row
    pub(crate) values: &'a [f32],
    /// Rows that there are. Those of a tile beyond them repeat the last one, and their results go nowhere.
    pub(crate) rows: usize,
    /// Values from one row to the next
    pub(crate) row: usize,
}

/// Where the factors of a tile lie.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    pub(crate) left: Left<'a>,
    /// Right factors
    pub(crate) right: &'a [f32],
    /// Offsets of each segment: in a left row, and in the right factors
    pub(crate) segments: &'a [(usize, usize)],
    /// Offset of each step from its segment in the right factors; in the left ones they are neighbours
    pub(crate) steps: &'a [usize],
}

#[inline(always)]
pub(crate) fn load<S: Simd>(samples: &[f32]) -> S::f32s {
    S::as_simd_f32s(samples).0[0]
}

#[inline(always)]
pub(crate) fn store<S: Simd>(samples: &mut [f32], vector: S::f32s) {
    S::as_mut_simd_f32s(samples).0[0] = vector;
}

/// Computes `ROWS` rows of `N` vectors, the sums of row `m` starting from `start(m)`, and hands row `m`, vector `n` to `put`.
#[inline(always)]
pub(crate) fn tile<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    columns: [usize; N],
    start: impl Fn(usize) -> f32,
    mut put: impl FnMut(usize, usize, S::f32s),
) {
    let Factors { left, right, segments, steps } = *factors;
    let mut sums: [[S::f32s; N]; ROWS] = std::array::from_fn(|m| [simd.splat_f32s(start(m)); N]);
    for &(in_left, in_right) in segments {
        let lefts: [&[f32]; ROWS] =
            std::array::from_fn(|m| &left.values[m.min(left.rows - 1) * left.row + in_left..][..steps.len()]);
        let rights: [&[f32]; N] = columns.map(|column| &right[in_right + column..]);
        for (k, &step) in steps.iter().enumerate() {
            let right: [S::f32s; N] = std::array::from_fn(|n| load::<S>(&rights[n][step..][..S::F32_LANES]));
            for m in 0..ROWS {
                let left = simd.splat_f32s(lefts[m][k]);
                for n in 0..N {
                    sums[m][n] = simd.mul_add_e_f32s(left, right[n], sums[m][n]);
                }
            }
        }
    }
    for (m, row) in sums.into_iter().enumerate().take(left.rows) {
        for (n, sum) in row.into_iter().enumerate() {
            put(m, n, sum);
        }
    }
}
