//! Training on a few images with clicks.

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_image::{Dimension, Geometry, Image};
use fewmark_nets::{DipNet, VmNet};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::augmentation::Variation;
use super::config::{DipConfig, Noise};
use super::losses::{coupled, regularised};
use super::prepared::{Case, prepare};
use crate::{Error, Loss, Observer, Picture, Run, Task, Trained, init_seeded, random_of, train};

/// The logit of the pointwise minimiser where the data term is -1.
const STEEPNESS: f64 = 8.0;

/// At most so many images are shown in pictures.
const SHOWN: usize = 4;

/// The networks of one training.
#[derive(Module, Debug)]
pub struct Networks {
    /// What predicts.
    pub vm: VmNet,
    /// The prior beside it, in M3 and M4.
    pub prior: Option<DipNet>,
}

/// New networks for a configuration, with the weights of its seed.
///
/// # Errors
/// [`Error::Network`].
pub fn networks(config: &DipConfig, device: &Device) -> Result<Networks, Error> {
    init_seeded(device, config.training.seed, |device| -> Result<_, Error> {
        let vm = config.network.init(config.channels(), device)?;
        let prior = config.variant.has_prior().then(|| config.prior.init(device)).transpose()?;
        Ok(Networks { vm, prior })
    })
}

/// Trains the networks of a configuration on some cases, from where the run is; see [`train`].
///
/// `device` is without autodiff, and so are the networks that come back.
///
/// # Errors
/// [`Error::NoCase`], [`Error::Case`] for an image that cannot be learned from, and as [`train`].
pub fn train_on(
    cases: &[Case],
    config: &DipConfig,
    device: &Device,
    run: Option<&mut Run>,
    observe: &mut Observer<'_>,
) -> Result<Trained<Networks>, Error> {
    config.check()?;
    let device = device.clone().autodiff();
    let mut task = DipTask::new(cases, config, &device)?;
    let trained = train(&mut task, networks(config, &device)?, &config.training, run, observe)?;
    Ok(Trained { network: trained.network.valid(), ..trained })
}

/// Images of one size.
struct Batch {
    names: Vec<String>,
    /// `[images, channels, y, x]`.
    input: Tensor<4>,
    /// `[images, 1, y, x]`.
    r: Tensor<4>,
    /// `[images, 1, y, x]`.
    g: Tensor<4>,
    /// `[images, 1, 1, 1]`.
    mu: Tensor<4>,
    /// The fixed input of the prior, `[images, channels, y, x]`.
    z: Option<Tensor<4>>,
    /// Outputs of the last step, `u_VM` and `u_DIP`, and how they were mirrored.
    outputs: Option<(Tensor<4>, Option<Tensor<4>>, Variation)>,
}

struct DipTask<'a> {
    config: &'a DipConfig,
    batches: Vec<Batch>,
}

impl<'a> DipTask<'a> {
    fn new(cases: &[Case], config: &'a DipConfig, device: &Device) -> Result<Self, Error> {
        if cases.is_empty() {
            return Err(Error::NoCase);
        }
        let mut batches: Vec<Batch> = Vec::new();
        let mut random = random_of(config.training.seed, 0);
        for case in cases {
            let prepared = prepare(case, config)?;
            let ones = vec![1.0; prepared.data.len()];
            let single = Batch {
                names: vec![case.name.clone()],
                input: prepared.input(config, device),
                r: prepared.field(&prepared.data, device),
                g: prepared.field(prepared.edge.as_deref().unwrap_or(&ones), device),
                mu: Tensor::from_data(TensorData::new(vec![prepared.mu as f32], [1; 4]), device),
                z: None,
                outputs: None,
            };
            let z = config.variant.has_prior().then(|| {
                let [_, _, height, width] = single.input.dims();
                fixed_input([1, config.prior.in_channels, height, width], &config.noise, &mut random, device)
            });
            let single = Batch { z, ..single };
            match batches.iter_mut().find(|batch| batch.input.dims()[2..] == single.input.dims()[2..]) {
                Some(batch) => batch.append(single),
                None => batches.push(single),
            }
        }
        Ok(Self { config, batches })
    }
}

impl Batch {
    fn append(&mut self, other: Self) {
        let joined = |a: &Tensor<4>, b: Tensor<4>| Tensor::cat(vec![a.clone(), b], 0);
        self.names.extend(other.names);
        self.input = joined(&self.input, other.input);
        self.r = joined(&self.r, other.r);
        self.g = joined(&self.g, other.g);
        self.mu = joined(&self.mu, other.mu);
        self.z = self.z.take().zip(other.z).map(|(a, b)| joined(&a, b));
    }
}

impl Task for DipTask<'_> {
    type Net = Networks;

    fn loss(&mut self, networks: &Networks, iteration: u64, random: &mut ChaCha8Rng) -> Result<Loss, Error> {
        let DipConfig { variant, loss, noise, augmentation, .. } = self.config;
        let variation = augmentation.draw(random);
        let mut sum: Option<Loss> = None;
        for batch in &mut self.batches {
            let u = answer(&networks.vm, variation.input(batch.input.clone(), random), self.config);
            let prior = networks.prior.as_ref().zip(batch.z.clone()).map(|(net, z)| {
                let fresh = fresh_noise(z.dims(), noise.deviation, random, &z.device());
                // The prior remembers the objects where they are, so its answer is mirrored, not its input.
                variation.field(sigmoid(net.forward(z + fresh)))
            });
            let [r, g] = [&batch.r, &batch.g].map(|field| variation.field(field.clone()));
            batch.outputs = Some((u.clone().detach(), prior.clone().map(Tensor::detach), variation.clone()));
            let part = match prior {
                Some(prior) => coupled(u, prior, r, loss.coupling_at(iteration)),
                None => {
                    let mu = if *variant == super::Variant::M2 { 0.0 } else { 1.0 };
                    regularised(u, r, g, batch.mu.clone().mul_scalar(mu), loss.epsilon)
                }
            };
            sum = Some(match sum {
                Some(sum) => sum.plus(part),
                None => part,
            });
        }
        sum.ok_or(Error::NoCase)
    }

    fn pictures(&mut self) -> Result<Vec<Picture>, Error> {
        let mut pictures = Vec::new();
        for batch in &self.batches {
            let Some((u, prior, variation)) = &batch.outputs else { continue };
            for (i, name) in batch.names.iter().enumerate().take(SHOWN - pictures.len().min(SHOWN)) {
                let mut show = |what: &str, x: Tensor<4>| -> Result<(), Error> {
                    pictures.push(Picture {
                        name: format!("{name}-{what}"),
                        image: grey(variation.field(x.narrow(0, i, 1)))?,
                    });
                    Ok(())
                };
                show("u_vm", u.clone())?;
                if let Some(prior) = prior {
                    show("u_dip", prior.clone())?;
                    show("u", prior.clone() * u.clone())?;
                }
            }
        }
        Ok(pictures)
    }
}

/// `u_VM`, `[images, 1, y, x]`, for the channels of [`Prepared::input`](super::prepared::Prepared::input).
///
/// A network that sees the data term adds to the logits of its pointwise minimiser: normalised features do not know where zero was, so it
/// would have to learn for every image again on which side of it the object is.
pub(super) fn answer(network: &VmNet, input: Tensor<4>, config: &DipConfig) -> Tensor<4> {
    let logits = network.forward(input.clone());
    sigmoid(if config.data_channel { logits - input.narrow(1, 2, 1) * STEEPNESS } else { logits })
}

/// `z`, uniform in `[0, amplitude]`.
pub(super) fn fixed_input(dims: [usize; 4], noise: &Noise, random: &mut ChaCha8Rng, device: &Device) -> Tensor<4> {
    let samples = (0..dims.iter().product()).map(|_| (noise.amplitude * random.random::<f64>()) as f32).collect();
    Tensor::from_data(TensorData::new::<f32, _>(samples, dims), device)
}

/// Independent normal samples.
pub(super) fn fresh_noise(dims: [usize; 4], deviation: f64, random: &mut ChaCha8Rng, device: &Device) -> Tensor<4> {
    let mut normal = || -> f32 { StandardNormal.sample(random) };
    let samples = (0..dims.iter().product()).map(|_| deviation as f32 * normal()).collect();
    Tensor::from_data(TensorData::new::<f32, _>(samples, dims), device)
}

/// Values of 0 to 1 as a grey picture.
fn grey(u: Tensor<4>) -> Result<Image, Error> {
    let [_, _, height, width] = u.dims();
    let samples: Vec<f32> = values(u).into_iter().map(|u| (255.0 * u).round()).collect();
    let geometry = Geometry::unit(Dimension::Two, [width, height, 1]).map_err(fewmark_image::Error::from)?;
    Ok(Image::new(samples, 1, geometry)?.with_stored(fewmark_image::SampleType::U8))
}

/// The numbers of a tensor in row-major order.
pub(super) fn values(x: Tensor<4>) -> Vec<f32> {
    x.into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted")
}
