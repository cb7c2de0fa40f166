//! The three products of a convolution: its output, and the gradients to its input and its weights.

mod compute;
pub(crate) mod correlation;
pub(crate) mod engine;
mod part_weights;
pub(crate) mod plan;
mod pointwise;
#[cfg(test)]
mod reference;
mod row_pairs;
mod scratch;
pub(crate) mod staging;
#[cfg(test)]
mod tests;
mod tile;
pub(crate) mod weight_gradient;

pub use plan::{Division, Recipe};

use pulp::Simd;

use self::correlation::Correlation;
use self::engine::{Finish, Pass, Results};
use self::weight_gradient::WeightGradient;
use crate::ConvShape;
use crate::level::Level;

/// What follows a convolution in the same pass over its output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// Nothing
    #[default]
    None,
    /// `y` where it is not negative, 0 elsewhere; what is not a number stays so
    Relu,
    /// `y` where positive, `slope y` elsewhere
    LeakyRelu(f32),
}

impl Activation {
    /// The activation of one sample.
    #[inline(always)]
    pub fn apply(self, y: f32) -> f32 {
        match self {
            Self::None => y,
            // `max` would turn what is not a number into 0, and hide that a training diverged.
            Self::Relu => {
                if y < 0.0 {
                    0.0
                } else {
                    y
                }
            }
            Self::LeakyRelu(slope) => {
                if y > 0.0 {
                    y
                } else {
                    slope * y
                }
            }
        }
    }
}

impl Finish for Activation {
    #[inline(always)]
    fn finish<S: Simd>(&self, _: S, results: &mut Results<'_>) {
        // Told apart outside the loops, so that each is a loop of one simple operation.
        match *self {
            Self::None => {}
            Self::Relu => results.for_each_channel(|_, y| y.iter_mut().for_each(|y| *y = Self::Relu.apply(*y))),
            leaky => results.for_each_channel(|_, y| y.iter_mut().for_each(|y| *y = leaky.apply(*y))),
        }
    }
}

/// A factor and a summand for each channel, and an activation: a normalisation whose statistics are known.
struct Affine<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
    activation: Activation,
}

impl Finish for Affine<'_> {
    #[inline(always)]
    fn finish<S: Simd>(&self, simd: S, results: &mut Results<'_>) {
        for (i, channel) in results.channels.iter_mut().enumerate() {
            let (scale, shift) = (self.scale[results.first_channel + i], self.shift[results.first_channel + i]);
            channel.iter_mut().for_each(|y| *y = scale * *y + shift);
        }
        self.activation.finish(simd, results);
    }
}

/// `y = activation(scale conv(x, weights) + shift)`, with one `scale` and one `shift` for each output channel.
///
/// # Panics
/// If a slice has not the length that `shape` says.
#[track_caller]
pub fn forward_affine(
    shape: &ConvShape,
    x: &[f32],
    weights: &[f32],
    [scale, shift]: [&[f32]; 2],
    activation: Activation,
    y: &mut [f32],
) {
    check(shape, x.len(), weights.len(), y.len());
    let correlation = Correlation::forward(shape);
    Pass::new(&correlation, x, weights, Affine { scale, shift, activation }).run(y);
}

/// `y = activation(conv(x, weights) + bias)`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
#[track_caller]
pub fn forward(
    shape: &ConvShape,
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    check(shape, x.len(), weights.len(), y.len());
    let correlation = Correlation::forward(shape);
    Pass { bias, ..Pass::new(&correlation, x, weights, activation) }.run(y);
}

/// `y = activation(conv_transpose(x, weights) + bias)`, where `shape` is the convolution whose input gradient this is: `x` has the
/// size of its output and `y` that of its input.
///
/// # Panics
/// If a slice has not the length that `shape` says.
#[track_caller]
pub fn transposed(
    shape: &ConvShape,
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    check(shape, y.len(), weights.len(), x.len());
    let correlation = Correlation::input_gradient(shape);
    Pass { bias, ..Pass::new(&correlation, x, weights, activation) }.run(y);
}

/// The gradient to the input, `dx`, of a loss whose gradient to the convolution's output is `dy`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
#[track_caller]
pub fn input_gradient(shape: &ConvShape, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    transposed(shape, dy, weights, None, Activation::None, dx);
}

/// The gradient to the weights, `dw`, of a loss whose gradient to the convolution's output is `dy`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
#[track_caller]
pub fn weight_gradient(shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    check(shape, x.len(), dw.len(), dy.len());
    if pointwise::suits(shape) {
        return pointwise::weight_gradient(shape, x, dy, dw, Level::current());
    }
    let correlation = Correlation::forward(shape);
    WeightGradient::new(&correlation, x, dy).run(dw);
}

/// Panics where a slice has not the length that `shape` says.
#[track_caller]
fn check(shape: &ConvShape, x: usize, weights: usize, y: usize) {
    assert_eq!(x, shape.input_len(), "samples of the input of {shape:?}");
    assert_eq!(weights, shape.weights_len(), "weights of {shape:?}");
    assert_eq!(y, shape.output_len(), "samples of the output of {shape:?}");
}
