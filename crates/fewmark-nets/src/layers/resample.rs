//! Sizes of image tensors, written once for 2-D (tensors of rank 4) and 3-D (rank 5).

use burn::tensor::Tensor;
use fewmark_conv::ops::{PoolOptions, max_pool};

/// Size of an image tensor along z, y and x; 1 along z in 2-D.
pub(crate) fn size<const R: usize>(x: &Tensor<R>) -> [usize; 3] {
    let dims = x.dims();
    std::array::from_fn(|axis| if axis + R < 5 { 1 } else { dims[axis + R - 3] })
}

/// Means over pairs of voxels along every spatial axis; the last voxel of an odd axis stands alone.
pub(crate) fn average_pairs<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    (2..R).fold(x, |x, axis| {
        let x = even(x, axis);
        let mut dims = x.dims();
        dims[axis] /= 2;
        let (before, after) = (dims[..=axis].iter().product(), dims[axis + 1..].iter().product());
        x.reshape([before, 2, after]).mean_dim(1).reshape(dims)
    })
}

/// The larger of every two voxels along every spatial axis; the last voxel of an odd axis stands alone.
pub(crate) fn max_pairs<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    max_pool((2..R).fold(x, even), PoolOptions::HALVES)
}

/// `x` with the last voxel of an odd axis repeated.
fn even<const R: usize>(x: Tensor<R>, axis: usize) -> Tensor<R> {
    let n = x.dims()[axis];
    if n % 2 == 1 { Tensor::cat(vec![x.clone(), x.narrow(axis, n - 1, 1)], axis) } else { x }
}

/// Every voxel twice along every spatial axis.
pub(crate) fn repeat_twice<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    (2..R).fold(x, |x, axis| {
        let mut dims = x.dims();
        let (before, after) = (dims[..=axis].iter().product(), dims[axis + 1..].iter().product());
        dims[axis] *= 2;
        x.reshape([before, 1, after]).expand([before, 2, after]).reshape(dims)
    })
}

/// The first `size` voxels (z, y, x; in 2-D nobody looks at z) of images that are nowhere smaller.
pub(crate) fn cut<const R: usize>(x: Tensor<R>, size: [usize; 3]) -> Tensor<R> {
    (2..R).fold(x, |x, axis| {
        let to = size[axis + 3 - R];
        if x.dims()[axis] == to { x } else { x.narrow(axis, 0, to) }
    })
}

/// The middle `size` pixels (y, x) of images that are nowhere smaller; of an odd remainder the larger part is cut off behind.
pub(crate) fn centre_crop(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    (2..4).fold(x, |x, axis| {
        let (from, to) = (x.dims()[axis], size[axis - 2]);
        if from == to { x } else { x.narrow(axis, (from - to) / 2, to) }
    })
}
