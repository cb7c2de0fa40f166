//! Loops over plain slices for the operations around convolutions, shared over threads and vectorised by the compiler.
//!
//! Tensors are row-major `[batch, channels, z, y, x]`; a *plane* is all voxels of one channel of one image. Every sum is
//! taken in an order that does not depend on the number of threads.

pub(crate) mod activation;
mod sum;
