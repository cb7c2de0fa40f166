//! Convolutions for the CPU, and the operations around them, as an extension of the Burn tensor library.

mod compute;
pub mod conv;
mod correlation;
mod engine;
mod error;
mod kernels;
mod level;
mod mumford_shah;
pub mod nn;
pub mod ops;
pub mod optim;
mod part_weights;
mod plan;
#[cfg(test)]
mod reference;
mod scratch;
mod shape;
mod staging;
#[cfg(test)]
mod tests;
mod tile;
mod weight_gradient;

pub use conv::Activation;
pub use error::ConvError;
pub use level::Level;
pub use plan::{Division, Recipe};
pub use shape::ConvShape;
