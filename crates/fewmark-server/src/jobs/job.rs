//! One training, and what is told of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fewmark::image::write_atomically;
use fewmark::learn::{Event, Run};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::clock;
use crate::error::Problem;

/// What the server notes in a run folder, beside what the run keeps itself.
pub(super) const NOTES: &str = "server.json";
/// Points of a curve that are told; more cannot be seen.
const POINTS: usize = 2000;

/// Where a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Running,
    Stopped,
    Done,
    Failed,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// As MONAI Label calls it.
    pub(crate) fn of_task(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
            Self::Done => "DONE",
            Self::Failed => "ERROR",
        }
    }
}

/// A point of the curve: the loss before a step, and the score of the validation after it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Point {
    pub(crate) iteration: u64,
    pub(crate) loss: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<f64>,
}

/// What the server remembers of a training when it is started again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notes {
    pub(crate) network: String,
    pub(crate) started: u64,
    pub(crate) ended: Option<u64>,
    pub(crate) problem: Option<String>,
    pub(crate) request: Map<String, Value>,
}

impl Notes {
    pub(super) fn write(&self, folder: &Path) -> Result<(), Problem> {
        let bytes = serde_json::to_vec_pretty(self).map_err(|_| Problem::bug())?;
        Ok(write_atomically(folder.join(NOTES), &bytes)?)
    }
}

/// A training.
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) folder: PathBuf,
    pub(crate) notes: Notes,
    stop: AtomicBool,
    inner: Mutex<Inner>,
    /// Counts the changes, for those who wait for one.
    changes: watch::Sender<u64>,
}

struct Inner {
    state: State,
    problem: Option<String>,
    ended: Option<u64>,
    iterations: u64,
    curve: Vec<Point>,
    /// Every step and every validation since the server has known the training, for those who listen.
    happened: Vec<Point>,
    seconds: f64,
}

impl Job {
    /// A training that begins now, with the curve that it has so far.
    pub(super) fn new(id: String, folder: PathBuf, notes: Notes, curve: Vec<Point>) -> Self {
        let inner = Inner {
            state: State::Running,
            problem: None,
            ended: None,
            iterations: 0,
            curve,
            happened: Vec::new(),
            seconds: 0.0,
        };
        Self {
            id,
            folder,
            notes,
            stop: AtomicBool::new(false),
            inner: Mutex::new(inner),
            changes: watch::Sender::new(0),
        }
    }

    /// A training of another run of the server; none when the folder holds none.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let run = Run::state(folder).ok()?;
        let mut notes = super::notes_of(folder);
        if notes.network.is_empty() {
            notes.network = run.method;
        }
        let state = match (run.state, &notes.problem) {
            ("finished", _) => State::Done,
            ("running", _) => State::Running,
            (_, Some(_)) => State::Failed,
            _ => State::Stopped,
        };
        let (iterations, seconds) = run.step.map_or((0, 0.0), |step| (step.of, step.seconds));
        let (problem, ended) = (notes.problem.clone(), notes.ended);
        let inner = Inner { state, problem, ended, iterations, curve: curve_of(folder), happened: Vec::new(), seconds };
        Some(Self {
            id: crate::datastore::name_of(folder),
            folder: folder.to_owned(),
            notes,
            stop: AtomicBool::new(false),
            inner: Mutex::new(inner),
            changes: watch::Sender::new(0),
        })
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state
    }

    pub(super) fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits until it has ended, but not for long; whether it has.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        while self.state() == State::Running && begun.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.state() != State::Running
    }

    /// Takes in what happened.
    pub(super) fn observe(&self, event: &Event) {
        {
            let mut inner = self.lock();
            if let Some(point) = add(&mut inner.curve, event) {
                inner.happened.push(point);
            }
            if let Event::Step(step) = event {
                (inner.iterations, inner.seconds) = (step.of, step.seconds);
            }
        }
        self.changes.send_modify(|n| *n += 1);
    }

    /// Notes how it ended.
    pub(super) fn end(&self, state: State, problem: Option<String>) {
        let ended = Some(clock::now());
        // Should the disk be full, the run folder still tells whether it is done.
        let _ = Notes { ended, problem: problem.clone(), ..self.notes.clone() }.write(&self.folder);
        {
            let mut inner = self.lock();
            (inner.state, inner.problem, inner.ended) = (state, problem, ended);
        }
        self.changes.send_modify(|n| *n += 1);
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What has happened from a number on, and the state. A validation repeats the point of its step, with the score.
    pub(crate) fn since(&self, from: usize) -> (Vec<Point>, State) {
        let inner = self.lock();
        (inner.happened.get(from..).unwrap_or_default().to_vec(), inner.state)
    }

    /// As our own interface tells it.
    pub(crate) fn to_json(&self, with_curve: bool) -> Value {
        let inner = self.lock();
        let mut body = json!({
            "id": self.id,
            "network": self.notes.network,
            "state": inner.state,
            "iteration": inner.curve.last().map_or(0, |point| point.iteration),
            "iterations": inner.iterations,
            "started": clock::text(self.notes.started),
        });
        if let Some(problem) = &inner.problem {
            body["problem"] = problem.as_str().into();
        }
        if with_curve {
            let every = inner.curve.len().div_ceil(POINTS).max(1);
            let last = inner.curve.len().saturating_sub(1);
            let kept = inner
                .curve
                .iter()
                .enumerate()
                .filter(|(i, point)| i % every == 0 || *i == last || point.score.is_some());
            body["curve"] = kept.map(|(_, point)| json!(point)).collect();
        }
        body
    }

    /// What MONAI Label calls statistics of a training.
    pub(crate) fn statistics(&self) -> Value {
        let inner = self.lock();
        let best = inner.curve.iter().filter_map(|point| point.score).reduce(f64::max);
        let mut body = json!({
            "epoch": inner.curve.last().map_or(0, |point| point.iteration),
            "total_epochs": inner.iterations,
            "start_ts": self.notes.started,
            "best_metric": best.unwrap_or(0.0),
        });
        if inner.state != State::Running {
            let seconds = inner.seconds as u64;
            body["total_time"] = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60).into();
        }
        body
    }

    /// As MONAI Label tells of a task; always with a line of details, which 3D Slicer shows.
    pub(crate) fn task(&self) -> Value {
        let inner = self.lock();
        let mut details = vec![format!("training {} of {}: {}", self.id, self.notes.network, inner.state.name())];
        let steps = inner.curve.iter().skip(inner.curve.len().saturating_sub(15));
        details.extend(steps.map(|p| format!("iteration {} of {}: loss {:.4}", p.iteration, inner.iterations, p.loss)));
        details.extend(inner.problem.clone());
        json!({
            "id": self.id,
            "status": inner.state.of_task(),
            "request": self.notes.request,
            "start_ts": clock::text(self.notes.started),
            "end_ts": inner.ended.map(clock::text),
            "details": details,
            "result": { "model": self.id, "train_stats": {} },
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The curve of a run folder.
pub(super) fn curve_of(folder: &Path) -> Vec<Point> {
    let mut curve = Vec::new();
    for event in Run::history(folder).unwrap_or_default() {
        add(&mut curve, &event);
    }
    curve
}

/// Adds an event to a curve, and gives the point that is new or has changed. A training that goes on from its last checkpoint repeats
/// some steps.
fn add(curve: &mut Vec<Point>, event: &Event) -> Option<Point> {
    match event {
        Event::Step(step) => {
            while curve.last().is_some_and(|last| last.iteration >= step.iteration) {
                curve.pop();
            }
            curve.push(Point { iteration: step.iteration, loss: step.loss, score: None });
            curve.last().copied()
        }
        Event::Validation { iteration, validation } => {
            let point = curve.iter_mut().rev().find(|point| point.iteration == *iteration)?;
            point.score = Some(validation.score).filter(|score| score.is_finite());
            Some(*point)
        }
    }
}
