//! Trainings of encoders for few-shot segmentation: scans.

use std::path::Path;

use fewmark_image::{read_image, read_labels};
use fewmark_learn::dataset::CaseFiles;
use fewmark_learn::fewshot::{FewShotConfig, Scan, Source, check as check_scans, train_on};
use fewmark_learn::report::{self, Section};
use fewmark_learn::{Compute, Observer, Run, StopReason};

use super::{Trained, Training, typed};
use crate::{Error, fewshot, registry};

/// Every setting with its default, or with its value in the preset `paper`.
pub(super) fn defaults(paper: bool) -> toml::Table {
    super::table(&if paper { FewShotConfig::paper() } else { FewShotConfig::default() })
}

/// The settings with the defaults of those that are missing.
pub(super) fn completed(settings: &toml::Table) -> Result<toml::Table, Error> {
    Ok(super::table(&registry::typed::<FewShotConfig>(settings).map_err(Error::Setting)?))
}

/// The settings of a training on some scans: where labels are given they are learned from, and a model to start from brings its encoder, unless the
/// changes say something else.
pub(super) fn settings(cases: &[CaseFiles], changes: &[toml::Table]) -> Result<toml::Table, Error> {
    let mut all = Vec::new();
    if cases.iter().any(|case| case.with.is_some()) {
        all.push(toml::Table::from_iter([(
            "episodes".to_owned(),
            toml::Table::from_iter([("source".to_owned(), "labels".into())]).into(),
        )]));
    }
    let start = changes.iter().filter_map(|change| change.get("start")?.as_str()).next_back();
    let own_encoder = changes.iter().any(|change| change.contains_key("encoder"));
    if let Some(path) = start.filter(|name| !fewshot::START.contains(name) && !own_encoder) {
        let config = fewshot::encoder(Some(Path::new(path)), Compute::Cpu)?.config().clone();
        let encoder = toml::Value::try_from(config.encoder).expect("settings are plain numbers and names");
        let brought = [("encoder".to_owned(), encoder), ("size".to_owned(), (config.size as i64).into())];
        all.push(toml::Table::from_iter(brought));
    }
    all.extend_from_slice(changes);
    super::settings(super::FEWSHOT, &all)
}

pub(super) fn check(training: &Training) -> Result<(), Error> {
    let config = typed::<FewShotConfig>(training)?;
    config.check()?;
    match fewshot::start(&config, training.device)? {
        Some(start) if start.config().encoder != config.encoder => Err(fewmark_learn::Error::Unfit {
            problem: "the model to start from has another encoder".into(),
            hint: "leave the encoder's settings as the model has them, or add --set start=random",
        }
        .into()),
        _ => Ok(()),
    }
}

/// Scans, and their labels where they are learned from.
pub(super) fn read(files: &[CaseFiles], config: &FewShotConfig) -> Result<Vec<Scan>, Error> {
    let labelled = config.episodes.source == Source::Labels;
    let scan = |files: &CaseFiles| {
        let labels = labelled.then(|| read_labels(super::with(files)?).map_err(Error::from)).transpose()?;
        Ok(Scan { name: files.name.clone(), image: read_image(&files.image)?, labels, allowed: None })
    };
    let scans = files.iter().map(scan).collect::<Result<Vec<_>, Error>>()?;
    check_scans(&scans, config)?;
    Ok(scans)
}

pub(super) fn train(
    training: &Training,
    scans: &[Scan],
    run: &mut Run,
    observe: &mut Observer<'_>,
) -> Result<Trained, Error> {
    let config: FewShotConfig = typed(training)?;
    let device = training.device.device()?;
    let from = fewshot::start(&config, training.device)?;
    let found = train_on(scans, &config, from, &device, Some(run), observe)?;
    let mut outcome =
        Trained { model: None, iterations: found.iterations, seconds: found.seconds, loss: found.loss, best: None };
    if found.reason == StopReason::Stopped {
        return Ok(outcome);
    }
    let names = scans.iter().map(|scan| scan.name.clone()).collect();
    found.predictor.save(&run.model(), outcome.summary(names, config.training.seed))?;
    let settings = Section::new("Settings").settings(report::settings_of(&training.settings));
    report::write(run, "An encoder for few-shot segmentation", [settings])?;
    outcome.model = Some(run.model());
    Ok(outcome)
}
