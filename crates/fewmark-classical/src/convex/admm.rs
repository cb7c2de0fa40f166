//! The alternating direction method of multipliers: the published solver of the model, and the reference of the faster
//! one.

use rayon::prelude::*;

use super::ConvexProblem;
use super::energy::energy;
use super::problem::{Radius, check_finite, check_parameter};
use crate::difference::{Difference, ROWS_PER_TASK, VectorField};
use crate::poisson::Poisson;
use crate::report::Monitor;
use crate::{Error, OnIteration, Report, Stop};

/// The energy is computed, and the caller called, once in so many iterations.
const LOOK_EVERY: usize = 10;

/// Parameters of [`admm`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdmmParams {
    /// Penalty `rho1` of `p = Du`; 2, found to serve `mu` of 0.2 to 1 and `|r|` of about 1.
    pub rho1: f64,
    /// Penalty `rho2` of `q = u`; 2.
    pub rho2: f64,
    /// Largest `||u_k - u_{k-1}|| / max(||u_k||, 1)` at the end; 1e-4, as in the published code of the
    /// Roberts-Chen-Irion model.
    pub tolerance: f64,
    /// Largest `|q - u|` and `|p - Du|` of any voxel at the end; 1e-2.
    pub constraint_tolerance: f64,
    /// Iterations that are done at the least, since the first changes are small; 30.
    pub min_iterations: usize,
    /// Iterations that are done at the most; 1000.
    pub max_iterations: usize,
}

impl Default for AdmmParams {
    fn default() -> Self {
        Self {
            rho1: 2.0,
            rho2: 2.0,
            tolerance: 1e-4,
            constraint_tolerance: 1e-2,
            min_iterations: 30,
            max_iterations: 1000,
        }
    }
}

impl AdmmParams {
    fn check(&self) -> Result<(), Error> {
        check_parameter("rho1", self.rho1, "more than 0", self.rho1 > 0.0)?;
        check_parameter("rho2", self.rho2, "more than 0", self.rho2 > 0.0)?;
        check_parameter("tolerance", self.tolerance, "0 or more", self.tolerance >= 0.0)?;
        check_parameter(
            "constraint_tolerance",
            self.constraint_tolerance,
            "0 or more",
            self.constraint_tolerance >= 0.0,
        )?;
        check_parameter("max_iterations", self.max_iterations as f64, "1 or more", self.max_iterations > 0)
    }
}

/// Minimises by the alternating direction method of multipliers with the splitting `p = Du`, `q = u`:
///
/// ```text
/// u  <- (rho2 I - rho1 L)^{-1} [-r - rho1 div(p + b1) + rho2 (q + b2)]
/// p  <- shrink(Du - b1, mu g / rho1)          q  <- clip(u - b2, 0, 1)
/// b1 <- b1 + p - Du                           b2 <- b2 + q - u
/// ```
///
/// Begins at `initial`, or at `[r < 0]`, and returns `q`. The residual of the report is the relative change of `u`.
///
/// # Errors
/// A problem, start or parameter that is not valid; [`Error::Stopped`] when the caller stops the run.
pub fn admm(
    problem: &ConvexProblem,
    params: &AdmmParams,
    initial: Option<&[f32]>,
    on_iteration: OnIteration,
) -> Result<(Vec<f32>, Report), Error> {
    problem.check()?;
    params.check()?;
    if let Some(initial) = initial {
        Error::check_length("initial", problem.grid, initial.len())?;
        check_finite("initial", initial)?;
    }
    let difference = Difference::new(problem.grid);
    let mut monitor = Monitor::new(on_iteration);
    let start = initial.map_or_else(|| problem.pointwise(), <[f32]>::to_vec);
    let mut state = State::new(problem, &difference, params, start);
    let mut stop = Stop::IterationLimit;
    for iteration in 1..=params.max_iterations {
        let change = state.update_u(problem, &difference, params);
        let wrong = state.update_splits(&difference);
        let settled = change < params.tolerance && f64::from(wrong) < params.constraint_tolerance;
        let done = settled && iteration >= params.min_iterations;
        if done {
            stop = Stop::Converged;
        }
        if done || iteration.is_multiple_of(LOOK_EVERY) || iteration == params.max_iterations {
            monitor.look(iteration, energy(problem, &difference, &state.q), change)?;
        }
        if done {
            break;
        }
    }
    Ok((state.q, monitor.finish(stop)))
}

struct State {
    u: Vec<f32>,
    /// The right-hand side, then the new `u`.
    next: Vec<f32>,
    q: Vec<f32>,
    b2: Vec<f32>,
    /// `p + b1`, all that the next `u` needs of them.
    target: VectorField,
    b1: VectorField,
    /// `Du - b1`, before and
    free: VectorField,
    /// how much of it is left after the shrinkage.
    kept: Vec<f32>,
    threshold: Radius,
    solver: Poisson,
}

impl State {
    fn new(problem: &ConvexProblem, difference: &Difference, params: &AdmmParams, u: Vec<f32>) -> Self {
        let mut target = difference.zeros();
        for axis in difference.axes() {
            difference.for_rows(&mut target[axis], |row, out| difference.difference_row(axis, &u, row, out));
        }
        let scaled = ConvexProblem { mu: problem.mu / params.rho1, ..*problem };
        Self {
            next: vec![0.0; u.len()],
            q: u.clone(),
            b2: vec![0.0; u.len()],
            target,
            b1: difference.zeros(),
            free: difference.zeros(),
            kept: vec![0.0; u.len()],
            threshold: scaled.radius(),
            solver: Poisson::new(difference, params.rho1, params.rho2),
            u,
        }
    }

    /// The first line of the iteration; returns the relative change of `u`.
    fn update_u(&mut self, problem: &ConvexProblem, difference: &Difference, params: &AdmmParams) -> f64 {
        let (rho1, rho2) = (params.rho1 as f32, params.rho2 as f32);
        let (target, q, b2) = (&self.target, &self.q, &self.b2);
        difference.for_rows(&mut self.next, |row, out| {
            difference.divergence_row(target, row, out);
            let [data, q, b2] = [problem.data, q, b2].map(|field| difference.row(field, row));
            for (((o, r), q), b2) in out.iter_mut().zip(data).zip(q).zip(b2) {
                *o = rho2 * (q + b2) - r - rho1 * *o;
            }
        });
        self.solver.solve(&mut self.next);
        std::mem::swap(&mut self.u, &mut self.next);
        let (mut change, mut size) = (0.0, 0.0);
        for (&new, &old) in self.u.iter().zip(&self.next) {
            change += f64::from(new - old).powi(2);
            size += f64::from(new).powi(2);
        }
        change.sqrt() / size.sqrt().max(1.0)
    }

    /// The splits and their multipliers; returns the largest `|q - u|` or `|p - Du|`.
    fn update_splits(&mut self, difference: &Difference) -> f32 {
        let Self { u, q, b2, free, kept, target, b1, threshold, .. } = self;
        let nx = difference.size[0];
        let wrong_q = (q.par_chunks_mut(nx).zip(b2.par_chunks_mut(nx)).zip(u.par_chunks(nx)))
            .with_min_len(ROWS_PER_TASK)
            .map(|((q, b2), u)| clip_row(u, q, b2))
            .reduce(|| 0.0, f32::max);
        for axis in difference.axes() {
            difference.for_rows(&mut free[axis], |row, out| {
                difference.difference_row(axis, u, row, out);
                out.iter_mut().zip(difference.row(&b1[axis], row)).for_each(|(d, b)| *d -= b);
            });
        }
        difference.for_rows(kept, |row, out| shrink_row(difference, free, threshold, row, out));
        let wrong_p = difference.axes().map(|axis| {
            (b1[axis].par_chunks_mut(nx).zip(target[axis].par_chunks_mut(nx)))
                .zip(free[axis].par_chunks(nx).zip(kept.par_chunks(nx)))
                .with_min_len(ROWS_PER_TASK)
                .map(|((b1, target), (free, kept))| split_row(free, kept, b1, target))
                .reduce(|| 0.0, f32::max)
        });
        wrong_p.fold(wrong_q, f32::max)
    }
}

/// `q <- clip(u - b2, 0, 1)`, `b2 <- b2 + q - u`; the largest `|q - u|`.
fn clip_row(u: &[f32], q: &mut [f32], b2: &mut [f32]) -> f32 {
    // Bits of positive numbers have their order, and their largest is found in SIMD lanes.
    let mut wrong = 0;
    for ((q, b2), &u) in q.iter_mut().zip(b2).zip(u) {
        let free = u - *b2;
        *q = free.clamp(0.0, 1.0);
        *b2 = *q - free;
        wrong = wrong.max((*q - u).abs().to_bits());
    }
    f32::from_bits(wrong)
}

/// The factor `max(|a| - t, 0) / |a|` of the shrinkage of `a = Du - b1`.
fn shrink_row(difference: &Difference, free: &VectorField, threshold: &Radius, row: usize, kept: &mut [f32]) {
    kept.fill(0.0);
    for axis in difference.axes() {
        kept.iter_mut().zip(difference.row(&free[axis], row)).for_each(|(k, a)| *k += a * a);
    }
    let factor = |square: f32, t: f32| if square > t * t { 1.0 - t / square.sqrt() } else { 0.0 };
    match threshold {
        Radius::Constant(t) => kept.iter_mut().for_each(|k| *k = factor(*k, *t)),
        Radius::Field(t) => kept.iter_mut().zip(difference.row(t, row)).for_each(|(k, &t)| *k = factor(*k, t)),
    }
}

/// One component of `p = kept a`, `b1 <- b1 + p - Du` and `p + b1`; the largest `|p - Du|`.
fn split_row(free: &[f32], kept: &[f32], b1: &mut [f32], target: &mut [f32]) -> f32 {
    let mut wrong = 0;
    for (((&a, &kept), b1), target) in free.iter().zip(kept).zip(b1).zip(target) {
        let p = kept * a;
        wrong = wrong.max((p - (a + *b1)).abs().to_bits());
        *b1 = p - a;
        *target = p + *b1;
    }
    f32::from_bits(wrong)
}
