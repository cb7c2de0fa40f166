//! The two updates of an unrolled Mumford-Shah network, each in as few passes over memory as its convolutions need.
//!
//! Such a network (MSNet) alternates an update of the features `u` and one of the soft labels `v`.
//! With `L*(x) = T2^T relu(T1^T x)`, two transposed convolutions, and a convolution `K`,
//!
//! - the operator is `A(u; v) = v u + L*(v w)` with `w = L u`, and its updates all have the form `a u + b base + c A(u; v)`;
//! - the soft labels are `v' = softmax((-(f - u)^2 / 2 - w^2 / 2 - K (1 - 2 v)) / eps)` over channels.
//!
//! All fields are `[batch, channels, z, y, x]`, all kernels map them to fields of the same size.

use pulp::Simd;

use crate::ConvShape;
use crate::conv::correlation::Correlation;
use crate::conv::engine::{Finish, Pass, Results};
use crate::conv::staging::Source;
use crate::conv::weight_gradient::WeightGradient;
use crate::conv::{Activation, weight_gradient};
use crate::kernels::{elementwise, softmax};
use crate::memory;

/// The product of two fields.
struct Product<'a>(&'a [f32], &'a [f32]);

impl Source for Product<'_> {
    #[inline(always)]
    fn read(&self, at: usize, row: &mut [f32]) {
        let (a, b) = (&self.0[at..][..row.len()], &self.1[at..][..row.len()]);
        for ((row, a), b) in row.iter_mut().zip(a).zip(b) {
            *row = a * b;
        }
    }
}

/// `1 - 2 v`: soft labels from -1 to 1, with the sign of the background.
struct Sides<'a>(&'a [f32]);

impl Source for Sides<'_> {
    #[inline(always)]
    fn read(&self, at: usize, row: &mut [f32]) {
        for (row, v) in row.iter_mut().zip(&self.0[at..]) {
            *row = 1.0 - 2.0 * v;
        }
    }
}

/// The fields of an update `a u + b base + c A(u; v)`, in the notation of the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update<'a> {
    pub(crate) base: &'a [f32],
    pub(crate) u: &'a [f32],
    pub(crate) v: &'a [f32],
    pub(crate) w: &'a [f32],
    pub(crate) t1: &'a [f32],
    pub(crate) t2: &'a [f32],
    /// `[a, b, c]`
    pub(crate) factors: [f32; 3],
}

/// The gradients of an [`Update`] to its fields.
pub(crate) struct UpdateGradients<'a> {
    pub(crate) base: &'a mut [f32],
    pub(crate) u: &'a mut [f32],
    pub(crate) v: &'a mut [f32],
    pub(crate) w: &'a mut [f32],
    pub(crate) t1: &'a mut [f32],
    pub(crate) t2: &'a mut [f32],
}

impl Update<'_> {
    /// Fills `hidden` with `relu(T1^T (v w))` and `out` with the update.
    pub(crate) fn run(&self, shape: &ConvShape, hidden: &mut [f32], out: &mut [f32]) {
        let correlation = Correlation::input_gradient(shape);
        let product = Product(self.v, self.w);
        Pass::new(&correlation, product, self.t1, Activation::Relu).run(hidden);
        Pass::new(&correlation, &*hidden, self.t2, Combine(self)).run(out);
    }

    /// Fills the gradients, from that to the update, `g`, and the field `hidden` of the forward pass.
    pub(crate) fn gradients(&self, shape: &ConvShape, hidden: &[f32], g: &[f32], to: UpdateGradients<'_>) {
        let correlation = Correlation::forward(shape);
        let [a, b, c] = self.factors;
        weight_gradient(shape, g, hidden, to.t2);
        to.t2.iter_mut().for_each(|weight| *weight *= c);
        let mut to_hidden = memory::take(g.len());
        let finish = WherePositive { field: hidden, factor: c };
        Pass::new(&correlation, g, self.t2, finish).run(&mut to_hidden);
        let product = to.w;
        elementwise::for_each([&mut *product], [self.v, self.w], |[product], [v, w]| *product = v * w);
        weight_gradient(shape, &to_hidden, product, to.t1);
        Pass::new(&correlation, &*to_hidden, self.t1, Activation::None).run(product);
        memory::give(to_hidden);
        elementwise::for_each(
            [to.base, to.u, to.v, product],
            [g, self.u, self.v, self.w],
            |[to_base, to_u, to_v, product], [g, u, v, w]| {
                *to_base = b * g;
                *to_u = a * g + c * g * v;
                *to_v = c * g * u + *product * w;
                *product *= v;
            },
        );
    }
}

/// What follows the second transposed convolution of an update: `a u + b base + c (v u + y)`.
struct Combine<'a, 'b>(&'a Update<'b>);

impl Finish for Combine<'_, '_> {
    #[inline(always)]
    fn finish<S: Simd>(&self, _: S, results: &mut Results<'_>) {
        let [a, b, c] = self.0.factors;
        results.for_each_channel(|at, channel| {
            let [base, u, v] = [self.0.base, self.0.u, self.0.v].map(|field| &field[at..][..channel.len()]);
            for (((y, base), u), v) in channel.iter_mut().zip(base).zip(u).zip(v) {
                *y = a * u + b * base + c * (v * u + *y);
            }
        });
    }
}

/// `factor y` where the field is positive, zero elsewhere.
struct WherePositive<'a> {
    field: &'a [f32],
    factor: f32,
}

impl Finish for WherePositive<'_> {
    #[inline(always)]
    fn finish<S: Simd>(&self, _: S, results: &mut Results<'_>) {
        results.for_each_channel(|at, channel| {
            for (y, field) in channel.iter_mut().zip(&self.field[at..]) {
                *y = if *field > 0.0 { self.factor * *y } else { 0.0 };
            }
        });
    }
}

/// The fields of an update of the soft labels, in the notation of the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    pub(crate) f: &'a [f32],
    pub(crate) u: &'a [f32],
    pub(crate) v: &'a [f32],
    pub(crate) w: &'a [f32],
    pub(crate) k: &'a [f32],
    pub(crate) eps: f32,
    /// Groups of channels with a softmax each
    pub(crate) groups: usize,
}

/// The gradients of [`Labels`] to their fields.
pub(crate) struct LabelsGradients<'a> {
    pub(crate) f: &'a mut [f32],
    pub(crate) u: &'a mut [f32],
    pub(crate) v: &'a mut [f32],
    pub(crate) w: &'a mut [f32],
    pub(crate) k: &'a mut [f32],
}

impl Labels<'_> {
    /// Fills `out` with the new soft labels.
    pub(crate) fn run(&self, shape: &ConvShape, out: &mut [f32]) {
        let correlation = Correlation::forward(shape);
        // The softmax needs all channels of a voxel in one job.
        let mut pass = Pass::new(&correlation, Sides(self.v), self.k, Softmax(self));
        pass.recipe = pass.recipe.in_bands(&correlation);
        pass.run(out);
    }

    /// Fills the gradients, from that to the new soft labels, `g`, and these labels, `labels`.
    pub(crate) fn gradients(&self, shape: &ConvShape, labels: &[f32], g: &[f32], to: LabelsGradients<'_>) {
        let plane = shape.input.iter().product();
        // The gradient to the result of the convolution, which enters the softmax with a minus.
        let mut to_conv = memory::take(g.len());
        softmax::gradient(g, labels, shape.in_channels / self.groups, plane, &mut to_conv);
        let factor = -self.eps.recip();
        elementwise::for_each(
            [&mut to_conv, to.f, to.u, to.w],
            [self.f, self.u, self.w],
            |[to_conv, to_f, to_u, to_w], [f, u, w]| {
                *to_conv *= factor;
                *to_f = (f - u) * *to_conv;
                *to_u = -*to_f;
                *to_w = w * *to_conv;
            },
        );
        WeightGradient::new(&Correlation::forward(shape), Sides(self.v), &to_conv).run(to.k);
        let correlation = Correlation::input_gradient(shape);
        Pass::new(&correlation, to_conv.as_slice(), self.k, Scaled(-2.0)).run(to.v);
        memory::give(to_conv);
    }
}

/// What follows the convolution of an update of the labels: the other terms, and the softmax.
struct Softmax<'a, 'b>(&'a Labels<'b>);

impl Finish for Softmax<'_, '_> {
    #[inline(always)]
    fn finish<S: Simd>(&self, _: S, results: &mut Results<'_>) {
        let inverse = self.0.eps.recip();
        results.for_each_channel(|at, channel| {
            let [f, u, w] = [self.0.f, self.0.u, self.0.w].map(|field| &field[at..][..channel.len()]);
            for (((y, f), u), w) in channel.iter_mut().zip(f).zip(u).zip(w) {
                let fit = f - u;
                *y = -(0.5 * (fit * fit + w * w) + *y) * inverse;
            }
        });
        let size = results.channels.len() / self.0.groups;
        for group in results.channels.chunks_exact_mut(size) {
            let len = group[0].len();
            for from in (0..len).step_by(softmax::SEGMENT) {
                softmax::normalise(group, from..len.min(from + softmax::SEGMENT));
            }
        }
    }
}

/// `factor y`.
struct Scaled(f32);

impl Finish for Scaled {
    #[inline(always)]
    fn finish<S: Simd>(&self, _: S, results: &mut Results<'_>) {
        for channel in &mut results.channels {
            channel.iter_mut().for_each(|y| *y *= self.0);
        }
    }
}
