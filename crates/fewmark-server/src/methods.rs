//! The methods that can be asked for: those of the registry, and the trained models of the study.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fewmark::learned::{self, Description};
use fewmark::{Method, learn::Compute, registry};

use crate::error::Problem;

/// The ending of model files.
const ENDING: &str = "safetensors";

/// Methods by name.
pub(crate) struct Methods {
    folder: PathBuf,
    /// Models by their files, as long as those are the same. Broken ones are remembered too.
    models: Mutex<BTreeMap<PathBuf, Remembered>>,
}

struct Remembered {
    stamp: (SystemTime, u64),
    model: Result<Arc<Model>, String>,
}

/// A trained model.
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) changed: SystemTime,
    pub(crate) description: Description,
    pub(crate) method: Arc<dyn Method>,
}

impl Methods {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, models: Mutex::default() }
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
        let read: Vec<_> = new.into_iter().map(|(path, stamp)| (path.clone(), stamp, read(path, stamp.0))).collect();
        let mut remembered = self.lock();
        remembered.extend(read.into_iter().map(|(path, stamp, model)| (path, Remembered { stamp, model })));
        see(&remembered)
    }

    /// The model files that there are.
    fn present(&self) -> BTreeMap<PathBuf, (SystemTime, u64)> {
        let mut present = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(facts) = std::fs::metadata(&path) else { continue };
            let named = path.extension().is_some_and(|ending| ending == ENDING) && path.file_stem().is_some();
            if named && facts.is_file() && !crate::datastore::name_of(&path).starts_with('.') {
                present.insert(path, (facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), facts.len()));
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
                Some(_) if !settings.is_empty() => Err(Problem::wrong(format!(
                    "the model {name:?} has no settings: they were fixed when it was trained"
                ))),
                Some(model) => Ok(model.method.clone()),
                None => Err(unknown.into()),
            },
        }
    }
}

fn read(path: PathBuf, changed: SystemTime) -> Result<Arc<Model>, String> {
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let name = if registry::find(&stem).is_ok() { format!("model-{stem}") } else { stem };
    let description = learned::describe(&path).map_err(|e| e.to_string())?;
    let method = learned::load(&path, Compute::Cpu, false).map_err(|e| e.to_string())?;
    Ok(Arc::new(Model { name, path, changed, description, method: method.into() }))
}
