//! The variables of the augmented Lagrangian and one pass over them.
//!
//! ```text
//! L = sum (alpha + beta (div n)^2) |p| + r v + (r1 + l1)(|p| - m.p) + r2/2 |p - Du|^2 + l2.(p - Du)
//!         + r3/2 (v - u)^2 + l3 (v - u) + r4/2 |n - m|^2 + l4.(n - m),      0 <= v <= 1, |m| <= 1
//! ```

use rayon::prelude::*;

use super::ElasticaProblem;
use super::curvature::{NormalSolver, plane};
use crate::difference::{Difference, ROWS_PER_TASK, VectorField};
use crate::poisson::Poisson;

/// Fields that no neighbour reads: `v`, `l1`, `l3`, then `p`, `l2`, `m` and `l4` along x and y.
const LOCAL: usize = 11;

/// What one pass changed.
pub(super) struct Progress {
    /// Relative change of `u`.
    pub(super) change: f64,
    /// Largest `|v - u|`.
    pub(super) constraint: f64,
}

pub(super) struct State<'a> {
    data: &'a [f32],
    alpha: f32,
    beta: f32,
    penalties: [f32; 4],
    difference: Difference,
    u: Vec<f32>,
    next: Vec<f32>,
    n: VectorField,
    /// Row after row, the [`LOCAL`] fields of each: one task changes them all.
    local: Vec<f32>,
    /// `r2 p + l2`.
    flux: VectorField,
    /// `2 beta |p|`.
    stiffness: Vec<f32>,
    /// Right-hand side of the equation of `n`.
    pull: VectorField,
    poisson: Poisson,
    normals: NormalSolver,
}

/// The local fields of one row of `nx` voxels.
fn split(mut local: &mut [f32], nx: usize) -> [&mut [f32]; LOCAL] {
    std::array::from_fn(|_| {
        let (first, rest) = std::mem::take(&mut local).split_at_mut(nx);
        local = rest;
        first
    })
}

impl<'a> State<'a> {
    pub(super) fn new(problem: &ElasticaProblem<'a>, penalties: [f64; 4], difference: Difference, u: Vec<f32>) -> Self {
        let len = difference.len();
        let mut state = Self {
            data: problem.data,
            alpha: problem.alpha as f32,
            beta: problem.beta as f32,
            penalties: penalties.map(|r| r as f32),
            next: vec![0.0; len],
            n: plane(len),
            local: vec![0.0; LOCAL * len],
            flux: plane(len),
            stiffness: vec![0.0; len],
            pull: plane(len),
            poisson: Poisson::new(&difference, penalties[1], penalties[2]),
            normals: NormalSolver::new(len),
            difference,
            u,
        };
        state.begin();
        state
    }

    /// `v = u`, `p = Du`.
    fn begin(&mut self) {
        let Self { difference, u, local, flux: [flux_x, flux_y, _], stiffness, .. } = self;
        let (nx, beta, r2) = (difference.size[0], self.beta, self.penalties[1]);
        (local.par_chunks_mut(LOCAL * nx).zip(stiffness.par_chunks_mut(nx)))
            .zip(flux_x.par_chunks_mut(nx).zip(flux_y.par_chunks_mut(nx)))
            .enumerate()
            .for_each(|(row, ((local, stiffness), (flux_x, flux_y)))| {
                let [v, _, _, px, py, ..] = split(local, nx);
                v.copy_from_slice(difference.row(u, row));
                difference.difference_row(0, u, row, px);
                difference.difference_row(1, u, row, py);
                for i in 0..nx {
                    stiffness[i] = 2.0 * beta * px[i].hypot(py[i]);
                    (flux_x[i], flux_y[i]) = (r2 * px[i], r2 * py[i]);
                }
            });
    }

    /// One Gauss-Seidel pass: `v`, `u`, `m`, `n`, `p`, multipliers.
    pub(super) fn iterate(&mut self, gradient_steps: usize) -> Progress {
        self.update_v_and_u();
        let (mut change, mut size) = (0.0, 0.0);
        for (&new, &old) in self.u.iter().zip(&self.next) {
            change += f64::from(new - old).powi(2);
            size += f64::from(new).powi(2);
        }
        self.update_m();
        let Self { difference, penalties, stiffness, pull, n, normals, .. } = self;
        normals.improve(difference, penalties[3], stiffness, pull, n, gradient_steps);
        let constraint = self.update_p_and_multipliers();
        Progress { change: change.sqrt() / size.sqrt().max(1.0), constraint: constraint.into() }
    }

    /// `v = clip(u - (r + l3) / r3, 0, 1)`, then `(r3 I - r2 L) u = r3 v + l3 - div(r2 p + l2)`.
    fn update_v_and_u(&mut self) {
        let Self { data, penalties: [_, _, r3, _], difference, u, next, local, flux, poisson, .. } = self;
        let (nx, r3) = (difference.size[0], *r3);
        (local.par_chunks_mut(LOCAL * nx).zip(next.par_chunks_mut(nx)))
            .with_min_len(ROWS_PER_TASK)
            .enumerate()
            .for_each(|(row, (local, next))| {
                let [v, _, l3, ..] = split(local, nx);
                difference.divergence_row(flux, row, next);
                let (u, r, next) = (difference.row(u, row), difference.row(data, row), &mut next[..nx]);
                for i in 0..nx {
                    v[i] = (u[i] - (r[i] + l3[i]) / r3).clamp(0.0, 1.0);
                    next[i] = r3 * v[i] + l3[i] - next[i];
                }
            });
        poisson.solve(next);
        std::mem::swap(u, next);
    }

    /// `m = proj(n + ((r1 + l1) p + l4) / r4)` onto `|m| <= 1`, and the pull `r4 m - l4` on `n`.
    fn update_m(&mut self) {
        let Self { penalties: [r1, _, _, r4], difference, n, local, pull: [pull_x, pull_y, _], .. } = self;
        let (nx, r1, r4) = (difference.size[0], *r1, *r4);
        (local.par_chunks_mut(LOCAL * nx).zip(pull_x.par_chunks_mut(nx).zip(pull_y.par_chunks_mut(nx))))
            .with_min_len(ROWS_PER_TASK)
            .enumerate()
            .for_each(|(row, (local, (pull_x, pull_y)))| {
                let [_, l1, _, px, py, _, _, mx, my, l4x, l4y] = split(local, nx);
                let (n_x, n_y) = (difference.row(&n[0], row), difference.row(&n[1], row));
                let (pull_x, pull_y) = (&mut pull_x[..nx], &mut pull_y[..nx]);
                for i in 0..nx {
                    let x = n_x[i] + ((r1 + l1[i]) * px[i] + l4x[i]) / r4;
                    let y = n_y[i] + ((r1 + l1[i]) * py[i] + l4y[i]) / r4;
                    let length = (x * x + y * y).sqrt();
                    let shrink = if length > 1.0 { 1.0 / length } else { 1.0 };
                    (mx[i], my[i]) = (shrink * x, shrink * y);
                    (pull_x[i], pull_y[i]) = (r4 * mx[i] - l4x[i], r4 * my[i] - l4y[i]);
                }
            });
    }

    /// `p` by shrinkage, then the multipliers; returns the largest `|v - u|`.
    fn update_p_and_multipliers(&mut self) -> f32 {
        let Self { alpha, beta, penalties, difference, u, n, local, flux: [flux_x, flux_y, _], stiffness, .. } = self;
        let (nx, [r1, r2, r3, r4]) = (difference.size[0], *penalties);
        (local.par_chunks_mut(LOCAL * nx).zip(stiffness.par_chunks_mut(nx)))
            .zip(flux_x.par_chunks_mut(nx).zip(flux_y.par_chunks_mut(nx)))
            .with_min_len(ROWS_PER_TASK)
            .enumerate()
            .map(|(row, ((local, stiffness), (flux_x, flux_y)))| {
                let [v, l1, l3, px, py, l2x, l2y, mx, my, l4x, l4y] = split(local, nx);
                // The buffers hold the differences and the bend first.
                difference.difference_row(0, u, row, flux_x);
                difference.difference_row(1, u, row, flux_y);
                difference.divergence_row(n, row, stiffness);
                let (u, n_x, n_y) = (difference.row(u, row), difference.row(&n[0], row), difference.row(&n[1], row));
                // With lengths that are seen to be equal, and integers for the largest, the loop is done in SIMD lanes.
                let (flux_x, flux_y, stiffness) = (&mut flux_x[..nx], &mut flux_y[..nx], &mut stiffness[..nx]);
                let mut wrong = 0;
                for i in 0..nx {
                    let (dx, dy, pressure) = (flux_x[i], flux_y[i], r1 + l1[i]);
                    let x = dx + (pressure * mx[i] - l2x[i]) / r2;
                    let y = dy + (pressure * my[i] - l2y[i]) / r2;
                    let cost = *alpha + *beta * stiffness[i] * stiffness[i] + pressure;
                    let length = (x * x + y * y).sqrt();
                    let left = if r2 * length > cost { 1.0 - cost / (r2 * length) } else { 0.0 };
                    (px[i], py[i]) = (left * x, left * y);
                    let size = left * length;
                    l1[i] += r1 * (size - mx[i] * px[i] - my[i] * py[i]);
                    l2x[i] += r2 * (px[i] - dx);
                    l2y[i] += r2 * (py[i] - dy);
                    l3[i] += r3 * (v[i] - u[i]);
                    l4x[i] += r4 * (n_x[i] - mx[i]);
                    l4y[i] += r4 * (n_y[i] - my[i]);
                    flux_x[i] = r2 * px[i] + l2x[i];
                    flux_y[i] = r2 * py[i] + l2y[i];
                    stiffness[i] = 2.0 * *beta * size;
                    wrong = wrong.max((v[i] - u[i]).abs().to_bits());
                }
                f32::from_bits(wrong)
            })
            .reduce(|| 0.0, f32::max)
    }

    /// `sum (alpha + beta (div n)^2) |Dv| + <r, v>`.
    pub(super) fn energy(&self) -> f64 {
        let v = self.v();
        let Self { difference, n, data, .. } = self;
        let (nx, alpha, beta) = (difference.size[0], f64::from(self.alpha), f64::from(self.beta));
        let rows: Vec<f64> = (0..difference.len() / nx)
            .into_par_iter()
            .with_min_len(ROWS_PER_TASK)
            .map_init(
                || [vec![0.0; nx], vec![0.0; nx], vec![0.0; nx]],
                |[x, y, bend], row| {
                    difference.difference_row(0, &v, row, x);
                    difference.difference_row(1, &v, row, y);
                    difference.divergence_row(n, row, bend);
                    let (v, r) = (difference.row(&v, row), difference.row(data, row));
                    let at = |i: usize| {
                        let cost = alpha + beta * f64::from(bend[i]).powi(2);
                        cost * f64::from(x[i].hypot(y[i])) + f64::from(r[i]) * f64::from(v[i])
                    };
                    (0..nx).map(at).sum()
                },
            )
            .collect();
        rows.iter().sum()
    }

    /// The result.
    pub(super) fn v(&self) -> Vec<f32> {
        let nx = self.difference.size[0];
        self.local.chunks_exact(LOCAL * nx).flat_map(|local| &local[..nx]).copied().collect()
    }
}
