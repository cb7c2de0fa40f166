//! Adam in one pass over every parameter.

use burn::{
    backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension, tensor::FloatTensor},
    config::Config,
    grad_clipping::GradientClippingConfig,
    optim::{
        AdamConfig as BurnAdamConfig, AdamState, AdaptiveMomentumState, LearningRate, ModuleOptimizer, Optimizer,
        decay::WeightDecayConfig,
    },
    tensor::{Device, Tensor},
};
use burn_flex::FlexTensor;

use crate::{
    kernels::adam::Step,
    ops::{contiguous, filled, runs_on, samples},
};

/// Settings of [`Adam`].
#[derive(Config, Debug)]
pub struct AdamConfig {
    /// Decay of the mean gradient
    #[config(default = 0.9)]
    pub beta_1: f32,
    /// Decay of the mean squared gradient
    #[config(default = 0.999)]
    pub beta_2: f32,
    /// Added to the root of the mean squared gradient
    #[config(default = 1e-8)]
    pub epsilon: f32,
    /// This times the parameter is added to its gradient
    #[config(default = 0.0)]
    pub weight_decay: f32,
    /// How large gradients are made smaller
    pub grad_clipping: Option<GradientClippingConfig>,
}

impl AdamConfig {
    /// The optimiser of one group of parameters, without clipping.
    pub fn build(&self) -> Adam {
        Adam { beta_1: self.beta_1, beta_2: self.beta_2, epsilon: self.epsilon, weight_decay: self.weight_decay }
    }

    /// The optimiser of a whole module.
    pub fn init(&self) -> ModuleOptimizer {
        let optimizer = ModuleOptimizer::from(self.build());
        match &self.grad_clipping {
            Some(clipping) => optimizer.with_grad_clipping(clipping.init()),
            None => optimizer,
        }
    }
}

/// Adam, `p <- p - rate mhat / (sqrt(vhat) + epsilon)`, with the moments corrected for their start at zero.
///
/// Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1. The same numbers as
/// [`burn::optim::Adam`]'s, and the same records; on the CPU one pass over parameter, gradient and moments, in place.
#[derive(Clone, Debug)]
pub struct Adam {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    weight_decay: f32,
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        if !(runs_on(&parameter) && runs_on(&gradient)) {
            let decay = (self.weight_decay != 0.0).then(|| WeightDecayConfig::new(self.weight_decay));
            let burn = BurnAdamConfig::new().with_beta_1(self.beta_1).with_beta_2(self.beta_2);
            return burn
                .with_epsilon(self.epsilon)
                .with_weight_decay(decay)
                .build()
                .step(rate, parameter, gradient, state);
        }
        let momentum = state.map(|state| state.momentum);
        let AdaptiveMomentumState { time, moment_1, moment_2, .. } = momentum.unwrap_or_else(|| {
            let zeros = || Tensor::zeros(parameter.dims(), &parameter.device());
            AdaptiveMomentumState::new(0, zeros(), zeros())
        });
        let time = time + 1;
        let remainder = |beta: f32| 1.0 - f64::from(beta).powf(time as f64);
        let step = Step {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            rate: (rate / remainder(self.beta_1)) as f32,
            correction: remainder(self.beta_2).sqrt().recip() as f32,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
        };
        let [parameter, gradient, moment_1, moment_2] =
            [parameter, gradient, moment_1, moment_2].map(|tensor| tensor.inner().into_dispatch());
        let (parameter, moment_1, moment_2) = Dispatch::adam_step(parameter, gradient, moment_1, moment_2, step);
        let [parameter, moment_1, moment_2] = [parameter, moment_1, moment_2].map(Tensor::from_dispatch);
        (parameter, Some(AdamState::new(AdaptiveMomentumState::new(time, moment_1, moment_2))))
    }

    fn to_device<const D: usize>(mut state: AdamState<D>, device: &Device) -> AdamState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

/// The step as Burn's backends see it.
#[backend_extension(Flex)]
pub(crate) trait AdamOps: Backend {
    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: Step,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl AdamOps for Flex {
    fn adam_step(
        parameter: FlexTensor,
        gradient: FlexTensor,
        moment_1: FlexTensor,
        moment_2: FlexTensor,
        step: Step,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let gradient = contiguous(gradient);
        let [mut parameter, mut moment_1, mut moment_2] = [parameter, moment_1, moment_2].map(owned);
        step.run(samples(&gradient), parameter.storage_mut(), moment_1.storage_mut(), moment_2.storage_mut());
        (parameter, moment_1, moment_2)
    }
}

/// A tensor that nobody else sees, and whose storage holds its samples and nothing else.
fn owned(mut x: FlexTensor) -> FlexTensor {
    let whole = x.as_slice::<f32>().is_some_and(|samples| samples.len() == x.storage::<f32>().len());
    if whole && x.try_storage_mut::<f32>().is_some() {
        return x;
    }
    let x = contiguous(x);
    filled(x.shape(), |own| own.copy_from_slice(samples(&x)))
}
