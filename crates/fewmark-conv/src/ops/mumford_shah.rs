//! The two updates of an unrolled Mumford-Shah network (MSNet, equations 12 to 14), each one operation.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension, tensor::FloatTensor,
    },
    tensor::{Shape, Tensor},
};
use burn_flex::FlexTensor;

use super::{
    composed,
    flex::{contiguous, filled, recycle, runs_on, samples, spatial, tensor},
    record::{Saved, record},
};
use crate::ConvShape;
use crate::memory;
use crate::mumford_shah::{Labels, LabelsGradients, Update, UpdateGradients};

/// `a u + b base + c A(u; v)`, where `A(u; v) = v u + L*(v w)` is the network's operator, `w = L u`, and
/// `L*(x) = conv_transpose(relu(conv_transpose(x, t1)), t2)`; `factors` is `[a, b, c]`.
///
/// With `[1, dt, -dt]` it is a step of the features towards the right-hand side `base`, with `[0, 1, -1]` the residual, and
/// with `[0, 1, 1]` the right-hand side of the next grid.
///
/// All fields are `[batch, channels, ...]` of one shape; `t1` and `t2` are `[channels, channels, ...]`, of odd size, and leave the
/// size of a field as it is.
///
/// # Panics
/// If the shapes do not fit.
pub fn operator_update<const R: usize>(
    base: Tensor<R>,
    [u, v, w]: [Tensor<R>; 3],
    [t1, t2]: [Tensor<R>; 2],
    factors: [f32; 3],
) -> Tensor<R> {
    let shape = same_shape([&base, &u, &v, &w], [&t1, &t2]);
    if ![&base, &u, &v, &w, &t1, &t2].into_iter().all(runs_on) {
        return composed::operator_update(base, [u, v, w], [t1, t2], factors);
    }
    let [base, u, v, w, t1, t2] = [base, u, v, w, t1, t2].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::operator_update(base, u, v, w, t1, t2, OperatorUpdate { shape, factors }))
}

/// The soft labels `softmax((-(f - u)^2 / 2 - w^2 / 2 - conv(1 - 2 v, k)) / eps)`, the softmax over each of `groups` runs of
/// channels.
///
/// All fields are `[batch, channels, ...]` of one shape; `k` is `[channels, channels, ...]`, of odd size, and leaves the size of a
/// field as it is.
///
/// # Panics
/// If the shapes do not fit or the groups do not divide the channels.
pub fn label_update<const R: usize>([f, u, v, w]: [Tensor<R>; 4], k: Tensor<R>, eps: f32, groups: usize) -> Tensor<R> {
    let shape = same_shape([&f, &u, &v, &w], [&k]);
    let channels = shape.in_channels;
    assert!(groups > 0 && channels.is_multiple_of(groups), "{groups} groups do not divide {channels} channels");
    if ![&f, &u, &v, &w, &k].into_iter().all(runs_on) {
        return composed::label_update([f, u, v, w], k, eps, groups);
    }
    let [f, u, v, w, k] = [f, u, v, w, k].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::label_update(f, u, v, w, k, LabelUpdate { shape, eps, groups }))
}

/// The convolution from fields to fields of the same size.
fn same_shape<const R: usize, const F: usize, const K: usize>(
    fields: [&Tensor<R>; F],
    kernels: [&Tensor<R>; K],
) -> ConvShape {
    let (field, kernel) = (fields[0].dims(), kernels[0].dims());
    for other in fields {
        assert_eq!(other.dims(), field, "the fields must have one shape");
    }
    for other in kernels {
        assert_eq!(other.dims(), kernel, "the kernels must have one shape");
    }
    assert_eq!(kernel[..2], [field[1]; 2], "the kernels must map {} channels to as many", field[1]);
    assert!(kernel[2..].iter().all(|size| size % 2 == 1), "the size of the kernels must be odd, got {kernel:?}");
    let kernel = spatial(&kernel);
    ConvShape {
        batch: field[0],
        in_channels: field[1],
        out_channels: field[1],
        groups: 1,
        input: spatial(&field),
        kernel,
        stride: [1; 3],
        padding: kernel.map(|size| size / 2),
        dilation: [1; 3],
    }
}

/// An [`operator_update`] but for its tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OperatorUpdate {
    shape: ConvShape,
    factors: [f32; 3],
}

/// A [`label_update`] but for its tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelUpdate {
    shape: ConvShape,
    eps: f32,
    groups: usize,
}

/// The updates as Burn's backends see them.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait MumfordShahOps: Backend {
    fn operator_update(
        base: FloatTensor<Self>,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        w: FloatTensor<Self>,
        t1: FloatTensor<Self>,
        t2: FloatTensor<Self>,
        call: OperatorUpdate,
    ) -> FloatTensor<Self>;

    fn label_update(
        f: FloatTensor<Self>,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        w: FloatTensor<Self>,
        k: FloatTensor<Self>,
        call: LabelUpdate,
    ) -> FloatTensor<Self>;
}

impl MumfordShahOps for Flex {
    fn operator_update(
        base: FlexTensor,
        u: FlexTensor,
        v: FlexTensor,
        w: FlexTensor,
        t1: FlexTensor,
        t2: FlexTensor,
        call: OperatorUpdate,
    ) -> FlexTensor {
        let (out, saved) = call.run([base, u, v, w, t1, t2]);
        saved.recycle();
        out
    }

    fn label_update(
        f: FlexTensor,
        u: FlexTensor,
        v: FlexTensor,
        w: FlexTensor,
        k: FlexTensor,
        call: LabelUpdate,
    ) -> FlexTensor {
        let (out, saved) = call.run([f, u, v, w, k]);
        recycle(saved.arguments);
        out
    }
}

impl<C: CheckpointStrategy> MumfordShahOps for Autodiff<Flex, C> {
    fn operator_update(
        base: FloatTensor<Self>,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        w: FloatTensor<Self>,
        t1: FloatTensor<Self>,
        t2: FloatTensor<Self>,
        call: OperatorUpdate,
    ) -> FloatTensor<Self> {
        record::<C, _, _>([base, u, v, w, t1, t2], |arguments, _| call.run(arguments))
    }

    fn label_update(
        f: FloatTensor<Self>,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        w: FloatTensor<Self>,
        k: FloatTensor<Self>,
        call: LabelUpdate,
    ) -> FloatTensor<Self> {
        record::<C, _, _>([f, u, v, w, k], |arguments, _| call.run(arguments))
    }
}

impl OperatorUpdate {
    fn run(self, arguments: [FlexTensor; 6]) -> (FlexTensor, SavedOperatorUpdate) {
        let arguments = arguments.map(contiguous);
        let mut hidden = memory::take(self.shape.input_len());
        let out = filled(arguments[0].shape(), |out| self.update(&arguments).run(&self.shape, &mut hidden, out));
        (out, SavedOperatorUpdate { call: self, arguments, hidden })
    }

    fn update(self, arguments: &[FlexTensor; 6]) -> Update<'_> {
        let [base, u, v, w, t1, t2] = arguments.each_ref().map(samples);
        Update { base, u, v, w, t1, t2, factors: self.factors }
    }
}

#[derive(Clone, Debug)]
struct SavedOperatorUpdate {
    call: OperatorUpdate,
    arguments: [FlexTensor; 6],
    /// The field between the two transposed convolutions
    hidden: Vec<f32>,
}

impl Saved<6> for SavedOperatorUpdate {
    fn gradients(self, dy: FlexTensor, _: [bool; 6]) -> [Option<FlexTensor>; 6] {
        let Self { call, arguments, hidden } = self;
        let gradients = gradients(arguments.each_ref().map(|argument| argument.shape()), |[base, u, v, w, t1, t2]| {
            let to = UpdateGradients { base, u, v, w, t1, t2 };
            call.update(&arguments).gradients(&call.shape, &hidden, samples(&dy), to);
        });
        recycle([dy]);
        Self { call, arguments, hidden }.recycle();
        gradients
    }
}

impl SavedOperatorUpdate {
    fn recycle(self) {
        recycle(self.arguments);
        memory::give(self.hidden);
    }
}

impl LabelUpdate {
    fn run(self, arguments: [FlexTensor; 5]) -> (FlexTensor, SavedLabelUpdate) {
        let arguments = arguments.map(contiguous);
        let out = filled(arguments[0].shape(), |out| self.labels(&arguments).run(&self.shape, out));
        (out.clone(), SavedLabelUpdate { call: self, arguments, out })
    }

    fn labels(self, arguments: &[FlexTensor; 5]) -> Labels<'_> {
        let [f, u, v, w, k] = arguments.each_ref().map(samples);
        Labels { f, u, v, w, k, eps: self.eps, groups: self.groups }
    }
}

#[derive(Clone, Debug)]
struct SavedLabelUpdate {
    call: LabelUpdate,
    arguments: [FlexTensor; 5],
    out: FlexTensor,
}

impl Saved<5> for SavedLabelUpdate {
    fn gradients(self, dy: FlexTensor, _: [bool; 5]) -> [Option<FlexTensor>; 5] {
        let Self { call, arguments, out } = self;
        let gradients = gradients(arguments.each_ref().map(|argument| argument.shape()), |[f, u, v, w, k]| {
            let to = LabelsGradients { f, u, v, w, k };
            call.labels(&arguments).gradients(&call.shape, samples(&out), samples(&dy), to);
        });
        recycle([dy, out]);
        recycle(arguments);
        gradients
    }
}

/// Tensors of these shapes, filled together.
fn gradients<const N: usize>(shapes: [Shape; N], fill: impl FnOnce([&mut [f32]; N])) -> [Option<FlexTensor>; N] {
    let mut all = shapes.each_ref().map(|shape| memory::take(shape.num_elements()));
    fill(all.each_mut().map(Vec::as_mut_slice));
    let mut all = all.into_iter().zip(shapes);
    std::array::from_fn(|_| all.next().map(|(samples, shape)| tensor(samples, shape)))
}
