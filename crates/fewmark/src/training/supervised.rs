//! Trainings on labelled images: images and label maps.

use std::ops::ControlFlow;
use std::path::Path;

use fewmark_image::{Dimension, read_image, read_labels, write_image};
use fewmark_learn::dataset::CaseFiles;
use fewmark_learn::report::{self, Png, Section};
use fewmark_learn::supervised::{self, Case, Predictor, SupervisedConfig};
use fewmark_learn::{Observer, Run, StopReason};
use fewmark_metrics::{CaseScores, Metric, ScoreOptions, score_case};
use fewmark_nets::Architecture;

use super::{Best, Trained, Training, typed};
use crate::{Error, LabelMap, VoxelMarks, overlay};

/// Cases whose contours are drawn, the worst first.
const DRAWN: usize = 6;

/// Every setting of a network's training with its default, or with its value in the preset `paper`.
pub(super) fn defaults(name: &str, paper: bool) -> Result<toml::Table, Error> {
    // Channels and classes follow from the cases.
    let network = Architecture::find(name, 1, 2).map_err(fewmark_learn::Error::from)?;
    let config = if paper { SupervisedConfig::paper(network) } else { SupervisedConfig::new(network) };
    Ok(super::table(&config))
}

/// What is set otherwise where a 2-D network learns from the slices of volumes: they are neither mirrored nor turned by right angles, as left and
/// right often have labels of their own.
pub(super) fn of_slices(name: &str, image: &Path) -> Result<Option<toml::Table>, Error> {
    let network = Architecture::find(name, 1, 2).map_err(fewmark_learn::Error::from)?;
    if network.rank() != 4 || read_image(image)?.geometry().dimension() == Dimension::Two {
        return Ok(None);
    }
    let augmentation = toml::Table::from_iter(["mirror", "quarter_turns"].map(|key| (key.to_owned(), false.into())));
    let settings = [("augmentation", augmentation.into()), ("mirrored_predictions", false.into())];
    Ok(Some(settings.map(|(key, value): (&str, toml::Value)| (key.to_owned(), value)).into_iter().collect()))
}

pub(super) fn check(training: &Training) -> Result<(), Error> {
    let config = typed::<SupervisedConfig>(training)?;
    let (name, trained) = (config.network.name(), &training.train);
    if name != trained {
        return Err(Error::Setting(format!(
            "network.name = {name:?}, but {trained} is trained: start from `fewmark train {trained} --show-settings`"
        )));
    }
    Ok(config.check()?)
}

/// Images and their labels from files, and the labels that are learned.
pub(super) fn read(files: &[CaseFiles], config: &SupervisedConfig) -> Result<(Vec<Case>, Vec<i64>), Error> {
    let read = |files: &CaseFiles| {
        let labels = read_labels(super::with(files)?)?;
        Ok(Case { name: files.name.clone(), image: read_image(&files.image)?, labels })
    };
    let cases: Vec<Case> = files.iter().map(read).collect::<Result<_, Error>>()?;
    let (_, classes) = supervised::check(&cases, config).map_err(|error| of_files(error, files))?;
    Ok((cases, classes.codes().iter().map(|&code| code.into()).collect()))
}

/// The same error, with the files of the case that it is of.
fn of_files(error: fewmark_learn::Error, files: &[CaseFiles]) -> fewmark_learn::Error {
    use fewmark_learn::Error::Case;
    match error {
        Case { case, source } => match files.iter().find(|files| files.name == case) {
            Some(CaseFiles { image, with: Some(labels), .. }) => {
                Case { case: format!("{image:?} with {labels:?}"), source }
            }
            _ => Case { case, source },
        },
        error => error,
    }
}

/// How many cases there are, in how many of them each label occurs, and how many are held out.
pub(super) fn told(cases: &[Case], config: &SupervisedConfig) -> String {
    let present: Vec<Vec<u16>> = cases.iter().map(|case| case.labels.present()).collect();
    let labels = config.labels.iter().map(|code| {
        let having = present.iter().filter(|codes| codes.contains(code)).count();
        format!("{code} (in {having})")
    });
    let labels = labels.collect::<Vec<_>>().join(", ");
    let held = match supervised::held_out(cases.len(), config).len() {
        0 if cases.len() < config.validation_from && config.validation > 0.0 => {
            format!("none is held out of fewer than validation_from = {}", config.validation_from)
        }
        0 => "none is held out".to_owned(),
        held => format!("held out and scored during training: {held}"),
    };
    format!("cases: {}; labels: {labels}\n{held}", cases.len())
}

pub(super) fn train(
    training: &Training,
    cases: &[Case],
    run: &mut Run,
    observe: &mut Observer<'_>,
) -> Result<Trained, Error> {
    let config: SupervisedConfig = typed(training)?;
    let device = training.device.device()?;
    let found = supervised::train_on(cases, &config, &device, Some(run), observe)?;
    let best = found.best.map(|(score, iteration)| Best { score, iteration });
    let mut outcome =
        Trained { model: None, iterations: found.iterations, seconds: found.seconds, loss: found.loss, best };
    if found.reason == StopReason::Stopped {
        return Ok(outcome);
    }
    let held = supervised::held_out(cases.len(), &config);
    let taught = (0..cases.len()).filter(|i| !held.contains(i)).map(|i| cases[i].name.clone()).collect();
    found.predictor.save(&run.model(), outcome.summary(taught, config.training.seed))?;
    let scored: Vec<&Case> =
        if held.is_empty() { cases.iter().collect() } else { held.iter().map(|&i| &cases[i]).collect() };
    let title = if held.is_empty() { "Cases it was trained with" } else { "Cases that were held out" };
    let scores = scores(&found.predictor, &scored, title, run)?;
    let parameters = found.predictor.config().network.parameters().map_err(fewmark_learn::Error::from)?;
    let network = [("parameters".to_owned(), parameters.to_string())];
    let all = network.into_iter().chain(report::settings_of(&training.settings));
    report::write(
        run,
        &format!("{}, trained on labelled images", training.train),
        [scores, Section::new("Settings").settings(all)],
    )?;
    outcome.model = Some(run.model());
    Ok(outcome)
}

/// A table of scores, and pictures of the cases with the lowest ones.
fn scores(predictor: &Predictor, cases: &[&Case], title: &str, run: &Run) -> Result<Section, Error> {
    let codes = predictor.classes().codes();
    let options = ScoreOptions { labels: Some(codes.to_vec()), surface: false, surface_dice_tolerance: None };
    let mut scored: Vec<(&Case, LabelMap, CaseScores)> = Vec::new();
    for case in cases {
        let labels = predictor.predict(&case.image, &mut |_| ControlFlow::Continue(()))?.labels;
        let scores = score_case(&labels, &case.labels, &options).map_err(fewmark_image::Error::from)?;
        scored.push((case, labels, scores));
    }
    let dice = |scores: &CaseScores| scores.foreground.get(&Metric::Dice).and_then(|score| score.finite());
    scored.sort_by(|(_, _, a), (_, _, b)| dice(a).unwrap_or(1.0).total_cmp(&dice(b).unwrap_or(1.0)));
    let figure = |score: Option<f64>| score.map_or("-".to_owned(), |score| format!("{score:.4}"));
    let rows = scored.iter().map(|(case, _, scores)| {
        let of_label = |label: &fewmark_metrics::LabelScores| {
            [Metric::Dice, Metric::Iou].map(|metric| figure(label.scores.get(&metric).and_then(|s| s.finite())))
        };
        std::iter::once(case.name.clone())
            .chain(std::iter::once(figure(dice(scores))))
            .chain(scores.labels.iter().flat_map(of_label))
            .collect::<Vec<_>>()
    });
    let over_cases = |of: &dyn Fn(&CaseScores) -> Option<f64>| {
        let known: Vec<f64> = scored.iter().filter_map(|(_, _, scores)| of(scores)).collect();
        figure((!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64))
    };
    let of_class = |at: usize, metric| move |scores: &CaseScores| scores.labels[at].scores.get(&metric)?.finite();
    let mean = ["mean".to_owned(), over_cases(&dice)].into_iter().chain(
        (0..codes.len()).flat_map(|at| [Metric::Dice, Metric::Iou].map(|metric| over_cases(&of_class(at, metric)))),
    );
    let rows = rows.chain([mean.collect()]);
    let head: Vec<String> = ["case".into(), "mean Dice".into()]
        .into_iter()
        .chain(codes.iter().flat_map(|code| [format!("Dice of {code}"), format!("IoU of {code}")]))
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut pictures = Vec::new();
    for (case, labels, scores) in scored.iter().take(DRAWN) {
        for (what, labels) in [("network", labels), ("truth", &case.labels)] {
            let path = run.path().join(format!("pictures/{what}-{}.png", case.name));
            write_image(&path, &overlay::render(&case.image, labels, &VoxelMarks::default())?)?;
            let score = if what == "network" { format!(", Dice {}", figure(dice(scores))) } else { String::new() };
            pictures.push((Png::read(&path)?, format!("{}: {what}{score}", case.name)));
        }
    }
    Ok(Section::new(title).table(&head, rows).pictures(pictures))
}
