//! The default solver: the primal-dual method of Chambolle and Pock, from coarse to fine, with a certificate.

use super::ConvexProblem;
use super::means::Means;
use super::multilevel::Coarsening;
use super::problem::{Radius, check_parameter};
use super::sweep::{Fields, Level, Shape, Steps};
use crate::difference::Difference;
use crate::report::Monitor;
use crate::{Error, OnIteration, Report, Stop};

/// The duality gap is computed once in so many iterations.
const LOOK_EVERY: usize = 16;

/// A warm start whose first gap is more than so many times the tolerance is given up: the coarse levels are faster.
const TOO_FAR: f64 = 8.0;

/// A run of more iterations is slow.
const SLOW: usize = 192;

/// Smallest energy that the gap is compared with, as a fraction of `sum max(-r, 0)`: where the best object is nearly
/// empty its energy is nearly 0, and a fraction of it would ask for more than rounding allows.
const SMALLEST_ENERGY: f64 = 0.01;

/// Parameters of [`minimise`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrimalDualParams {
    /// Largest duality gap at the end, relative to the energy: the energy is proven to be no further from the minimum.
    /// 5e-4.
    pub tolerance: f64,
    /// The steps are `tau = balance / (mu ||D||)` and `sigma = mu / (balance ||D||)`, whose product is `1 / ||D||^2`
    /// (Chambolle and Pock 2011, theorem 1). 1, the fastest of 0.3, 1, 3 and 10 on noisy CT slices.
    pub balance: f64,
    /// Over-relaxation, 1 to less than 2 (Condat 2013). 1.5: nearly as few iterations as 1.9, and settled voxels come
    /// to rest sooner, after which they cost nothing.
    pub relaxation: f64,
    /// Iterations that are done at the most on each level. 5000.
    pub max_iterations: usize,
}

impl Default for PrimalDualParams {
    fn default() -> Self {
        Self { tolerance: 5e-4, balance: 1.0, relaxation: 1.5, max_iterations: 5000 }
    }
}

impl PrimalDualParams {
    fn check(&self) -> Result<(), Error> {
        check_parameter("tolerance", self.tolerance, "0 or more", self.tolerance >= 0.0)?;
        check_parameter("balance", self.balance, "more than 0", self.balance > 0.0)?;
        let relaxed = (1.0..2.0).contains(&self.relaxation);
        check_parameter("relaxation", self.relaxation, "at least 1 and less than 2", relaxed)?;
        check_parameter("max_iterations", self.max_iterations as f64, "1 or more", self.max_iterations > 0)
    }
}

/// What a run leaves to the next one on the same grid, whose data or weights may differ: `u` and its dual vectors.
///
/// A new one is empty, and a run that begins with it starts from coarse levels.
#[derive(Clone, Debug, Default)]
pub struct Warm {
    shape: Option<Shape>,
    u: Vec<f32>,
    p: [Vec<f32>; 3],
}

impl Warm {
    /// Takes out what fits a level.
    fn take(&mut self, shape: Shape) -> Option<Start> {
        let Self { shape: found, u, p } = std::mem::take(self);
        (found == Some(shape)).then_some(Start { u, p })
    }
}

/// Where a level begins.
struct Start {
    u: Vec<f32>,
    p: [Vec<f32>; 3],
}

/// Minimises `mu * sum g |Du| + <r, u>` over `0 <= u <= 1` by
///
/// ```text
/// v <- clip(u - tau (r - div p), 0, 1)      u <- u + relaxation (v - u)
/// q <- proj(p + sigma D(2 v - u))           p <- p + relaxation (q - p),    proj onto |q| <= mu g
/// ```
///
/// (Chambolle and Pock 2011, algorithm 1), each level starting from the solution of a coarser one, or from `warm`.
///
/// Every feasible `p` bounds the minimum from below by `D(p) = sum min(0, r - div p)`. The residual of the report is
/// the gap `(E(u) - D(p)) / |E(u)|`, a proof of how good the result is; the run ends when it is at most the tolerance.
/// The result is the same, bit for bit, for any number of threads.
///
/// A run that takes long, as for an object that is about to vanish, goes on from means of its states where these are closer to the minimum:
/// two such slices of a chest took 1040 and 944 iterations instead of 3744 and 2080.
///
/// `warm` receives the state at the end, also that of a run that was stopped.
///
/// # Errors
/// A problem or parameter that is not valid; [`Error::Stopped`] when the caller stops the run.
pub fn minimise(
    problem: &ConvexProblem,
    params: &PrimalDualParams,
    warm: &mut Warm,
    on_iteration: OnIteration,
) -> Result<(Vec<f32>, Report), Error> {
    problem.check()?;
    params.check()?;
    let mut monitor = Monitor::new(on_iteration);
    let level = finest(problem);
    if mean_radius(&level.radius) == 0.0 {
        let u = problem.pointwise();
        monitor.look(1, problem.energy(&u)?, 0.0)?;
        return Ok((u, monitor.finish(Stop::Converged)));
    }
    let shape = level.shape;
    let started_warm = warm.take(shape);
    let limit = started_warm.as_ref().map(|_| TOO_FAR * params.tolerance);
    let start = match started_warm {
        Some(start) => start,
        None => coarse_start(&level, params, &mut monitor)?,
    };
    let mut fields = Fields::new(level, start.u, start.p);
    let mut ended = iterate(&mut fields, params, limit, &mut |k, energy, gap| monitor.look(k, energy, gap));
    if let Ok(Ended::TooFar) = ended {
        let level = fields.level;
        let start = coarse_start(&level, params, &mut monitor)?;
        fields = Fields::new(level, start.u, start.p);
        ended = iterate(&mut fields, params, None, &mut |k, energy, gap| monitor.look(k, energy, gap));
    }
    let u = fields.solution();
    *warm = Warm { shape: Some(shape), u: u.clone(), p: fields.p };
    let stop = match ended? {
        Ended::Converged => Stop::Converged,
        Ended::TooFar | Ended::IterationLimit => Stop::IterationLimit,
    };
    Ok((u, monitor.finish(stop)))
}

/// The problem itself as a level.
fn finest<'a>(problem: &ConvexProblem<'a>) -> Level<'a> {
    let Difference { size, weight: [x, y, z] } = Difference::new(problem.grid);
    let weight = if size[2] == 1 { [x, 0.0, y] } else { [x, y, z] };
    Level { shape: Shape::new(size), weight, data: problem.data.into(), radius: problem.radius() }
}

fn mean_radius(radius: &Radius) -> f64 {
    match radius {
        Radius::Constant(radius) => f64::from(*radius),
        Radius::Field(field) => field.iter().map(|&r| f64::from(r)).sum::<f64>() / field.len() as f64,
    }
}

/// A start for a level from the solution of the next coarser one, which is found in the same way.
fn coarse_start(fine: &Level, params: &PrimalDualParams, monitor: &mut Monitor) -> Result<Start, Error> {
    let Some(coarsening) = Coarsening::of(fine.shape, fine.weight) else {
        return Ok(Start { u: fine.data.iter().map(|&r| f32::from(r < 0.0)).collect(), p: fine.zeros() });
    };
    let level = coarsening.level(fine);
    let cell = fine.shape.len() as f64 / level.shape.len() as f64;
    let start = coarse_start(&level, params, monitor)?;
    let mut fields = Fields::new(level, start.u, start.p);
    iterate(&mut fields, params, None, &mut |_, energy, gap| monitor.glance(cell * energy, gap))?;
    let p = std::array::from_fn(|a| match &fields.p[a][..] {
        [] => Vec::new(),
        component => coarsening.prolong_dual(component, a),
    });
    Ok(Start { u: coarsening.prolong(&fields.solution()), p })
}

enum Ended {
    Converged,
    /// The first gap is more than the limit.
    TooFar,
    IterationLimit,
}

/// Iterates on one level until the gap is small enough; `look(iteration, energy, gap)` is called with every gap.
fn iterate(
    fields: &mut Fields,
    params: &PrimalDualParams,
    limit: Option<f64>,
    look: &mut dyn FnMut(usize, f64, f64) -> Result<(), Error>,
) -> Result<Ended, Error> {
    let norm = 2.0 * fields.level.weight.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
    // Where nothing has a neighbour any step will do.
    let norm = if norm > 0.0 { norm } else { 1.0 };
    let ratio = params.balance / mean_radius(&fields.level.radius);
    let unrelaxed = Steps { tau: (ratio / norm) as f32, sigma: (1.0 / (ratio * norm)) as f32, relaxation: 1.0 };
    let steps = Steps { relaxation: params.relaxation as f32, ..unrelaxed };
    let floor = SMALLEST_ENERGY * fields.level.data.iter().map(|&r| f64::from(-r.min(0.0))).sum::<f64>();
    let gap_of = |[energy, dual]: [f64; 2]| (energy - dual).max(0.0) / energy.abs().max(floor).max(f64::MIN_POSITIVE);
    let mut means: Option<Means> = None;
    for iteration in 1..=params.max_iterations {
        if !iteration.is_multiple_of(LOOK_EVERY) && iteration != params.max_iterations {
            fields.sweep(steps);
            continue;
        }
        // Only dual vectors that were not over-relaxed lie within their bound.
        fields.sweep(unrelaxed);
        let found = fields.energies();
        let (mut energy, mut gap) = (found[0], gap_of(found));
        if iteration >= SLOW && gap > params.tolerance {
            let means = means.get_or_insert_with(|| Means::new(&fields.level, gap));
            if let Some(found) = means.add(fields, params.tolerance, gap, &gap_of) {
                (energy, gap) = (found[0], gap_of(found));
            }
        }
        look(iteration, energy, gap)?;
        if gap <= params.tolerance {
            return Ok(Ended::Converged);
        }
        if iteration == LOOK_EVERY && limit.is_some_and(|limit| gap > limit) {
            return Ok(Ended::TooFar);
        }
    }
    Ok(Ended::IterationLimit)
}
