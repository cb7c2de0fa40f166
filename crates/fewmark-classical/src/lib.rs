//! Selective variational segmentation: nothing learned, a few clicks, one convex or nearly convex problem.
//!
//! A clicked object is the set where the minimiser of
//!
//! ```text
//! mu * sum g |Du| + <r, u>,   0 <= u <= 1,   r = lambda * Phi(f, c1) + theta * D_G
//! ```
//!
//! exceeds 1/2 (Roberts and Spencer 2019; Burrows, Chen and Torella, eq. 1 and 4). [`markers`] turn clicks into a region,
//! [`fitting`] gives `Phi`, [`geodesic`] gives `D_G`, [`edge`] gives `g`; [`convex`] minimises with total variation,
//! [`elastica`] with Euler's elastica in its place. [`selective`] puts them together. [`superpixels`] are the
//! pseudo-labels that few-shot networks are trained on. [`demons`] bends one image until it looks like another.
//!
//! Fields are slices in the order of a [`Grid`]: x running fastest, `nz = 1` for an image.

pub mod convex;
pub mod demons;
mod difference;
pub mod edge;
pub mod elastica;
mod error;
pub mod fitting;
pub mod geodesic;
pub mod markers;
pub mod otsu;
mod poisson;
mod report;
pub mod selective;
pub mod statistics;
pub mod superpixels;

pub use error::Error;
pub use fewmark_grid::Grid;
pub use report::{Iteration, OnIteration, Report, Stop};
