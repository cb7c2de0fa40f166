//! Scores of one label against another.

use std::path::Path;

use fewmark::image::read_labels;
use fewmark::metrics::{Metric, Score, ScoreOptions, score_case};
use serde_json::{Map, Value, json};

use crate::error::Problem;

/// Dice, 95th percentile of the surface distances and their mean, of each label that occurs in either file; `null` where a score is not
/// defined, `"inf"` for the distance to nothing.
pub(crate) fn scores(prediction: &Path, truth: &Path) -> Result<Map<String, Value>, Problem> {
    let (prediction, truth) = (read_labels(prediction)?, read_labels(truth)?);
    let options = ScoreOptions { labels: None, surface: true, surface_dice_tolerance: None };
    let found = score_case(&prediction, &truth, &options).map_err(fewmark::image::Error::from)?;
    let scores = found.labels.iter().filter(|label| label.label != 0).map(|label| {
        let score = |metric| label.scores.get(&metric).copied().unwrap_or(Score::Undefined);
        let entry = json!({
            "dice": score(Metric::Dice),
            "hd95_mm": score(Metric::Hd95),
            "asd_mm": score(Metric::Assd),
        });
        (label.label.to_string(), entry)
    });
    Ok(scores.collect())
}
