use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// A score by which segmentations are judged; the equations are on the [front page](crate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Dice coefficient.
    Dice,
    /// Intersection over union.
    Iou,
    /// Share of the prediction that is true.
    Precision,
    /// Share of the truth that was found.
    Recall,
    /// Share of the voxels on which prediction and truth agree whether they have the label.
    Accuracy,
    /// Average symmetric surface distance in mm, pooled.
    Assd,
    /// Hausdorff distance in mm.
    Hd,
    /// Larger one of the directed 95th percentiles of the surface distances in mm.
    Hd95,
    /// 95th percentile of both directed lists of surface distances together, in mm.
    Hd95Pooled,
    /// Surface Dice at the tolerance of the options.
    SurfaceDice,
    /// Volume of the prediction minus that of the truth, in ml.
    VolumeDifferenceMl,
}

/// Scores by metric; those that were not asked for are not in it.
pub type Scores = BTreeMap<Metric, Score>;

/// The value of a metric.
///
/// In JSON: a number, the string `"inf"`, or `null`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Score {
    /// A number.
    Finite(f64),
    /// A distance to a mask that is empty.
    Infinite,
    /// Both masks are empty.
    Undefined,
}

impl Score {
    /// The number, if it is one.
    pub fn finite(self) -> Option<f64> {
        match self {
            Self::Finite(value) => Some(value),
            Self::Infinite | Self::Undefined => None,
        }
    }

    /// Mean of the scores that are defined: infinite when one of them is, undefined when none is defined.
    pub(crate) fn mean(scores: impl IntoIterator<Item = Self>) -> Self {
        let defined: Vec<f64> = scores
            .into_iter()
            .filter_map(|score| match score {
                Self::Finite(value) => Some(value),
                Self::Infinite => Some(f64::INFINITY),
                Self::Undefined => None,
            })
            .collect();
        (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64).into()
    }
}

/// `None` is undefined.
impl From<Option<f64>> for Score {
    fn from(value: Option<f64>) -> Self {
        match value {
            Some(value) if value.is_finite() => Self::Finite(value),
            Some(_) => Self::Infinite,
            None => Self::Undefined,
        }
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Finite(value) => serializer.serialize_f64(*value),
            Self::Infinite => serializer.serialize_str("inf"),
            Self::Undefined => serializer.serialize_none(),
        }
    }
}
