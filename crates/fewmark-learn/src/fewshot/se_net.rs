//! SE-Net: slices segmented by one labelled slice, without prototypes.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData, activation};
use fewmark_image::{Image, LabelMap};
use fewmark_nets::{SeNet, SeNetConfig};
use rand_chacha::ChaCha8Rng;

use super::augmentation::Augmentation;
use super::config::{EpisodeConfig, FewShotConfig, Source};
use super::episode::{Episode, Episodes};
use super::scan::{Scan, Slices, share};
use crate::{Error, Loss, Observer, Optimizer, Plan, Run, Schedule, StopReason, Task, init_seeded, train};

/// Added to both parts of Dice, so that it is 1 of nothing in nothing.
const SMOOTH: f64 = 1.0;

/// The settings of the authors (Roy and others, 2020): stochastic gradient descent for 2000 steps of two pairs of slices with the same label, all of
/// them slices in which it fills 0.5 %, none of them varied, with a rate of 1e-3 that falls to a tenth once. Slices have our size, a quarter of the
/// pixels of theirs.
pub fn se_net_paper() -> FewShotConfig {
    let own = FewShotConfig::default();
    FewShotConfig {
        start: "random".into(),
        episodes: EpisodeConfig {
            source: Source::Labels,
            batch: 2,
            least_pixels: own.size.pow(2).div_ceil(200),
            ..own.episodes
        },
        augmentation: Augmentation::NONE,
        training: Plan {
            iterations: 2000,
            optimizer: Optimizer::Sgd,
            learning_rate: 1e-3,
            momentum: 0.99,
            weight_decay: 1e-4,
            schedule: Schedule::Step,
            step_every: 1000,
            step_factor: 0.1,
            checkpoint_every: 500,
            ..Plan::default()
        },
        ..own
    }
}

/// A trained SE-Net.
#[derive(Debug)]
pub struct TrainedSeNet {
    network: SeNet,
    config: FewShotConfig,
    device: Device,
    /// Steps taken.
    pub iterations: u64,
    /// Time spent in seconds.
    pub seconds: f64,
    /// Why the training ended.
    pub reason: StopReason,
}

/// Trains an SE-Net on labelled scans, from where the run is; see [`train`]. The loss is that of Dice of the object, a mean over pairs.
///
/// `device` is without autodiff, and so is the network that comes back.
///
/// # Errors
/// As [`check`](super::check) and [`train`]; [`Error::Unfit`] for scans of which no episodes can be made.
pub fn train_se_net(
    scans: &[Scan],
    config: &FewShotConfig,
    network: &SeNetConfig,
    device: &Device,
    run: Option<&mut Run>,
    observe: &mut Observer<'_>,
) -> Result<TrainedSeNet, Error> {
    let episodes = Episodes::new(scans, config)?;
    let learn = device.clone().autodiff();
    let network = init_seeded(&learn, config.training.seed, |device| network.init(device))?;
    let mut task = SeNetTask { episodes, config, learn };
    let trained = train(&mut task, network, &config.training, run, observe)?;
    Ok(TrainedSeNet {
        network: trained.network.valid(),
        config: config.clone(),
        device: device.clone(),
        iterations: trained.iterations,
        seconds: trained.seconds,
        reason: trained.reason,
    })
}

impl TrainedSeNet {
    /// A label of a support in the slices of a query, each by the slice of the support that is named for it; nothing is found in others.
    ///
    /// # Errors
    /// [`Error::Unfit`] for scans of several channels or without contrast.
    ///
    /// # Panics
    /// If the support has no such slice or no labels of its size.
    pub fn find(
        &self,
        query: &Image,
        (support, labels): (&Image, &LabelMap),
        label: u16,
        by: &[Option<usize>],
    ) -> Result<Vec<bool>, Error> {
        let [shown, asked] = [support, query].map(|image| Slices::standardised(image, &self.config, self.config.size));
        let (shown, asked) = (shown?, asked?);
        let side = self.config.size;
        let plane = |samples: Vec<f32>| Tensor::from_data(TensorData::new(samples, [1, 1, side, side]), &self.device);
        let [width, height, _] = query.geometry().size();
        let mut found = Vec::with_capacity(query.geometry().len());
        for (slice, by) in asked.squares.into_iter().zip(by) {
            let Some(z) = *by else {
                found.resize(found.len() + width * height, false);
                continue;
            };
            let mask = share(labels, z, label, &shown.frame).into_iter().map(|s| f32::from(u8::from(s > 0.5)));
            let logits = self.network.forward(plane(shown.squares[z].clone()), plane(mask.collect()), plane(slice));
            let logits: Vec<f32> =
                logits.into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted");
            let (background, object) = logits.split_at(side * side);
            let odds: Vec<f32> =
                object.iter().zip(background).map(|(object, background)| object - background).collect();
            found.extend(asked.frame.take(&odds).into_iter().map(|odds| odds > 0.0));
        }
        Ok(found)
    }
}

struct SeNetTask<'a> {
    episodes: Episodes<'a>,
    config: &'a FewShotConfig,
    /// With autodiff
    learn: Device,
}

impl Task for SeNetTask<'_> {
    type Net = SeNet;

    fn loss(&mut self, network: &SeNet, _: u64, random: &mut ChaCha8Rng) -> Result<Loss, Error> {
        let batch = self.config.episodes.batch;
        let drawn = self.episodes.draw_of_one_label(batch, random);
        let side = self.config.size;
        let stacked = |of: fn(&Episode) -> &Vec<f32>| {
            let samples: Vec<f32> = drawn.iter().flat_map(of).copied().collect();
            Tensor::<4>::from_data(TensorData::new(samples, [batch, 1, side, side]), &self.learn)
        };
        let [support, mask] = [stacked(|e| &e.support.image), stacked(|e| &e.support.mask)];
        let [query, truth] = [stacked(|e| &e.query.image), stacked(|e| &e.query.mask)];
        let object = activation::softmax(network.forward(support, mask, query), 1).narrow(1, 1, 1);
        let sums = |x: Tensor<4>| x.reshape([batch, side * side]).sum_dim(1);
        let both = sums(object.clone() * truth.clone()).mul_scalar(2.0).add_scalar(SMOOTH);
        let each = (sums(object) + sums(truth)).add_scalar(SMOOTH);
        let dice = (both / each).mean().neg().add_scalar(1.0);
        Ok(Loss { total: dice.clone(), terms: vec![("dice", dice)] })
    }
}
