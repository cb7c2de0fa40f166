//! One training and its test: a row of MSNet's tables.

use std::ops::ControlFlow;

use fewmark::learn::Compute;
use fewmark::learn::supervised::{Case, SupervisedConfig, train_on};
use fewmark::metrics::{CaseScores, Metric, ScoreOptions, score_case};
use serde::{Deserialize, Serialize};

use crate::labelled::Split;

/// What a trained network scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Data set.
    pub data: String,
    /// Architecture, with what sets it apart from the usual one.
    pub network: String,
    /// Settings: "paper" or "recommended", with changes to them.
    pub recipe: String,
    /// Training cases.
    pub cases: usize,
    /// Seed of the split; that of the training is the same.
    pub split: u64,
    /// Steps taken.
    pub iterations: u64,
    /// Time of the training in seconds.
    pub seconds: f64,
    /// Trained parameters.
    pub parameters: usize,
    /// Scores of each label: accuracy, IoU, Dice, average symmetric surface distance and recall, means over the test cases.
    pub labels: Vec<LabelRow>,
    /// Commit of the program.
    pub commit: String,
}

/// Means over the test cases of the scores of one label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelRow {
    /// The label.
    pub label: u16,
    /// `(TP + TN) / all`.
    pub accuracy: f64,
    /// Intersection over union.
    pub iou: f64,
    /// Dice.
    pub dice: f64,
    /// Average symmetric surface distance, pooled, in voxels; the diagonal of the image where one of the two is empty, 0 where both are.
    pub assd: f64,
    /// `TP / (TP + FN)`.
    pub recall: f64,
    /// Test cases in which the network found nothing, or something where there is nothing.
    pub missed: usize,
}

impl Row {
    /// The mean of a score over the labels.
    pub fn mean(&self, score: fn(&LabelRow) -> f64) -> f64 {
        self.labels.iter().map(score).sum::<f64>() / self.labels.len() as f64
    }

    /// Whether this row has what another has, but for the result.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.data, &self.network, &self.recipe) == (&other.data, &other.network, &other.recipe)
            && (self.cases, self.split, self.iterations) == (other.cases, other.split, other.iterations)
    }
}

/// Trains on the one part of a split and scores the other.
///
/// # Errors
/// What keeps the network from being trained.
pub fn trained(split: &Split, config: &SupervisedConfig, row: Row) -> Result<Row, fewmark::Error> {
    let device = Compute::Cpu.device()?;
    let found = train_on(&split.taught, config, &device, None, &mut |_| ControlFlow::Continue(()))?;
    let codes = found.predictor.classes().codes().to_vec();
    let options = ScoreOptions { labels: Some(codes.clone()), ..ScoreOptions::default() };
    let mut scores: Vec<CaseScores> = Vec::new();
    for Case { image, labels, .. } in &split.tested {
        let prediction = found.predictor.predict(image, &mut |_| ControlFlow::Continue(()))?;
        scores.push(score_case(&prediction.labels, labels, &options).map_err(fewmark::image::Error::from)?);
    }
    let labels = codes.iter().enumerate().map(|(at, &label)| of_label(&scores, at, label)).collect();
    let parameters = found.predictor.config().network.parameters().map_err(fewmark::learn::Error::from)?;
    Ok(Row { seconds: found.seconds, iterations: found.iterations, parameters, labels, ..row })
}

fn of_label(cases: &[CaseScores], at: usize, label: u16) -> LabelRow {
    let mean = |of: &dyn Fn(&CaseScores) -> Option<f64>| {
        let found: Vec<f64> = cases.iter().filter_map(of).collect();
        found.iter().sum::<f64>() / found.len() as f64
    };
    let score = |metric| mean(&|case: &CaseScores| case.labels[at].scores.get(&metric)?.finite());
    let distance = |case: &CaseScores| {
        let confusion = &case.labels[at].confusion;
        Some(match (confusion.prediction(), confusion.truth()) {
            (0, 0) => 0.0,
            (0, _) | (_, 0) => case.diagonal_mm,
            _ => case.labels[at].scores.get(&Metric::Assd)?.finite()?,
        })
    };
    let missed = |case: &&CaseScores| {
        let confusion = &case.labels[at].confusion;
        (confusion.prediction() == 0) != (confusion.truth() == 0)
    };
    LabelRow {
        label,
        accuracy: mean(&|case: &CaseScores| case.labels[at].confusion.accuracy()),
        iou: score(Metric::Iou),
        dice: score(Metric::Dice),
        assd: mean(&distance),
        recall: score(Metric::Recall),
        missed: cases.iter().filter(missed).count(),
    }
}
