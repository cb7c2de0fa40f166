//! Selective segmentation as a convex problem: weighted total variation plus a linear data term over `0 <= u <= 1`.
//!
//! ```text
//! E(u) = mu * sum g |Du| + <r, u>
//! ```
//!
//! The relaxation of the binary problem is exact in the continuum: almost every level set of a minimiser is a minimiser
//! among sets (Chan, Esedoglu and Nikolova 2006), so an object is `u > 1/2`. Two solvers find the same minimum:
//! [`minimise`], primal-dual, fast and with a certificate, is the one to use; [`admm`] is the method of Burrows, Chen
//! and Torella.

mod admm;
mod energy;
mod means;
mod multilevel;
mod primal_dual;
mod problem;
mod sweep;

pub use admm::{AdmmParams, admm};
pub use primal_dual::{PrimalDualParams, Warm, minimise};
pub use problem::ConvexProblem;
pub(crate) use problem::{check_finite, check_parameter};
