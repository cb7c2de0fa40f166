//! Run folders: where a training is kept, so that it can be stopped at any instant and gone on with.
//!
//! ```text
//! RUN/config.toml                    every setting, also those that were left at their defaults
//!     metrics.jsonl                  a line an event: steps with their losses, validations
//!     checkpoints/latest.safetensors weights, optimiser, iteration
//!     checkpoints/best.safetensors   weights of the best validation
//!     pictures/ITERATION-NAME.png
//!     model.safetensors              once it is trained
//!     report.html
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use fewmark_image::{Error as FileError, write_atomically, write_image};

use crate::training::{Checkpoint, Event, Picture, Step};
use crate::{Error, tensor_file, weights};

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.jsonl";
const LOCK: &str = ".lock";
const LATEST: &str = "checkpoints/latest.safetensors";
const BEST: &str = "best network";
pub(crate) const MODEL: &str = "model.safetensors";

/// Whether a folder holds a training that has not come to a model.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    path.join(CONFIG).exists() && !path.join(MODEL).exists()
}

/// A folder that this program, and no other, trains in.
#[derive(Debug)]
pub struct Run {
    path: PathBuf,
    metrics: BufWriter<File>,
    /// Whether the folder was made for it
    made: bool,
    /// Locked as long as it is open; the system unlocks it however the program ends.
    _lock: File,
}

/// What a run folder says of itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RunState {
    /// The folder.
    pub path: PathBuf,
    /// "finished", "running" or "stopped".
    pub state: &'static str,
    /// What is trained, as the configuration has it under `train`.
    pub method: String,
    /// The last step, if one was taken.
    pub step: Option<Step>,
}

impl Run {
    /// A new run folder with the configuration of the training.
    ///
    /// # Errors
    /// [`Error::Run`] when the folder already holds a run, [`Error::Image`] when it cannot be written.
    pub fn create(path: impl AsRef<Path>, config: &toml::Table) -> Result<Self, Error> {
        let path = path.as_ref();
        // A checkpoint would be gone on with, whatever it is of.
        if [CONFIG, METRICS, LATEST, MODEL].iter().any(|file| path.join(file).exists()) {
            return Err(Error::Run {
                path: path.to_owned(),
                problem: "a training is kept here already".into(),
                hint: "go on with it by --resume, or give another folder",
            });
        }
        let made = !path.exists();
        for folder in [path.to_owned(), path.join("checkpoints"), path.join("pictures")] {
            fs::create_dir_all(&folder).map_err(|e| io("create", &folder, e))?;
        }
        let lock = lock(path)?;
        write_atomically(path.join(CONFIG), config.to_string().as_bytes())?;
        Ok(Self { path: path.to_owned(), metrics: metrics(path)?, made, _lock: lock })
    }

    /// A run that was stopped, and its configuration.
    ///
    /// # Errors
    /// [`Error::Run`] when the folder holds no run or another program trains in it.
    pub fn resume(path: impl AsRef<Path>) -> Result<(Self, toml::Table), Error> {
        let path = path.as_ref();
        let config = config(path)?;
        let lock = lock(path)?;
        Ok((Self { path: path.to_owned(), metrics: metrics(path)?, made: false, _lock: lock }, config))
    }

    /// Takes away a run in which nothing has happened yet; the folder stays where it was there before or something else is in it.
    ///
    /// # Errors
    /// [`Error::Image`] when something cannot be removed.
    pub fn discard(self) -> Result<(), Error> {
        let Self { path, metrics, made, _lock } = self;
        drop((metrics, _lock));
        for file in [CONFIG, METRICS, LOCK] {
            fs::remove_file(path.join(file)).map_err(|e| io("remove", &path.join(file), e))?;
        }
        for folder in [path.join("checkpoints"), path.join("pictures")].into_iter().chain(made.then_some(path)) {
            // What is not empty is not ours alone.
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the trained model belongs.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// The last checkpoint, if there is one.
    pub fn checkpoint(&self) -> Option<PathBuf> {
        Some(self.latest()).filter(|path| path.exists())
    }

    fn latest(&self) -> PathBuf {
        self.path.join(LATEST)
    }

    /// Forgets what was logged after an iteration: it is going to happen again.
    pub(crate) fn rewind(&mut self, iteration: u64) -> Result<(), Error> {
        let path = self.path.join(METRICS);
        let kept: String = events(&path)?
            .filter(|event| match event {
                Event::Step(step) => step.iteration <= iteration,
                Event::Validation { iteration: at, .. } => *at <= iteration,
            })
            .map(|event| line(&event))
            .collect();
        write_atomically(&path, kept.as_bytes())?;
        self.metrics = metrics(&self.path)?;
        Ok(())
    }

    /// Appends an event to the log.
    pub(crate) fn log(&mut self, event: &Event) -> Result<(), Error> {
        self.metrics.write_all(line(event).as_bytes()).map_err(|e| io("write", &self.path.join(METRICS), e))
    }

    /// Everything that was logged.
    ///
    /// # Errors
    /// [`Error::Image`] when the log cannot be read.
    pub fn events(&mut self) -> Result<Vec<Event>, Error> {
        let path = self.path.join(METRICS);
        self.metrics.flush().map_err(|e| io("write", &path, e))?;
        Ok(events(&path)?.collect())
    }

    /// What was logged in a run folder up to now, without taking hold of it: another program may be training there.
    ///
    /// # Errors
    /// [`Error::Image`] when the log cannot be read.
    pub fn history(path: impl AsRef<Path>) -> Result<Vec<Event>, Error> {
        Ok(events(&path.as_ref().join(METRICS))?.collect())
    }

    /// The pictures that were kept: iteration, name and file, in order.
    ///
    /// # Errors
    /// [`Error::Image`] when the folder cannot be read.
    pub fn pictures(&self) -> Result<Vec<(u64, String, PathBuf)>, Error> {
        let folder = self.path.join("pictures");
        let entries = fs::read_dir(&folder).map_err(|e| io("list", &folder, e))?;
        let parsed = |path: PathBuf| {
            let (iteration, name) = path.file_stem()?.to_str()?.split_once('-')?;
            Some((iteration.parse().ok()?, name.to_owned(), path.clone()))
        };
        let mut pictures: Vec<_> = entries.flatten().filter_map(|entry| parsed(entry.path())).collect();
        pictures.sort();
        Ok(pictures)
    }

    pub(crate) fn keep_pictures(&self, iteration: u64, pictures: Vec<Picture>) -> Result<(), Error> {
        for Picture { name, image } in pictures {
            write_image(self.path.join(format!("pictures/{iteration:07}-{name}.png")), &image)?;
        }
        Ok(())
    }

    pub(crate) fn keep_checkpoint(
        &mut self,
        state: &Checkpoint,
        network: &impl Module,
        optimizer: &ModuleOptimizer,
    ) -> Result<(), Error> {
        // The log never lags behind the checkpoint: what is missing in it would not happen again.
        self.metrics.flush().map_err(|e| io("write", &self.path.join(METRICS), e))?;
        state.write(&self.latest(), network, optimizer)
    }

    fn best_path(&self) -> PathBuf {
        self.path.join("checkpoints/best.safetensors")
    }

    pub(crate) fn keep_best(&self, network: &impl Module) -> Result<(), Error> {
        let (weights, _) = weights::of(network);
        tensor_file::write(&self.best_path(), BEST, &(), weights)
    }

    /// A network with the weights of the best validation.
    pub(crate) fn best<M: Module>(&self, network: M) -> Result<M, Error> {
        let path = self.best_path();
        let ((), weights) = tensor_file::read(&path, BEST)?;
        weights::apply(network, weights, &weights::Identities::new()).map_err(|problem| Error::File {
            path,
            expected: BEST,
            problem,
        })
    }

    /// What a run folder says of itself.
    ///
    /// # Errors
    /// [`Error::Run`] when the folder holds no run.
    pub fn state(path: impl AsRef<Path>) -> Result<RunState, Error> {
        let path = path.as_ref();
        let method = config(path)?.get("train").and_then(|m| m.as_str()).unwrap_or("?").to_owned();
        let step = events(&path.join(METRICS))?
            .filter_map(|event| match event {
                Event::Step(step) => Some(step),
                Event::Validation { .. } => None,
            })
            .last();
        let state = if is_locked(path) {
            "running"
        } else if path.join(MODEL).exists() {
            "finished"
        } else {
            "stopped"
        };
        Ok(RunState { path: path.to_owned(), state, method, step })
    }
}

fn config(path: &Path) -> Result<toml::Table, Error> {
    let file = path.join(CONFIG);
    let wrong = |problem, hint| Error::Run { path: path.to_owned(), problem, hint };
    if !file.is_file() {
        return Err(wrong("no training is kept here".into(), "`fewmark runs` lists the runs in a folder"));
    }
    let text = fs::read_to_string(&file).map_err(|e| io("read", &file, e))?;
    toml::from_str(&text)
        .map_err(|e| wrong(format!("{CONFIG}: {}", e.message()), "mend the file, or train again in another folder"))
}

/// Whether a program trains there. Whoever looks needs not be allowed to write, and is in nobody's way who looks too.
fn is_locked(path: &Path) -> bool {
    let lock = File::open(path.join(LOCK)).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

fn lock(path: &Path) -> Result<File, Error> {
    let file = path.join(LOCK);
    let lock = File::create(&file).map_err(|e| io("write", &file, e))?;
    lock.try_lock().map_err(|_| Error::Run {
        path: path.to_owned(),
        problem: "another program is training here".into(),
        hint: "wait for it, or stop it",
    })?;
    Ok(lock)
}

fn metrics(path: &Path) -> Result<BufWriter<File>, Error> {
    let path = path.join(METRICS);
    let mut file = File::options().create(true).append(true).open(&path).map_err(|e| io("write", &path, e))?;
    file.seek(std::io::SeekFrom::End(0)).map_err(|e| io("write", &path, e))?;
    Ok(BufWriter::new(file))
}

fn line(event: &Event) -> String {
    serde_json::to_string(event).expect("events are plain numbers and names") + "\n"
}

/// The events of a log; a line that was cut short is left out.
fn events(path: &Path) -> Result<impl Iterator<Item = Event> + use<>, Error> {
    let file = match File::open(path) {
        Ok(file) => Some(file),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(io("read", path, e)),
    };
    let lines = file.into_iter().flat_map(|file| BufReader::new(file).lines().map_while(Result::ok));
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()))
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    FileError::Io { action, path: path.to_owned(), source }.into()
}
