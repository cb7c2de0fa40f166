//! Convolutions and transposed convolutions, with their bias and activation in the same pass.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension, tensor::FloatTensor,
    },
    tensor::{Shape, Tensor},
};
use burn_flex::FlexTensor;

use super::{
    batch_norm::ChannelOps,
    composed,
    flex::{contiguous, filled, recycle, runs_on, samples, shape, spatial},
    record::{Saved, record},
};
use crate::{
    Activation, ConvShape,
    conv::{forward, forward_affine, input_gradient, transposed, weight_gradient},
    kernels,
};

/// How a kernel moves over its input. Axes are z, y and x; a 2-D convolution does not look at z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Step between output voxels, in input voxels
    pub stride: [usize; 3],
    /// Zeros put before and after the input, in voxels
    pub padding: [usize; 3],
    /// Step between the kernel's taps, in input voxels
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other
    pub groups: usize,
}

impl Default for ConvOptions {
    /// Stride 1, no padding, no dilation, one group.
    fn default() -> Self {
        Self { stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups: 1 }
    }
}

impl ConvOptions {
    /// Stride 1 with the padding that leaves the size as it is, for a kernel of odd size (z, y, x; z = 1 in 2-D).
    pub fn same(kernel: [usize; 3]) -> Self {
        Self { padding: kernel.map(|k| k / 2), ..Self::default() }
    }

    /// This with another stride.
    #[must_use]
    pub fn with_stride(self, stride: [usize; 3]) -> Self {
        Self { stride, ..self }
    }

    /// This with another padding.
    #[must_use]
    pub fn with_padding(self, padding: [usize; 3]) -> Self {
        Self { padding, ..self }
    }

    /// This with another dilation.
    #[must_use]
    pub fn with_dilation(self, dilation: [usize; 3]) -> Self {
        Self { dilation, ..self }
    }

    /// This with another number of groups.
    #[must_use]
    pub fn with_groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// These options with nothing along z if the tensors are 2-D.
    fn of_rank(self, rank: usize) -> Self {
        let z = |given: [usize; 3], neutral| if rank == 4 { [neutral, given[1], given[2]] } else { given };
        Self { stride: z(self.stride, 1), padding: z(self.padding, 0), dilation: z(self.dilation, 1), ..self }
    }
}

/// `activation(conv(x, weights) + bias)`.
///
/// `x` is `[batch, in, ...]`, `weights` `[out, in / groups, ...]`, `bias` `[out]`, the result `[batch, out, ...]` of
/// [this](ConvShape::output) size. The gradient of the activation is read off the result, so a leaky slope must not be
/// negative.
///
/// # Panics
/// If the shapes do not fit or the kernel is larger than the padded input.
pub fn conv<const R: usize>(
    x: Tensor<R>,
    weights: Tensor<R>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    activation: Activation,
) -> Tensor<R> {
    if !(runs_on(&x) && runs_on(&weights) && bias.as_ref().is_none_or(runs_on)) {
        return composed::conv(x, weights, bias, options, activation);
    }
    Call::convolution(&x, &weights, options, activation).dispatch(x, weights, bias)
}

/// `activation(scale conv(x, weights) + shift)`, with one `scale` and one `shift` for each output channel: a convolution and a
/// normalisation whose statistics are known.
///
/// The tensors are those of [`conv`], `scale` and `shift` are `[out]`.
///
/// # Panics
/// If the shapes do not fit or the kernel is larger than the padded input.
pub fn conv_affine<const R: usize>(
    x: Tensor<R>,
    weights: Tensor<R>,
    [scale, shift]: [Tensor<1>; 2],
    options: ConvOptions,
    activation: Activation,
) -> Tensor<R> {
    if !(runs_on(&x) && runs_on(&weights) && runs_on(&scale) && runs_on(&shift)) {
        let y = composed::conv(x, weights, None, options, Activation::None);
        return composed::channel_affine(y, scale, shift, activation);
    }
    let call = Call::convolution(&x, &weights, options, activation).validated();
    for channels in [&scale, &shift] {
        assert_eq!(
            channels.dims(),
            [call.output_channels()],
            "one scale and one shift for each output channel are needed"
        );
    }
    let [scale, shift] = [scale, shift].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::convolution_affine(x.into_dispatch(), weights.into_dispatch(), scale, shift, call))
}

/// `activation(conv_transpose(x, weights) + bias)`: the gradient to its input of the convolution that leads from the
/// result back to `x`.
///
/// `x` is `[batch, in, ...]`, `weights` `[in, out / groups, ...]`, `bias` `[out]`, the result `[batch, out, ...]` of size
/// `stride (size - 1) - 2 padding + dilation (kernel - 1) + 1 + output_padding` along each axis. `output_padding` (z, y,
/// x) is smaller than the stride: it says which of the sizes that a strided convolution takes to the same size is meant.
///
/// # Panics
/// If the shapes do not fit.
pub fn conv_transpose<const R: usize>(
    x: Tensor<R>,
    weights: Tensor<R>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    output_padding: [usize; 3],
    activation: Activation,
) -> Tensor<R> {
    if !(runs_on(&x) && runs_on(&weights) && bias.as_ref().is_none_or(runs_on)) {
        return composed::conv_transpose(x, weights, bias, options, output_padding, activation);
    }
    let (input, kernel) = (x.dims(), weights.dims());
    assert_eq!(kernel[0], input[1], "the weights are for {} channels, the input has {}", kernel[0], input[1]);
    let options = options.of_rank(R);
    let (size, taps) = (spatial(&input), spatial(&kernel));
    let output = std::array::from_fn(|axis| {
        let extra = if axis == 0 && R == 4 { 0 } else { output_padding[axis] };
        assert!(extra < options.stride[axis], "the output padding {extra} must be below the stride of axis {axis}");
        let spanned = options.stride[axis] * (size[axis] - 1) + options.dilation[axis] * (taps[axis] - 1) + 1 + extra;
        spanned.checked_sub(2 * options.padding[axis]).expect("the padding of a transposed convolution leaves nothing")
    });
    let shape = ConvShape {
        batch: input[0],
        in_channels: kernel[1] * options.groups,
        out_channels: input[1],
        groups: options.groups,
        input: output,
        kernel: taps,
        stride: options.stride,
        padding: options.padding,
        dilation: options.dilation,
    };
    Call { shape, transposed: true, rank: R, activation }.dispatch(x, weights, bias)
}

/// One convolution, all but its tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Of the convolution, or of the one whose input gradient the transposed convolution is
    shape: ConvShape,
    transposed: bool,
    rank: usize,
    activation: Activation,
}

impl Call {
    /// The convolution of two tensors.
    fn convolution<const R: usize>(
        x: &Tensor<R>,
        weights: &Tensor<R>,
        options: ConvOptions,
        activation: Activation,
    ) -> Self {
        let (input, kernel) = (x.dims(), weights.dims());
        let options = options.of_rank(R);
        let shape = ConvShape {
            batch: input[0],
            in_channels: input[1],
            out_channels: kernel[0],
            groups: options.groups,
            input: spatial(&input),
            kernel: spatial(&kernel),
            stride: options.stride,
            padding: options.padding,
            dilation: options.dilation,
        };
        assert_eq!(
            kernel[1] * options.groups,
            input[1],
            "the weights are for {} channels in {} groups, the input has {}",
            kernel[1] * options.groups,
            options.groups,
            input[1]
        );
        Self { shape, transposed: false, rank: R, activation }
    }

    /// This, or a panic that says what is wrong with it.
    fn validated(self) -> Self {
        if let Err(error) = self.shape.validate() {
            panic!("{error}");
        }
        self
    }

    fn dispatch<const R: usize>(self, x: Tensor<R>, weights: Tensor<R>, bias: Option<Tensor<1>>) -> Tensor<R> {
        let call = self.validated();
        let (x, weights) = (x.into_dispatch(), weights.into_dispatch());
        Tensor::from_dispatch(match bias {
            None => Dispatch::convolution(x, weights, call),
            Some(bias) => {
                let channels = self.output_channels();
                assert_eq!(bias.dims(), [channels], "one bias for each of the {channels} output channels is needed");
                Dispatch::convolution_with_bias(x, weights, bias.into_dispatch(), call)
            }
        })
    }

    fn output_channels(&self) -> usize {
        if self.transposed { self.shape.in_channels } else { self.shape.out_channels }
    }

    /// A tensor's shape on the side of the convolution's input.
    fn near(&self) -> Shape {
        self.tensor_shape(self.shape.in_channels, self.shape.input)
    }

    /// A tensor's shape on the side of the convolution's output.
    fn far(&self) -> Shape {
        self.tensor_shape(self.shape.out_channels, self.shape.output())
    }

    fn tensor_shape(&self, channels: usize, size: [usize; 3]) -> Shape {
        shape(self.rank, self.shape.batch, channels, size)
    }

    fn run(&self, x: FlexTensor, weights: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        let (x, weights, bias) = (contiguous(x), contiguous(weights), bias.map(contiguous));
        let (field, weights, bias) = (samples(&x), samples(&weights), bias.as_ref().map(samples));
        let y = if self.transposed {
            filled(self.near(), |y| transposed(&self.shape, field, weights, bias, self.activation, y))
        } else {
            filled(self.far(), |y| forward(&self.shape, field, weights, bias, self.activation, y))
        };
        recycle([x]);
        y
    }

    fn x_gradient(&self, dy: &[f32], weights: &[f32]) -> FlexTensor {
        if self.transposed {
            filled(self.far(), |dx| forward(&self.shape, dy, weights, None, Activation::None, dx))
        } else {
            filled(self.near(), |dx| input_gradient(&self.shape, dy, weights, dx))
        }
    }

    fn weights_gradient(&self, x: &[f32], dy: &[f32], weights: Shape) -> FlexTensor {
        let (near, far) = if self.transposed { (dy, x) } else { (x, dy) };
        filled(weights, |dw| weight_gradient(&self.shape, near, far, dw))
    }

    fn bias_gradient(&self, dy: &[f32]) -> FlexTensor {
        let size = if self.transposed { self.shape.input } else { self.shape.output() };
        filled(Shape::from([self.output_channels()]), |db| {
            kernels::activation::bias_gradient(dy, size.iter().product(), db);
        })
    }
}

/// The convolution as Burn's backends see it.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait ConvolutionOps: Backend {
    fn convolution(x: FloatTensor<Self>, weights: FloatTensor<Self>, call: Call) -> FloatTensor<Self>;
    fn convolution_with_bias(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;
    fn convolution_affine(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;
}

impl ConvolutionOps for Flex {
    fn convolution(x: FlexTensor, weights: FlexTensor, call: Call) -> FlexTensor {
        call.run(x, weights, None)
    }

    fn convolution_with_bias(x: FlexTensor, weights: FlexTensor, bias: FlexTensor, call: Call) -> FlexTensor {
        call.run(x, weights, Some(bias))
    }

    fn convolution_affine(
        x: FlexTensor,
        weights: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        call: Call,
    ) -> FlexTensor {
        let [x, weights, scale, shift] = [x, weights, scale, shift].map(contiguous);
        let affine = [samples(&scale), samples(&shift)];
        let y = filled(call.far(), |y| {
            forward_affine(&call.shape, samples(&x), samples(&weights), affine, call.activation, y);
        });
        recycle([x]);
        y
    }
}

impl<C: CheckpointStrategy> ConvolutionOps for Autodiff<Flex, C> {
    fn convolution(x: FloatTensor<Self>, weights: FloatTensor<Self>, call: Call) -> FloatTensor<Self> {
        record::<C, _, _>([x, weights], |arguments, tracked| call.run_saving(arguments, tracked))
    }

    fn convolution_with_bias(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        record::<C, _, _>([x, weights, bias], |arguments, tracked| call.run_saving(arguments, tracked))
    }

    fn convolution_affine(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        // The gradient to the scale needs the convolution alone.
        let y = Self::convolution(x, weights, Call { activation: Activation::None, ..call });
        Self::affine(y, scale, shift, call.activation)
    }
}

/// What the gradients need: each factor only if the other one has a gradient.
#[derive(Clone, Debug)]
struct Factors {
    call: Call,
    x: Option<FlexTensor>,
    weights: Option<FlexTensor>,
    weights_shape: Shape,
    /// The output, if an activation's gradient is to be read off it
    y: Option<FlexTensor>,
}

impl Call {
    /// The convolution of `x`, `weights` and, if there is a third argument, `bias`.
    fn run_saving<const N: usize>(self, arguments: [FlexTensor; N], tracked: [bool; N]) -> (FlexTensor, Factors) {
        let (x, weights) = (contiguous(arguments[0].clone()), contiguous(arguments[1].clone()));
        let y = self.run(x.clone(), weights.clone(), arguments.get(2).cloned());
        let saved = Factors {
            call: self,
            weights_shape: weights.shape(),
            x: tracked[1].then_some(x),
            weights: tracked[0].then_some(weights),
            y: (self.activation != Activation::None).then(|| y.clone()),
        };
        (y, saved)
    }
}

impl<const N: usize> Saved<N> for Factors {
    fn gradients(self, mut dy: FlexTensor, wanted: [bool; N]) -> [Option<FlexTensor>; N] {
        let Self { call, x, weights, weights_shape, y } = self;
        if let Some(y) = y {
            let masked = filled(dy.shape(), |masked| {
                kernels::activation::gradient(samples(&dy), samples(&y), call.activation, masked);
            });
            recycle([std::mem::replace(&mut dy, masked), y]);
        }
        let dw = x.map(|x| {
            let dw = call.weights_gradient(samples(&x), samples(&dy), weights_shape);
            recycle([x]);
            dw
        });
        let dx = weights.map(|weights| call.x_gradient(samples(&dy), samples(&weights)));
        let db = wanted.get(2).is_some_and(|&wanted| wanted).then(|| call.bias_gradient(samples(&dy)));
        recycle([dy]);
        let mut gradients = [dx, dw, db].into_iter();
        std::array::from_fn(|_| gradients.next().flatten())
    }
}
