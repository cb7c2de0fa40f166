//! Linear interpolation to another size.

use std::sync::Arc;

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
        tensor::FloatTensor,
    },
    tensor::Tensor,
};
use burn_flex::FlexTensor;

use super::{
    composed,
    flex::{contiguous, filled, recycle, runs_on, samples, spatial, with_size},
    record::{Saved, record},
};
use crate::kernels::interpolate::{Band, apply};

/// `[batch, channels, ...]` at another size (z, y, x; in 2-D nobody looks at z): bilinear or trilinear.
///
/// Samples are the middles of voxels, and images of both sizes cover the same area; with `align_corners` the outermost
/// samples coincide instead. Both as in PyTorch's `interpolate`, without smoothing before a reduction.
///
/// # Panics
/// If a size is 0.
pub fn interpolate_linear<const R: usize>(x: Tensor<R>, size: [usize; 3], align_corners: bool) -> Tensor<R> {
    let from = spatial(&x.dims());
    let to = if R == 4 { [1, size[1], size[2]] } else { size };
    assert!(from.iter().chain(&to).all(|&size| size > 0), "interpolation from size {from:?} to {to:?}");
    if from == to {
        return x;
    }
    if !runs_on(&x) {
        return composed::interpolate_linear(x, to, align_corners);
    }
    let axes = std::array::from_fn(|axis| Band::linear(from[axis], to[axis], align_corners));
    Tensor::from_dispatch(Dispatch::interpolation(x.into_dispatch(), Map { axes: Arc::new(axes), from, to }))
}

/// A linear map of planes.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// Its matrices along z, y and x
    axes: Arc<[Band; 3]>,
    from: [usize; 3],
    to: [usize; 3],
}

/// The interpolation as Burn's backends see it.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait InterpolateOps: Backend {
    fn interpolation(x: FloatTensor<Self>, map: Map) -> FloatTensor<Self>;
}

impl InterpolateOps for Flex {
    fn interpolation(x: FlexTensor, map: Map) -> FlexTensor {
        let x = contiguous(x);
        let y = filled(with_size(&x, map.to), |y| apply(&map.axes, samples(&x), y));
        recycle([x]);
        y
    }
}

impl<C: CheckpointStrategy> InterpolateOps for Autodiff<Flex, C> {
    fn interpolation(x: FloatTensor<Self>, map: Map) -> FloatTensor<Self> {
        record::<C, _, _>([x], |[x], _| (Flex::interpolation(x, map.clone()), map))
    }
}

impl Saved<1> for Map {
    fn gradients(self, dy: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let axes = self.axes.each_ref().map(Band::transposed);
        let dx = filled(with_size(&dy, self.from), |dx| apply(&axes, samples(&dy), dx));
        recycle([dy]);
        [Some(dx)]
    }
}
