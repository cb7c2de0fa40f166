//! Trainings: one at a time, on a thread of its own, kept in run folders, so that they survive the server.

mod job;

use std::fs;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use fewmark::fewshot;
use fewmark::image::write_atomically;
use fewmark::learn::dataset::{CaseFiles, Companion};
use fewmark::learn::{Compute, Run};
use fewmark::learned::Needs;
use fewmark::training::{self, Cases, Training};
use serde_json::{Map, Value};

use crate::app::App;
use crate::clock;
use crate::datastore::ImageFile;
use crate::error::Problem;
use crate::segment::load;
pub(crate) use job::{Job, State};
use job::{NOTES, Notes};

/// The setting that names a model to start from.
const START: &str = "start";
/// The longest name of a training.
const LONGEST_NAME: usize = 80;

/// The trainings of a study.
pub(crate) struct Jobs {
    folder: PathBuf,
    /// The one that was started last since the server began.
    current: Mutex<Option<Arc<Job>>>,
    /// Held while a training is prepared: the next one waits for its answer.
    preparing: Mutex<()>,
}

/// What is to be trained.
pub(crate) struct Order {
    pub(crate) network: String,
    pub(crate) settings: toml::Table,
    /// The labels that it learns from.
    pub(crate) tag: String,
    pub(crate) name: Option<String>,
    /// What the client sent, to be told again.
    pub(crate) request: Map<String, Value>,
}

/// The networks that learn from labels, and after them those that learn from images alone: both are what a study has.
pub(crate) fn networks() -> impl Iterator<Item = &'static str> {
    let of = |labels| training::names().filter(move |name| training::companion(name) == (Companion::Labels, labels));
    of(true).chain(of(false))
}

/// Whether one of them needs labels.
pub(crate) fn learns_from_labels(network: &str) -> bool {
    training::companion(network).1
}

fn busy() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "a training is running already").hint("wait for it, or stop it first")
}

fn unknown(id: &str) -> Problem {
    Problem::missing(format!("there is no training {id:?}")).hint("/api/trainings lists them")
}

impl Jobs {
    pub(crate) fn open(folder: PathBuf) -> Self {
        Self { folder, current: Mutex::default(), preparing: Mutex::default() }
    }

    /// All trainings, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        let mut names: Vec<PathBuf> =
            fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        names.sort();
        let mut jobs: Vec<_> = names.iter().filter_map(|path| self.at(path)).collect();
        jobs.sort_by_key(|job| job.notes.started);
        jobs
    }

    /// One training.
    pub(crate) fn one(&self, id: &str) -> Result<Arc<Job>, Problem> {
        self.all().into_iter().find(|job| job.id == id).ok_or_else(|| unknown(id))
    }

    /// The one that was started last, in this run of the server or before.
    pub(crate) fn latest(&self) -> Option<Arc<Job>> {
        let current = self.lock().clone();
        current.or_else(|| self.all().pop())
    }

    /// The one that is running.
    pub(crate) fn running(&self) -> Option<Arc<Job>> {
        self.lock().clone().filter(|job| job.state() == State::Running)
    }

    /// The training in a run folder.
    fn at(&self, path: &Path) -> Option<Arc<Job>> {
        let id = crate::datastore::name_of(path);
        if let Some(job) = self.lock().as_ref().filter(|job| job.id == id) {
            return Some(job.clone());
        }
        Job::read(path).map(Arc::new)
    }

    /// Starts a training on all images that have a label of the tag, or on all grey ones where no labels are needed.
    ///
    /// # Errors
    /// 429 while another one runs; 404 and 422 for what cannot be trained.
    pub(crate) fn start(&self, app: &Arc<App>, order: Order) -> Result<Arc<Job>, Problem> {
        let _preparing = self.preparing.try_lock().map_err(|_| busy())?;
        if self.running().is_some() {
            return Err(busy());
        }
        let Order { network, settings, tag, name, request } = order;
        if !networks().any(|known| known == network) {
            // The registry's own sentence names the most similar one.
            training::defaults(&network)?;
            return Err(Problem::wrong(format!("{network:?} learns from clicks, which a study does not keep")));
        }
        let settings = started(app, settings)?;
        let cases = cases(app, &network, &settings, &tag)?;
        let started = clock::now();
        let id = self.new_id(name.as_deref(), &network, started, &app.datastore.models())?;
        let mut training = Training::new(&network, cases, &[settings], Compute::Cpu)?;
        let cases = training.read()?;
        let run = Run::create(self.folder.join(&id), &training.to_table()?)?;
        let notes = Notes { network: training.train.clone(), started, request, ..Notes::default() };
        notes.write(run.path())?;
        Ok(self.begin(app, Job::new(id, run.path().to_owned(), notes, Vec::new()), training, cases, run))
    }

    /// Goes on with a training that was stopped, or that the end of the server stopped.
    ///
    /// # Errors
    /// 404 when there is none of that id, 409 when it is done, 429 while another one runs.
    pub(crate) fn resume(&self, app: &Arc<App>, id: &str) -> Result<Arc<Job>, Problem> {
        let _preparing = self.preparing.try_lock().map_err(|_| busy())?;
        let job = self.one(id)?;
        if self.running().is_some() {
            return Err(busy());
        }
        if job.state() == State::Done {
            return Err(Problem::new(StatusCode::CONFLICT, format!("the training {id:?} is done")));
        }
        let (run, table) = Run::resume(&job.folder)?;
        let mut training = Training::from_table(table)?;
        let cases = training.read()?;
        let notes = Notes { problem: None, ended: None, ..job.notes.clone() };
        notes.write(&job.folder)?;
        let curve = job::curve_of(&job.folder);
        Ok(self.begin(app, Job::new(id.to_owned(), job.folder.clone(), notes, curve), training, cases, run))
    }

    /// Asks a training to stop; it does after the step under way, at a checkpoint.
    pub(crate) fn stop(&self, id: &str) -> Result<Arc<Job>, Problem> {
        let job = self.one(id)?;
        job.ask_to_stop();
        Ok(job)
    }

    /// Stops what is running and waits for it.
    pub(crate) fn stop_and_wait(&self, patience: Duration) {
        let Some(job) = self.running() else { return };
        job.ask_to_stop();
        job.wait(patience);
    }

    fn begin(&self, app: &Arc<App>, job: Job, training: Training, cases: Cases, run: Run) -> Arc<Job> {
        let job = Arc::new(job);
        *self.lock() = Some(job.clone());
        app.log.line(format!("training {} started", job.id));
        let (ours, app) = (job.clone(), app.clone());
        // Outside the pool: on one of its threads, a click could be made to wait for the whole training.
        std::thread::spawn(move || {
            let (job, mut run) = (ours, run);
            let done = std::panic::catch_unwind(AssertUnwindSafe(|| work(&app, &job, &training, &cases, &mut run)));
            let end = match done {
                Ok(Ok(state)) => (state, None),
                Ok(Err(problem)) => (State::Failed, Some(app.without_paths(&problem.message))),
                Err(_) => (State::Failed, Some("the training panicked, which is a fault of the program".into())),
            };
            // The folder is free before anybody hears that the training has ended, and may want to go on with it.
            drop(run);
            app.log.line(format!("training {} ended: {}", job.id, end.0.name()));
            job.end(end.0, end.1);
        });
        job
    }

    /// A name that is a folder and a model at once.
    fn new_id(&self, name: Option<&str>, network: &str, started: u64, models: &Path) -> Result<String, Problem> {
        let name = match name {
            None => format!("{network}-{}", clock::stamp(started)),
            Some(name) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
                let good =
                    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.');
                if !good {
                    return Err(Problem::wrong(format!("{name:?} cannot be the name of a training"))
                        .hint("letters, digits, - and _, at most 80 of them"));
                }
                name.to_owned()
            }
        };
        let model = |id: &String| models.join(format!("{id}.safetensors"));
        let free = |id: &String| !self.folder.join(id).exists() && !model(id).exists();
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        Ok(std::iter::once(name.clone()).chain(numbered).find(free).unwrap_or(name))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Job>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Settings in which a model to start from, which clients know by its name in the study, is a file. Other files are not looked at.
fn started(app: &App, mut settings: toml::Table) -> Result<toml::Table, Problem> {
    let Some(start) = settings.get_mut(START) else { return Ok(settings) };
    let Some(name) = start.as_str().filter(|name| !fewshot::START.contains(name)).map(str::to_owned) else {
        return Ok(settings);
    };
    let encoder = app.methods.model(&name).filter(|model| model.description.needs == Needs::Supports);
    let encoder = encoder.ok_or_else(|| {
        Problem::wrong(format!("settings: {START} = {name:?}: the study has no such encoder"))
            .hint("expected default, random, or the name of an encoder that was trained here")
    })?;
    *start = encoder.path.display().to_string().into();
    Ok(settings)
}

/// What a network learns from: the images with labels of the tag, or all grey images where it needs no labels.
fn cases(app: &App, network: &str, settings: &toml::Table, tag: &str) -> Result<Vec<CaseFiles>, Problem> {
    let source = settings.get("episodes").and_then(|episodes| episodes.get("source")?.as_str());
    let labelled = learns_from_labels(network) || source == Some("labels");
    let files = |image: ImageFile| {
        // Nobody chose the images one by one: pictures in colours, which an encoder cannot take, are no mistake.
        if !labelled && load(app, &image.path).is_ok_and(|(_, decoded)| decoded.image.channels() > 1) {
            app.log.line(format!("training of {network}: {} is left out, as it is not grey", image.id));
            return None;
        }
        let labels = image.labels.get(tag).cloned();
        let with = if labelled { Some(labels?) } else { None };
        Some(CaseFiles { with, name: image.id, image: image.path })
    };
    let cases: Vec<CaseFiles> = app.datastore.images()?.into_iter().filter_map(files).collect();
    match cases.is_empty() {
        true if labelled => Err(Problem::wrong(format!("no image of the study has a label {tag:?}"))
            .hint("save labels first: a few images are enough to begin with")),
        true => Err(Problem::wrong("the study has no grey images to learn from")),
        false => Ok(cases),
    }
}

/// Trains, and puts the model where it can be used.
fn work(app: &App, job: &Job, training: &Training, cases: &Cases, run: &mut Run) -> Result<State, Problem> {
    let begun = Instant::now();
    let trained = training.train(cases, run, &mut |event| {
        job.observe(event);
        if job.is_asked_to_stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let Some(model) = trained.model else { return Ok(State::Stopped) };
    let bytes = fs::read(&model).map_err(|e| Problem::io("read", &model, e))?;
    let folder = app.datastore.models();
    fs::create_dir_all(&folder).map_err(|e| Problem::io("create", "models", e))?;
    write_atomically(folder.join(format!("{}.safetensors", job.id)), &bytes)?;
    app.log.line(format!(
        "training {}: {} iterations in {:.0} s",
        job.id,
        trained.iterations,
        begun.elapsed().as_secs_f64()
    ));
    Ok(State::Done)
}

/// The notes of a run folder that is none of the server's are missing; its run is listed all the same.
fn notes_of(folder: &Path) -> Notes {
    fs::read(folder.join(NOTES)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}
