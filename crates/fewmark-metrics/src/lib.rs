//! Scores of segmentations.
//!
//! [`score_case`] compares a predicted label map with the true one, and [`Summary`] gathers the cases of a study. Below
//! them lie the single scores: [`Confusion`] (overlap), [`SurfaceDistances`], [`SurfelDistances`] and [`Volumes`].
//!
//! # Conventions
//!
//! For the predicted mask `P` and the true mask `T` of a label:
//!
//! ```text
//! dice      = 2 |P ∩ T| / (|P| + |T|)            iou    = |P ∩ T| / |P ∪ T|
//! precision = |P ∩ T| / |P|                      recall = |P ∩ T| / |T|
//! accuracy  = (TP + TN) / voxels, one label against all others; of a case: voxels with the right label / voxels
//! ```
//!
//! The surface `∂M` is the mask without its erosion by the face neighbourhood, where nothing is set beyond the border
//! of the image (so voxels on the border belong to it). With `d(p, S)` the exact Euclidean distance in mm between
//! voxel centres, and the directed lists `A = {d(p, ∂T) : p ∈ ∂P}` and `B = {d(t, ∂P) : t ∈ ∂T}`:
//!
//! ```text
//! assd        = (Σ A + Σ B) / (|A| + |B|)        pooled, as MONAI and MedPy since 0.5; also called ASD
//! hd          = max(max A, max B)
//! hd95        = max(q95 A, q95 B)                as MONAI and most challenges
//! hd95_pooled = q95 of A and B together          as MedPy
//! ```
//!
//! Percentiles are interpolated linearly. `surface_dice` at a tolerance weighs surface elements by their area (length
//! in 2-D), as DeepMind's surface-distance does.
//!
//! | | overlap | surface Dice | distances |
//! |---|---|---|---|
//! | neither mask has the label | undefined | undefined | undefined |
//! | one of the two has it | 0 | 0 | infinite |
//!
//! Undefined and infinite scores are never dropped without being counted: see [`Statistics`]. In JSON an infinite score
//! is the string `"inf"`, an undefined one `null`.

mod case;
mod overlap;
mod region;
mod score;
mod summary;
mod surface;
mod surfel;
mod tally;
mod volume;

pub use case::{CaseScores, LabelScores, ScoreOptions, score_case};
pub use overlap::Confusion;
pub use score::{Metric, Score, Scores};
pub use summary::{EmptyDistance, LabelSummary, Statistics, Summary};
pub use surface::SurfaceDistances;
pub use surfel::SurfelDistances;
pub use volume::{Volumes, volume_ml};
