//! Trainings as a user starts them: files in, a run folder with a model and a report out.

use std::path::{Path, PathBuf};

use fewmark_image::{read_image, write_image};
use fewmark_learn::dataset::CaseFiles;
use fewmark_learn::dip::{self, DipConfig, Predictor};
use fewmark_learn::model::Summary;
use fewmark_learn::report::{self, Png, Section};
use fewmark_learn::{Compute, Observer, Run, StopReason};
use serde::{Deserialize, Serialize};

use crate::registry::merge;
use crate::{Error, LabelMap, Marks, VoxelMarks, overlay};

/// A training, all of it: what `config.toml` of a run folder holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// What is trained: "dip".
    pub train: String,
    /// Where it computes.
    pub device: Compute,
    /// What it is trained with.
    pub cases: Vec<CaseFiles>,
    /// Every setting of the method.
    pub settings: toml::Table,
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
}

/// The name of the training of Deep-Image-Prior networks.
const DIP: &str = "dip";

/// Every setting of the training of Deep-Image-Prior networks, with its default.
pub fn dip_defaults() -> toml::Table {
    toml::Table::try_from(DipConfig::default()).expect("settings are plain numbers and names")
}

impl Training {
    /// A training of Deep-Image-Prior networks on images with clicks; `changes` to the settings count in turn.
    ///
    /// # Errors
    /// [`Error::Learn`] without a case, [`Error::UnknownSetting`] and [`Error::Setting`] for settings that cannot be.
    pub fn dip(cases: Vec<CaseFiles>, changes: &[toml::Table], device: Compute) -> Result<Self, Error> {
        if cases.is_empty() {
            return Err(fewmark_learn::Error::NoCase.into());
        }
        device.device()?;
        let mut settings = dip_defaults();
        for change in changes {
            merge(&mut settings, change, DIP).map_err(of_settings)?;
        }
        let training = Self { train: DIP.into(), device, cases, settings };
        training.dip_config()?.check()?;
        Ok(training)
    }

    /// The training of a run folder.
    ///
    /// # Errors
    /// [`Error::Setting`] when the folder's configuration is of another version of the program.
    pub fn from_table(table: toml::Table) -> Result<Self, Error> {
        let wrong = |e: toml::de::Error| Error::Setting(e.message().to_owned());
        let training: Self = table.try_into().map_err(wrong)?;
        if training.train != DIP {
            return Err(Error::UnknownMethod { name: training.train, nearest: Some(DIP.into()) });
        }
        Ok(training)
    }

    /// What a run folder keeps of it: full paths, so that the run can be gone on with from anywhere.
    ///
    /// # Errors
    /// [`Error::Image`] when the working folder cannot be told.
    pub fn to_table(&self) -> Result<toml::Table, Error> {
        let cases = self.cases.iter().cloned().map(absolute).collect::<Result<_, _>>()?;
        let full = Self { cases, ..self.clone() };
        Ok(toml::Table::try_from(full).expect("a training is plain numbers, names and paths"))
    }

    fn dip_config(&self) -> Result<DipConfig, Error> {
        self.settings.clone().try_into().map_err(|e: toml::de::Error| Error::Setting(e.message().to_owned()))
    }

    /// The cases, read: images that cannot be learned from are found before the work begins.
    ///
    /// # Errors
    /// Files that cannot be read, clicks outside their images.
    pub fn read(&self) -> Result<Vec<dip::Case>, Error> {
        self.cases.iter().map(|files| read_case(&files.name, &files.image, &files.with)).collect()
    }

    /// Trains from where the run is, and writes model, pictures and report into its folder.
    ///
    /// When `observe` breaks, a checkpoint is written and the run can be gone on with.
    ///
    /// # Errors
    /// As [`dip::train_on`].
    pub fn train(&self, cases: &[dip::Case], run: &mut Run, observe: &mut Observer<'_>) -> Result<Trained, Error> {
        let config = self.dip_config()?;
        let device = self.device.device()?;
        let trained = dip::train_on(cases, &config, &device, Some(run), observe)?;
        let mut outcome =
            Trained { model: None, iterations: trained.iterations, seconds: trained.seconds, loss: trained.loss };
        if trained.reason == StopReason::Stopped {
            return Ok(outcome);
        }
        let predictor = Predictor::new(trained.network, config, device);
        let summary = Summary {
            cases: cases.iter().map(|case| case.name.clone()).collect(),
            iterations: trained.iterations,
            seconds: trained.seconds,
            loss: trained.loss,
            seed: predictor.config().training.seed,
        };
        let pictures = cases.iter().map(|case| self.picture(&predictor, case, run)).collect::<Result<Vec<_>, _>>()?;
        predictor.save(&run.model(), summary)?;
        let masks = Section::new("Masks of the images it was trained with").pictures(pictures);
        let settings = Section::new("Settings").settings(report::settings_of(&self.settings));
        report::write(run, "Deep-Image-Prior networks", [masks, settings])?;
        outcome.model = Some(run.model());
        Ok(outcome)
    }

    /// The contour that the trained network draws in an image, and a caption.
    fn picture(&self, predictor: &Predictor, case: &dip::Case, run: &Run) -> Result<(Png, String), Error> {
        let geometry = case.image.geometry();
        let labels = LabelMap::from_mask(&predictor.predict(case, false)?.mask, geometry.clone())?;
        let marks = VoxelMarks { foreground: case.foreground.clone(), background: case.background.clone() };
        let path = run.path().join(format!("pictures/mask-{}.png", case.name));
        write_image(&path, &overlay::render(&case.image, &labels, &marks)?)?;
        Ok((Png::read(&path)?, case.name.clone()))
    }
}

/// An image and its clicks from files.
fn read_case(name: &str, image: &Path, marks: &Path) -> Result<dip::Case, Error> {
    let image = read_image(image)?;
    let marks = Marks::read(marks)?.in_voxels(image.geometry())?;
    Ok(dip::Case { name: name.into(), image, foreground: marks.foreground, background: marks.background })
}

/// The same problem, of a setting of a training.
fn of_settings(error: Error) -> Error {
    match error {
        Error::UnknownParameter { key, nearest, .. } => Error::UnknownSetting { key, nearest },
        Error::Config { message, .. } => Error::Setting(message),
        error => error,
    }
}

/// The same files by their full paths.
fn absolute(files: CaseFiles) -> Result<CaseFiles, Error> {
    let full = |path: PathBuf| {
        std::path::absolute(&path).map_err(|source| fewmark_image::Error::Io {
            action: "find",
            path: path.clone(),
            source,
        })
    };
    Ok(CaseFiles { image: full(files.image)?, with: full(files.with)?, ..files })
}
