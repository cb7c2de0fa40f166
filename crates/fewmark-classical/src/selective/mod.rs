//! The selective model, from an image and clicks to a mask.
//!
//! [`Session`] keeps the prepared image, the memory of the solvers and the last solution, so that a further click on the same
//! image costs the distances and a short solve.

mod data_term;
mod distances;
mod params;
mod part;
mod selection;
mod session;

pub use params::{
    DistanceKind, EdgeSide, FittingBandKind, Keep, LengthUnit, NormalisationKind, SelectiveParams, Solver,
};
pub use session::{Outcome, Regulariser, Run, Session, Terms, clicked_object};
