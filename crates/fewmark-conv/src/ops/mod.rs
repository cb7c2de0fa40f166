//! Differentiable operations on Burn's tensors, of rank 4 (`[batch, channels, y, x]`) or 5 (`[batch, channels, z, y, x]`).
//!
//! On the CPU (Burn's `Flex` backend, f32) each is one pass over memory with a gradient written by hand; without
//! autodiff nothing is kept. On any other device, or with any other type of number, the same functions are [`composed`]
//! of Burn's own operations.
//!
//! Like Burn's own, they panic when the shapes of their arguments do not fit.

pub mod composed;
mod conv;
mod flex;
mod record;

pub use conv::{ConvOptions, conv, conv_transpose};
