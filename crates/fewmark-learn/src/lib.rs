//! Learning from few marks: what is trained, and the one loop that trains it.
//!
//! A [`Task`] has a network, draws batches and computes a loss; [`train`] does the rest: steps, learning rate, validation,
//! checkpoints, early stopping. A [`Run`] is the folder where a training is kept, so that it can be stopped at any instant and
//! gone on with to the same end. A trained network is kept as one file, see [`model`].
//!
//! [`supervised`] trains any network on labelled images; [`dip`] has the methods of Burrows, Chen and Torella, which learn from a few images with clicks and no labels.

pub mod dataset;
mod device;
pub mod dip;
mod error;
pub mod fewshot;
pub mod model;
pub mod report;
mod run;
pub mod superpixels;
pub mod supervised;
mod tensor_file;
mod training;
mod weights;

pub use device::{Compute, init_seeded};
pub use error::Error;
pub use run::{Run, RunState};
pub use training::{
    Event, Loss, Observer, Optimizer, Picture, Plan, Schedule, Step, StopReason, Task, Trained, Validation, random_of,
    train,
};
