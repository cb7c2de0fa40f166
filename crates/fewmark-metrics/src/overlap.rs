use rayon::prelude::*;
use serde::Serialize;

/// Numbers of voxels on which a predicted mask and the true one agree and disagree.
///
/// All scores but [`accuracy`](Self::accuracy) are `None` when both masks are empty, and 0 when one of them is: a label
/// that was missed, or invented, is never left out of a mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Voxels of both masks.
    pub true_positives: u64,
    /// Voxels of the prediction only.
    pub false_positives: u64,
    /// Voxels of the truth only.
    pub false_negatives: u64,
    /// Voxels of neither mask.
    pub true_negatives: u64,
}

impl Confusion {
    /// Compares two masks.
    ///
    /// # Panics
    /// When the masks differ in length.
    pub fn between(prediction: &[bool], truth: &[bool]) -> Self {
        assert_eq!(prediction.len(), truth.len(), "masks to be compared are of one size");
        let count = |p: bool, t: bool| {
            prediction.par_iter().zip(truth).filter(|&(&prediction, &truth)| prediction == p && truth == t).count()
                as u64
        };
        let (both, predicted, true_only) = (count(true, true), count(true, false), count(false, true));
        Self::from_sizes(both + predicted, both + true_only, both, prediction.len() as u64)
    }

    /// From the sizes of the prediction, the truth, their intersection and the image.
    pub(crate) fn from_sizes(prediction: u64, truth: u64, both: u64, voxels: u64) -> Self {
        Self {
            true_positives: both,
            false_positives: prediction - both,
            false_negatives: truth - both,
            true_negatives: voxels + both - prediction - truth,
        }
    }

    /// Number of voxels of the predicted mask.
    pub fn prediction(&self) -> u64 {
        self.true_positives + self.false_positives
    }

    /// Number of voxels of the true mask.
    pub fn truth(&self) -> u64 {
        self.true_positives + self.false_negatives
    }

    /// Dice coefficient, `2 TP / (2 TP + FP + FN)`.
    pub fn dice(&self) -> Option<f64> {
        self.share(2 * self.true_positives, self.prediction() + self.truth())
    }

    /// Intersection over union (Jaccard index), `TP / (TP + FP + FN)`.
    pub fn iou(&self) -> Option<f64> {
        self.share(self.true_positives, self.prediction() + self.false_negatives)
    }

    /// Share of the prediction that is true, `TP / (TP + FP)`.
    pub fn precision(&self) -> Option<f64> {
        self.share(self.true_positives, self.prediction())
    }

    /// Share of the truth that was found, `TP / (TP + FN)`.
    pub fn recall(&self) -> Option<f64> {
        self.share(self.true_positives, self.truth())
    }

    /// Share of the voxels on which the masks agree, `(TP + TN) / (TP + FP + FN + TN)`; `None` without voxels.
    pub fn accuracy(&self) -> Option<f64> {
        let agreed = self.true_positives + self.true_negatives;
        let voxels = agreed + self.false_positives + self.false_negatives;
        (voxels > 0).then(|| agreed as f64 / voxels as f64)
    }

    fn share(&self, part: u64, whole: u64) -> Option<f64> {
        let defined = self.prediction() + self.truth() > 0;
        defined.then(|| if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
    }
}
