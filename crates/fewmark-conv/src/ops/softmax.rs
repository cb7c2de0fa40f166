//! Softmax over channels.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension, tensor::FloatTensor,
    },
    tensor::Tensor,
};
use burn_flex::FlexTensor;

use super::{
    composed,
    flex::{contiguous, filled, plane, recycle, runs_on, samples},
    record::{Saved, record},
};
use crate::kernels;

/// `exp(x) / sum exp(x)` in every voxel of `[batch, channels, ...]`, the sum over the channels of the same group: the
/// channels fall into `groups` runs of neighbours of the same length.
///
/// # Panics
/// If the groups do not divide the channels.
pub fn softmax<const R: usize>(x: Tensor<R>, groups: usize) -> Tensor<R> {
    let channels = x.dims()[1];
    assert!(groups > 0 && channels.is_multiple_of(groups), "{groups} groups do not divide {channels} channels");
    if !runs_on(&x) || x.shape().num_elements() == 0 {
        return composed::softmax(x, groups);
    }
    Tensor::from_dispatch(Dispatch::channel_softmax(x.into_dispatch(), channels / groups))
}

/// The softmax as Burn's backends see it.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait SoftmaxOps: Backend {
    fn channel_softmax(x: FloatTensor<Self>, channels: usize) -> FloatTensor<Self>;
}

impl SoftmaxOps for Flex {
    fn channel_softmax(x: FlexTensor, channels: usize) -> FlexTensor {
        let x = contiguous(x);
        let y = filled(x.shape(), |y| kernels::softmax::forward(samples(&x), channels, plane(&x), y));
        recycle([x]);
        y
    }
}

impl<C: CheckpointStrategy> SoftmaxOps for Autodiff<Flex, C> {
    fn channel_softmax(x: FloatTensor<Self>, channels: usize) -> FloatTensor<Self> {
        record::<C, _, _>([x], |[x], _| {
            let y = Flex::channel_softmax(x, channels);
            (y.clone(), Probabilities { y, channels })
        })
    }
}

#[derive(Clone, Debug)]
struct Probabilities {
    y: FlexTensor,
    channels: usize,
}

impl Saved<1> for Probabilities {
    fn gradients(self, dy: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Self { y, channels } = self;
        let dx = filled(y.shape(), |dx| {
            kernels::softmax::gradient(samples(&dy), samples(&y), channels, plane(&y), dx);
        });
        recycle([dy, y]);
        [Some(dx)]
    }
}
