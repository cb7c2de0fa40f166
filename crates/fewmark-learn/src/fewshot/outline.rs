//! The outline of an object, finer than features: the variational model on the pixels of a slice.

use std::ops::ControlFlow;

use fewmark_classical::convex::{ConvexProblem, PrimalDualParams, Warm, minimise};
use fewmark_classical::edge::{EdgeDetector, GradientStep};
use fewmark_grid::Grid;

use super::inference::InferenceConfig;
use crate::Error;

/// Standard deviation of the Gaussian in the edge detector, in sides of the slice.
const SMOOTH: f64 = 1.0 / 256.0;

/// The edge weights `g` of a slice with samples from 0 to 1 whose longer side is `side` widths of a pixel long, as the spacing of the grid is.
pub(super) fn edges(slice: &[f32], grid: &Grid, side: f64, config: &InferenceConfig) -> Result<Vec<f32>, Error> {
    // Gradients are in samples per width of a pixel, the setting is in samples per side.
    let detector = EdgeDetector { iota: config.edges * side * side, sigma: SMOOTH * side };
    Ok(detector.apply_by(slice, grid, GradientStep::Spacing)?)
}

/// The object `u`, from 0 to 1 and nearly always one of them, in a slice where `odds` are the logarithms of its odds: the minimiser of
/// `mu TV_g(u) - <tanh(odds), u>` (Burrows, Chen and Torella, equation 1, with the odds as data).
pub(super) fn outlined(odds: &[f32], edges: &[f32], grid: &Grid, mu: f64) -> Result<Vec<f32>, Error> {
    let data: Vec<f32> = odds.iter().map(|odds| -odds.tanh()).collect();
    let problem = ConvexProblem { grid, data: &data, weight: Some(edges), mu };
    let found =
        minimise(&problem, &PrimalDualParams::default(), &mut Warm::default(), &mut |_| ControlFlow::Continue(()))?;
    Ok(found.0)
}
