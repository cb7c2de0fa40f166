//! The step for the normals: `r4 n - D(c div n) = b`, `c = 2 beta |p|`, by conjugate gradients.

use rayon::prelude::*;

use crate::difference::{Difference, ROWS_PER_TASK, VectorField};

/// Residual, relative to the right-hand side, at which the steps end early: the outer iteration corrects what is left.
const ENOUGH: f64 = 1e-4;

/// The solver, with its buffers. The operator is symmetric and positive definite, since `div = -D^T`.
pub(super) struct NormalSolver {
    residual: VectorField,
    direction: VectorField,
    /// The operator applied to the direction.
    image: VectorField,
    /// `c div` of the direction.
    bend: Vec<f32>,
}

/// Two fields, along x and y; both are there even when one axis has a single voxel.
pub(super) fn plane(len: usize) -> VectorField {
    [vec![0.0; len], vec![0.0; len], Vec::new()]
}

impl NormalSolver {
    pub(super) fn new(len: usize) -> Self {
        Self { residual: plane(len), direction: plane(len), image: plane(len), bend: vec![0.0; len] }
    }

    /// Improves `n` by at most `steps` steps.
    pub(super) fn improve(
        &mut self,
        difference: &Difference,
        r4: f32,
        c: &[f32],
        b: &VectorField,
        n: &mut VectorField,
        steps: usize,
    ) {
        self.direction.clone_from(n);
        self.apply(difference, r4, c);
        let enough = ENOUGH * ENOUGH * squares(difference, b);
        for a in 0..2 {
            let image = &self.image[a];
            difference.for_rows(&mut self.residual[a], |row, out| {
                let (b, image) = (difference.row(&b[a], row), difference.row(image, row));
                out.iter_mut().zip(b).zip(image).for_each(|((r, b), i)| *r = b - i);
            });
        }
        self.direction.clone_from(&self.residual);
        let mut size = squares(difference, &self.residual);
        for _ in 0..steps {
            if size <= enough {
                return;
            }
            let curvature = self.apply(difference, r4, c);
            let length = (size / curvature) as f32;
            let new_size = self.advance(difference, length, n);
            let keep = (new_size / size) as f32;
            for a in 0..2 {
                let residual = &self.residual[a];
                difference.for_rows(&mut self.direction[a], |row, out| {
                    out.iter_mut().zip(difference.row(residual, row)).for_each(|(d, r)| *d = r + keep * *d);
                });
            }
            size = new_size;
        }
    }

    /// `image <- r4 d - D(c div d)` of the direction `d`; returns `<d, image>`.
    fn apply(&mut self, difference: &Difference, r4: f32, c: &[f32]) -> f64 {
        let Self { direction, image, bend, .. } = self;
        difference.for_rows(bend, |row, out| {
            difference.divergence_row(direction, row, out);
            out.iter_mut().zip(difference.row(c, row)).for_each(|(t, c)| *t *= c);
        });
        let nx = difference.size[0];
        let mut total = 0.0;
        for a in 0..2 {
            let (bend, d) = (&*bend, &direction[a]);
            let sums: Vec<f64> = (image[a].par_chunks_mut(nx).with_min_len(ROWS_PER_TASK).enumerate())
                .map(|(row, out)| {
                    difference.difference_row(a, bend, row, out);
                    let d = difference.row(d, row);
                    out.iter_mut().zip(d).for_each(|(i, d)| *i = r4 * d - *i);
                    dot(d, out)
                })
                .collect();
            total += sums.iter().sum::<f64>();
        }
        total
    }

    /// Goes `length` along the direction; returns the square of the new residual.
    fn advance(&mut self, difference: &Difference, length: f32, n: &mut VectorField) -> f64 {
        let nx = difference.size[0];
        let mut total = 0.0;
        for a in 0..2 {
            let fixed = self.direction[a].par_chunks(nx).zip(self.image[a].par_chunks(nx));
            let sums: Vec<f64> = (n[a].par_chunks_mut(nx).zip(self.residual[a].par_chunks_mut(nx)).zip(fixed))
                .with_min_len(ROWS_PER_TASK)
                .map(|((n, residual), (d, image))| {
                    n.iter_mut().zip(d).for_each(|(n, d)| *n += length * d);
                    residual.iter_mut().zip(image).for_each(|(r, i)| *r -= length * i);
                    dot(residual, residual)
                })
                .collect();
            total += sums.iter().sum::<f64>();
        }
        total
    }
}

/// `sum |p|^2`.
fn squares(difference: &Difference, p: &VectorField) -> f64 {
    let nx = difference.size[0];
    let of = |field: &Vec<f32>| -> f64 {
        let sums: Vec<f64> = field.par_chunks(nx).with_min_len(ROWS_PER_TASK).map(|row| dot(row, row)).collect();
        sums.iter().sum()
    };
    of(&p[0]) + of(&p[1])
}

/// Sum of products in double precision, in eight interleaved sums so that it can be done in SIMD lanes.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let ((eights_a, rest_a), (eights_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in eights_a.iter().zip(eights_b) {
        for k in 0..8 {
            sums[k] += f64::from(a[k]) * f64::from(b[k]);
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use fewmark_grid::Grid;

    #[test]
    fn the_equation_is_solved() {
        for size in [[13, 9, 1], [1, 20, 1], [20, 1, 1]] {
            let difference = Difference::new(&Grid::unit(size));
            let len = difference.len();
            let field = |k: usize| -> Vec<f32> { (0..len).map(|i| ((i * k) % 31) as f32 / 31.0).collect() };
            let (c, b) = (field(7), [field(11), field(17), Vec::new()]);
            let mut n = plane(len);
            let mut solver = NormalSolver::new(len);
            solver.improve(&difference, 5.0, &c, &b, &mut n, 50);
            let inside = [difference.size[0] > 1, difference.size[1] > 1];
            let mut bend = vec![0.0; len];
            difference.for_rows(&mut bend, |row, out| difference.divergence_row(&n, row, out));
            bend.iter_mut().zip(&c).for_each(|(t, c)| *t *= c);
            let slope = difference.gradient(&bend);
            for a in 0..2 {
                for i in 0..len {
                    let d = if inside[a] { slope[a][i] } else { 0.0 };
                    let wrong = 5.0 * n[a][i] - d - b[a][i];
                    assert!(wrong.abs() < 2e-3, "{size:?} {a} {i}: {wrong}");
                }
            }
        }
    }
}
