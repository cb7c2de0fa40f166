//! What is shown of a training.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{Chart, Png, Section};
use crate::{Error, Event, Step, Validation};

/// The sections of a training: how it went and its curves from [`Run::events`](crate::Run::events), and the pictures of
/// [`Run::pictures`](crate::Run::pictures), a row for each name and a column for each iteration.
///
/// # Errors
/// As [`Png::read`].
pub fn training(events: &[Event], pictures: &[(u64, String, PathBuf)]) -> Result<Vec<Section>, Error> {
    let mut sections = vec![curves(events)];
    if !pictures.is_empty() {
        sections.push(snapshots(pictures)?);
    }
    Ok(sections)
}

/// The values of a configuration by their keys, those of inner tables as `table.key`.
pub fn settings_of(config: &toml::Table) -> Vec<(String, String)> {
    let setting = |(key, value): (&String, &toml::Value)| match value {
        toml::Value::Table(table) => {
            settings_of(table).into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)).collect()
        }
        toml::Value::String(text) => vec![(key.clone(), text.clone())],
        value => vec![(key.clone(), value.to_string())],
    };
    config.iter().flat_map(setting).collect()
}

fn curves(events: &[Event]) -> Section {
    let mut steps: Vec<&Step> = Vec::new();
    let mut validations: Vec<(u64, &Validation)> = Vec::new();
    for event in events {
        match event {
            Event::Step(step) => steps.push(step),
            Event::Validation { iteration, validation } => validations.push((*iteration, validation)),
        }
    }
    let section = Section::new("Training");
    let [first, ..] = steps[..] else { return section.text("No step was taken.") };
    let constant = steps.iter().all(|step| step.rate == first.rate);
    let charts = losses(&steps).into_iter().chain((!constant).then(|| rates(&steps))).chain(scores(&validations));
    section.settings(summary(&steps, &validations, constant)).charts(charts)
}

/// How it went, in a few figures.
fn summary(steps: &[&Step], validations: &[(u64, &Validation)], constant_rate: bool) -> Vec<(&'static str, String)> {
    let last = steps[steps.len() - 1];
    let mut told = vec![
        ("iterations", format!("{} of {}", last.iteration, last.of)),
        ("time", duration(last.seconds)),
        ("time of an iteration", format!("{} s", figure(last.seconds / last.iteration as f64))),
        ("last loss", figure(f64::from(last.loss))),
    ];
    if constant_rate {
        told.push(("learning rate", figure(last.rate)));
    }
    // Of equal scores the first, as in training.
    let best = validations.iter().rev().max_by(|(_, a), (_, b)| a.score.total_cmp(&b.score));
    if let Some((iteration, validation)) = best {
        told.push(("best validation", format!("{} after iteration {iteration}", figure(validation.score))));
    }
    told
}

/// The loss, and each of its terms if it has more than one.
fn losses(steps: &[&Step]) -> Vec<Chart> {
    let chart = |title: &str, value: &dyn Fn(&Step) -> Option<f32>| {
        let point = |step: &&Step| Some([step.iteration as f64, f64::from(value(step)?)]);
        Chart::new(title, "iteration", "loss").trend(title, steps.iter().filter_map(point))
    };
    let names: BTreeSet<&String> = steps.iter().flat_map(|step| step.terms.keys()).collect();
    let mut charts = vec![chart("loss", &|step| Some(step.loss))];
    if names.len() > 1 {
        charts.extend(names.into_iter().map(|name| chart(name, &|step| step.terms.get(name).copied())));
    }
    charts
}

fn rates(steps: &[&Step]) -> Chart {
    let points = steps.iter().map(|step| [step.iteration as f64, step.rate]);
    Chart::new("learning rate", "iteration", "learning rate").line("learning rate", points)
}

/// The score that the best network is chosen by, then all others.
fn scores(validations: &[(u64, &Validation)]) -> Vec<Chart> {
    let mut curves: BTreeMap<Option<&str>, Vec<[f64; 2]>> = BTreeMap::new();
    for (iteration, validation) in validations {
        let others = validation.scores.iter().map(|(name, score)| (Some(name.as_str()), *score));
        for (name, score) in std::iter::once((None, validation.score)).chain(others) {
            curves.entry(name).or_default().push([*iteration as f64, score]);
        }
    }
    let chart = |(name, points): (Option<&str>, _)| {
        let name = name.unwrap_or("score");
        Chart::new(format!("validation: {name}"), "iteration", name).line(name, points)
    };
    curves.into_iter().map(chart).collect()
}

fn snapshots(pictures: &[(u64, String, PathBuf)]) -> Result<Section, Error> {
    let iterations: BTreeSet<u64> = pictures.iter().map(|(iteration, ..)| *iteration).collect();
    let mut rows: BTreeMap<&str, BTreeMap<u64, Png>> = BTreeMap::new();
    for (iteration, name, path) in pictures {
        rows.entry(name).or_default().insert(*iteration, Png::read(path)?);
    }
    let columns: Vec<String> = iterations.iter().map(|iteration| format!("iteration {iteration}")).collect();
    let row = |(name, mut shots): (&str, BTreeMap<u64, Png>)| {
        (name.to_owned(), iterations.iter().map(|iteration| shots.remove(iteration)).collect())
    };
    Ok(Section::new("Snapshots").grid(&columns, rows.into_iter().map(row)))
}

/// Four digits.
fn figure(x: f64) -> String {
    let leading = if x == 0.0 { 0.0 } else { x.abs().log10().floor() };
    if (-4.0..6.0).contains(&leading) {
        format!("{x:.*}", (3.0 - leading).max(0.0) as usize)
    } else {
        format!("{x:.3e}")
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_durations_are_short() {
        let figures = [0.0, 0.123456, 12.3456, 123_456.7, 1.0e-5, -0.5, f64::NAN].map(figure);
        assert_eq!(figures, ["0.000", "0.1235", "12.35", "123457", "1.000e-5", "-0.5000", "NaN"]);
        assert_eq!([3.06, 200.2, 7384.0].map(duration), ["3.1 s", "3 min 20 s", "2 h 03 min"]);
    }

    #[test]
    fn settings_have_their_tables_names() {
        let config = toml::toml! {
            train = "dip"
            [training]
            iterations = 10
            rates = [0.5, 1]
        };
        let expected = [("train", "dip"), ("training.iterations", "10"), ("training.rates", "[0.5, 1]")];
        assert_eq!(settings_of(&config), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn the_first_of_equal_scores_is_the_best() {
        let validation = |score| Validation { score, scores: BTreeMap::new() };
        let [low, high] = [validation(0.5), validation(0.75)];
        let step = Step { iteration: 9, of: 9, rate: 1e-3, loss: 1.0, terms: BTreeMap::new(), seconds: 1.0 };
        let told = summary(&[&step], &[(3, &low), (6, &high), (9, &high)], true);
        assert_eq!(told.last(), Some(&("best validation", "0.7500 after iteration 6".to_owned())));
    }
}
