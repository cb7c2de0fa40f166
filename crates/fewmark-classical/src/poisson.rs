//! Direct solution of `(rho2 I - rho1 L) u = b` by the discrete cosine transform, `L = div D` with Neumann ends.

use std::sync::Arc;

use rayon::prelude::*;
use rustdct::{DctNum, DctPlanner, TransformType2And3};

use crate::difference::Difference;

/// Side of the square blocks in which matrices are transposed: 32 x 32 samples of both stay in the first cache.
const BLOCK: usize = 32;

/// The solver, with its plans and the buffer that holds turned fields.
///
/// The type-II cosine transform diagonalises `-L`, with the eigenvalues of [`Difference::eigenvalue`] summed over the
/// axes. The fastest axis is transformed in place, then the axes are rotated so that the next one runs fastest.
///
/// The solvers work in `f32`; in `f64` the same code shows that only rounding is left.
pub(crate) struct Poisson<T: DctNum = f32> {
    /// Length and plan of each axis with more than one voxel, x first.
    axes: Vec<(usize, Arc<dyn TransformType2And3<T>>)>,
    /// `1 / (rho2 + rho1 e)` times the factor of the inverse transforms, in the order of the last rotation but one.
    multiplier: Vec<T>,
    turned: Vec<T>,
}

impl<T: DctNum> Poisson<T> {
    /// A solver for one grid and one pair of weights, both positive.
    pub(crate) fn new(difference: &Difference, rho1: f64, rho2: f64) -> Self {
        let mut planner = DctPlanner::new();
        let used: Vec<usize> = difference.axes().collect();
        let axes = used.iter().map(|&axis| (difference.size[axis], planner.plan_dct2(difference.size[axis]))).collect();
        let n = difference.len();
        let multiplier = multiplier(difference, &used, rho1, rho2).into_iter().map(number).collect();
        Self { axes, multiplier, turned: vec![T::zero(); n] }
    }

    /// `field <- (rho2 I - rho1 L)^{-1} field`.
    pub(crate) fn solve(&mut self, field: &mut Vec<T>) {
        let last = self.axes.len().saturating_sub(1);
        for (k, (n, plan)) in self.axes.iter().enumerate() {
            rows(field, *n, plan, |plan, row, scratch| plan.process_dct2_with_scratch(row, scratch));
            if k < last {
                transpose(field, &mut self.turned, *n);
                std::mem::swap(field, &mut self.turned);
            }
        }
        field.par_iter_mut().with_min_len(1 << 14).zip(&self.multiplier).for_each(|(f, &m)| *f = *f * m);
        for (k, (n, plan)) in self.axes.iter().enumerate().rev() {
            if k < last {
                let rest = field.len() / n;
                transpose(field, &mut self.turned, rest);
                std::mem::swap(field, &mut self.turned);
            }
            rows(field, *n, plan, |plan, row, scratch| plan.process_dct3_with_scratch(row, scratch));
        }
    }
}

/// The inverse of the operator's eigenvalues in the layout in which the last axis runs fastest and the others follow,
/// each rotation having made the fastest axis the slowest one.
fn multiplier(difference: &Difference, used: &[usize], rho1: f64, rho2: f64) -> Vec<f64> {
    let Some((&fastest, others)) = used.split_last() else {
        return vec![1.0 / rho2; difference.len()];
    };
    // An unnormalised DCT-II followed by a DCT-III multiplies by n/2 along each axis.
    let factor: f64 = used.iter().map(|&axis| 2.0 / difference.size[axis] as f64).product();
    let n = difference.size[fastest];
    let eigenvalues: Vec<f64> = (0..n).map(|k| difference.eigenvalue(fastest, k)).collect();
    let mut out = Vec::with_capacity(difference.len());
    for slow in 0..difference.len() / n {
        // Rotations leave x slowest but one order: for axes (x, y, z) the layout is [y][x][z], for (x, y) it is [x][y].
        let (mut rest, mut e) = (slow, 0.0);
        for &axis in others {
            e += difference.eigenvalue(axis, rest % difference.size[axis]);
            rest /= difference.size[axis];
        }
        out.extend(eigenvalues.iter().map(|&last| factor / (rho2 + rho1 * (e + last))));
    }
    out
}

/// A number in the precision of the transforms.
fn number<T: DctNum>(value: f64) -> T {
    T::from_f64(value).unwrap_or_else(T::zero)
}

/// Transforms every row of `n` samples.
fn rows<T: DctNum>(
    field: &mut [T],
    n: usize,
    plan: &Arc<dyn TransformType2And3<T>>,
    transform: impl Fn(&Arc<dyn TransformType2And3<T>>, &mut [T], &mut [T]) + Sync,
) {
    let scratch = plan.get_scratch_len();
    field
        .par_chunks_mut(n)
        .with_min_len(BLOCK)
        .for_each_init(|| vec![T::zero(); scratch], |scratch, row| transform(plan, row, scratch));
}

/// Writes into `out` the transpose of a matrix whose rows have `columns` samples.
///
/// Blocks are turned in a small buffer: rows that are a power of two apart would push each other out of the cache.
fn transpose<T: DctNum>(matrix: &[T], out: &mut [T], columns: usize) {
    let rows = matrix.len() / columns;
    out.par_chunks_mut(rows * BLOCK).enumerate().for_each(|(block, out)| {
        let mut turned = [[T::zero(); BLOCK]; BLOCK];
        let width = out.len() / rows;
        for top in (0..rows).step_by(BLOCK) {
            let height = BLOCK.min(rows - top);
            for row in 0..height {
                let from = &matrix[(top + row) * columns + block * BLOCK..][..width];
                for (line, &value) in turned.iter_mut().zip(from) {
                    line[row] = value;
                }
            }
            for (line, out) in turned.iter().zip(out.chunks_exact_mut(rows)) {
                out[top..top + height].copy_from_slice(&line[..height]);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use fewmark_grid::Grid;

    fn residual(size: [usize; 3], spacing: [f64; 3], rho1: f64, rho2: f64) -> f64 {
        let d = Difference::new(&Grid { size, spacing });
        let b: Vec<f32> = (0..d.len()).map(|i| ((i * 7919 % 1009) as f32 / 504.5) - 1.0).collect();
        let mut u = b.clone();
        Poisson::new(&d, rho1, rho2).solve(&mut u);
        let lu = d.divergence(&d.gradient(&u));
        let wrong = (0..d.len()).map(|i| rho2 * f64::from(u[i]) - rho1 * f64::from(lu[i]) - f64::from(b[i]));
        let size: f64 = b.iter().map(|&b| f64::from(b).powi(2)).sum();
        (wrong.map(|x| x * x).sum::<f64>() / size).sqrt()
    }

    #[test]
    fn the_residual_vanishes_in_double_precision() {
        // Ratios of the spacings are kept as `f32`: these are exact in it.
        for (size, spacing) in [([33, 70, 1], [1.0, 2.0, 1.0]), ([9, 16, 5], [0.5, 0.5, 2.0])] {
            let grid = Grid { size, spacing };
            let b: Vec<f64> = (0..grid.len()).map(|i| ((i * 7919 % 1009) as f64 / 504.5) - 1.0).collect();
            let mut u = b.clone();
            let (rho1, rho2) = (2.0, 0.5);
            Poisson::<f64>::new(&Difference::new(&grid), rho1, rho2).solve(&mut u);
            let laplacian = |i: usize| -> f64 {
                let voxel = grid.voxel(i);
                grid.axes()
                    .map(|a| {
                        let step = grid.strides()[a];
                        let before = if voxel[a] > 0 { u[i - step] - u[i] } else { 0.0 };
                        let after = if voxel[a] + 1 < size[a] { u[i + step] - u[i] } else { 0.0 };
                        (before + after) * (spacing[0] / spacing[a]).powi(2)
                    })
                    .sum()
            };
            let worst = (0..b.len()).map(|i| (rho2 * u[i] - rho1 * laplacian(i) - b[i]).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-10, "{size:?}: {worst:e}");
        }
    }

    #[test]
    fn the_residual_is_rounding() {
        let cases: [([usize; 3], [f64; 3]); 8] = [
            ([16, 12, 1], [1.0; 3]),
            ([33, 70, 1], [1.0, 2.0, 1.0]),
            ([9, 16, 5], [0.7, 0.7, 3.0]),
            ([1, 40, 1], [1.0; 3]),
            ([40, 1, 1], [1.0; 3]),
            ([1, 7, 9], [1.0; 3]),
            ([5, 1, 9], [1.0, 1.0, 2.0]),
            ([1, 1, 1], [1.0; 3]),
        ];
        for (size, spacing) in cases {
            for (rho1, rho2) in [(2.0, 2.0), (2.0, 0.1)] {
                // Each transform adds an error of about eps log2 n, magnified by the condition number of the operator.
                let largest: f64 = 4.0 * spacing.iter().map(|h| (spacing[0] / h).powi(2)).sum::<f64>();
                let tolerance = 8.0 * f64::from(f32::EPSILON) * (1.0 + rho1 * largest / rho2);
                let found = residual(size, spacing, rho1, rho2);
                assert!(found <= tolerance, "{size:?} {rho1} {rho2}: {found:e} > {tolerance:e}");
            }
        }
    }
}
