use std::collections::BTreeSet;

use fewmark_image::{GeometryMismatch, Grid, LabelMap};
use serde::Serialize;

use crate::region::Region;
use crate::tally::{Tally, tally};
use crate::{Confusion, Metric, Score, Scores, SurfaceDistances, SurfelDistances, Volumes};

/// What is scored in a case.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreOptions {
    /// The labels to score; `None` for all that occur in the prediction or the truth, but the background.
    pub labels: Option<Vec<u16>>,
    /// Whether to measure surface distances, which takes far longer than the overlap. On by default.
    pub surface: bool,
    /// Tolerance in mm of the surface Dice; `None`, the default, leaves it out.
    pub surface_dice_tolerance: Option<f64>,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self { labels: None, surface: true, surface_dice_tolerance: None }
    }
}

/// The scores of a prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseScores {
    /// Share of the voxels that have the right label.
    pub accuracy: f64,
    /// The scores of each label, ascending.
    pub labels: Vec<LabelScores>,
    /// Means over the labels but the background: of those that are defined, and infinite when one of them is.
    pub foreground: Scores,
    /// Diagonal of the image in mm, which can stand for infinite distances.
    pub diagonal_mm: f64,
}

/// The scores of a label in a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelScores {
    /// The label.
    pub label: u16,
    /// Numbers of voxels.
    pub confusion: Confusion,
    /// Volumes in ml.
    pub volumes: Volumes,
    /// All scores; all of them undefined when neither the prediction nor the truth has the label.
    pub scores: Scores,
}

/// Scores a predicted label map against the true one.
///
/// # Errors
/// [`GeometryMismatch`] when the two do not lie in the same space.
pub fn score_case(
    prediction: &LabelMap,
    truth: &LabelMap,
    options: &ScoreOptions,
) -> Result<CaseScores, GeometryMismatch> {
    prediction.geometry().expect_same_space(truth.geometry())?;
    let grid = truth.geometry().grid();
    let labels: BTreeSet<u16> = match &options.labels {
        Some(labels) => labels.iter().copied().collect(),
        None => prediction.present().into_iter().chain(truth.present()).collect(),
    };
    let labels: Vec<u16> = labels.into_iter().collect();
    let (tallies, right) = tally(prediction.labels(), truth.labels(), &grid, &labels);
    let score = |(&label, tally): (&u16, &Tally)| {
        let region = tally.bounds.region(&grid);
        let confusion = tally.confusion(grid.len());
        let volumes = Volumes::of(&confusion, &grid);
        let mut scores = overlap_scores(&confusion, &volumes);
        scores.extend(surface_scores(prediction, truth, label, region, options));
        if region.is_none() {
            scores.values_mut().for_each(|score| *score = Score::Undefined);
        }
        LabelScores { label, confusion, volumes, scores }
    };
    let labels: Vec<LabelScores> = labels.iter().zip(&tallies).map(score).collect();
    Ok(CaseScores {
        accuracy: right as f64 / grid.len() as f64,
        foreground: foreground_means(&labels, |score| score),
        labels,
        diagonal_mm: diagonal(&grid),
    })
}

fn overlap_scores(confusion: &Confusion, volumes: &Volumes) -> Scores {
    Scores::from([
        (Metric::Dice, confusion.dice().into()),
        (Metric::Iou, confusion.iou().into()),
        (Metric::Precision, confusion.precision().into()),
        (Metric::Recall, confusion.recall().into()),
        (Metric::Accuracy, confusion.accuracy().into()),
        (Metric::VolumeDifferenceMl, Score::Finite(volumes.difference_ml())),
    ])
}

/// The scores of the surfaces that the options ask for; `region` holds all voxels of the label.
fn surface_scores(
    prediction: &LabelMap,
    truth: &LabelMap,
    label: u16,
    region: Option<Region>,
    options: &ScoreOptions,
) -> Scores {
    let image = truth.geometry().grid();
    let cropped = region.filter(|_| options.surface || options.surface_dice_tolerance.is_some()).map(|region| {
        let [prediction, truth] = [prediction, truth].map(|map| region.crop(map.labels(), &image, |&l| l == label));
        (prediction, truth, region.grid(&image))
    });
    let mut scores = Scores::new();
    if options.surface {
        let found =
            cropped.as_ref().map(|(prediction, truth, grid)| SurfaceDistances::in_region(prediction, truth, grid));
        let score = |of: fn(&SurfaceDistances) -> Option<f64>| Score::from(found.as_ref().and_then(of));
        scores.insert(Metric::Assd, score(SurfaceDistances::assd));
        scores.insert(Metric::Hd, score(SurfaceDistances::hd));
        scores.insert(Metric::Hd95, score(SurfaceDistances::hd95));
        scores.insert(Metric::Hd95Pooled, score(SurfaceDistances::hd95_pooled));
    }
    if let Some(tolerance) = options.surface_dice_tolerance {
        let found = cropped.map(|(prediction, truth, grid)| SurfelDistances::in_region(&prediction, &truth, &grid));
        scores.insert(Metric::SurfaceDice, found.and_then(|surfels| surfels.surface_dice(tolerance)).into());
    }
    scores
}

/// For each metric the mean over the labels but the background, after `replace` had its way with each score.
pub(crate) fn foreground_means(labels: &[LabelScores], replace: impl Fn(Score) -> Score) -> Scores {
    let foreground = || labels.iter().filter(|label| label.label != 0);
    let metrics: BTreeSet<Metric> = foreground().flat_map(|label| label.scores.keys().copied()).collect();
    let mean = |metric| Score::mean(foreground().filter_map(|label| label.scores.get(&metric).copied()).map(&replace));
    metrics.into_iter().map(|metric| (metric, mean(metric))).collect()
}

/// Length in mm of the diagonal of an image, from outer corner to outer corner.
fn diagonal(grid: &Grid) -> f64 {
    grid.axes().map(|axis| (grid.size[axis] as f64 * grid.spacing[axis]).powi(2)).sum::<f64>().sqrt()
}
