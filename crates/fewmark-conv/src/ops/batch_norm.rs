//! Batch normalisation, and an affine map of every channel, with the activation in the same pass.

use burn::{
    backend::{
        Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension, tensor::FloatTensor,
    },
    tensor::{Shape, Tensor},
};
use burn_flex::FlexTensor;

use super::{
    composed,
    flex::{contiguous, filled, plane, runs_on, samples},
    record::{Saved, record},
};
use crate::{
    Activation,
    kernels::batch_norm::{Normalisation, affine, affine_gradient},
};

/// `activation(gamma (x - mean) / sqrt(variance + epsilon) + beta)` with the mean and variance of each channel over the
/// batch and the voxels.
///
/// `x` is `[batch, channels, ...]`, `gamma` and `beta` are `[channels]`. Returns also the mean and the (biased) variance,
/// `[channels]`, which have no gradient. A leaky slope must not be negative.
///
/// # Panics
/// If the shapes do not fit.
pub fn batch_norm<const R: usize>(
    x: Tensor<R>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Activation,
) -> (Tensor<R>, Tensor<1>, Tensor<1>) {
    if !(runs_on(&x) && runs_on(&gamma) && runs_on(&beta)) {
        return composed::batch_norm(x, gamma, beta, epsilon, activation);
    }
    check_channels(&x, &gamma, &beta);
    let (y, mean, variance) = Dispatch::batch_normalisation(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        activation,
    );
    (Tensor::from_dispatch(y), Tensor::from_dispatch(mean), Tensor::from_dispatch(variance))
}

/// `activation(scale x + shift)` with a scale and a shift for each channel: batch normalisation with given statistics.
///
/// `x` is `[batch, channels, ...]`, `scale` and `shift` are `[channels]`. A leaky slope must not be negative.
///
/// # Panics
/// If the shapes do not fit.
pub fn channel_affine<const R: usize>(
    x: Tensor<R>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    activation: Activation,
) -> Tensor<R> {
    if !(runs_on(&x) && runs_on(&scale) && runs_on(&shift)) {
        return composed::channel_affine(x, scale, shift, activation);
    }
    check_channels(&x, &scale, &shift);
    Tensor::from_dispatch(Dispatch::affine(x.into_dispatch(), scale.into_dispatch(), shift.into_dispatch(), activation))
}

fn check_channels<const R: usize>(x: &Tensor<R>, scale: &Tensor<1>, shift: &Tensor<1>) {
    let channels = [x.dims()[1]];
    assert!(x.shape().num_elements() > 0, "an empty tensor has no statistics");
    assert_eq!(scale.dims(), channels, "one scale for each of the channels is needed");
    assert_eq!(shift.dims(), channels, "one shift for each of the channels is needed");
}

/// The maps as Burn's backends see them.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait ChannelOps: Backend {
    fn batch_normalisation(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    fn affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

impl ChannelOps for Flex {
    fn batch_normalisation(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        activation: Activation,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (x, gamma, beta) = (contiguous(x), contiguous(gamma), contiguous(beta));
        let normalisation = Normalisation { plane: plane(&x), gamma: samples(&gamma), epsilon, activation };
        let mut mean = vec![0.0; samples(&gamma).len()];
        let mut variance = mean.clone();
        let y = filled(x.shape(), |y| {
            normalisation.forward(samples(&x), samples(&beta), y, &mut mean, &mut variance);
        });
        let channels = |samples: &[f32]| filled(gamma.shape(), |of| of.copy_from_slice(samples));
        (y, channels(&mean), channels(&variance))
    }

    fn affine(x: FlexTensor, scale: FlexTensor, shift: FlexTensor, activation: Activation) -> FlexTensor {
        let (x, scale, shift) = (contiguous(x), contiguous(scale), contiguous(shift));
        filled(x.shape(), |y| affine(samples(&x), plane(&x), samples(&scale), samples(&shift), activation, y))
    }
}

impl<C: CheckpointStrategy> ChannelOps for Autodiff<Flex, C> {
    fn batch_normalisation(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let mut statistics = None;
        let y = record::<C, _, _>([x, gamma, beta], |[x, gamma, beta], _| {
            let (x, gamma) = (contiguous(x), contiguous(gamma));
            let (y, mean, variance) = Flex::batch_normalisation(x.clone(), gamma.clone(), beta, epsilon, activation);
            statistics = Some((mean.clone(), variance.clone()));
            let kept = (activation != Activation::None).then(|| y.clone());
            (y, Normalised { x, y: kept, gamma, mean, variance, epsilon, activation })
        });
        let (mean, variance) = statistics.expect("the operation ran");
        (y, Self::from_inner(mean), Self::from_inner(variance))
    }

    fn affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        record::<C, _, _>([x, scale, shift], |[x, scale, shift], _| {
            let (x, scale) = (contiguous(x), contiguous(scale));
            let y = Flex::affine(x.clone(), scale.clone(), shift, activation);
            let kept = (activation != Activation::None).then(|| y.clone());
            (y, Affine { x, y: kept, scale, activation })
        })
    }
}

#[derive(Clone, Debug)]
struct Normalised {
    x: FlexTensor,
    /// Only if there is an activation
    y: Option<FlexTensor>,
    gamma: FlexTensor,
    mean: FlexTensor,
    variance: FlexTensor,
    epsilon: f64,
    activation: Activation,
}

impl Saved<3> for Normalised {
    fn gradients(self, dy: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let Self { epsilon, activation, .. } = self;
        let (x, gamma) = (samples(&self.x), samples(&self.gamma));
        let normalisation = Normalisation { plane: plane(&self.x), gamma, epsilon, activation };
        three(&self.x, self.gamma.shape(), |dx, dgamma, dbeta| {
            // Without an activation the output's sign does not matter.
            let y = self.y.as_ref().map_or(x, samples);
            let (mean, variance) = (samples(&self.mean), samples(&self.variance));
            normalisation.gradient(samples(&dy), x, y, mean, variance, dx, dgamma, dbeta);
        })
    }
}

#[derive(Clone, Debug)]
struct Affine {
    x: FlexTensor,
    /// Only if there is an activation
    y: Option<FlexTensor>,
    scale: FlexTensor,
    activation: Activation,
}

impl Saved<3> for Affine {
    fn gradients(self, dy: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let (x, scale) = (samples(&self.x), samples(&self.scale));
        three(&self.x, self.scale.shape(), |dx, dscale, dshift| {
            let y = self.y.as_ref().map_or(x, samples);
            affine_gradient(samples(&dy), x, y, plane(&self.x), scale, self.activation, dx, dscale, dshift);
        })
    }
}

/// A tensor like `x` and two of one number per channel. They come out of the same passes, so none is left out.
fn three(
    x: &FlexTensor,
    channels: Shape,
    fill: impl FnOnce(&mut [f32], &mut [f32], &mut [f32]),
) -> [Option<FlexTensor>; 3] {
    let (mut second, mut third) = (vec![0.0; channels.num_elements()], vec![0.0; channels.num_elements()]);
    let first = filled(x.shape(), |first| fill(first, &mut second, &mut third));
    let of = |samples: Vec<f32>| filled(channels.clone(), |of| of.copy_from_slice(&samples));
    [first, of(second), of(third)].map(Some)
}
