//! Training an encoder by episodes.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_nets::Encoder;
use rand_chacha::ChaCha8Rng;

use super::config::FewShotConfig;
use super::episode::{Episode, Episodes};
use super::losses;
use super::predictor::Predictor;
use super::scan::Scan;
use crate::{Error, Loss, Observer, Run, StopReason, Task, init_seeded, train};

/// What a training came to.
#[derive(Debug)]
pub struct Outcome {
    /// The encoder after the last step.
    pub predictor: Predictor,
    /// Steps taken.
    pub iterations: u64,
    /// Time spent in seconds, that before an interruption included.
    pub seconds: f64,
    /// The last loss.
    pub loss: f32,
    /// Why it ended.
    pub reason: StopReason,
}

/// Trains an encoder on some scans, from where the run is; see [`train`]. Without a run or with a new one it starts from `from`, an
/// encoder of the same configuration, or from random weights.
///
/// `device` is without autodiff, and so is the encoder that comes back.
///
/// # Errors
/// As [`check`](super::check) and [`train`]; [`Error::Unfit`] for scans of which no episodes can be made, or `from` of another encoder.
pub fn train_on(
    scans: &[Scan],
    config: &FewShotConfig,
    from: Option<Predictor>,
    device: &Device,
    run: Option<&mut Run>,
    observe: &mut Observer<'_>,
) -> Result<Outcome, Error> {
    let episodes = Episodes::new(scans, config)?;
    let learn = device.clone().autodiff();
    let network = init_seeded(&learn, config.training.seed, |device| config.encoder.init(device))?;
    let network = match from {
        Some(predictor) => predictor.into_weights_of(network)?,
        None => network,
    };
    let mut task = FewShotTask { episodes, config, learn };
    let trained = train(&mut task, network, &config.training, run, observe)?;
    let predictor = Predictor::new(trained.network.valid(), config.clone(), device.clone());
    Ok(Outcome {
        predictor,
        iterations: trained.iterations,
        seconds: trained.seconds,
        loss: trained.loss,
        reason: trained.reason,
    })
}

struct FewShotTask<'a> {
    episodes: Episodes<'a>,
    config: &'a FewShotConfig,
    /// With autodiff
    learn: Device,
}

impl Task for FewShotTask<'_> {
    type Net = Encoder;

    fn loss(&mut self, network: &Encoder, _: u64, random: &mut ChaCha8Rng) -> Result<Loss, Error> {
        let batch = self.config.episodes.batch;
        let episodes: Vec<Episode> = (0..batch).map(|_| self.episodes.draw(random)).collect();
        let side = self.config.size;
        let samples = episodes.iter().flat_map(|e| [&e.support.image, &e.query.image]).flatten().copied().collect();
        let images = Tensor::from_data(TensorData::new::<f32, _>(samples, [2 * batch, 1, side, side]), &self.learn);
        // Support and query go through the encoder together, as their statistics are common.
        let features = network.forward(images);
        let [_, channels, rows, columns] = features.dims();
        let of = |image: usize| features.clone().narrow(0, image, 1).reshape([channels, rows, columns]);
        let losses = episodes
            .iter()
            .enumerate()
            .map(|(i, episode)| losses::episode(of(2 * i), of(2 * i + 1), episode, self.config));
        let sum = losses.reduce(Loss::plus).expect("at least one episode");
        Ok(if batch == 1 { sum } else { sum.scaled(1.0 / batch as f64) })
    }
}
