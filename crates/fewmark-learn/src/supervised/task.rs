//! Training on labelled images.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_image::{Dimension, Orientation};
use fewmark_metrics::Confusion;
use fewmark_nets::{Network2d, Network3d, Segmenter};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::cases::{Case, Example, Prepared, check, examples, patch_size};
use super::config::SupervisedConfig;
use super::losses::supervised;
use super::patch::Patches;
use super::predictor::{AnyNetwork, Predictor, Settings, dims, likeliest, probabilities};
use crate::{Error, Loss, Observer, Run, StopReason, Task, Trained, Validation, init_seeded, random_of, train};

/// What a training came to.
#[derive(Debug)]
pub struct Outcome {
    /// The network with the best validation, or after the last step where nothing was held out or no run folder kept it.
    pub predictor: Predictor,
    /// Steps taken.
    pub iterations: u64,
    /// Time spent in seconds, that before an interruption included.
    pub seconds: f64,
    /// The last loss.
    pub loss: f32,
    /// The best validation score and its iteration.
    pub best: Option<(f64, u64)>,
    /// Why it ended.
    pub reason: StopReason,
}

/// The cases that a training holds out, by their place: the same for the same number, share and seed.
pub fn held_out(cases: usize, config: &SupervisedConfig) -> Vec<usize> {
    let is_scored = cases >= config.validation_from && config.training.validate_every > 0;
    let count = if is_scored { (config.validation * cases as f64) as usize } else { 0 };
    let mut random = random_of(config.training.seed, 0);
    let mut left: Vec<usize> = (0..cases).collect();
    let mut held: Vec<usize> =
        (0..count.min(cases.saturating_sub(1))).map(|_| left.swap_remove(random.random_range(0..left.len()))).collect();
    held.sort_unstable();
    held
}

/// Trains the network of a configuration on some cases, from where the run is; see [`train`].
///
/// `device` is without autodiff, and so is the network that comes back.
///
/// # Errors
/// As [`check`] and [`train`].
pub fn train_on(
    cases: &[Case],
    config: &SupervisedConfig,
    device: &Device,
    run: Option<&mut Run>,
    observe: &mut Observer<'_>,
) -> Result<Outcome, Error> {
    config.check()?;
    let (channels, classes) = check(cases, config)?;
    let network = config.network.clone().with_channels(channels, classes.count());
    let config = SupervisedConfig { network, ..config.clone() };
    let geometry = cases[0].image.geometry();
    let direction = (geometry.dimension() == Dimension::Three).then(|| geometry.direction());
    let settings = Settings { classes, config, direction };
    let cases = cases.iter().map(|case| turned(case, &settings)).collect::<Result<Vec<_>, Error>>()?;
    let (network, trained) = if settings.config.axes() == 2 {
        train_network::<4, Network2d>(&cases, &settings, device, run, observe)?.split(AnyNetwork::flat)
    } else {
        train_network::<5, Network3d>(&cases, &settings, device, run, observe)?.split(AnyNetwork::solid)
    };
    let Trained { iterations, seconds, loss, best, reason, .. } = trained;
    Ok(Outcome {
        predictor: Predictor::new(network, settings, device.clone()),
        iterations,
        seconds,
        loss,
        best,
        reason,
    })
}

/// A case whose axes run as those of the first.
fn turned<'a>(case: &'a Case, settings: &Settings) -> Result<Cow<'a, Case>, Error> {
    let orientation = settings.orientation_of(case.image.geometry());
    if orientation == Orientation::SAME {
        return Ok(Cow::Borrowed(case));
    }
    let image = orientation.image(&case.image)?.into_owned();
    let labels = orientation.labels(&case.labels)?.into_owned();
    Ok(Cow::Owned(Case { name: case.name.clone(), image, labels }))
}

fn train_network<const R: usize, N: Segmenter<R>>(
    cases: &[Cow<'_, Case>],
    settings: &Settings,
    device: &Device,
    mut run: Option<&mut Run>,
    observe: &mut Observer<'_>,
) -> Result<Trained<N>, Error> {
    let config = &settings.config;
    let learn = device.clone().autodiff();
    let network = init_seeded(&learn, config.training.seed, |device| N::of(&config.network, device))?;
    let held = held_out(cases.len(), config);
    let prepared = |case: &Case| Prepared::new(&case.image, &config.scaling).map_err(|e| e.of_case(&case.name));
    let taught: Vec<&Case> = (0..cases.len()).filter(|i| !held.contains(i)).map(|i| &*cases[i]).collect();
    let mut task = SupervisedTask::<R, N> {
        settings,
        examples: examples(&taught, &settings.classes, config)?,
        held: held.iter().map(|&i| Ok((&*cases[i], prepared(&cases[i])?))).collect::<Result<_, Error>>()?,
        patch: patch_size(taught.iter().map(|case| case.image.geometry().size()), config),
        learn,
        device,
        network: std::marker::PhantomData,
    };
    let mut trained = train(&mut task, network, &config.training, run.as_deref_mut(), observe)?;
    trained.network = trained.network.valid();
    if let (Some(_), Some(run)) = (trained.best, run) {
        trained.network = run.best(trained.network)?;
    }
    Ok(trained)
}

struct SupervisedTask<'a, const R: usize, N> {
    settings: &'a Settings,
    examples: Vec<Example>,
    held: Vec<(&'a Case, Prepared)>,
    /// x, y, z
    patch: [usize; 3],
    /// With autodiff
    learn: Device,
    /// Without
    device: &'a Device,
    network: std::marker::PhantomData<N>,
}

impl<const R: usize, N: Segmenter<R>> Task for SupervisedTask<'_, R, N> {
    type Net = N;

    fn loss(&mut self, network: &N, _: u64, random: &mut ChaCha8Rng) -> Result<Loss, Error> {
        let SupervisedConfig { batch, foreground, augmentation, loss, .. } = &self.settings.config;
        let patches = Patches::draw(&self.examples, *batch, self.patch, *foreground, augmentation, random);
        let [channels, classes] = [self.examples[0].image.channels, self.settings.classes.count()];
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<R>::from_data(TensorData::new(values, dims::<R>(*batch, channels, self.patch)), &self.learn)
        };
        // What layers draw, dropout for one, is a function of the seed and the iteration like everything else.
        self.learn.seed(random.random());
        let truth = tensor(patches.classes, classes);
        let outputs = network.outputs(tensor(patches.samples, channels));
        let parts = outputs.into_iter().map(|(logits, weight)| supervised(logits, truth.clone(), loss).scaled(weight));
        Ok(parts.reduce(Loss::plus).expect("a network has an output"))
    }

    fn validate(&mut self, network: &N) -> Result<Option<Validation>, Error> {
        if self.held.is_empty() {
            return Ok(None);
        }
        let Settings { classes, config, .. } = self.settings;
        let mut dice: BTreeMap<u16, Vec<f64>> = BTreeMap::new();
        for (case, image) in &self.held {
            let mut go_on = |_| ControlFlow::Continue(());
            let p = probabilities::<R, N>(network, image, classes.count(), config, self.device, &mut go_on)?;
            let found = likeliest(&p, classes.count());
            for (class, &code) in (1..).zip(classes.codes()) {
                let found: Vec<bool> = found.iter().map(|&c| c == class).collect();
                dice.entry(code).or_default().extend(Confusion::between(&found, &case.labels.mask(code)).dice());
            }
        }
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
        let scores: BTreeMap<String, f64> = dice
            .iter()
            .filter(|(_, scores)| !scores.is_empty())
            .map(|(code, scores)| (format!("Dice of label {code}"), mean(scores)))
            .collect();
        let score = mean(&scores.values().copied().collect::<Vec<_>>());
        Ok(score.is_finite().then_some(Validation { score, scores }))
    }
}

impl<M> Trained<M> {
    /// The network, as something else, and the rest.
    fn split<T>(self, of: impl FnOnce(M) -> T) -> (T, Trained<()>) {
        let Self { network, iterations, seconds, loss, best, reason } = self;
        (of(network), Trained { network: (), iterations, seconds, loss, best, reason })
    }
}
