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

/// Computes `ROWS` rows of `N` vectors, the sums of row `m` starting from `start[m]`. Those of rows beyond the left ones are to be left alone.
// Plain loops: a closure would be compiled apart, without the vector instructions of the caller.
#[inline(always)]
pub(crate) fn tile<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    columns: [usize; N],
    start: [f32; ROWS],
) -> [[S::f32s; N]; ROWS] {
    let Factors { left, right, segments, steps } = *factors;
    let mut sums = [[simd.splat_f32s(0.0); N]; ROWS];
    for m in 0..ROWS {
        sums[m] = [simd.splat_f32s(start[m]); N];
    }
    let mut furthest = 0;
    for column in columns {
        furthest = furthest.max(column);
    }
    for &(in_left, in_right) in segments {
        let mut lefts: [&[f32]; ROWS] = [&[]; ROWS];
        for (m, of_row) in lefts.iter_mut().enumerate() {
            *of_row = &left.values[m.min(left.rows - 1) * left.row + in_left..][..steps.len()];
        }
        // Of one length, so that one check of a step's bounds serves all columns.
        let len = right.len() - in_right - furthest;
        let mut rights: [&[f32]; N] = [&[]; N];
        for n in 0..N {
            rights[n] = &right[in_right + columns[n]..][..len];
        }
        for (k, &step) in steps.iter().enumerate() {
            let mut vectors = [simd.splat_f32s(0.0); N];
            for n in 0..N {
                vectors[n] = load::<S>(&rights[n][step..][..S::F32_LANES]);
            }
            for m in 0..ROWS {
                let left = simd.splat_f32s(lefts[m][k]);
                for n in 0..N {
                    sums[m][n] = simd.mul_add_e_f32s(left, vectors[n], sums[m][n]);
                }
            }
        }
    }
    sums
}
