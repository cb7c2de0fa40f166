//! The way into and out of the tensors of Burn's CPU backend.

use burn::{
    backend::DispatchDevice,
    tensor::{DType, Shape, Tensor, TensorData},
};
use burn_flex::FlexTensor;

/// Whether the kernels of this crate run on a tensor: it lies on the CPU and holds f32.
pub(super) fn runs_on<const R: usize>(x: &Tensor<R>) -> bool {
    x.dtype() == DType::F32 && matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// The tensor with its samples one after another, copied only if they are not.
pub(super) fn contiguous(x: FlexTensor) -> FlexTensor {
    match x.as_slice::<f32>() {
        Some(_) => x,
        None => x.to_contiguous(),
    }
}

/// The samples of a [contiguous] tensor.
pub(super) fn samples(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("a contiguous tensor of f32")
}

/// A tensor of the samples that `fill` writes over zeros.
pub(super) fn filled(shape: Shape, fill: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut samples = vec![0.0; shape.num_elements()];
    fill(&mut samples);
    FlexTensor::from_data(TensorData::new(samples, shape))
}

/// Sizes along z, y and x of a tensor of rank 4 (one slice) or 5.
pub(super) fn spatial(dims: &[usize]) -> [usize; 3] {
    match *dims {
        [_, _, y, x] => [1, y, x],
        [_, _, z, y, x] => [z, y, x],
        _ => panic!("a tensor of rank 4 or 5 is needed, not {}", dims.len()),
    }
}

/// The sizes of a tensor of rank `R` from those of its parts; the inverse of [`spatial`].
pub(super) fn dims<const R: usize>(batch: usize, channels: usize, [z, y, x]: [usize; 3]) -> [usize; R] {
    let all = [batch, channels, z, y, x];
    std::array::from_fn(|axis| if axis < 2 { all[axis] } else { all[axis + 5 - R] })
}
