use fewmark_grid::Grid;
use serde::Serialize;

use crate::Confusion;

/// Volume in ml (cm³) of a number of voxels. In a 2-D image the slice is as thick as the spacing along z says.
pub fn volume_ml(voxels: u64, grid: &Grid) -> f64 {
    const MM3_PER_ML: f64 = 1000.0;
    voxels as f64 * grid.voxel_volume() / MM3_PER_ML
}

/// Volumes of a predicted mask and of the true one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Volumes {
    /// Volume of the prediction in ml.
    pub prediction_ml: f64,
    /// Volume of the truth in ml.
    pub truth_ml: f64,
}

impl Volumes {
    /// The volumes of two masks that were compared.
    pub fn of(confusion: &Confusion, grid: &Grid) -> Self {
        Self { prediction_ml: volume_ml(confusion.prediction(), grid), truth_ml: volume_ml(confusion.truth(), grid) }
    }

    /// Prediction minus truth in ml: positive when too much was segmented.
    pub fn difference_ml(&self) -> f64 {
        self.prediction_ml - self.truth_ml
    }
}
