//! Instance normalisation.

use burn::tensor::Tensor;

use super::batch_norm;
use crate::Activation;

/// `activation(gamma (x - mean) / sqrt(variance + epsilon) + beta)` with the mean and variance of each channel of each image
/// over its voxels.
///
/// `x` is `[batch, channels, ...]`, `gamma` and `beta` are `[channels]`. A leaky slope must not be negative.
///
/// # Panics
/// If the shapes do not fit.
pub fn instance_norm<const R: usize>(
    x: Tensor<R>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Activation,
) -> Tensor<R> {
    // The channels of all images are as many channels of one.
    let dims = x.dims();
    let [batch, channels] = [dims[0], dims[1]];
    let planes: Tensor<3> = x.reshape([1, batch * channels, dims[2..].iter().product()]);
    let [gamma, beta] = [gamma, beta].map(|of| if batch == 1 { of } else { of.repeat_dim(0, batch) });
    batch_norm(planes, gamma, beta, epsilon, activation).0.reshape(dims)
}
