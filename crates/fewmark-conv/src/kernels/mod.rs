//! Loops over plain slices for the operations around convolutions, shared over threads and vectorised by the compiler.
//!
//! Tensors are row-major `[batch, channels, z, y, x]`; a *plane* is all voxels of one channel of one image. Every sum is
//! taken in an order that does not depend on the number of threads.

pub(crate) mod activation;
pub(crate) mod adam;
pub(crate) mod batch_norm;
pub(crate) mod elementwise;
pub(crate) mod interpolate;
mod planes;
pub(crate) mod pool;
pub(crate) mod reflect;
pub(crate) mod softmax;
mod sum;
