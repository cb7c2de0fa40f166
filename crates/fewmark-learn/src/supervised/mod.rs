//! Segmentation learned from labelled images: one task for every network of [`fewmark_nets::Architecture`].
//!
//! Images of any size, channels and intensity go in with label maps of any codes. A training step sees patches, cut from the images
//! and varied on the way; a prediction covers the whole image, in overlapping windows where it is large, and answers in the codes of the
//! label maps and the image's own geometry. A network for 2-D images that is given volumes learns from their slices and walks through
//! them afterwards.
//!
//! The settings of [`SupervisedConfig::new`] are the ones we recommend; those of [`SupervisedConfig::paper`] repeat "An Explainable
//! Multigrid Mumford-Shah Network" (MSNet): the soft Dice loss alone, Adam with 1e-3 times 0.8 every 200 iterations, no augmentation.

mod augmentation;
mod cases;
mod config;
mod explain;
mod losses;
mod patch;
mod predictor;
mod task;
mod windows;

pub use augmentation::Augmentation;
pub use cases::{Case, Classes, check};
pub use config::{LossConfig, SupervisedConfig};
pub use explain::{Explained, Visited};
pub use losses::supervised as loss;
pub use predictor::{Prediction, Predictor};
pub use task::{Outcome, held_out, train_on};
