//! The one loop that trains every network.

mod checkpoint;
mod plan;
mod task;
mod train;

pub(crate) use checkpoint::Checkpoint;
pub use plan::{Optimizer, Plan, Schedule, random_of};
pub use task::{Event, Loss, Observer, Picture, Step, Task, Validation};
pub use train::{StopReason, Trained, train};
