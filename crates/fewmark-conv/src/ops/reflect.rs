//! Padding by reflection.

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
use crate::kernels::reflect::Reflection;

/// `[batch, channels, ...]` continued by reflection, by so many voxels before and after each axis (z, y, x; in 2-D nobody
/// looks at z).
///
/// The outermost voxels are the mirrors and are not repeated: `a b c` by 2 on both sides is `c b a b c b a`, NumPy's `reflect`
/// and PyTorch's `ReflectionPad`. Unlike the latter's, a padding may be as long as the axis or longer, which is then reflected at
/// both ends again and again; an axis of one voxel repeats it.
///
/// # Panics
/// If a size is 0.
pub fn reflect_pad<const R: usize>(x: Tensor<R>, mut padding: [[usize; 2]; 3]) -> Tensor<R> {
    let size = spatial(&x.dims());
    assert!(size.iter().all(|&size| size > 0), "nothing to reflect in a size of {size:?}");
    if R == 4 {
        padding[0] = [0; 2];
    }
    if padding == [[0; 2]; 3] {
        return x;
    }
    if !runs_on(&x) {
        return composed::reflect_pad(x, padding);
    }
    Tensor::from_dispatch(Dispatch::reflection(x.into_dispatch(), Padding(Arc::new(Reflection::new(size, padding)))))
}

/// What is padded, and how.
#[derive(Clone, Debug)]
pub(crate) struct Padding(Arc<Reflection>);

/// The padding as Burn's backends see it.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait ReflectOps: Backend {
    fn reflection(x: FloatTensor<Self>, padding: Padding) -> FloatTensor<Self>;
}

impl ReflectOps for Flex {
    fn reflection(x: FlexTensor, padding: Padding) -> FlexTensor {
        let x = contiguous(x);
        let y = filled(with_size(&x, padding.0.output()), |y| padding.0.pad(samples(&x), y));
        recycle([x]);
        y
    }
}

impl<C: CheckpointStrategy> ReflectOps for Autodiff<Flex, C> {
    fn reflection(x: FloatTensor<Self>, padding: Padding) -> FloatTensor<Self> {
        record::<C, _, _>([x], |[x], _| (Flex::reflection(x, padding.clone()), padding))
    }
}

impl Saved<1> for Padding {
    fn gradients(self, dy: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let dx = filled(with_size(&dy, self.0.input()), |dx| self.0.fold(samples(&dy), dx));
        recycle([dy]);
        [Some(dx)]
    }
}
