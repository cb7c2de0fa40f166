//! What every iterative solver tells, while it runs and when it has ended.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::Error;

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
    /// Number of the iteration, counted from 1; 0 while a multilevel solver prepares its start on coarser levels.
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

/// Called with every iteration that is looked at; [`ControlFlow::Break`] ends the run with [`Error::Stopped`].
pub type OnIteration<'a> = &'a mut dyn FnMut(&Iteration) -> ControlFlow<()>;

/// Keeps the trace of a run and asks the caller whether to go on.
pub(crate) struct Monitor<'a> {
    started: Instant,
    trace: Vec<Iteration>,
    on_iteration: OnIteration<'a>,
}

impl<'a> Monitor<'a> {
    pub(crate) fn new(on_iteration: OnIteration<'a>) -> Self {
        Self { started: Instant::now(), trace: Vec::new(), on_iteration }
    }

    /// Records an iteration and tells the caller.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the caller says so.
    pub(crate) fn look(&mut self, iteration: usize, energy: f64, residual: f64) -> Result<(), Error> {
        let state = Iteration { iteration, energy, residual, seconds: self.started.elapsed().as_secs_f64() };
        self.trace.push(state);
        go_on((self.on_iteration)(&state))
    }

    /// Tells the caller of a state that is not part of the trace: that of a coarser level.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the caller says so.
    pub(crate) fn glance(&mut self, energy: f64, residual: f64) -> Result<(), Error> {
        let seconds = self.started.elapsed().as_secs_f64();
        go_on((self.on_iteration)(&Iteration { iteration: 0, energy, residual, seconds }))
    }

    /// As [`glance`](Self::glance), for a solver that runs another one first.
    pub(crate) fn relay(&mut self, state: &Iteration) -> ControlFlow<()> {
        (self.on_iteration)(&Iteration { iteration: 0, ..*state })
    }

    /// The report of a run whose last iteration was looked at.
    pub(crate) fn finish(self, stop: Stop) -> Report {
        let last = self.trace.last().expect("a run looks at its last iteration");
        Report { iterations: last.iteration, energy: last.energy, residual: last.residual, stop, trace: self.trace }
    }
}

fn go_on(answer: ControlFlow<()>) -> Result<(), Error> {
    if answer.is_continue() { Ok(()) } else { Err(Error::Stopped) }
}
