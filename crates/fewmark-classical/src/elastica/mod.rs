//! Selective segmentation with Euler's elastica in place of the total variation: boundaries pay for bending too.

mod curvature;
mod state;

use fewmark_grid::Grid;

use crate::convex::{ConvexProblem, PrimalDualParams, Warm, check_finite, check_parameter, minimise};
use crate::difference::Difference;
use crate::report::Monitor;
use crate::{Error, Iteration, OnIteration, Report, Stop};
use state::State;

/// The energy is computed, and the caller called, once in so many iterations.
const LOOK_EVERY: usize = 10;

/// `min sum (alpha + beta (div n)^2) |Du| + <r, u>` over `0 <= u <= 1`, `n` the direction of `Du` (Burrows, Chen and
/// Torella, eq. 4 with the elastica regulariser).
#[derive(Clone, Copy, Debug)]
pub struct ElasticaProblem<'a> {
    /// Grid of the data, 2-D.
    pub grid: &'a Grid,
    /// Data term `r`, negative where the object is likely.
    pub data: &'a [f32],
    /// Weight of the boundary's length, more than 0.
    pub alpha: f64,
    /// Weight of its squared curvature; circles of the radius `sqrt(beta / alpha)` pixels cost least for their length.
    pub beta: f64,
}

impl ElasticaProblem<'_> {
    fn check(&self) -> Result<(), Error> {
        if self.grid.size[2] != 1 {
            return Err(Error::Dimension { method: "elastica", size: self.grid.size });
        }
        check_parameter("alpha", self.alpha, "more than 0", self.alpha > 0.0)?;
        check_parameter("beta", self.beta, "0 or more", self.beta >= 0.0)?;
        self.length_only().check()
    }

    /// The convex problem with `beta = 0`.
    fn length_only(&self) -> ConvexProblem<'_> {
        ConvexProblem { grid: self.grid, data: self.data, weight: None, mu: self.alpha }
    }
}

/// Parameters of [`elastica`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticaParams {
    /// The penalties `r1`, `r2`, `r3`, `r4` of `|p| = m.p`, `p = Du`, `v = u` and `n = m`. When absent (0.1, 2, 2, 5)
    /// for `beta <= 1`, (1, 10, 10, 50) for `beta >= 5`, and geometric means weighted by `beta` between: values found
    /// to converge for data of about 1.
    pub penalties: Option<[f64; 4]>,
    /// Steps of conjugate gradients for `n` in each iteration at the most. 10.
    pub gradient_steps: usize,
    /// Largest `||u_k - u_{k-1}|| / max(||u_k||, 1)` at the end. 1e-4.
    pub tolerance: f64,
    /// Largest `|v - u|` of any voxel at the end. 1e-2.
    pub constraint_tolerance: f64,
    /// Iterations that are done at the least, since the first changes are small. 30.
    pub min_iterations: usize,
    /// Iterations that are done at the most. 600.
    pub max_iterations: usize,
}

impl Default for ElasticaParams {
    fn default() -> Self {
        Self {
            penalties: None,
            gradient_steps: 10,
            tolerance: 1e-4,
            constraint_tolerance: 1e-2,
            min_iterations: 30,
            max_iterations: 600,
        }
    }
}

impl ElasticaParams {
    fn check(&self) -> Result<(), Error> {
        for penalty in self.penalties.into_iter().flatten() {
            check_parameter("penalties", penalty, "more than 0", penalty > 0.0)?;
        }
        check_parameter("gradient_steps", self.gradient_steps as f64, "1 or more", self.gradient_steps > 0)?;
        check_parameter("tolerance", self.tolerance, "0 or more", self.tolerance >= 0.0)?;
        check_parameter(
            "constraint_tolerance",
            self.constraint_tolerance,
            "0 or more",
            self.constraint_tolerance >= 0.0,
        )?;
        check_parameter("max_iterations", self.max_iterations as f64, "1 or more", self.max_iterations > 0)
    }

    /// The penalties given, or those that suit `beta`.
    fn penalties(&self, beta: f64) -> [f64; 4] {
        const WEAK: [f64; 4] = [0.1, 2.0, 2.0, 5.0];
        const STRONG: [f64; 4] = [1.0, 10.0, 10.0, 50.0];
        let t = ((beta - 1.0) / 4.0).clamp(0.0, 1.0);
        self.penalties.unwrap_or_else(|| std::array::from_fn(|k| WEAK[k] * (STRONG[k] / WEAK[k]).powf(t)))
    }
}

/// Finds a local minimum of the elastica energy by the augmented Lagrangian method of Tai, Hahn and Chung (2011), with
/// the vector field `n` found by conjugate gradients.
///
/// The energy is not convex: the run begins at `initial`, or at the minimum for `beta = 0`. Returns `v`, of which the
/// object is `v > 1/2`. The energy of the report is that of `v` with the solver's `n`; its residual is the relative
/// change of `u`.
///
/// # Errors
/// [`Error::Dimension`] for a volume; a problem, start or parameter that is not valid; [`Error::Stopped`] when the
/// caller stops the run.
pub fn elastica(
    problem: &ElasticaProblem,
    params: &ElasticaParams,
    initial: Option<&[f32]>,
    on_iteration: OnIteration,
) -> Result<(Vec<f32>, Report), Error> {
    problem.check()?;
    params.check()?;
    let difference = Difference::new(problem.grid);
    let mut monitor = Monitor::new(on_iteration);
    let start = match initial {
        Some(initial) => {
            Error::check_length("initial", problem.grid, initial.len())?;
            check_finite("initial", initial)?;
            initial.to_vec()
        }
        None => {
            let glance = &mut |state: &Iteration| monitor.relay(state);
            minimise(&problem.length_only(), &PrimalDualParams::default(), &mut Warm::default(), glance)?.0
        }
    };
    let mut state = State::new(problem, params.penalties(problem.beta), difference, start);
    for iteration in 1..=params.max_iterations {
        let progress = state.iterate(params.gradient_steps);
        let settled = progress.change < params.tolerance && progress.constraint < params.constraint_tolerance;
        let done = settled && iteration >= params.min_iterations;
        if done || iteration.is_multiple_of(LOOK_EVERY) || iteration == params.max_iterations {
            monitor.look(iteration, state.energy(), progress.change)?;
        }
        if done {
            return Ok((state.v(), monitor.finish(Stop::Converged)));
        }
    }
    Ok((state.v(), monitor.finish(Stop::IterationLimit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_follow_beta() {
        let params = ElasticaParams::default();
        assert_eq!(params.penalties(0.0), [0.1, 2.0, 2.0, 5.0]);
        assert_eq!(params.penalties(9.0), [1.0, 10.0, 10.0, 50.0]);
        let between = params.penalties(3.0);
        assert!((between[3] - 250f64.sqrt()).abs() < 1e-9, "{between:?}");
        assert_eq!(ElasticaParams { penalties: Some([1.0; 4]), ..params }.penalties(3.0), [1.0; 4]);
    }
}
