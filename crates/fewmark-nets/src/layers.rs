//! What the networks need beside convolutions, written once for 2-D (tensors of rank 4) and 3-D (rank 5).

use burn::module::Initializer;
use burn::tensor::{Tensor, TensorData};

/// Uniform weights with standard deviation `gain / sqrt(fan_in)`.
pub(crate) fn kaiming(gain: f64) -> Initializer {
    Initializer::KaimingUniform { gain, fan_out_only: false }
}

/// Spatial size of a tensor.
pub(crate) fn size<const R: usize>(x: &Tensor<R>) -> Vec<usize> {
    x.dims()[2..].to_vec()
}

/// Linear interpolation to another spatial size, pixel areas aligned (`align_corners = false`).
pub(crate) fn interpolate_linear<const R: usize>(x: Tensor<R>, size: &[usize]) -> Tensor<R> {
    size.iter().enumerate().fold(x, |x, (i, &n)| interpolate_axis(x, 2 + i, n))
}

/// Linear interpolation along one axis, as a product with the matrix of its weights.
fn interpolate_axis<const R: usize>(x: Tensor<R>, axis: usize, to: usize) -> Tensor<R> {
    let mut dims = x.dims();
    let from = dims[axis];
    if from == to {
        return x;
    }
    let mut weights = vec![0.0f32; to * from];
    for i in 0..to {
        let at = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).max(0.0);
        let low = (at as usize).min(from - 1);
        let high = (low + 1).min(from - 1);
        weights[i * from + low] += 1.0 - (at - low as f32);
        weights[i * from + high] += at - low as f32;
    }
    let matrix = Tensor::<3>::from_data(TensorData::new(weights, [1, to, from]), &x.device());
    let (before, after) = (dims[..axis].iter().product(), dims[axis + 1..].iter().product());
    dims[axis] = to;
    matrix.expand([before, to, from]).matmul(x.reshape([before, from, after])).reshape(dims)
}

/// Means over pairs of voxels along every spatial axis; the last voxel of an odd axis stands alone.
pub(crate) fn average_pairs<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    (2..R).fold(x, |x, axis| {
        let n = x.dims()[axis];
        let x = if n % 2 == 1 { Tensor::cat(vec![x.clone(), x.narrow(axis, n - 1, 1)], axis) } else { x };
        let mut dims = x.dims();
        dims[axis] /= 2;
        let (before, after) = (dims[..=axis].iter().product(), dims[axis + 1..].iter().product());
        x.reshape([before, 2, after]).mean_dim(1).reshape(dims)
    })
}
