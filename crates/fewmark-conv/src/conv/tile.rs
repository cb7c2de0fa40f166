//! The one inner loop: a small block of a matrix product whose right side is read through offsets.
//!
//! `out[m][n] = sum over segments s and steps k of left[m][s][k] * right[segment(s) + step(k) + column(n)]`, with each `n` a
//! vector. A forward pass reads the taps of a staged image this way (a segment is some channels, a step is a tap of one of them, the
//! columns are neighbouring positions); a weight gradient reads positions (a segment is a row of the image, a step is a position, the
//! columns are taps and channels). Products are added in that order, so that a result depends neither on tiles nor on threads.

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

/// Where the factors of a tile lie, but for the offsets of the steps of a segment: in the left factors they are neighbours, in the right
/// ones as [`Taps`] or [`Positions`] say.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    pub(crate) left: Left<'a>,
    /// Right factors
    pub(crate) right: &'a [f32],
    /// Offsets of each segment: in a left row, and in the right factors
    pub(crate) segments: &'a [(usize, usize)],
}

/// Taps of a segment at the most: their offsets stay in the first-level cache.
const SEGMENT: usize = 128;

/// How many of `channels` with so many taps each make a segment, whose bounds are told once; all segments have as many.
pub(crate) fn segment_channels(channels: usize, taps: usize) -> usize {
    let most = (SEGMENT / taps.max(1)).clamp(1, channels.max(1));
    (1..=most).rev().find(|&together| channels.is_multiple_of(together)).unwrap_or(1)
}

/// Steps that are taps. Those of a kernel that is three taps wide are taken by threes, whose bounds and places are told once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taps {
    /// The offset of each
    Single(Vec<usize>),
    /// The offset of the first of each three that follow each other
    Rising(Vec<usize>),
    /// The offset of the last of each three that follow each other backwards, as in an input gradient
    Falling(Vec<usize>),
}

impl Taps {
    /// Taps at these offsets from their segment.
    pub(crate) fn new(offsets: Vec<usize>) -> Self {
        let (threes, rest) = offsets.as_chunks();
        if rest.is_empty() && threes.iter().all(|&[a, b, c]| (b, c) == (a + 1, a + 2)) {
            Self::Rising(threes.iter().map(|&[a, _, _]| a).collect())
        } else if rest.is_empty() && threes.iter().all(|&[a, b, c]| (a, b) == (c + 2, c + 1)) {
            Self::Falling(threes.iter().map(|&[_, _, c]| c).collect())
        } else {
            Self::Single(offsets)
        }
    }
}

/// Steps that are neighbouring positions of a row, each with its vector of channels. They are taken by fours where that leaves none over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Positions {
    /// The offset of each
    Single(Vec<usize>),
    /// The offset of the first of each four
    Fours(Vec<usize>),
}

impl Positions {
    /// The positions of a row of that width, for vectors of so many lanes.
    pub(crate) fn new(width: usize, lanes: usize) -> Self {
        let every = |step| (0..width).step_by(step).map(|x| x * lanes).collect();
        if width.is_multiple_of(4) { Self::Fours(every(4)) } else { Self::Single(every(1)) }
    }
}

#[inline(always)]
pub(crate) fn load<S: Simd>(samples: &[f32]) -> S::f32s {
    S::as_simd_f32s(samples).0[0]
}

#[inline(always)]
pub(crate) fn store<S: Simd>(samples: &mut [f32], vector: S::f32s) {
    S::as_mut_simd_f32s(samples).0[0] = vector;
}

/// Computes `ROWS` rows of `N` vectors, summed over taps, the sums of row `m` starting from `start[m]`. Those of rows beyond the left ones are
/// to be left alone.
#[inline(always)]
pub(crate) fn sum_taps<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    taps: &Taps,
    columns: [usize; N],
    start: [f32; ROWS],
) -> [[S::f32s; N]; ROWS] {
    match taps {
        Taps::Single(offsets) => sum(simd, factors, offsets, [0], columns, start),
        Taps::Rising(offsets) => sum(simd, factors, offsets, [0, 1, 2], columns, start),
        Taps::Falling(offsets) => sum(simd, factors, offsets, [2, 1, 0], columns, start),
    }
}

/// [`sum_taps`] over positions, starting from 0.
#[inline(always)]
pub(crate) fn sum_positions<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    positions: &Positions,
    columns: [usize; N],
) -> [[S::f32s; N]; ROWS] {
    let (start, lanes) = ([0.0; ROWS], S::F32_LANES);
    match positions {
        Positions::Single(offsets) => sum(simd, factors, offsets, [0], columns, start),
        Positions::Fours(offsets) => sum(simd, factors, offsets, [0, lanes, 2 * lanes, 3 * lanes], columns, start),
    }
}

/// Sums over `STEPS` steps at a time, whose right factors lie at `places` from each of the offsets.
// Plain loops: a closure would be compiled apart, without the vector instructions of the caller.
#[inline(always)]
fn sum<S: Simd, const ROWS: usize, const N: usize, const STEPS: usize>(
    simd: S,
    factors: &Factors<'_>,
    offsets: &[usize],
    places: [usize; STEPS],
    columns: [usize; N],
    start: [f32; ROWS],
) -> [[S::f32s; N]; ROWS] {
    let Factors { left, right, segments } = *factors;
    let mut sums = [[simd.splat_f32s(0.0); N]; ROWS];
    for m in 0..ROWS {
        sums[m] = [simd.splat_f32s(start[m]); N];
    }
    let mut furthest = 0;
    for column in columns {
        furthest = furthest.max(column);
    }
    let window = places[0].max(places[STEPS - 1]) + S::F32_LANES;
    for &(in_left, in_right) in segments {
        let mut lefts: [&[[f32; STEPS]]; ROWS] = [&[]; ROWS];
        for (m, of_row) in lefts.iter_mut().enumerate() {
            let row = &left.values[m.min(left.rows - 1) * left.row + in_left..];
            *of_row = &row.as_chunks().0[..offsets.len()];
        }
        // Of one length, so that one check of an offset's bounds serves all columns.
        let len = right.len() - in_right - furthest;
        let mut rights: [&[f32]; N] = [&[]; N];
        for n in 0..N {
            rights[n] = &right[in_right + columns[n]..][..len];
        }
        for (k, &offset) in offsets.iter().enumerate() {
            let mut windows: [&[f32]; N] = [&[]; N];
            for n in 0..N {
                windows[n] = &rights[n][offset..][..window];
            }
            for step in 0..STEPS {
                let mut vectors = [simd.splat_f32s(0.0); N];
                for n in 0..N {
                    vectors[n] = load::<S>(&windows[n][places[step]..][..S::F32_LANES]);
                }
                for m in 0..ROWS {
                    let left = simd.splat_f32s(lefts[m][k][step]);
                    for n in 0..N {
                        sums[m][n] = simd.mul_add_e_f32s(left, vectors[n], sums[m][n]);
                    }
                }
            }
        }
    }
    sums
}
