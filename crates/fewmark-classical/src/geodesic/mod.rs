//! Geodesic distance to the marked region: `|grad D| = F`, `D = 0` on the marker.
//!
//! The cost `F = eps_D + beta_G |grad f|²` is small where the image is flat and large on edges, so `D_G` is small where
//! one can walk from the marker without crossing an edge (Roberts, Chen and Irion, *A convex geodesic selective model
//! for image segmentation*, 2019, used by Burrows, Chen and Torella in eq. 1). Three rooms: the cost, which may also
//! depend on what fits the marked region, the [`Eikonal`] solver, and the [`Normalisation`] that brings the distance to `[0, 1]`.
//!
//! ```
//! use fewmark_classical::{Grid, geodesic};
//!
//! let grid = Grid::unit([5, 1, 1]);
//! let marker = [true, false, false, false, false];
//! let distance = geodesic::geodesic_distance(&[1.0, 1.0, 3.0, 1.0, 1.0], &grid, &marker)?;
//! assert_eq!(distance, [0.0, 1.0, 4.0, 5.0, 6.0]);
//! # Ok::<(), fewmark_classical::Error>(())
//! ```

mod buckets;
mod cost;
mod eikonal;
mod normalisation;
mod stencil;

pub use cost::{CostParams, add_euclidean_term, euclidean_distance};
pub use eikonal::Eikonal;
pub use normalisation::Normalisation;

use crate::{Error, Grid};

/// The distance `D` with `|grad D| = cost` and `D = 0` on the sources, first-order Godunov, one value per voxel.
///
/// `cost` is what a step of 1 mm costs, so the unit of `D` is mm times the unit of the cost. To ask again on the same
/// image, keep an [`Eikonal`].
///
/// # Errors
///
/// Those of [`Eikonal::new`] and [`Eikonal::solve`].
pub fn geodesic_distance(cost: &[f32], grid: &Grid, sources: &[bool]) -> Result<Vec<f32>, Error> {
    let mut eikonal = Eikonal::new(cost, grid)?;
    eikonal.solve(sources)?;
    Ok(eikonal.distance().map(|distance| distance as f32).collect())
}
