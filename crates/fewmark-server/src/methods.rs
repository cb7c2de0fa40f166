//! The methods that can be asked for: those of the registry, few-shot segmentation, and the trained models of the study.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use fewmark::learn::fewshot::Predictor;
use fewmark::learned::{self, Description, Needs};
use fewmark::{Method, fewshot, learn::Compute, registry};

use crate::error::Problem;
use crate::stamp::Stamp;

/// The ending of model files.
const ENDING: &str = "safetensors";

/// The method that segments by labelled images, with the encoder that is inside the program.
pub(crate) const FEWSHOT: &str = "fewshot";
/// What it does.
pub(crate) const FEWSHOT_SUMMARY: &str =
    "Finds in an image what other images of the study have labels of; nothing is trained";

/// Methods by name.
pub(crate) struct Methods {
    folder: PathBuf,
    /// Models by their files, as long as those are the same. Broken ones are remembered too.
    models: Mutex<BTreeMap<PathBuf, Remembered>>,
    built_in: OnceLock<Encoder>,
}

struct Remembered {
    stamp: Stamp,
    model: Result<Arc<Model>, String>,
}

/// A trained model.
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
    pub(crate) description: Description,
    pub(crate) used: Use,
}

/// What a trained model is good for.
pub(crate) enum Use {
    /// It segments.
    Method(Arc<dyn Method>),
    /// It segments when it is shown labelled images.
    Encoder(Encoder),
}

/// An encoder for few-shot segmentation.
#[derive(Clone)]
pub(crate) struct Encoder {
    /// Which one it is: what one makes of an image is of no use to another. None is the one inside the program.
    pub(crate) file: Option<(PathBuf, Stamp)>,
    pub(crate) predictor: Arc<Predictor>,
}

impl Methods {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, models: Mutex::default(), built_in: OnceLock::new() }
    }

    /// The models in the study that can be used, in the order of their names.
    pub(crate) fn models(&self) -> Vec<Arc<Model>> {
        self.remembered(|remembered| remembered.values().filter_map(|r| r.model.clone().ok()).collect())
    }

    /// One model.
    pub(crate) fn model(&self, name: &str) -> Option<Arc<Model>> {
        self.models().into_iter().find(|model| model.name == name)
    }

    /// Files that are no models, and why.
    pub(crate) fn broken(&self) -> Vec<(String, String)> {
        self.remembered(|remembered| {
            let broken = |(path, r): (&PathBuf, &Remembered)| {
                Some((crate::datastore::name_of(path), r.model.as_ref().err()?.clone()))
            };
            remembered.iter().filter_map(broken).collect()
        })
    }

    /// Looks into the folder, and reads what is new there.
    fn remembered<T>(&self, see: impl FnOnce(&BTreeMap<PathBuf, Remembered>) -> T) -> T {
        let present = self.present();
        let new: Vec<_> = {
            let mut remembered = self.lock();
            remembered.retain(|path, model| present.get(path) == Some(&model.stamp));
            present.into_iter().filter(|(path, _)| !remembered.contains_key(path)).collect()
        };
        // Without the lock: a thread of the pool that computes may take up another request meanwhile, which would wait for itself.
        let read: Vec<_> = new.into_iter().map(|(path, stamp)| (path.clone(), stamp, read(path, stamp))).collect();
        let mut remembered = self.lock();
        remembered.extend(read.into_iter().map(|(path, stamp, model)| (path, Remembered { stamp, model })));
        see(&remembered)
    }

    /// The model files that there are.
    fn present(&self) -> BTreeMap<PathBuf, Stamp> {
        let mut present = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(facts) = std::fs::metadata(&path) else { continue };
            let named = path.extension().is_some_and(|ending| ending == ENDING) && path.file_stem().is_some();
            if named && facts.is_file() && !crate::datastore::name_of(&path).starts_with('.') {
                present.insert(path, Stamp::from(&facts));
            }
        }
        present
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Remembered>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A method with settings.
    ///
    /// # Errors
    /// 404 when there is none of that name, 422 for settings that it does not have.
    pub(crate) fn build(&self, name: &str, settings: toml::Table) -> Result<Arc<dyn Method>, Problem> {
        match registry::find(name) {
            Ok(entry) => Ok(entry.build(&[settings])?.into()),
            Err(unknown) => match self.model(name) {
                Some(_) if !settings.is_empty() => Err(no_settings(name)),
                Some(model) => match &model.used {
                    Use::Method(method) => Ok(method.clone()),
                    Use::Encoder(_) => Err(Problem::wrong(format!("the model {name:?} needs labelled images"))),
                },
                None => Err(unknown.into()),
            },
        }
    }

    /// The encoder that a method uses; none for one that needs no labelled images.
    ///
    /// # Errors
    /// 422 for settings: encoders have none.
    pub(crate) fn encoder(&self, name: &str, settings: &toml::Table) -> Result<Option<Encoder>, Problem> {
        let encoder = if name == FEWSHOT {
            Some(self.built_in()?)
        } else {
            self.model(name).and_then(|model| match &model.used {
                Use::Encoder(encoder) => Some(encoder.clone()),
                Use::Method(_) => None,
            })
        };
        match encoder {
            Some(_) if !settings.is_empty() => Err(no_settings(name)),
            encoder => Ok(encoder),
        }
    }

    fn built_in(&self) -> Result<Encoder, Problem> {
        if let Some(encoder) = self.built_in.get() {
            return Ok(encoder.clone());
        }
        let encoder = Encoder { file: None, predictor: fewshot::encoder(None, Compute::Cpu)?.into() };
        Ok(self.built_in.get_or_init(|| encoder).clone())
    }
}

fn no_settings(name: &str) -> Problem {
    Problem::wrong(format!("the model {name:?} has no settings: they were fixed when it was trained"))
}

fn read(path: PathBuf, stamp: Stamp) -> Result<Arc<Model>, String> {
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let name = if stem == FEWSHOT || registry::find(&stem).is_ok() { format!("model-{stem}") } else { stem };
    let description = learned::describe(&path).map_err(|e| e.to_string())?;
    let used = match description.needs {
        Needs::Supports => {
            let predictor = fewshot::encoder(Some(&path), Compute::Cpu).map_err(|e| e.to_string())?;
            Use::Encoder(Encoder { file: Some((path.clone(), stamp)), predictor: predictor.into() })
        }
        Needs::Marks | Needs::Nothing => {
            Use::Method(learned::load(&path, Compute::Cpu, false).map_err(|e| e.to_string())?.into())
        }
    };
    Ok(Arc::new(Model { name, path, stamp, description, used }))
}
