//! Convolutions for the CPU, and the operations around them, as an extension of the Burn tensor library.
//!
//! - [`ops`]: differentiable functions on tensors `[batch, channels, (z,) y, x]`; [`nn`]: layers; [`optim`]: Adam.
//! - [`conv`]: the same convolutions on plain slices, with their gradients.
//!
//! Samples are f32. Every kernel is written once and runs on the vectors that the processor has ([`Level`]). Sums are taken in an order
//! that depends neither on the number of threads nor on how the work is divided; levels differ by rounding, since some fuse a
//! multiplication with an addition and some do not.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use fewmark_conv::{Activation, nn::ConvConfig};
//!
//! let device = Device::flex().autodiff();
//! let conv = ConvConfig::new([3, 16], [3; 3]).with_padding([1; 3]).init::<4>(&device);
//! let x = Tensor::<4>::random([1, 3, 32, 32], Distribution::Default, &device);
//! let y = conv.forward_with(x, Activation::Relu);
//! assert_eq!(y.dims(), [1, 16, 32, 32]);
//! let gradients = y.sum().backward();
//! assert!(conv.weight.val().grad(&gradients).is_some());
//! ```

pub mod conv;
mod error;
mod kernels;
mod level;
mod memory;
mod mumford_shah;
pub mod nn;
pub mod ops;
pub mod optim;
mod shape;

pub use conv::{Activation, Division, Recipe};
pub use error::ConvError;
pub use level::Level;
pub use shape::ConvShape;
