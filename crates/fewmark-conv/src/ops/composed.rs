//! The operations of this crate composed of Burn's own: what runs on devices other than the CPU, and what the tests
//! compare the CPU's kernels with.

use burn::tensor::{
    Int, Tensor, TensorData, activation,
    activation::{leaky_relu, relu},
    module::{batch_norm_train, conv_transpose2d, conv_transpose3d, conv2d, conv3d, max_pool2d},
    ops::{ConvOptions as BurnConvOptions, ConvTransposeOptions, MaxPoolOptions},
};

use super::{ConvOptions, PoolOptions, flex::spatial};
use crate::Activation;

/// The tensor under another constant for its rank.
fn same_rank<const R: usize, const S: usize>(x: Tensor<R>) -> Tensor<S> {
    assert_eq!(R, S, "a tensor of rank 4 or 5 is needed");
    Tensor::from_bridge(x.into_bridge())
}

/// An activation of every sample.
pub fn activate<const R: usize>(x: Tensor<R>, activation: Activation) -> Tensor<R> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, f64::from(slope)),
    }
}

/// See [`conv`](super::conv).
pub fn conv<const R: usize>(
    x: Tensor<R>,
    weights: Tensor<R>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    activation: Activation,
) -> Tensor<R> {
    let ConvOptions { stride, padding, dilation, groups } = options;
    let y = if R == 4 {
        let options = BurnConvOptions::new(plane(stride), plane(padding), plane(dilation), groups);
        same_rank(conv2d(same_rank(x), same_rank(weights), bias, options))
    } else {
        let options = BurnConvOptions::new(stride, padding, dilation, groups);
        same_rank(conv3d(same_rank(x), same_rank(weights), bias, options))
    };
    activate(y, activation)
}

/// See [`conv_transpose`](super::conv_transpose).
pub fn conv_transpose<const R: usize>(
    x: Tensor<R>,
    weights: Tensor<R>,
    bias: Option<Tensor<1>>,
    options: ConvOptions,
    output_padding: [usize; 3],
    activation: Activation,
) -> Tensor<R> {
    let ConvOptions { stride, padding, dilation, groups } = options;
    let y = if R == 4 {
        let [stride, padding, dilation] = [stride, padding, dilation].map(plane);
        let options = ConvTransposeOptions::new(stride, padding, plane(output_padding), dilation, groups);
        same_rank(conv_transpose2d(same_rank(x), same_rank(weights), bias, options))
    } else {
        let options = ConvTransposeOptions::new(stride, padding, output_padding, dilation, groups);
        same_rank(conv_transpose3d(same_rank(x), same_rank(weights), bias, options))
    };
    activate(y, activation)
}

/// y and x of z, y and x.
fn plane([_, y, x]: [usize; 3]) -> [usize; 2] {
    [y, x]
}

/// See [`batch_norm`](super::batch_norm).
pub fn batch_norm<const R: usize>(
    x: Tensor<R>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Activation,
) -> (Tensor<R>, Tensor<1>, Tensor<1>) {
    let normalised = batch_norm_train(x, gamma, beta, epsilon);
    (activate(normalised.output, activation), normalised.mean, normalised.variance)
}

/// See [`channel_affine`](super::channel_affine).
pub fn channel_affine<const R: usize>(
    x: Tensor<R>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    activation: Activation,
) -> Tensor<R> {
    let mut of_channels = [1; R];
    of_channels[1] = x.dims()[1];
    activate(x * scale.reshape(of_channels) + shift.reshape(of_channels), activation)
}

/// See [`max_pool`](super::max_pool): windows along y and x, then along z.
pub fn max_pool<const R: usize>(x: Tensor<R>, options: PoolOptions) -> Tensor<R> {
    let PoolOptions { kernel, stride, padding } = options;
    let pool = |x, kernel, stride, [y, x_axis]: [usize; 2]| {
        let options = MaxPoolOptions::new(kernel).with_stride(stride);
        max_pool2d(x, options.with_padding([y, x_axis]))
    };
    let [batch, channels] = [x.dims()[0], x.dims()[1]];
    let [slices, rows, columns] = spatial(&x.dims());
    let y = pool(x.reshape([batch, channels * slices, rows, columns]), plane(kernel), plane(stride), plane(padding));
    if R == 4 {
        return same_rank(y);
    }
    let [_, _, rows, columns] = y.dims();
    let y = y.reshape([batch, channels, slices, rows * columns]);
    let y = pool(y, [kernel[0], 1], [stride[0], 1], [padding[0], 0]);
    let slices = y.dims()[2];
    same_rank(y.reshape([batch, channels, slices, rows, columns]))
}

/// See [`interpolate_linear`](super::interpolate_linear): a product with a matrix along each axis.
pub fn interpolate_linear<const R: usize>(x: Tensor<R>, size: [usize; 3], align_corners: bool) -> Tensor<R> {
    (2..R).fold(x, |x, axis| {
        let (from, to) = (x.dims()[axis], size[axis + 3 - R]);
        if from == to {
            return x;
        }
        let mut matrix = vec![0.0f32; from * to];
        for row in 0..to {
            let at = if align_corners {
                row as f64 * (from - 1) as f64 / (to - 1).max(1) as f64
            } else {
                ((row as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64)
            };
            let (below, weight) = (at.floor(), at.fract() as f32);
            matrix[row * from + below as usize] += 1.0 - weight;
            matrix[row * from + (below as usize + 1).min(from - 1)] += weight;
        }
        let matrix = Tensor::<2>::from_data(TensorData::new(matrix, [to, from]), &x.device()).cast(x.dtype());
        // The axis in front of the rows of a matrix of all other voxels.
        let x = x.swap_dims(0, axis);
        let mut dims = x.dims();
        let rest = x.shape().num_elements() / from;
        dims[0] = to;
        matrix.matmul(x.reshape([from, rest])).reshape(dims).swap_dims(0, axis)
    })
}

/// See [`reflect_pad`](super::reflect_pad).
pub fn reflect_pad<const R: usize>(x: Tensor<R>, padding: [[usize; 2]; 3]) -> Tensor<R> {
    (2..R).fold(x, |x, axis| {
        let ([before, after], n) = (padding[axis + 3 - R], x.dims()[axis] as i64);
        let mirrored = |place: i64| {
            let at = place.rem_euclid((2 * n - 2).max(1));
            at.min(2 * n - 2 - at).max(0)
        };
        let from: Vec<i64> = (-(before as i64)..n + after as i64).map(mirrored).collect();
        let from = Tensor::<1, Int>::from_data(TensorData::from(from.as_slice()), &x.device());
        x.select(axis, from)
    })
}

/// See [`softmax`](super::softmax).
pub fn softmax<const R: usize>(x: Tensor<R>, groups: usize) -> Tensor<R> {
    let dims = x.dims();
    let voxels: usize = dims[2..].iter().product();
    activation::softmax(x.reshape([dims[0] * groups, dims[1] / groups, voxels]), 1).reshape(dims)
}

/// See [`operator_update`](super::operator_update).
pub fn operator_update<const R: usize>(
    base: Tensor<R>,
    [u, v, w]: [Tensor<R>; 3],
    [t1, t2]: [Tensor<R>; 2],
    [a, b, c]: [f32; 3],
) -> Tensor<R> {
    let options = ConvOptions::same(spatial(&t1.dims()));
    let transposed = |x, kernel, activation| conv_transpose(x, kernel, None, options, [0; 3], activation);
    let adjoint = transposed(transposed(v.clone() * w, t1, Activation::Relu), t2, Activation::None);
    u.clone() * a + base * b + (v * u + adjoint) * c
}

/// See [`label_update`](super::label_update).
pub fn label_update<const R: usize>([f, u, v, w]: [Tensor<R>; 4], k: Tensor<R>, eps: f32, groups: usize) -> Tensor<R> {
    let options = ConvOptions::same(spatial(&k.dims()));
    let sides = conv(v * -2.0 + 1.0, k, None, options, Activation::None);
    let (fit, w) = (f - u, w);
    softmax((fit.clone() * fit * -0.5 - w.clone() * w * 0.5 - sides) / eps, groups)
}
