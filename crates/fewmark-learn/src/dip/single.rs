//! The model for a single image (the "DIP-like" model of the paper): the weights of a DIP Net are the unknowns.

use std::ops::ControlFlow;

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use fewmark_classical::selective::{SelectiveParams, clicked_object};
use fewmark_image::Scaling;
use fewmark_nets::{DipNet, DipNetConfig};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::Noise;
use super::predictor::{Prediction, enlarged};
use super::prepared::{Case, Prepared};
use super::stopping::WindowedVariance;
use super::task::{fixed_input, fresh_noise, values};
use crate::{Error, Event, Loss, Plan, Step, Task, init_seeded, random_of, train};

/// Weight of the past in the average of the outputs, as in the notebooks of Ulyanov et al.
const SMOOTHING: f32 = 0.99;

/// When the single-image model ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SingleRule {
    /// After all iterations.
    Fixed,
    /// When the variance of the last outputs has not fallen for long; the output of its minimum is taken.
    Variance,
}

/// All settings of the single-image model but those of the terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SingleConfig {
    /// Pixels of the longer side of the network's output; 0 takes those of the image.
    pub size: usize,
    /// Steps of Adam.
    pub iterations: u64,
    /// Its learning rate. With 1e-2, as in the notebooks of Ulyanov et al., small objects vanish at once and never come back. Paper: 1e-3 for
    /// its networks.
    pub learning_rate: f64,
    /// Largest value of the network's input. Paper: 1/10.
    pub noise_amplitude: f64,
    /// Standard deviation of what is added to it in each iteration. Paper: N(0, 1/100), read as a variance.
    pub noise_deviation: f64,
    /// When to end.
    pub stop: SingleRule,
    /// Outputs whose variance is looked at.
    pub stop_window: usize,
    /// Iterations to wait for a smaller variance.
    pub stop_patience: u64,
    /// Seed of weights and noise.
    pub seed: u64,
}

impl Default for SingleConfig {
    fn default() -> Self {
        let Noise { amplitude, deviation } = Noise::default();
        Self {
            size: 256,
            iterations: 200,
            learning_rate: 3e-3,
            noise_amplitude: amplitude,
            noise_deviation: deviation,
            stop: SingleRule::Fixed,
            stop_window: 50,
            stop_patience: 100,
            seed: 0,
        }
    }
}

/// What the single-image model came to.
#[derive(Clone, Debug)]
pub struct Single {
    /// The object, by the averaged output.
    pub prediction: Prediction,
    /// The last output as it is, a value a voxel.
    pub raw: Vec<f32>,
    /// Steps taken.
    pub iterations: u64,
    /// The last loss.
    pub loss: f32,
}

/// Segments the clicked object of one image, 2-D, by minimising `mean(r u)` over the weights of a network, `u = DIP(z + noise)`.
///
/// The network never sees the image: its shape is the only regulariser, and the number of steps its weight.
///
/// # Errors
/// [`Error::Classical`] for a volume or clicks outside the image, [`Error::Image`] for an image without contrast,
/// [`Error::Stopped`] when `observe` breaks.
pub fn segment(
    case: &Case,
    config: &SingleConfig,
    network: &DipNetConfig,
    scaling: &Scaling,
    model: &SelectiveParams,
    device: &Device,
    observe: &mut dyn FnMut(&Step) -> ControlFlow<()>,
) -> Result<Single, Error> {
    let prepared = Prepared::new(&case.image, &case.foreground, &case.background, config.size, scaling, model)?;
    let device = device.clone().autodiff();
    let r = prepared.field(&prepared.data, &device);
    let [_, _, height, width] = r.dims();
    let noise = Noise { amplitude: config.noise_amplitude, deviation: config.noise_deviation };
    let mut random = random_of(config.seed, 0);
    let mut task = SingleTask {
        z: fixed_input([1, network.in_channels, height, width], &noise, &mut random, &device),
        r,
        deviation: noise.deviation,
        average: Vec::new(),
        seen: 0,
        last: Vec::new(),
        rule: (config.stop == SingleRule::Variance)
            .then(|| WindowedVariance::new(config.stop_window.max(2), config.stop_patience)),
        at_least: None,
    };
    let net: DipNet = init_seeded(&device, config.seed, |device| network.init(device))?;
    let SingleConfig { iterations, learning_rate, seed, .. } = *config;
    let plan = Plan { iterations, seed, learning_rate, epsilon: 1e-7, checkpoint_every: 0, ..Plan::default() };
    let trained = train(&mut task, net, &plan, None, &mut |event| match event {
        Event::Step(step) => observe(step),
        Event::Validation { .. } => ControlFlow::Continue(()),
    })?;
    if trained.reason == crate::StopReason::Stopped {
        return Err(Error::Stopped);
    }
    let u = enlarged(task.at_least.unwrap_or(task.average), &prepared.image, &case.image)?;
    let raw = enlarged(task.last, &prepared.image, &case.image)?;
    let mask = clicked_object(&u, &case.image.geometry().grid(), &case.foreground, &case.background, model)?;
    let prediction = Prediction { mask, u, derived: prepared.derived };
    Ok(Single { prediction, raw, iterations: trained.iterations, loss: trained.loss })
}

struct SingleTask {
    z: Tensor<4>,
    r: Tensor<4>,
    deviation: f64,
    /// The exponential average of the outputs seen.
    average: Vec<f32>,
    seen: u64,
    last: Vec<f32>,
    rule: Option<WindowedVariance>,
    /// The average when the rule saw its least variance.
    at_least: Option<Vec<f32>>,
}

impl Task for SingleTask {
    type Net = DipNet;

    fn loss(&mut self, network: &DipNet, _: u64, random: &mut ChaCha8Rng) -> Result<Loss, Error> {
        let fresh = fresh_noise(self.z.dims(), self.deviation, random, &self.z.device());
        let u = sigmoid(network.forward(self.z.clone() + fresh));
        self.see(values(u.clone().detach()));
        let data = (self.r.clone() * u).mean();
        Ok(Loss { total: data.clone(), terms: vec![("data", data)] })
    }

    fn is_finished(&self) -> bool {
        self.rule.as_ref().is_some_and(WindowedVariance::is_over)
    }
}

impl SingleTask {
    fn see(&mut self, output: Vec<f32>) {
        // The plain mean as long as there are few: the first outputs mean nothing.
        let past = SMOOTHING.min(self.seen as f32 / (self.seen + 1) as f32);
        self.seen += 1;
        self.average.resize(output.len(), 0.0);
        self.average.iter_mut().zip(&output).for_each(|(a, &u)| *a = past * *a + (1.0 - past) * u);
        self.last.clone_from(&output);
        if let Some(rule) = &mut self.rule
            && rule.push(output)
        {
            self.at_least = Some(self.average.clone());
        }
    }
}
