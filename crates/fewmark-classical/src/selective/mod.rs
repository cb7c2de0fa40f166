//! The selective model, from an image and clicks to a mask.
//!
//! [`Session`] keeps what depends on the image alone, and the last solution, so that a further click on the same image costs
//! little more than a short solve.

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
