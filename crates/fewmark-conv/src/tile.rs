//! The one inner loop: a small block of a matrix product whose right side is read through offsets.
//!
//! `out[m][n] += sum_k panel[k][m] * b[segment(k) + step(k) + columns[n]]`, with each `n` a vector. A forward pass reads the
//! taps of a staged image this way (a segment is a channel, a step is a tap, the columns are neighbouring positions); a weight
//! gradient reads positions (a segment is a row of the image, a step is a position, the columns are taps and channels).
//! Products are added in the order of the panel, so that a result depends neither on tiles nor on threads.

use pulp::Simd;

/// Most vectors of a row of a tile.
pub(crate) const COLUMNS: usize = 3;

/// Where the factors of a tile lie.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    /// Left factors, `[segment][step][row]`
    pub(crate) panel: &'a [f32],
    /// Right factors
    pub(crate) b: &'a [f32],
    /// Offset of each segment in `b`
    pub(crate) segments: &'a [usize],
    /// Offset of each step from its segment
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

/// Computes `ROWS` rows of `N` vectors, and hands row `m`, vector `n` to `put`.
#[inline(always)]
pub(crate) fn tile<S: Simd, const ROWS: usize, const N: usize>(
    simd: S,
    factors: &Factors<'_>,
    columns: [usize; N],
    mut put: impl FnMut(usize, usize, S::f32s),
) {
    let zero = simd.splat_f32s(0.0);
    let mut sums = [[zero; N]; ROWS];
    let panels = factors.panel.chunks_exact((ROWS * factors.steps.len()).max(1));
    for (panel, &segment) in panels.zip(factors.segments) {
        let rows: [&[f32]; N] = columns.map(|column| &factors.b[segment + column..]);
        for (left, &step) in panel.chunks_exact(ROWS).zip(factors.steps) {
            let right: [S::f32s; N] = std::array::from_fn(|n| load::<S>(&rows[n][step..][..S::F32_LANES]));
            for m in 0..ROWS {
                let left = simd.splat_f32s(left[m]);
                for n in 0..N {
                    sums[m][n] = simd.mul_add_e_f32s(left, right[n], sums[m][n]);
                }
            }
        }
    }
    for (m, row) in sums.into_iter().enumerate() {
        for (n, sum) in row.into_iter().enumerate() {
            put(m, n, sum);
        }
    }
}
