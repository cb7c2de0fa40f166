//! Few-shot segmentation: a labelled scan, or a few labelled slices, show what to look for in others.

use std::path::Path;

use fewmark_image::{Geometry, Image, LabelMap, Orientation};
use fewmark_learn::fewshot::{FewShotConfig, Known, Predictor, Pretrained, Support, pretrained};
use fewmark_learn::{Compute, model};

use crate::method::{Method, Progress, Segmentation, Step, Trace};
use crate::{Error, Marks, registry, training};

/// Values of the setting `start` of a training that are no files: the encoder inside the program, and random weights.
pub const START: [&str; 2] = ["default", "random"];

/// The encoder of a model file, or the one that is inside the program.
///
/// # Errors
/// [`Error::Learn`] when the file cannot be read or is a model of another method.
pub fn encoder(path: Option<&Path>, compute: Compute) -> Result<Predictor, Error> {
    let device = compute.device()?;
    Ok(match path {
        Some(path) => {
            let model = model::read(path)?;
            let method = &model.header.method;
            if method != "fewshot" {
                return Err(fewmark_learn::Error::Unfit {
                    problem: format!("{path:?} is a model for {method}, not an encoder"),
                    hint: "give a model that `fewmark train fewshot` made",
                }
                .into());
            }
            Predictor::load(model, device)?
        }
        None => Predictor::built_in(device)?,
    })
}

/// An encoder that is used as changes to the settings `inference` say, see [`fewmark_learn::fewshot::InferenceConfig`].
///
/// # Errors
/// [`Error::UnknownSetting`] for other settings, [`Error::Setting`] and [`Error::Learn`] for values that cannot be.
pub fn with_inference(encoder: Predictor, changes: &[toml::Table]) -> Result<Predictor, Error> {
    if changes.is_empty() {
        return Ok(encoder);
    }
    let own = toml::Table::try_from(encoder.config()).expect("settings are plain numbers and names");
    let mut settings = own.clone();
    settings.retain(|key, _| key == "inference");
    for change in changes {
        registry::merge(&mut settings, change, "").map_err(|error| training::of_settings(error, training::FEWSHOT))?;
    }
    let all = own.into_iter().chain(settings).collect();
    let config: FewShotConfig = registry::typed(&all).map_err(Error::Setting)?;
    config.check()?;
    Ok(encoder.with_inference_of(&config))
}

/// The encoder in a checkpoint of PyTorch or a `.safetensors` file with torchvision's names, see [`pretrained`].
///
/// # Errors
/// As [`pretrained`].
pub fn import(path: &Path, compute: Compute) -> Result<Pretrained, Error> {
    Ok(pretrained(path, 0, compute.device()?)?)
}

/// The encoder with whose weights a training starts; none for random ones.
///
/// # Errors
/// As [`encoder`].
pub fn start(config: &FewShotConfig, compute: Compute) -> Result<Option<Predictor>, Error> {
    Ok(match config.start.as_str() {
        name if name == START[0] => Some(encoder(None, compute)?),
        name if name == START[1] => None,
        path => Some(encoder(Some(Path::new(path)), compute)?),
    })
}

/// What a labelled scan shows of its labels, once its axes run as those of the scan `like`; labels of 0 are not looked for. `progress` is told the
/// share of the work that is done.
///
/// # Errors
/// [`Error::Learn`] for labels that are empty or of another geometry, and as [`Predictor::expect_room`] and [`Predictor::encode`];
/// [`Error::Stopped`] when `progress` breaks.
pub fn support(
    encoder: &Predictor,
    image: &Image,
    labels: &LabelMap,
    like: &Geometry,
    progress: &mut Progress<'_>,
) -> Result<Support, Error> {
    // Labels are looked at first: encoding takes longer.
    Support::check(image.geometry(), labels)?;
    encoder.expect_room(image.geometry(), 1)?;
    let orientation = Orientation::towards(image.geometry(), &like.direction());
    let mut told = |share| progress(&Step::share("support", share));
    let scan = encoder.encode(orientation.image(image)?.as_ref(), &mut told).map_err(crate::learned::stopped)?;
    Ok(Support::new(encoder, &scan, orientation.labels(labels)?.as_ref())?)
}

/// What segments scans as the labelled ones show. `progress` is told the share of the work that is done.
///
/// # Errors
/// [`Error::Learn`] without a labelled scan, and as [`support`].
pub fn known(encoder: Predictor, labelled: &[(Image, LabelMap)], progress: &mut Progress<'_>) -> Result<Known, Error> {
    let mut supports = Vec::new();
    for (done, (image, labels)) in labelled.iter().enumerate() {
        supports.push(support(&encoder, image, labels, labelled[0].0.geometry(), &mut |step| {
            let share = (done as f64 + step.fraction.unwrap_or(0.0)) / labelled.len() as f64;
            progress(&Step { fraction: Some(share), ..*step })
        })?);
    }
    Ok(Known::new(encoder, supports)?)
}

/// Carries labels to a scan without any, so that others are compared with it too, see [`Known::carry`]; whether anything was found in it. `progress` is
/// told the share of the work that is done.
///
/// # Errors
/// As [`Known::carry`]; [`Error::Stopped`] when `progress` breaks.
pub fn carry(known: &mut Known, image: &Image, progress: &mut Progress<'_>) -> Result<bool, Error> {
    known.carry(image, &mut |share| progress(&Step::share("unlabelled", share))).map_err(crate::learned::stopped)
}

/// A model that was shown what to look for: it needs no marks and answers in the labels of its supports.
pub(crate) struct Shown {
    known: Known,
    table: toml::Table,
}

impl Shown {
    /// The method of a model.
    pub(crate) fn new(known: Known) -> Self {
        let table = toml::Table::try_from(known.predictor().config()).expect("settings are plain numbers and names");
        Self { known, table }
    }
}

/// The method that segments by labelled scans.
pub fn method(known: Known) -> Box<dyn Method> {
    Box::new(Shown::new(known))
}

impl Method for Shown {
    fn name(&self) -> &'static str {
        "fewshot"
    }

    fn needs_marks(&self) -> bool {
        false
    }

    fn segment(&self, image: &Image, _: &Marks, progress: &mut Progress<'_>) -> Result<Segmentation, Error> {
        let begun = std::time::Instant::now();
        let found = self
            .known
            .segment(image, &mut |share| progress(&Step::share("segment", share)))
            .map_err(crate::learned::stopped)?;
        Ok(Segmentation {
            labels: found.labels,
            probability: Some(found.probability),
            trace: Trace {
                method: self.name(),
                parameters: self.table.clone(),
                stages: vec![("segment", begun.elapsed().as_secs_f64())],
                ..Trace::default()
            },
        })
    }
}
