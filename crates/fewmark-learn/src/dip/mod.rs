//! Selective segmentation learned without labels: the Deep-Image-Prior networks of Burrows, Chen and Torella, "Using Deep Image Prior to
//! Assist Variational Selective Segmentation Deep Learning Algorithms".
//!
//! A network is trained on a few images with clicks; the loss is the energy of the variational model, so it needs no ground truth. For
//! every other image it answers from the clicks at once.
//!
//! | [`Variant`] | networks | second input channel | loss |
//! |---|---|---|---|
//! | `m1` | VM Net | the marked region | eq. 3: `mu mean(g abs(Du)) + mean(r u)` |
//! | `m2` | VM Net | the marked region | the same with `mu = 0` |
//! | `m3` | VM Net and DIP Net | the marked region | eq. 2: `mean(r u_DIP u_VM) + 1/2 mean((u_DIP - u_VM)^2)` |
//! | `m4` | VM Net and DIP Net | the geodesic distance | the same |
//!
//! `r` is the data term of [`fewmark_classical::selective`], `lambda Phi + theta D_G` and what its parameters add to that. A prediction
//! is `u_VM` alone. [`segment`] is the model for a single image, where the weights of a DIP Net are the unknowns.
//!
//! Where ours leaves the paper: `r` has its robust terms and not the paper's letter, which prefer the wrong object on real images; it is a
//! third channel of the input, to whose pointwise minimiser the network adds (`data_channel`), and is computed on the image's own grid
//! before it is brought to the networks'; the coupling of eq. 2 rises from 0 in the first steps; instance normalisation is the default,
//! because running statistics of two images are not those of one; and of `u > 1/2` the clicked part is kept, as for the variational methods.

mod augmentation;
mod config;
mod losses;
mod predictor;
mod prepared;
mod single;
mod stopping;
mod task;

pub use config::{Augmentation, DipConfig, LossConfig, Noise, Variant};
pub use losses::{coupled, regularised};
pub use predictor::{Prediction, Predictor};
pub use prepared::Case;
pub use single::{Single, SingleConfig, SingleRule, segment};
pub use task::{Networks, networks, train_on};
