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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn volume(samples: &[f32], size: [usize; 3]) -> Tensor<5> {
        let device = Device::flex().autodiff();
        Tensor::from_data(TensorData::new(samples.to_vec(), [1, 1, size[0], size[1], size[2]]), &device).require_grad()
    }

    /// The samples of `y`, and the gradient to `x` of their sum with weights 1, 2, 3 and so on.
    fn with_gradient(x: &Tensor<5>, y: Tensor<5>) -> (Vec<f32>, Vec<f32>) {
        let weights: Vec<f32> = (1..=y.shape().num_elements()).map(|i| i as f32).collect();
        let weights = Tensor::from_data(TensorData::new(weights, y.dims()), &y.device());
        let gradients = (y.clone() * weights).sum().backward();
        let gradient = x.grad(&gradients).expect("a leaf");
        (y.into_data().try_to_vec().unwrap(), gradient.into_data().try_to_vec().unwrap())
    }

    #[test]
    fn the_last_voxel_of_an_odd_axis_is_pooled_alone() {
        let x = volume(&[3.0, -5.0, -1.0, 4.0, 2.0, -2.0], [1, 2, 3]);
        assert_eq!(with_gradient(&x, max_pairs(x.clone())), (vec![4.0, -1.0], vec![0.0, 0.0, 2.0, 1.0, 0.0, 0.0]));
        let x = volume(&[-7.0], [1, 1, 1]);
        assert_eq!(with_gradient(&x, max_pairs(x.clone())), (vec![-7.0], vec![1.0]));
    }

    #[test]
    fn voxels_are_repeated_and_the_rest_is_cut_behind() {
        let x = volume(&[1.0, 2.0], [1, 1, 2]);
        let rows = [1.0, 1.0, 2.0, 2.0];
        let expected = (rows.repeat(4), vec![1.0 + 2.0 + 5.0 + 6.0 + 9.0 + 10.0 + 13.0 + 14.0, 76.0]);
        assert_eq!(with_gradient(&x, repeat_twice(x.clone())), expected);
        let cut = cut(repeat_twice(x.clone()), [1, 2, 3]);
        assert_eq!(with_gradient(&x, cut), ([1.0, 1.0, 2.0].repeat(2), vec![12.0, 9.0]));
    }
}
