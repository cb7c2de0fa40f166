//! Differentiable operations on Burn's tensors, of rank 4 (`[batch, channels, y, x]`) or 5 (`[batch, channels, z, y, x]`).
//!
//! On the CPU (Burn's `Flex` backend, f32) each is one pass over memory with a gradient written by hand; without
//! autodiff nothing is kept. On any other device, or with any other type of number, the same functions are [`composed`]
//! of Burn's own operations.
//!
//! Activations on their own and concatenation are Burn's: they are as fast as memory there.
//!
//! Like Burn's own, they panic when the shapes of their arguments do not fit.

mod batch_norm;
pub mod composed;
mod conv;
mod flex;
mod instance_norm;
mod interpolate;
mod mumford_shah;
mod pool;
mod record;
mod reflect;
mod softmax;

pub use batch_norm::{batch_norm, channel_affine};
pub use conv::{ConvOptions, conv, conv_affine, conv_transpose};
pub(crate) use flex::{contiguous, filled, runs_on, samples};
pub use instance_norm::instance_norm;
pub use interpolate::interpolate_linear;
pub use mumford_shah::{label_update, operator_update};
pub use pool::{PoolOptions, max_pool};
pub use reflect::reflect_pad;
pub use softmax::softmax;
