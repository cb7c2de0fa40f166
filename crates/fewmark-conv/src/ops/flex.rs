//! The way into and out of the tensors of Burn's CPU backend.

use burn::{
    backend::{DispatchDevice, TensorMetadata},
    tensor::{DType, Shape, Tensor, TensorData},
};
use burn_flex::FlexTensor;

use crate::memory;

/// Whether the kernels of this crate run on a tensor: it lies on the CPU and holds f32.
pub(crate) fn runs_on<const R: usize>(x: &Tensor<R>) -> bool {
    x.dtype() == DType::F32 && matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// The tensor with its samples one after another, copied only if they are not.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    match x.as_slice::<f32>() {
        Some(_) => x,
        None => x.to_contiguous(),
    }
}

/// The samples of a [contiguous] tensor.
pub(crate) fn samples(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("a contiguous tensor of f32")
}

/// A tensor of the samples that `fill` writes: all of them, since it finds whatever was left where they lie.
pub(crate) fn filled(shape: Shape, fill: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut samples = memory::take(shape.num_elements());
    fill(&mut samples);
    tensor(samples, shape)
}

/// A tensor of its samples in row-major order.
pub(super) fn tensor(samples: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(samples, shape))
}

/// Keeps the memory of tensors that are needed no longer, where nobody else sees it, for [`filled`].
pub(super) fn recycle<const N: usize>(tensors: [FlexTensor; N]) {
    for x in tensors {
        let whole = x.as_slice::<f32>().is_some_and(|samples| samples.len() == x.storage::<f32>().len());
        if whole && x.is_unique() {
            let (bytes, ..) = x.into_data().into_parts();
            // Only memory that was a vector of f32 can become one again.
            if let Ok(samples) = bytes.try_into_vec() {
                memory::give(samples);
            }
        }
    }
}

/// Sizes along z, y and x of a tensor of rank 4 (one slice) or 5.
pub(super) fn spatial(dims: &[usize]) -> [usize; 3] {
    match *dims {
        [_, _, y, x] => [1, y, x],
        [_, _, z, y, x] => [z, y, x],
        _ => panic!("a tensor of rank 4 or 5 is needed, not {}", dims.len()),
    }
}

/// The shape of a tensor of rank 4 or 5 with other sizes along z, y and x; the inverse of [`spatial`].
pub(super) fn shape(rank: usize, batch: usize, channels: usize, [z, y, x]: [usize; 3]) -> Shape {
    if rank == 4 { Shape::from([batch, channels, y, x]) } else { Shape::from([batch, channels, z, y, x]) }
}

/// The shape of a tensor with other sizes along z, y and x.
pub(super) fn with_size(x: &FlexTensor, size: [usize; 3]) -> Shape {
    let given = x.shape();
    shape(given.num_dims(), given[0], given[1], size)
}

/// Voxels of one channel of an image.
pub(super) fn plane(x: &FlexTensor) -> usize {
    x.shape()[2..].iter().product()
}
