//! Trainings of encoders for few-shot segmentation: scans.

use std::path::Path;

use fewmark_image::{LabelMap, Orientation, read_image, read_labels};
use fewmark_learn::dataset::CaseFiles;
use fewmark_learn::fewshot::{FewShotConfig, Scan, Source, check as check_scans, train_on};
use fewmark_learn::report::{self, Section};
use fewmark_learn::{Compute, Observer, Plan, Run, StopReason};

use super::{Trained, Training, typed};
use crate::{Error, fewshot, registry};

/// Every setting with its default, or with its value in the preset `paper`.
pub(super) fn defaults(paper: bool) -> toml::Table {
    super::table(&if paper { FewShotConfig::paper() } else { FewShotConfig::default() })
}

/// Tables of settings that are of one of several kinds, and the key that names the kind.
const KINDS: [(&[&str], &str); 2] = [(&["encoder"], "name"), (&["episodes", "superpixels", "partition"], "algorithm")];

/// The settings with the encoder and the algorithm that changes choose, and these with their own defaults.
pub(super) fn with_kinds_of(mut settings: toml::Table, changes: &[toml::Table]) -> Result<toml::Table, Error> {
    for (path, key) in KINDS {
        let (first, rest) = (path[0], &path[1..]);
        let kind = |table: &toml::Table| {
            rest.iter().try_fold(table.get(first)?, |value, name| value.get(name))?.get(key).cloned()
        };
        let Some(chosen) = changes.iter().filter_map(kind).next_back() else { continue };
        if kind(&settings).as_ref() != Some(&chosen) {
            let table = rest.iter().fold(&mut settings[first], |value, name| &mut value[*name]);
            *table = toml::Table::from_iter([(key.to_owned(), chosen)]).into();
            settings = super::table(&registry::typed::<FewShotConfig>(&settings).map_err(Error::Setting)?);
        }
    }
    Ok(settings)
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
    let settings = super::settings(super::FEWSHOT, &all)?;
    let Plan { validate_every, patience, .. } =
        registry::typed::<FewShotConfig>(&settings).map_err(Error::Setting)?.training;
    if validate_every + patience > 0 {
        let problem =
            "training.validate_every and training.patience: expected 0, as scans without labels tell no score";
        return Err(Error::Setting(problem.into()));
    }
    Ok(settings)
}

/// The model to start from, where it is a file, by its full path.
pub(super) fn with_full_path(settings: &mut toml::Table) -> Result<(), Error> {
    match settings.get_mut("start") {
        Some(toml::Value::String(start)) if !fewshot::START.contains(&start.as_str()) => {
            *start = super::full(start.as_str().into())?.display().to_string();
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn check(training: &Training) -> Result<(), Error> {
    Ok(typed::<FewShotConfig>(training)?.check()?)
}

/// Whether the model to start from is there and fits. A run that is gone on with does not need it.
pub(super) fn check_start(training: &Training) -> Result<(), Error> {
    let config = typed::<FewShotConfig>(training)?;
    match fewshot::start(&config, training.device)? {
        Some(start) if start.config().encoder != config.encoder => Err(fewmark_learn::Error::Unfit {
            problem: "the model to start from has another encoder".into(),
            hint: "leave the encoder's settings as the model has them, or add --set start=random",
        }
        .into()),
        _ => Ok(()),
    }
}

/// Scans, and their labels where they are learned from, their axes running as those of the first.
pub(super) fn read(files: &[CaseFiles], config: &FewShotConfig) -> Result<Vec<Scan>, Error> {
    let labelled = config.episodes.source == Source::Labels;
    let scan = |files: &CaseFiles| {
        let labels = labelled.then(|| read_labels(super::with(files)?).map_err(Error::from)).transpose()?;
        Ok(Scan { name: files.name.clone(), image: read_image(&files.image)?, labels, allowed: None })
    };
    let mut scans = files.iter().map(scan).collect::<Result<Vec<_>, Error>>()?;
    check_scans(&scans, config)?;
    let Some(direction) = scans.first().map(|first| first.image.geometry().direction()) else { return Ok(scans) };
    for scan in &mut scans {
        let orientation = Orientation::towards(scan.image.geometry(), &direction);
        if orientation != Orientation::SAME {
            scan.image = orientation.image(&scan.image)?.into_owned();
            let turned = |labels: &LabelMap| Ok::<_, Error>(orientation.labels(labels)?.into_owned());
            scan.labels = scan.labels.as_ref().map(turned).transpose()?;
        }
    }
    Ok(scans)
}

/// What episodes are made of.
pub(super) fn told(scans: &[Scan], config: &FewShotConfig) -> String {
    let source = match config.episodes.source {
        Source::Superpixels => "superpixels of",
        Source::Labels => "labels of",
        Source::Synthetic => return "episodes are made of made-up anatomies".into(),
    };
    format!("episodes are made of {source} {} scans (episodes.source)", scans.len())
}

pub(super) fn train(
    training: &Training,
    scans: &[Scan],
    run: &mut Run,
    observe: &mut Observer<'_>,
) -> Result<Trained, Error> {
    let config: FewShotConfig = typed(training)?;
    let device = training.device.device()?;
    let from = if run.checkpoint().is_some() { None } else { fewshot::start(&config, training.device)? };
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
