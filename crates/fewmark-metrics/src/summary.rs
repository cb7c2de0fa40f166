use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::case::foreground_means;
use crate::{CaseScores, Metric, Score, Scores};

/// What stands for an infinite distance in a mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum EmptyDistance {
    /// Nothing: the mean is over the others.
    #[default]
    Skip,
    /// The diagonal of the image.
    ImageDiagonal,
    /// A number of mm.
    Millimetres(f64),
}

impl EmptyDistance {
    fn replace(self, score: Score, diagonal: f64) -> Score {
        match (score, self) {
            (Score::Infinite, Self::ImageDiagonal) => Score::Finite(diagonal),
            (Score::Infinite, Self::Millimetres(distance)) => Score::Finite(distance),
            _ => score,
        }
    }
}

/// The scores of several cases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Share of the voxels with the right label.
    pub accuracy: Statistics,
    /// Each label, ascending. A case without the label counts as undefined.
    pub labels: Vec<LabelSummary>,
    /// The means of each case over its labels but the background.
    pub foreground: BTreeMap<Metric, Statistics>,
}

/// The scores of a label in several cases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelSummary {
    /// The label.
    pub label: u16,
    /// Statistics of each metric.
    pub metrics: BTreeMap<Metric, Statistics>,
}

/// Statistics of a score over cases, and how many cases they are of.
///
/// Infinite scores count in `n_infinite`, whether or not something [stands for them](EmptyDistance); if so, they
/// count in `n`, too. Statistics of no number are `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Number of values that the statistics are of.
    pub n: usize,
    /// Number of infinite scores.
    pub n_infinite: usize,
    /// Number of undefined scores.
    pub n_undefined: usize,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Population standard deviation: divided by `n`.
    pub sd: Option<f64>,
    /// Middle value, or the mean of the two middle ones.
    pub median: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
}

impl Summary {
    /// Gathers the scores of cases.
    pub fn of(cases: &[CaseScores], empty: EmptyDistance) -> Self {
        let labels: BTreeSet<u16> = cases.iter().flat_map(|case| &case.labels).map(|label| label.label).collect();
        Self {
            accuracy: Statistics::of(cases.iter().map(|case| Replaced::unchanged(Score::Finite(case.accuracy)))),
            labels: labels.into_iter().map(|label| LabelSummary::of(cases, label, empty)).collect(),
            foreground: foreground(cases, empty),
        }
    }
}

impl LabelSummary {
    fn of(cases: &[CaseScores], label: u16, empty: EmptyDistance) -> Self {
        let score = |case: &CaseScores, metric| {
            let found = case.labels.iter().find(|scores| scores.label == label);
            let score = found.map_or(Score::Undefined, |label| of_metric(&label.scores, metric));
            Replaced { score, value: empty.replace(score, case.diagonal_mm) }
        };
        let statistics = |metric| (metric, Statistics::of(cases.iter().map(|case| score(case, metric))));
        Self { label, metrics: metrics(cases).map(statistics).collect() }
    }
}

/// Statistics of the means over the labels of each case. What stands for an infinite distance does so before the mean.
fn foreground(cases: &[CaseScores], empty: EmptyDistance) -> BTreeMap<Metric, Statistics> {
    let replaced: Vec<Scores> = cases
        .iter()
        .map(|case| foreground_means(&case.labels, |score| empty.replace(score, case.diagonal_mm)))
        .collect();
    let statistics = |metric| {
        let scores = cases.iter().zip(&replaced).map(|(case, replaced)| Replaced {
            score: of_metric(&case.foreground, metric),
            value: of_metric(replaced, metric),
        });
        (metric, Statistics::of(scores))
    };
    metrics(cases).map(statistics).collect()
}

/// All metrics that any of the cases has.
fn metrics(cases: &[CaseScores]) -> impl Iterator<Item = Metric> {
    let labels = cases.iter().flat_map(|case| &case.labels);
    labels.flat_map(|label| label.scores.keys().copied()).collect::<BTreeSet<_>>().into_iter()
}

fn of_metric(scores: &Scores, metric: Metric) -> Score {
    scores.get(&metric).copied().unwrap_or(Score::Undefined)
}

/// A score, and what stands for it where it is infinite.
struct Replaced {
    score: Score,
    value: Score,
}

impl Replaced {
    fn unchanged(score: Score) -> Self {
        Self { score, value: score }
    }
}

impl Statistics {
    fn of(scores: impl Iterator<Item = Replaced> + Clone) -> Self {
        let count = |what| scores.clone().filter(|replaced| replaced.score == what).count();
        let mut values: Vec<f64> = scores.clone().filter_map(|replaced| replaced.value.finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        let average = |sum: f64| (n > 0).then(|| sum / n as f64);
        let mean = average(values.iter().sum());
        let deviation = |mean: f64| values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            n,
            n_infinite: count(Score::Infinite),
            n_undefined: count(Score::Undefined),
            mean,
            sd: mean.and_then(|mean| average(deviation(mean)).map(f64::sqrt)),
            median: (n > 0).then(|| (values[(n - 1) / 2] + values[n / 2]) / 2.0),
            min: values.first().copied(),
            max: values.last().copied(),
        }
    }
}
