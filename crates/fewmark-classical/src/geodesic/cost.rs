use crate::edge::{GradientStep, gradient_magnitude_squared, steepest_gradient_squared};
use crate::{Error, Grid};
use fewmark_grid::distance_to;
use rayon::prelude::*;

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
        self.check()?;
        let mut cost = gradient_magnitude_squared(f, grid, self.step)?;
        let (flat, edge) = (self.flat as f32, self.edge as f32);
        cost.par_iter_mut().for_each(|cost| *cost = flat + edge * *cost);
        Ok(cost)
    }

    /// The cost of a step where an edge is paid for on its outer side: `F = eps_D + beta_G m^(1/4) |grad f|²` with the misfit
    /// `m = min(1 + Phi, 1)`, which is 0 where the fitting term `phi` is at its best and 1 where the sample does not fit.
    ///
    /// The gradient is large on both sides of an edge. Here a voxel of the object beside its edge is near, whereas one that is
    /// beyond, or within a thin wall, pays in full; the gradient is that of [`steepest_gradient_squared`], so that thin walls have
    /// one. The root lets all but the best fitting voxels pay most of the price, so that edges of low contrast count. Not in
    /// the papers.
    ///
    /// # Errors
    ///
    /// As [`CostParams::cost`].
    pub fn outer_cost(&self, f: &[f32], phi: &[f32], grid: &Grid) -> Result<Vec<f32>, Error> {
        self.check()?;
        Error::check_length("fitting term", grid, phi.len())?;
        let mut cost = steepest_gradient_squared(f, grid, self.step)?;
        let (flat, edge) = (self.flat as f32, self.edge as f32);
        cost.par_iter_mut().zip(phi).for_each(|(cost, phi)| {
            let misfit = (1.0 + phi).clamp(0.0, 1.0);
            *cost = flat + edge * misfit.sqrt().sqrt() * *cost;
        });
        Ok(cost)
    }

    fn check(&self) -> Result<(), Error> {
        if !(self.flat.is_finite() && self.flat > 0.0) {
            return Err(Error::Parameter { name: "flat", expected: "a positive cost", found: self.flat });
        }
        if !(self.edge.is_finite() && self.edge >= 0.0) {
            return Err(Error::Parameter { name: "edge", expected: "a weight of at least 0", found: self.edge });
        }
        Ok(())
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
