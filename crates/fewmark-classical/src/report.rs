//! What every iterative solver tells, while it runs and when it has ended.

/// Why a solver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The stopping criterion was met.
    Converged,
    /// The iteration limit came first; the result is the best so far.
    IterationLimit,
}

/// The state of a solver at one iteration.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Iteration {
    /// Number of the iteration, counted from 1.
    pub iteration: usize,
    /// Value of the energy that is minimised.
    pub energy: f64,
    /// The solver's measure of distance to the minimum: a relative duality gap or relative change.
    pub residual: f64,
    /// Time since the solver began, in seconds.
    pub seconds: f64,
}

/// How a solver run went.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report {
    /// Number of iterations done (on the finest level for a multilevel solver).
    pub iterations: usize,
    /// Energy of the result.
    pub energy: f64,
    /// Distance to the minimum at the end, as in [`Iteration::residual`].
    pub residual: f64,
    /// Why the solver ended.
    pub stop: Stop,
    /// The iterations that were looked at, the last one included.
    pub trace: Vec<Iteration>,
}
