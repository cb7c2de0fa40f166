//! The geodesic distances from the marker and from the background clicks.

use std::borrow::Cow;

use fewmark_grid::Grid;

use super::params::{EdgeSide, SelectiveParams};
use crate::Error;
use crate::geodesic::{Eikonal, add_euclidean_term};

/// The background clicks: their voxels, and the geodesic distance from them.
pub(super) struct Background {
    pub(super) mask: Vec<bool>,
    pub(super) distance: Vec<f32>,
}

/// What solves for distances on one image, its memory kept between clicks.
#[derive(Default)]
pub(super) struct Distances {
    foreground: Option<Eikonal>,
    background: Option<Eikonal>,
}

impl Distances {
    /// The distances from the marker and from the background clicks, found beside each other with the same cost of a step, so that
    /// they can be compared. `phi` is the fitting term of the image `f`.
    pub(super) fn solve(
        &mut self,
        f: &[f32],
        phi: &[f32],
        grid: &Grid,
        marker: &[bool],
        background: Option<Vec<bool>>,
        params: &SelectiveParams,
    ) -> Result<(Vec<f32>, Option<Background>), Error> {
        let cost = match params.edge_side {
            EdgeSide::Outer => params.cost_params().outer_cost(f, phi, grid)?,
            EdgeSide::Both => params.cost_params().cost(f, grid)?,
        };
        let Self { foreground, background: outside } = self;
        let from_marker = || {
            let mut cost = Cow::Borrowed(&cost);
            if params.theta_g > 0.0 {
                add_euclidean_term(cost.to_mut(), grid, marker, params.theta_g)?;
            }
            distance(foreground, &cost, grid, marker)
        };
        let from_background = || {
            let found = background.map(|mask| {
                let distance = distance(outside, &cost, grid, &mask)?;
                Ok(Background { mask, distance })
            });
            found.transpose()
        };
        let (marker, background): (Result<_, Error>, Result<_, Error>) = rayon::join(from_marker, from_background);
        Ok((marker?, background?))
    }
}

/// The distance from some voxels, by a solver that is made on first use.
fn distance(eikonal: &mut Option<Eikonal>, cost: &[f32], grid: &Grid, sources: &[bool]) -> Result<Vec<f32>, Error> {
    let eikonal = match eikonal {
        Some(eikonal) => {
            eikonal.set_cost(cost)?;
            eikonal
        }
        None => eikonal.insert(Eikonal::new(cost, grid)?),
    };
    eikonal.solve(sources)?;
    Ok(eikonal.distance().map(|d| d as f32).collect())
}
