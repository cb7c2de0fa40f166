//! A method on many images, one after the other: one such batch at a time.
//!
//! It ends with the server. A file in the study keeps what was done until all is: the same order, given again, goes on from there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use fewmark::image::write_atomically;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Shared;
use crate::clock;
use crate::datastore::ImageFile;
use crate::error::Problem;
use crate::flight::Wanted;
use crate::jobs::State;
use crate::stamp::Stamp;

/// Lines that a task tells of the last images.
const LINES: usize = 15;
/// How often somebody who waits for the end looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is done with each image: the voxels that were found in it.
pub(crate) type Work = dyn Fn(&Shared, &ImageFile, &Wanted) -> Result<usize, Problem> + Send + Sync;

/// What is to be done.
pub(crate) struct Order {
    pub(crate) name: String,
    pub(crate) images: Vec<ImageFile>,
    /// What the client sent, to be told again.
    pub(crate) request: Map<String, Value>,
    /// Which images it asked for.
    pub(crate) which: String,
    /// The tag under which labels are saved, where they are.
    pub(crate) tag: Option<String>,
    pub(crate) work: Box<Work>,
}

/// The batch that was started last.
pub(crate) struct Batches {
    latest: Mutex<Option<Arc<Batch>>>,
    /// The file of one that is not done.
    file: PathBuf,
}

/// A batch.
pub(crate) struct Batch {
    notes: Notes,
    total: usize,
    wanted: Wanted,
    inner: Mutex<Inner>,
}

/// What a batch is.
#[derive(Clone, Serialize, Deserialize)]
struct Notes {
    id: String,
    name: String,
    request: Map<String, Value>,
    which: String,
    started: u64,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Unfinished {
    notes: Notes,
    total: usize,
    done: Vec<Done>,
}

struct Inner {
    state: State,
    ended: Option<u64>,
    done: Vec<Done>,
}

/// What became of an image.
#[derive(Clone, Serialize, Deserialize)]
struct Done {
    id: String,
    seconds: f64,
    /// Voxels that were found, or what went wrong.
    found: Result<usize, String>,
}

impl Batches {
    /// None yet, but for one that a server before this one did not end.
    pub(crate) fn open(file: PathBuf) -> Self {
        let read = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Unfinished>(&bytes).ok());
        let batch = |Unfinished { notes, total, done }| {
            let inner = Mutex::new(Inner { state: State::Stopped, ended: None, done });
            Arc::new(Batch { notes, total, wanted: Wanted::default(), inner })
        };
        Self { latest: Mutex::new(read.map(batch)), file }
    }

    /// The one that was started last.
    pub(crate) fn latest(&self) -> Option<Arc<Batch>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one that is running.
    pub(crate) fn running(&self) -> Option<Arc<Batch>> {
        self.latest().filter(|batch| batch.state() == State::Running)
    }

    /// Begins a batch, or goes on with the last one if that was stopped and is the same. An image that fails is noted, and the others are
    /// done all the same.
    ///
    /// # Errors
    /// 429 while another one runs.
    pub(crate) fn start(&self, app: &Shared, order: Order) -> Result<Arc<Batch>, Problem> {
        let Order { name, mut images, request, which, tag, work } = order;
        let batch = {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.as_ref().is_some_and(|batch| batch.state() == State::Running) {
                return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "a batch is running already")
                    .hint("wait for it, or stop it first"));
            }
            let notes = Notes { id: crate::random::uuid(), name, request, which, started: clock::now() };
            let total = images.len();
            let before = latest.as_ref().filter(|batch| batch.state() == State::Stopped && batch.notes.is_like(&notes));
            let mut done = before.map_or_else(Vec::new, |batch| batch.lock().done.clone());
            done.retain(|done| {
                done.found.is_ok() && images.iter().any(|image| image.id == done.id && is_kept(image, tag.as_deref()))
            });
            images.retain(|image| done.iter().all(|done| done.id != image.id));
            let inner = Mutex::new(Inner { state: State::Running, ended: None, done });
            let batch = Arc::new(Batch { notes, total, wanted: Wanted::default(), inner });
            *latest = Some(batch.clone());
            batch
        };
        app.log.line(format!("batch of {} on {} of {} images started", batch.notes.name, images.len(), batch.total));
        tokio::spawn(run(app.clone(), batch.clone(), images, work.into()));
        Ok(batch)
    }
}

/// Whether an image has the label that a batch saved of it, and is no newer.
fn is_kept(image: &ImageFile, tag: Option<&str>) -> bool {
    let Some(label) = tag.and_then(|tag| image.labels.get(tag)) else { return false };
    match (Stamp::of(label), Stamp::of(&image.path)) {
        (Ok(label), Ok(image)) => label.modified >= image.modified,
        _ => false,
    }
}

/// Does one image after the other; clicks of others come between them.
async fn run(app: Shared, batch: Arc<Batch>, images: Vec<ImageFile>, work: Arc<Work>) {
    for image in images {
        if !batch.wanted.still() {
            break;
        }
        let begun = Instant::now();
        let (id, work, wanted) = (image.id.clone(), work.clone(), batch.wanted.clone());
        let found = app.compute(move |app| work(app, &image, &wanted)).await;
        if found.is_err() && !batch.wanted.still() {
            break;
        }
        let found = found.map_err(|problem| app.without_paths(&problem.message));
        batch.lock().done.push(Done { id, seconds: begun.elapsed().as_secs_f64(), found });
        let kept = batch.clone();
        if let Err(problem) = app.wait(move |app| kept.keep(&app.batches.file)).await {
            app.log
                .line(format!("error: what the batch has done is not kept: {}", app.without_paths(&problem.message)));
        }
    }
    batch.end();
    if batch.state() != State::Stopped {
        let _ = std::fs::remove_file(&app.batches.file);
    }
    app.log.line(format!("batch of {} ended: {}", batch.notes.name, batch.state().name()));
}

impl Notes {
    /// Whether the same was asked for.
    fn is_like(&self, other: &Self) -> bool {
        (&self.name, &self.request, &self.which) == (&other.name, &other.request, &other.which)
    }
}

impl Batch {
    pub(crate) fn state(&self) -> State {
        self.lock().state
    }

    /// Asks it to stop, which it does soon.
    pub(crate) fn stop(&self) {
        self.wanted.give_up();
    }

    /// Waits until it has ended, but not for long.
    pub(crate) async fn wait(&self, patience: Duration) {
        let begun = Instant::now();
        while self.state() == State::Running && begun.elapsed() < patience {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Writes what was done so far.
    fn keep(&self, file: &Path) -> Result<(), Problem> {
        let unfinished = Unfinished { notes: self.notes.clone(), total: self.total, done: self.lock().done.clone() };
        let text = serde_json::to_vec(&unfinished).map_err(|_| Problem::bug())?;
        Ok(write_atomically(file, &text)?)
    }

    fn end(&self) {
        let mut inner = self.lock();
        let failed = inner.done.iter().filter(|done| done.found.is_err()).count();
        inner.state = match inner.done.len() {
            done if done < self.total => State::Stopped,
            done if done == failed && done > 0 => State::Failed,
            _ => State::Done,
        };
        inner.ended = Some(clock::now());
    }

    /// As MONAI Label tells of a task; always with a line of details.
    pub(crate) fn task(&self) -> Value {
        let inner = self.lock();
        let (done, total) = (inner.done.len(), self.total);
        let mut details = vec![format!("{}: {done} of {total} images, {}", self.notes.name, inner.state.name())];
        let last = inner.done.iter().enumerate().skip(done.saturating_sub(LINES));
        details.extend(last.map(|(at, Done { id, seconds, found })| match found {
            Ok(voxels) => format!("{} of {total}: {id}: {voxels} voxels in {seconds:.1} s", at + 1),
            Err(problem) => format!("{} of {total}: {id}: {problem}", at + 1),
        }));
        let images = inner.done.iter().map(|Done { id, seconds, found }| {
            let entry = match found {
                Ok(voxels) => json!({ "voxels": voxels, "seconds": seconds }),
                Err(problem) => json!({ "problem": problem }),
            };
            (id.clone(), entry)
        });
        json!({
            "id": self.notes.id,
            "status": inner.state.of_task(),
            "request": self.notes.request,
            "start_ts": clock::text(self.notes.started),
            "end_ts": inner.ended.map(clock::text),
            "details": details,
            "result": { "total": total, "done": done, "images": images.collect::<Map<_, _>>() },
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
