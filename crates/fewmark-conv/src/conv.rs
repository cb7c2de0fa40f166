//! The three products of a convolution: its output, and the gradients to its input and its weights.

use pulp::Simd;

use crate::ConvShape;
use crate::correlation::Correlation;
use crate::engine::{Finish, Pass, Results};
use crate::level::Level;
use crate::plan::Recipe;
use crate::weight_gradient::{self, WeightGradient};

/// What follows a convolution in the same pass over its output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// Nothing
    #[default]
    None,
    /// `max(y, 0)`
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
            Self::Relu => y.max(0.0),
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

/// Adds the bias and applies the activation.
pub(crate) struct Affine<'a> {
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
}

impl Finish for Affine<'_> {
    #[inline(always)]
    fn finish<S: Simd>(&self, _: S, results: &mut Results<'_>) {
        if self.bias.is_none() && self.activation == Activation::None {
            return;
        }
        for (i, channel) in results.channels.iter_mut().enumerate() {
            let bias = self.bias.map_or(0.0, |bias| bias[results.first_channel + i]);
            match self.activation {
                Activation::None => channel.iter_mut().for_each(|y| *y += bias),
                Activation::Relu => channel.iter_mut().for_each(|y| *y = (*y + bias).max(0.0)),
                activation => channel.iter_mut().for_each(|y| *y = activation.apply(*y + bias)),
            }
        }
    }
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
    let recipe = Recipe::design(&correlation, Level::current());
    let finish = Affine { bias, activation };
    Pass { correlation: &correlation, recipe, source: x, weights, finish }.run(y);
}

/// The gradient to the input, `dx`, of a loss whose gradient to the convolution's output is `dy`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
#[track_caller]
pub fn input_gradient(shape: &ConvShape, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    check(shape, dx.len(), weights.len(), dy.len());
    let correlation = Correlation::input_gradient(shape);
    let recipe = Recipe::design(&correlation, Level::current());
    let finish = Affine { bias: None, activation: Activation::None };
    Pass { correlation: &correlation, recipe, source: dy, weights, finish }.run(dx);
}

/// The gradient to the weights, `dw`, of a loss whose gradient to the convolution's output is `dy`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
#[track_caller]
pub fn weight_gradient(shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    check(shape, x.len(), dw.len(), dy.len());
    let correlation = Correlation::forward(shape);
    let recipe = weight_gradient::design(&correlation, Level::current());
    WeightGradient { correlation: &correlation, recipe, x, dy }.run(dw);
}

/// Panics where a slice has not the length that `shape` says.
#[track_caller]
fn check(shape: &ConvShape, x: usize, weights: usize, y: usize) {
    assert_eq!(x, shape.input_len(), "samples of the input of {shape:?}");
    assert_eq!(weights, shape.weights_len(), "weights of {shape:?}");
    assert_eq!(y, shape.output_len(), "samples of the output of {shape:?}");
}
