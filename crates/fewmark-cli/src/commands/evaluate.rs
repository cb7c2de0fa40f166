//! `fewmark evaluate`: scores of segmentations against the truth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fewmark::LabelMap;
use fewmark::image::{Error, expect_apart, expect_folder, read_labels, write_atomically};
use fewmark::learn::dataset::{self, image_name};
use fewmark::metrics::{
    CaseScores, EmptyDistance, Metric, Score, ScoreOptions, Scores, Statistics, Summary, score_case,
};
use serde::Serialize;

use crate::args::{Common, Evaluate};
use crate::failure::Failure;
use crate::output::{expect_label_map, note, print, print_json, table};
use crate::progress::ProgressLine;

#[derive(Serialize)]
struct Evaluation {
    cases: BTreeMap<String, CaseScores>,
    /// Truths that are not scored
    without_segmentation: Vec<String>,
    summary: Summary,
}

/// A prediction and its truth.
struct Case {
    name: String,
    prediction: PathBuf,
    truth: PathBuf,
}

pub(crate) fn run(arguments: &Evaluate, common: &Common) -> Result<(), Failure> {
    let empty = empty_distance(&arguments.empty_distance)?;
    if !(arguments.tolerance.is_finite() && arguments.tolerance >= 0.0) {
        return Err(Failure::call(format!("--tolerance {}: expected 0 or more mm", arguments.tolerance)));
    }
    let options = ScoreOptions {
        labels: arguments.labels.clone(),
        surface: !arguments.overlap_only,
        surface_dice_tolerance: (!arguments.overlap_only).then_some(arguments.tolerance),
    };
    if let Some(path) = &arguments.csv {
        expect_folder(path)?;
    }
    let (cases, without_segmentation) = cases(&arguments.predictions, &arguments.truths)?;
    expect_apart(&arguments.csv, cases.iter().flat_map(|case| [&case.prediction, &case.truth]))?;
    let mut scores = BTreeMap::new();
    let line = ProgressLine::new(common);
    for (i, case) in cases.iter().enumerate() {
        let _ = line.show(&fewmark::Step::share("score", i as f64 / cases.len() as f64));
        scores.insert(case.name.clone(), score(case, &options, arguments.ignore_geometry)?);
    }
    drop(line);
    let list: Vec<CaseScores> = scores.values().cloned().collect();
    if !without_segmentation.is_empty() {
        note(common, format!("left out, as there is no segmentation of it: {}", without_segmentation.join(", ")));
    }
    let evaluation = Evaluation { summary: Summary::of(&list, empty), cases: scores, without_segmentation };
    if let Some(path) = &arguments.csv {
        write_atomically(path, csv(&evaluation.cases).as_bytes())?;
    }
    if common.json { print_json(&evaluation) } else { print(text(&evaluation, arguments.tolerance, empty)) }
}

fn empty_distance(text: &str) -> Result<EmptyDistance, Failure> {
    match (text, text.parse::<f64>()) {
        ("skip", _) => Ok(EmptyDistance::Skip),
        ("image-diagonal", _) => Ok(EmptyDistance::ImageDiagonal),
        (_, Ok(mm)) if mm.is_finite() && mm >= 0.0 => Ok(EmptyDistance::Millimetres(mm)),
        _ => Err(Failure::call(format!("--empty-distance {text:?}: expected skip, image-diagonal or a number of mm"))),
    }
}

/// The pairs to score: two files, or the files of two folders that have the same names up to their endings; and the names of truths without a
/// partner.
fn cases(predictions: &Path, truths: &Path) -> Result<(Vec<Case>, Vec<String>), Failure> {
    match (is_folder(predictions)?, is_folder(truths)?) {
        (false, false) => {
            let name = image_name(predictions).unwrap_or_else(|| predictions.display().to_string());
            Ok((vec![Case { name, prediction: predictions.into(), truth: truths.into() }], Vec::new()))
        }
        (true, true) => {
            let files = |folder: &Path| dataset::files(&[folder.to_owned()], image_name);
            let (mut predicted, truths_by_name) = (files(predictions)?, files(truths)?);
            let (mut matched, mut without_segmentation) = (Vec::new(), Vec::new());
            for (name, truth) in truths_by_name {
                match predicted.remove(&name) {
                    Some(prediction) => matched.push(Case { name, prediction, truth }),
                    None => without_segmentation.push(name),
                }
            }
            let without_truth: Vec<String> = predicted.into_keys().collect();
            if !without_truth.is_empty() {
                return Err(Failure::work(format!("no truth in {truths:?} for {}", without_truth.join(", ")))
                    .hint("the files of a case have the same name in both folders, up to the ending"));
            }
            if matched.is_empty() {
                return Err(Failure::work(format!("no segmentation found in {predictions:?}"))
                    .hint("give folders with files such as case.nii.gz, of the same names in both"));
            }
            Ok((matched, without_segmentation))
        }
        (true, false) => Err(folder_and_file(predictions, truths)),
        (false, true) => Err(folder_and_file(truths, predictions)),
    }
}

fn is_folder(path: &Path) -> Result<bool, Failure> {
    let unreadable = |source| Error::Io { action: "read", path: path.to_owned(), source };
    Ok(std::fs::metadata(path).map_err(unreadable)?.is_dir())
}

fn folder_and_file(folder: &Path, file: &Path) -> Failure {
    Failure::call(format!("{folder:?} is a folder, {file:?} is a file"))
        .hint("give two files, or two folders with files of the same names")
}

fn score(case: &Case, options: &ScoreOptions, ignore_geometry: bool) -> Result<CaseScores, Failure> {
    let truth = read_labels(&case.truth)?;
    let mut prediction = read_labels(&case.prediction)?;
    if options.labels.is_none() {
        expect_label_map(&truth, &case.truth)?;
        expect_label_map(&prediction, &case.prediction)?;
    }
    if ignore_geometry && prediction.geometry().size() == truth.geometry().size() {
        prediction = LabelMap::new(prediction.labels().to_vec(), truth.geometry().clone())?;
    }
    score_case(&prediction, &truth, options).map_err(|mismatch| {
        Failure::work(format!(
            "case {:?}: the segmentation and the truth do not lie in the same space: {mismatch}",
            case.name
        ))
        .hint(match mismatch.field {
            "size" => "resample one with `fewmark convert --like`",
            _ => "resample one with `fewmark convert --like`, or compare voxel by voxel with --ignore-geometry",
        })
    })
}

/// The columns of tables and CSV files.
const COLUMNS: [(Metric, &str); 9] = [
    (Metric::Dice, "dice"),
    (Metric::Iou, "iou"),
    (Metric::Accuracy, "accuracy"),
    (Metric::Precision, "precision"),
    (Metric::Recall, "recall"),
    (Metric::Assd, "assd_mm"),
    (Metric::Hd95, "hd95_mm"),
    (Metric::Hd95Pooled, "hd95_pooled_mm"),
    (Metric::SurfaceDice, "surface_dice"),
];

/// One row for each case and label; undefined scores are empty, infinite ones `inf`.
fn csv(cases: &BTreeMap<String, CaseScores>) -> String {
    let header = COLUMNS.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(",");
    let mut lines = vec![format!("case,label,{header},volume_prediction_ml,volume_truth_ml,tp,fp,fn,tn")];
    for (name, case) in cases {
        for label in &case.labels {
            let scores = COLUMNS.iter().map(|(metric, _)| match label.scores.get(metric) {
                Some(Score::Finite(value)) => value.to_string(),
                Some(Score::Infinite) => "inf".into(),
                Some(Score::Undefined) | None => String::new(),
            });
            let c = &label.confusion;
            lines.push(format!(
                "{},{},{},{},{},{},{},{},{}",
                quoted(name),
                label.label,
                scores.collect::<Vec<_>>().join(","),
                label.volumes.prediction_ml,
                label.volumes.truth_ml,
                c.true_positives,
                c.false_positives,
                c.false_negatives,
                c.true_negatives
            ));
        }
    }
    lines.join("\n") + "\n"
}

/// A CSV field, quoted where it must be.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

/// The columns of the table that is printed.
const SHOWN: [(Metric, &str); 5] = [
    (Metric::Dice, "Dice"),
    (Metric::Iou, "IoU"),
    (Metric::Assd, "ASSD mm"),
    (Metric::Hd95, "HD95 mm"),
    (Metric::SurfaceDice, "surface Dice"),
];

fn text(evaluation: &Evaluation, tolerance: f64, empty: EmptyDistance) -> String {
    let header: Vec<&str> = ["case", "label"].into_iter().chain(SHOWN.map(|(_, name)| name)).collect();
    let cell = |scores: &Scores, metric| match scores.get(metric) {
        Some(Score::Finite(value)) => format!("{value:.4}"),
        Some(Score::Infinite) => "inf".into(),
        Some(Score::Undefined) => "undefined".into(),
        None => "-".into(),
    };
    let mut rows = Vec::new();
    for (name, case) in &evaluation.cases {
        for label in &case.labels {
            let scores = SHOWN.iter().map(|(metric, _)| cell(&label.scores, metric));
            rows.push([name.clone(), label.label.to_string()].into_iter().chain(scores).collect());
        }
    }
    let summary = &evaluation.summary;
    let mean = |label: String, metrics: &BTreeMap<Metric, Statistics>| {
        let cells = SHOWN.iter().map(|(metric, _)| metrics.get(metric).map_or("-".into(), mean_cell));
        ["mean (sd)".into(), label].into_iter().chain(cells).collect::<Vec<String>>()
    };
    rows.extend(summary.labels.iter().map(|l| mean(l.label.to_string(), &l.metrics)));
    if summary.labels.len() > 1 {
        rows.push(mean("all".into(), &summary.foreground));
    }
    let accuracy = mean_cell(&summary.accuracy);
    let left_out = match empty {
        EmptyDistance::Skip => "[n inf, n undef] counts what a mean leaves out",
        EmptyDistance::ImageDiagonal => {
            "of [n inf, n undef] infinite distances count as the image's diagonal, undefined scores are left out"
        }
        EmptyDistance::Millimetres(_) => {
            "of [n inf, n undef] infinite distances count as --empty-distance, undefined scores are left out"
        }
    };
    format!(
        "{}\n\n{} case(s), accuracy {accuracy}, surface Dice at {tolerance} mm. HD95 is the larger directed percentile; \
         sd is over cases; {left_out}.",
        table(&header, &rows),
        evaluation.cases.len()
    )
}

fn mean_cell(statistics: &Statistics) -> String {
    let left_out = match (statistics.n_infinite, statistics.n_undefined) {
        (0, 0) => String::new(),
        (infinite, undefined) => format!(" [{infinite} inf, {undefined} undef]"),
    };
    match (statistics.mean, statistics.sd) {
        (Some(mean), Some(sd)) => format!("{mean:.4} ({sd:.4}){left_out}"),
        _ => format!("undefined{left_out}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_are_quoted() {
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("plain"), "plain");
    }
}
