use fewmark_grid::{Grid, squared_distance_to, surface};
use rayon::prelude::*;

use crate::region::Bounds;

/// Distances in mm between the surfaces of a predicted mask and of the true one.
///
/// Every score is `None` when both masks are empty and infinite when one of them is; the equations are on the [front
/// page](crate). Distances carry a relative error of at most 2⁻²², and none where the spacing is a whole number of mm
/// and they stay below 4096 mm.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfaceDistances {
    /// From each surface voxel of the prediction to the surface of the truth, ascending.
    to_truth: Vec<f64>,
    /// From each surface voxel of the truth to the surface of the prediction, ascending.
    to_prediction: Vec<f64>,
}

impl SurfaceDistances {
    /// Measures two masks.
    ///
    /// # Panics
    /// When a mask does not have one value for each voxel of `grid`.
    pub fn between(prediction: &[bool], truth: &[bool], grid: &Grid) -> Self {
        assert_eq!([prediction.len(), truth.len()], [grid.len(); 2], "a mask has one value for each voxel");
        // Both surfaces lie in the region, so nothing outside it can be nearest.
        match Bounds::of_either(prediction, truth, grid).region(grid) {
            Some(region) => {
                let [prediction, truth] = [prediction, truth].map(|mask| region.crop(mask, grid, |&m| m));
                Self::in_region(&prediction, &truth, &region.grid(grid))
            }
            None => Self { to_truth: Vec::new(), to_prediction: Vec::new() },
        }
    }

    /// [`between`](Self::between) without a search for a smaller region.
    pub(crate) fn in_region(prediction: &[bool], truth: &[bool], grid: &Grid) -> Self {
        let (prediction, truth) = rayon::join(|| surface(prediction, grid), || surface(truth, grid));
        let (to_truth, to_prediction) = rayon::join(
            || directed_distances(&prediction, &truth, grid),
            || directed_distances(&truth, &prediction, grid),
        );
        Self { to_truth: sorted(to_truth), to_prediction: sorted(to_prediction) }
    }

    /// Distances in mm from the surface voxels of the prediction to the surface of the truth, ascending.
    pub fn to_truth(&self) -> &[f64] {
        &self.to_truth
    }

    /// Distances in mm from the surface voxels of the truth to the surface of the prediction, ascending.
    pub fn to_prediction(&self) -> &[f64] {
        &self.to_prediction
    }

    /// Average symmetric surface distance in mm: the mean of both directed lists together.
    pub fn assd(&self) -> Option<f64> {
        self.unless_empty(|| {
            let sum: f64 = self.to_truth.iter().chain(&self.to_prediction).sum();
            sum / (self.to_truth.len() + self.to_prediction.len()) as f64
        })
    }

    /// Average distance in mm from the surface of the prediction to that of the truth.
    pub fn asd_to_truth(&self) -> Option<f64> {
        self.unless_empty(|| mean(&self.to_truth))
    }

    /// Average distance in mm from the surface of the truth to that of the prediction.
    pub fn asd_to_prediction(&self) -> Option<f64> {
        self.unless_empty(|| mean(&self.to_prediction))
    }

    /// Hausdorff distance in mm: the largest of all distances.
    pub fn hd(&self) -> Option<f64> {
        self.hd_percentile(100.0)
    }

    /// Larger one of the directed 95th percentiles in mm.
    pub fn hd95(&self) -> Option<f64> {
        self.hd_percentile(95.0)
    }

    /// Larger one of the directed percentiles in mm, `percent` from 0 to 100.
    pub fn hd_percentile(&self, percent: f64) -> Option<f64> {
        self.unless_empty(|| percentile(&self.to_truth, percent).max(percentile(&self.to_prediction, percent)))
    }

    /// 95th percentile in mm of both directed lists together.
    pub fn hd95_pooled(&self) -> Option<f64> {
        self.unless_empty(|| percentile(&sorted([&self.to_truth[..], &self.to_prediction].concat()), 95.0))
    }

    fn unless_empty(&self, score: impl Fn() -> f64) -> Option<f64> {
        match (self.to_truth.is_empty(), self.to_prediction.is_empty()) {
            (true, true) => None,
            (false, false) => Some(score()),
            _ => Some(f64::INFINITY),
        }
    }
}

/// Distance in mm from each set voxel of `from` to the nearest set voxel of `to`, in the order of the field.
pub(crate) fn directed_distances(from: &[bool], to: &[bool], grid: &Grid) -> Vec<f64> {
    let squared = squared_distance_to(to, grid);
    let chosen = from.par_iter().zip(squared).filter(|&(&set, _)| set);
    chosen.map(|(_, squared)| f64::from(squared).sqrt()).collect()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.par_sort_unstable_by(f64::total_cmp);
    values
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Percentile of ascending values, linear between the two nearest ones.
fn percentile(ascending: &[f64], percent: f64) -> f64 {
    let position = (percent / 100.0).clamp(0.0, 1.0) * (ascending.len() - 1) as f64;
    let (low, high) = (ascending[position.floor() as usize], ascending[position.ceil() as usize]);
    low + (high - low) * position.fract()
}
