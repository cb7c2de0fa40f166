//! Trainings as a user starts them: files in, a run folder with a model and a report out.

mod dip;
mod fewshot;
mod supervised;

use std::path::{Path, PathBuf};

use fewmark_image::{Dimension, read_image};
use fewmark_learn::dataset::{CaseFiles, Companion};
use fewmark_learn::model::Summary;
use fewmark_learn::{Compute, Observer, Run};
use fewmark_nets::Architecture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::registry::{self, choices_in, merge, nearest, parse_setting};

/// A training, all of it: what `config.toml` of a run folder holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// What is trained, one of [`names`].
    pub train: String,
    /// Where it computes.
    pub device: Compute,
    /// What it is trained with.
    pub cases: Vec<CaseFiles>,
    /// Every setting of the method.
    pub settings: toml::Table,
}

/// The cases of a training, read.
pub enum Cases {
    /// Images with clicks.
    Marked(Vec<fewmark_learn::dip::Case>),
    /// Images with labels.
    Labelled(Vec<fewmark_learn::supervised::Case>),
    /// Scans, with or without labels.
    Scans(Vec<fewmark_learn::fewshot::Scan>),
}

/// How a training ended.
#[derive(Clone, Debug, Serialize)]
pub struct Trained {
    /// The model file; none when the training was stopped.
    pub model: Option<PathBuf>,
    /// Steps taken.
    pub iterations: u64,
    /// Time taken in seconds.
    pub seconds: f64,
    /// The last loss.
    pub loss: f32,
    /// The best validation, which the model is of where there is a model; none where nothing was held out.
    pub best: Option<Best>,
}

/// The best validation of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Best {
    /// Its score, for networks trained on labelled images the mean Dice over labels.
    pub score: f64,
    /// The steps that had been taken.
    pub iteration: u64,
}

/// The name of the training of Deep-Image-Prior networks.
const DIP: &str = "dip";

/// The name of the training of encoders for few-shot segmentation.
pub(crate) const FEWSHOT: &str = "fewshot";

/// Short for the one of two architectures that the images are for.
pub const MSNET: &str = "msnet";

/// The key that chooses a preset, and the one that there is besides the defaults.
const PRESET: (&str, &str) = ("preset", "paper");

/// Everything that can be trained.
pub fn names() -> impl Iterator<Item = &'static str> {
    [DIP, FEWSHOT, MSNET].into_iter().chain(Architecture::names())
}

/// Whether it learns from pictures, or from the slices of volumes, which then have defaults of their own.
pub fn is_flat(train: &str) -> bool {
    Architecture::find(train, 1, 2).is_ok_and(|network| network.rank() == 4)
}

/// What may be given beside the images, and whether it must be.
pub fn companion(train: &str) -> (Companion, bool) {
    match train {
        DIP => (Companion::Marks, true),
        FEWSHOT => (Companion::Labels, false),
        _ => (Companion::Labels, true),
    }
}

/// Every setting of a training with its default.
///
/// # Errors
/// [`Error::UnknownTraining`].
pub fn defaults(train: &str) -> Result<toml::Table, Error> {
    presets(train, false)
}

fn presets(train: &str, paper: bool) -> Result<toml::Table, Error> {
    match train {
        DIP if paper => Err(Error::Setting(format!("the training of {DIP} has no presets"))),
        DIP => Ok(dip::defaults()),
        FEWSHOT => Ok(fewshot::defaults(paper)),
        MSNET => supervised::defaults("msnet-2d", paper),
        name if Architecture::names().any(|known| known == name) => supervised::defaults(name, paper),
        name => Err(Error::UnknownTraining { name: name.into(), nearest: nearest(name, names()) }),
    }
}

/// Every setting of a training: its default, or with `preset = "paper"` that of the paper, changed by `changes` in turn.
///
/// # Errors
/// [`Error::UnknownTraining`], [`Error::UnknownSetting`] and [`Error::Setting`].
pub fn settings(train: &str, changes: &[toml::Table]) -> Result<toml::Table, Error> {
    let mut changes = changes.to_vec();
    let preset = changes.iter_mut().filter_map(|change| change.remove(PRESET.0)).last();
    let paper = match preset.as_ref().map(|preset| preset.as_str()) {
        None => false,
        Some(Some(name)) if name == PRESET.1 => true,
        Some(_) => return Err(Error::Setting(format!("{}: expected {:?}", PRESET.0, PRESET.1))),
    };
    let mut settings = presets(train, paper)?;
    if train == FEWSHOT {
        settings = fewshot::with_kinds_of(settings, &changes)?;
    }
    for change in &changes {
        merge(&mut settings, change, "").map_err(|error| of_settings(error, train))?;
    }
    Ok(settings)
}

/// The names that a setting, such as `training.schedule`, can have; none for a setting that is no name.
pub fn choices(train: &str, setting: &str) -> Vec<String> {
    let Ok(change) = parse_setting(&format!("{setting} = \"?\"")) else { return Vec::new() };
    let asked = |settings| Training { train: train.into(), device: Compute::Cpu, cases: Vec::new(), settings };
    match settings(train, &[change]).and_then(|settings| asked(settings).check()) {
        Err(Error::Setting(message)) => choices_in(&message),
        _ => Vec::new(),
    }
}

impl Training {
    /// A training on some cases; `changes` to the settings count as in [`settings`].
    ///
    /// # Errors
    /// [`Error::Learn`] without a case, [`Error::UnknownTraining`], [`Error::UnknownSetting`] and [`Error::Setting`] for settings that
    /// cannot be.
    pub fn new(train: &str, cases: Vec<CaseFiles>, changes: &[toml::Table], device: Compute) -> Result<Self, Error> {
        device.device()?;
        let first = || cases.first().ok_or(fewmark_learn::Error::NoCase);
        let train = match train {
            MSNET if read_image(&first()?.image)?.geometry().dimension() == Dimension::Three => "msnet-3d",
            MSNET => "msnet-2d",
            name => name,
        };
        let settings = match train {
            FEWSHOT => fewshot::settings(&cases, changes)?,
            DIP => {
                first()?;
                settings(train, changes)?
            }
            train => {
                let own = supervised::of_slices(train, &first()?.image)?;
                settings(train, &own.into_iter().chain(changes.iter().cloned()).collect::<Vec<_>>())?
            }
        };
        let training = Self { train: train.into(), device, cases, settings };
        training.check()?;
        if train == FEWSHOT {
            fewshot::check_start(&training)?;
        }
        Ok(training)
    }

    /// The same training on another device; what it is resumed from does not depend on it.
    ///
    /// # Errors
    /// As [`Compute::device`].
    pub fn on(self, device: Compute) -> Result<Self, Error> {
        device.device()?;
        Ok(Self { device, ..self })
    }

    /// The training of a run folder.
    ///
    /// # Errors
    /// [`Error::Setting`] when the folder's configuration is of another version of the program.
    pub fn from_table(table: toml::Table) -> Result<Self, Error> {
        let training: Self = registry::typed(&table).map_err(Error::Setting)?;
        training.check()?;
        Ok(training)
    }

    fn check(&self) -> Result<(), Error> {
        defaults(&self.train)?;
        match self.train.as_str() {
            DIP => dip::check(self),
            FEWSHOT => fewshot::check(self),
            _ => supervised::check(self),
        }
    }

    /// What a run folder keeps of it: full paths, so that the run can be gone on with from anywhere.
    ///
    /// # Errors
    /// [`Error::Image`] when the working folder cannot be told.
    pub fn to_table(&self) -> Result<toml::Table, Error> {
        let cases = self.cases.iter().cloned().map(absolute).collect::<Result<_, _>>()?;
        let mut settings = self.settings.clone();
        if self.train == FEWSHOT {
            fewshot::with_full_path(&mut settings)?;
        }
        Ok(table(&Self { cases, settings, ..self.clone() }))
    }

    /// The cases, read: files that cannot be learned from are found before the work begins. The labels that occur become a setting where it names
    /// none, so that labels that come or go later are noticed.
    ///
    /// # Errors
    /// Files that cannot be read, clicks outside their images, labels that do not fit their image.
    pub fn read(&mut self) -> Result<Cases, Error> {
        let files = &self.cases;
        Ok(match self.train.as_str() {
            DIP => Cases::Marked(files.iter().map(dip::read).collect::<Result<_, _>>()?),
            FEWSHOT => Cases::Scans(fewshot::read(files, &typed(self)?)?),
            _ => {
                let (cases, codes) = supervised::read(files, &typed(self)?)?;
                self.settings.insert("labels".into(), codes.into());
                Cases::Labelled(cases)
            }
        })
    }

    /// What a person should know of the cases before they are learned from, a sentence a line.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that cannot be.
    pub fn told(&self, cases: &Cases) -> Result<Option<String>, Error> {
        match cases {
            Cases::Labelled(cases) => Ok(Some(supervised::told(cases, &typed(self)?))),
            Cases::Scans(scans) => Ok(Some(fewshot::told(scans, &typed(self)?))),
            Cases::Marked(_) => Ok(None),
        }
    }

    /// Trains from where the run is, and writes model, pictures and report into its folder.
    ///
    /// When `observe` breaks, a checkpoint is written and the run can be gone on with.
    ///
    /// # Errors
    /// As [`fewmark_learn::dip::train_on`] and [`fewmark_learn::supervised::train_on`].
    pub fn train(&self, cases: &Cases, run: &mut Run, observe: &mut Observer<'_>) -> Result<Trained, Error> {
        match cases {
            Cases::Marked(cases) => dip::train(self, cases, run, observe),
            Cases::Labelled(cases) => supervised::train(self, cases, run, observe),
            Cases::Scans(scans) => fewshot::train(self, scans, run, observe),
        }
    }
}

impl Trained {
    /// What a model file says of its training.
    fn summary(&self, cases: Vec<String>, seed: u64) -> Summary {
        Summary { cases, iterations: self.iterations, seconds: self.seconds, loss: self.loss, seed }
    }
}

/// The settings of a training as the type that they have.
fn typed<C: DeserializeOwned>(training: &Training) -> Result<C, Error> {
    registry::typed(&training.settings).map_err(Error::Setting)
}

fn table(settings: &impl Serialize) -> toml::Table {
    toml::Table::try_from(settings).expect("settings are plain numbers and names")
}

/// The same problem, of a setting of a training.
pub(crate) fn of_settings(error: Error, train: &str) -> Error {
    match error {
        Error::UnknownParameter { key, nearest, .. } => Error::UnknownSetting { train: train.into(), key, nearest },
        Error::Config { message, .. } => Error::Setting(message),
        error => error,
    }
}

/// What belongs to the image of a case.
///
/// # Errors
/// [`Error::Learn`] where nothing does.
fn with(files: &CaseFiles) -> Result<&Path, Error> {
    let lacking = || fewmark_learn::Error::Data {
        path: files.image.clone(),
        problem: "nothing is given with it".into(),
        hint: "give marks for dip, labels for other networks",
    };
    Ok(files.with.as_deref().ok_or_else(lacking)?)
}

/// The same files by their full paths.
fn absolute(files: CaseFiles) -> Result<CaseFiles, Error> {
    Ok(CaseFiles { image: full(files.image)?, with: files.with.map(full).transpose()?, ..files })
}

/// The path from the root.
fn full(path: PathBuf) -> Result<PathBuf, Error> {
    let found = std::path::absolute(&path);
    Ok(found.map_err(|source| fewmark_image::Error::Io { action: "find", path, source })?)
}
