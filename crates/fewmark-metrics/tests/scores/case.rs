use fewmark_image::{Dimension, Geometry, LabelMap};
use fewmark_metrics::{CaseScores, EmptyDistance, Metric, Score, ScoreOptions, Summary, score_case};
use serde_json::json;

/// A label map of one row of voxels 2 mm apart, from its digits.
fn row(labels: &str) -> LabelMap {
    let size = [labels.len(), 1, 1];
    let direction = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let geometry = Geometry::from_parts(Dimension::Two, size, [2.0, 1.0, 1.0], [0.0; 3], direction).unwrap();
    LabelMap::new(labels.bytes().map(|b| u16::from(b - b'0')).collect(), geometry).unwrap()
}

fn scored(prediction: &str, truth: &str) -> CaseScores {
    let options = ScoreOptions { labels: Some(vec![1, 2, 3]), surface_dice_tolerance: Some(2.0), ..Default::default() };
    score_case(&row(prediction), &row(truth), &options).unwrap()
}

#[test]
fn a_case_has_its_scores_by_label() {
    let case = scored("0110002000", "0011000000");
    assert_eq!(case.accuracy, 0.7);
    assert_eq!(case.diagonal_mm, 20.0);
    let of = |label: usize, metric| case.labels[label - 1].scores[&metric];
    assert_eq!(of(1, Metric::Dice), Score::Finite(0.5));
    assert_eq!(of(1, Metric::Assd), Score::Finite(1.0));
    assert_eq!(of(1, Metric::Accuracy), Score::Finite(0.8));
    assert_eq!(of(1, Metric::SurfaceDice), Score::Finite(1.0));
    assert_eq!(of(2, Metric::Dice), Score::Finite(0.0));
    assert_eq!(of(2, Metric::Hd95), Score::Infinite);
    assert_eq!(of(2, Metric::VolumeDifferenceMl), Score::Finite(0.002));
    assert!(case.labels[2].scores.values().all(|&score| score == Score::Undefined));
    assert_eq!(case.labels[2].scores.len(), case.labels[0].scores.len());
    assert_eq!(case.foreground[&Metric::Dice], Score::Finite(0.25));
    assert_eq!(case.foreground[&Metric::Hd95], Score::Infinite);
}

#[test]
fn labels_that_occur_are_scored_when_none_are_named() {
    let options = ScoreOptions { surface: false, ..Default::default() };
    let case = score_case(&row("0110002000"), &row("0011000005"), &options).unwrap();
    assert_eq!(case.labels.iter().map(|label| label.label).collect::<Vec<_>>(), [1, 2, 5]);
    assert!(!case.labels[0].scores.contains_key(&Metric::Assd));
    assert!(!case.labels[0].scores.contains_key(&Metric::SurfaceDice));
}

#[test]
fn the_background_is_left_out_of_the_foreground() {
    let options = ScoreOptions { labels: Some(vec![0, 1]), ..Default::default() };
    let case = score_case(&row("0110"), &row("0011"), &options).unwrap();
    assert_eq!(case.labels[0].scores[&Metric::Dice], Score::Finite(0.5));
    assert_eq!(case.labels.len(), 2);
    assert_eq!(case.foreground[&Metric::Iou], case.labels[1].scores[&Metric::Iou]);
}

#[test]
fn other_geometry_is_refused() {
    let error = score_case(&row("0110"), &row("01100"), &ScoreOptions::default()).unwrap_err();
    let message = error.to_string();
    assert_eq!(error.field, "size");
    assert!(message.contains("size 4 x 1") && message.contains("size 5 x 1"), "{message}");
}

#[test]
fn a_summary_counts_what_its_means_leave_out() {
    let cases =
        [scored("0110000000", "0110000000"), scored("0110000000", "0001100000"), scored("0000000000", "1000000000")];
    let summary = Summary::of(&cases, EmptyDistance::Skip);
    let of = |summary: &Summary, label: usize, metric| summary.labels[label - 1].metrics[&metric];
    let hd = of(&summary, 1, Metric::Hd);
    assert_eq!((hd.n, hd.n_infinite, hd.n_undefined), (2, 1, 0));
    assert_eq!((hd.mean, hd.sd, hd.median, hd.min, hd.max), (Some(2.0), Some(2.0), Some(2.0), Some(0.0), Some(4.0)));
    let absent = of(&summary, 3, Metric::Dice);
    assert_eq!((absent.n, absent.n_undefined, absent.mean), (0, 3, None));
    assert_eq!(summary.foreground[&Metric::Hd], hd);
    assert_eq!(of(&summary, 1, Metric::Dice).mean, Some(1.0 / 3.0));

    let diagonal = Summary::of(&cases, EmptyDistance::ImageDiagonal);
    let hd = of(&diagonal, 1, Metric::Hd);
    assert_eq!((hd.n, hd.n_infinite, hd.mean, hd.max), (3, 1, Some(8.0), Some(20.0)));
    assert_eq!(diagonal.foreground[&Metric::Hd], hd);
    let fixed = Summary::of(&cases, EmptyDistance::Millimetres(373.13));
    assert_eq!(of(&fixed, 1, Metric::Hd).max, Some(373.13));
}

#[test]
fn a_case_without_a_label_counts_as_undefined() {
    let options = ScoreOptions::default();
    let case = |prediction, truth| score_case(&row(prediction), &row(truth), &options).unwrap();
    let summary = Summary::of(&[case("0110", "0110"), case("0220", "0220")], EmptyDistance::Skip);
    let dice = summary.labels[0].metrics[&Metric::Dice];
    assert_eq!((dice.n, dice.n_undefined, dice.mean), (1, 1, Some(1.0)));
    assert_eq!(summary.foreground[&Metric::Dice].n, 2);
}

#[test]
fn json_names_what_is_no_number() {
    let case = serde_json::to_value(scored("0110002000", "0011000000")).unwrap();
    assert_eq!(case["labels"][0]["scores"]["hd95_pooled"], json!(2.0));
    assert_eq!(case["labels"][1]["scores"]["assd"], json!("inf"));
    assert_eq!(case["labels"][2]["scores"]["dice"], json!(null));
    assert_eq!(case["labels"][0]["confusion"]["true_positives"], json!(1));
    let summary = serde_json::to_value(Summary::of(&[scored("01", "01")], EmptyDistance::Skip)).unwrap();
    assert_eq!(summary["labels"][0]["metrics"]["dice"]["mean"], json!(1.0));
    assert_eq!(summary["labels"][2]["metrics"]["dice"]["mean"], json!(null));
}
