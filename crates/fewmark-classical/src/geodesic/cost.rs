use crate::edge::{GradientStep, gradient_magnitude_squared};
use crate::{Error, Grid};
use fewmark_grid::distance_to;

/// The cost of a step, `F = eps_D + beta_G |grad f|²`, for `f` in `[0, 1]`.
///
/// Defaults: those of the code that Burrows published for the edge-weighted geodesic distance.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CostParams {
    /// `eps_D`: the cost of a step where the image is flat; positive. Default 0.001.
    pub flat: f64,
    /// `beta_G`: weight of the squared gradient. Default 1000.
    pub edge: f64,
    /// How the gradient is measured. Default: per voxel.
    pub step: GradientStep,
}

impl Default for CostParams {
    fn default() -> Self {
        Self { flat: 1e-3, edge: 1000.0, step: GradientStep::Voxel }
    }
}

impl CostParams {
    /// The cost of a step at every voxel of the image `f`, scaled to `[0, 1]`.
    ///
    /// See [`add_euclidean_term`] for the term that the theory has in addition.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Parameter`] when `flat` is not positive or `edge` is negative.
    pub fn cost(&self, f: &[f32], grid: &Grid) -> Result<Vec<f32>, Error> {
        if !(self.flat.is_finite() && self.flat > 0.0) {
            return Err(Error::Parameter { name: "flat", expected: "a positive cost", found: self.flat });
        }
        if !(self.edge.is_finite() && self.edge >= 0.0) {
            return Err(Error::Parameter { name: "edge", expected: "a weight of at least 0", found: self.edge });
        }
        let mut cost = gradient_magnitude_squared(f, grid, self.step)?;
        let (flat, edge) = (self.flat as f32, self.edge as f32);
        for cost in &mut cost {
            *cost = flat + edge * *cost;
        }
        Ok(cost)
    }
}

/// Adds to a cost `theta_g` times the Euclidean distance to the marker over its maximum.
///
/// This term is part of the theory (Roberts, Chen and Irion 2019, with `theta_g = 0.1`) and makes the distance grow in
/// flat regions too; the published code leaves it out.
///
/// # Errors
///
/// [`Error::Length`]; [`Error::NoClick`] when the marker is empty; [`Error::Parameter`] when `theta_g` is negative.
pub fn add_euclidean_term(cost: &mut [f32], grid: &Grid, marker: &[bool], theta_g: f64) -> Result<(), Error> {
    Error::check_length("cost", grid, cost.len())?;
    if !(theta_g.is_finite() && theta_g >= 0.0) {
        return Err(Error::Parameter { name: "theta_g", expected: "a weight of at least 0", found: theta_g });
    }
    let distance = euclidean_distance(grid, marker)?;
    let farthest = distance.iter().copied().fold(0.0, f32::max);
    if farthest > 0.0 {
        let weight = theta_g as f32 / farthest;
        cost.iter_mut().zip(distance).for_each(|(cost, distance)| *cost += weight * distance);
    }
    Ok(())
}

/// The Euclidean distance in mm to the marker: what takes the place of the geodesic distance where edges mean nothing.
///
/// # Errors
///
/// [`Error::Length`]; [`Error::NoClick`] when the marker is empty.
pub fn euclidean_distance(grid: &Grid, marker: &[bool]) -> Result<Vec<f32>, Error> {
    Error::check_length("marker", grid, marker.len())?;
    if marker.contains(&true) { Ok(distance_to(marker, grid)) } else { Err(Error::NoClick) }
}
