//! Few-shot segmentation: an encoder is trained once, without labels, and then segments whatever a labelled slice or scan shows it.
//!
//! An **episode** is a support slice with a mask and a query slice; the query is segmented by the similarity of its features to prototypes
//! from the support. Masks of a training are superpixels (Ouyang and others, Self-supervision with superpixels: training few-shot medical
//! image segmentation without annotation, ECCV 2020: SSL-ALPNet), labels (ALPNet, PANet), or regions of made-up anatomies.
//!
//! All slices are brought to one square grid: scaled by their longer side and padded. Slices are those along z.

mod alignment;
mod along;
mod appearance;
mod augmentation;
mod config;
mod deformation;
mod encoded;
mod episode;
mod frame;
mod fusion;
mod inference;
mod known;
mod losses;
mod outline;
mod place;
mod pooling;
mod predictor;
mod pretrained;
mod propagation;
mod refinement;
mod scan;
mod se_net;
mod search;
mod support;
mod synthesis;
mod task;

pub use augmentation::Augmentation;
pub use config::{EpisodeConfig, FewShotConfig, LossConfig, Source, Windows};
pub use encoded::Encoded;
pub use episode::check;
pub use fusion::Found;
pub use inference::{InferenceConfig, Prediction};
pub use known::Known;
pub use pooling::Pooling;
pub use predictor::Predictor;
pub use pretrained::{Pretrained, pretrained};
pub use scan::Scan;
pub use se_net::{TrainedSeNet, se_net_paper, train_se_net};
pub use support::Support;
pub use task::{Outcome, train_on};
