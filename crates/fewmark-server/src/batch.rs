//! A method on many images, one after the other: one such batch at a time, which ends with the server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::Shared;
use crate::clock;
use crate::datastore::ImageFile;
use crate::error::Problem;
use crate::flight::Wanted;
use crate::jobs::State;

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
    pub(crate) work: Box<Work>,
}

/// The batch that was started last.
#[derive(Default)]
pub(crate) struct Batches(Mutex<Option<Arc<Batch>>>);

/// A batch.
pub(crate) struct Batch {
    id: String,
    name: String,
    request: Map<String, Value>,
    started: u64,
    total: usize,
    wanted: Wanted,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    ended: Option<u64>,
    done: Vec<Done>,
}

/// What became of an image.
struct Done {
    id: String,
    seconds: f64,
    /// Voxels that were found, or what went wrong.
    found: Result<usize, String>,
}

impl Batches {
    /// The one that was started last.
    pub(crate) fn latest(&self) -> Option<Arc<Batch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one that is running.
    pub(crate) fn running(&self) -> Option<Arc<Batch>> {
        self.latest().filter(|batch| batch.state() == State::Running)
    }

    /// Begins a batch. An image that fails is noted, and the others are done all the same.
    ///
    /// # Errors
    /// 429 while another one runs.
    pub(crate) fn start(&self, app: &Shared, order: Order) -> Result<Arc<Batch>, Problem> {
        let Order { name, images, request, work } = order;
        let batch = {
            let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.as_ref().is_some_and(|batch| batch.state() == State::Running) {
                return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "a batch is running already")
                    .hint("wait for it, or stop it first"));
            }
            let inner = Inner { state: State::Running, ended: None, done: Vec::new() };
            let batch = Arc::new(Batch {
                id: crate::random::uuid(),
                name,
                request,
                started: clock::now(),
                total: images.len(),
                wanted: Wanted::default(),
                inner: Mutex::new(inner),
            });
            *latest = Some(batch.clone());
            batch
        };
        app.log.line(format!("batch of {} on {} images started", batch.name, batch.total));
        tokio::spawn(run(app.clone(), batch.clone(), images, work.into()));
        Ok(batch)
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
    }
    batch.end();
    app.log.line(format!("batch of {} ended: {}", batch.name, batch.state().name()));
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
        let mut details = vec![format!("{}: {done} of {total} images, {}", self.name, inner.state.name())];
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
            "id": self.id,
            "status": inner.state.of_task(),
            "request": self.request,
            "start_ts": clock::text(self.started),
            "end_ts": inner.ended.map(clock::text),
            "details": details,
            "result": { "total": total, "done": done, "images": images.collect::<Map<_, _>>() },
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
