//! Softmax over groups of channels.

use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

/// Voxels whose channels are worked on together: a few channels of them fit the first cache.
pub(crate) const SEGMENT: usize = 512;

/// `y = exp(x) / sum exp(x)` over each group of `channels` neighbouring planes of `plane` voxels.
pub(crate) fn forward(x: &[f32], channels: usize, plane: usize, y: &mut [f32]) {
    segments(y, channels, plane).into_par_iter().for_each(|Segment { first, mut rows }| {
        forward_segment(x, first, plane, &mut rows);
    });
}

/// `dx = y (dy - sum dy y)` over the same groups.
pub(crate) fn gradient(dy: &[f32], y: &[f32], channels: usize, plane: usize, dx: &mut [f32]) {
    segments(dx, channels, plane).into_par_iter().for_each(|Segment { first, mut rows }| {
        gradient_segment(dy, y, first, plane, &mut rows);
    });
}

/// A few voxels in all channels of a group.
struct Segment<'a> {
    /// Index of the first channel's first sample
    first: usize,
    /// The samples of each channel
    rows: Vec<&'a mut [f32]>,
}

fn segments(y: &mut [f32], channels: usize, plane: usize) -> Vec<Segment<'_>> {
    let mut all = Vec::new();
    for (group, y) in y.chunks_exact_mut(channels * plane).enumerate() {
        let of_group = all.len();
        for (channel, y) in y.chunks_exact_mut(plane).enumerate() {
            for (at, row) in y.chunks_mut(SEGMENT).enumerate() {
                if channel == 0 {
                    let first = group * channels * plane + at * SEGMENT;
                    all.push(Segment { first, rows: Vec::with_capacity(channels) });
                }
                all[of_group + at].rows.push(row);
            }
        }
    }
    all
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
fn forward_segment(x: &[f32], first: usize, plane: usize, rows: &mut [&mut [f32]]) {
    let len = rows[0].len();
    for (channel, row) in rows.iter_mut().enumerate() {
        row.copy_from_slice(&x[first + channel * plane..][..len]);
    }
    normalise(rows, 0..len);
}

/// Replaces `voxels`, at most [`SEGMENT`] of them, of a group of channels by their softmax.
#[inline(always)]
pub(crate) fn normalise(channels: &mut [&mut [f32]], voxels: Range<usize>) {
    let (mut largest, mut sum) = ([f32::NEG_INFINITY; SEGMENT], [0.0f32; SEGMENT]);
    for row in channels.iter() {
        for (largest, &x) in largest.iter_mut().zip(&row[voxels.clone()]) {
            *largest = largest.max(x);
        }
    }
    for row in channels.iter_mut() {
        for (y, (&largest, sum)) in row[voxels.clone()].iter_mut().zip(largest.iter().zip(&mut sum)) {
            *y = exp(*y - largest);
            *sum += *y;
        }
    }
    for sum in &mut sum {
        *sum = sum.recip();
    }
    for row in channels {
        for (y, &factor) in row[voxels.clone()].iter_mut().zip(&sum) {
            *y *= factor;
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
fn gradient_segment(dy: &[f32], y: &[f32], first: usize, plane: usize, rows: &mut [&mut [f32]]) {
    let len = rows[0].len();
    let mut sum = [0.0f32; SEGMENT];
    let rows_of = |channel: usize| {
        let at = first + channel * plane;
        dy[at..at + len].iter().zip(&y[at..at + len])
    };
    for channel in 0..rows.len() {
        for (sum, (&dy, &y)) in sum.iter_mut().zip(rows_of(channel)) {
            *sum += dy * y;
        }
    }
    for (channel, row) in rows.iter_mut().enumerate() {
        for ((dx, (&dy, &y)), &sum) in row.iter_mut().zip(rows_of(channel)).zip(&sum) {
            *dx = y * (dy - sum);
        }
    }
}

/// `exp(x)` of a number that is not positive, to about 1e-7 of itself; below -87 it stays at `exp(-87)`.
///
/// `exp(x) = 2^n exp(r)` with `n` the integer nearest to `x / ln 2`, `ln 2` in two parts so that `r` loses nothing, and
/// the Taylor polynomial of degree 7 for `|r| <= ln 2 / 2`, whose remainder is below 6e-9.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest integer in the lowest bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    // `max` would turn what is not a number into one.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let series = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let value = series.into_iter().fold(0.0, |value, coefficient: f32| value * r + coefficient);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    value * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_as_accurate_as_its_type() {
        for at in 0..87_000 {
            let x = -0.001 * at as f32;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 3e-7, "exp({x}): relative error {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(f32::NAN).is_nan());
    }
}
