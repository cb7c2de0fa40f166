//! Fewmark segments medical images from few marks.
//!
//! A [`Method`] turns an [`Image`] and a few [`Marks`] into a [`Segmentation`]; [`registry`] lists the methods and builds
//! one from its parameters.

mod dip;
mod error;
pub mod explain;
pub mod fewshot;
pub mod learned;
mod marks;
mod method;
pub mod overlay;
pub mod parameters;
pub mod phantom;
pub mod registry;
pub mod selective;
pub mod simulate;
mod supervised;
pub mod training;

pub use error::Error;
pub use fewmark_classical as classical;
pub use fewmark_image as image;
pub use fewmark_image::{Dimension, Geometry, Image, LabelMap};
pub use fewmark_learn as learn;
pub use fewmark_learn::superpixels;
pub use fewmark_metrics as metrics;
pub use fewmark_nets as nets;
pub use marks::{Marks, Space, VoxelMarks};
pub use method::{Method, Progress, Segmentation, SolverRun, Step, Trace, Warm};
