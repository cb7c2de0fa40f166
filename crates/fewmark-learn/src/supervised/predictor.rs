//! What a trained network says of an image.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_image::{Geometry, Image, LabelMap, Orientation, SampleType, memory};
use fewmark_nets::{Network2d, Network3d, Segmenter};
use serde::{Deserialize, Serialize};

use super::cases::{Classes, Prepared, fits};
use super::config::SupervisedConfig;
use super::windows::{starts, weights};
use crate::Error;
use crate::model::{self, Header, Model, Summary};

/// The name of these models in a model file.
pub(super) const METHOD: &str = "supervised";

/// Largest windows (x, y, z) unless the configuration names others, by the axes of a network's images.
const WINDOWS: [[usize; 3]; 2] = [[1024, 1024, 1], [128, 128, 128]];

/// A trained network and how it is used.
#[derive(Debug)]
pub struct Predictor {
    network: AnyNetwork,
    settings: Settings,
    device: Device,
}

/// A network of either rank.
#[derive(Debug)]
pub(super) enum AnyNetwork {
    Flat(Box<Network2d>),
    Solid(Box<Network3d>),
}

impl AnyNetwork {
    pub(super) fn flat(network: Network2d) -> Self {
        Self::Flat(Box::new(network))
    }

    pub(super) fn solid(network: Network3d) -> Self {
        Self::Solid(Box::new(network))
    }
}

/// How a model works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) classes: Classes,
    pub(super) config: SupervisedConfig,
    /// Where the axes of the volumes point that it was trained on; none of pictures, and in files from before it mattered
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) direction: Option<[[f64; 3]; 3]>,
}

impl Settings {
    /// How an image is turned so that its axes run as those of the images that were learned from.
    pub(super) fn orientation_of(&self, image: &Geometry) -> Orientation {
        let towards = |direction| Orientation::towards(image, &direction);
        self.direction.map_or(Orientation::SAME, towards)
    }
}

/// The answer for one image.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The codes of the label maps that the network learned from, in the geometry of the image.
    pub labels: LabelMap,
    /// The probability of each class, `[classes, z, y, x]`, the background first.
    pub probabilities: Image,
}

impl Predictor {
    pub(super) fn new(network: AnyNetwork, settings: Settings, device: Device) -> Self {
        Self { network, settings, device }
    }

    /// A model that was read from a file.
    ///
    /// # Errors
    /// [`Error::File`] when it is a model of another method, or its weights do not fit.
    pub fn load(model: Model, device: Device) -> Result<Self, Error> {
        let settings: Settings = model.config()?;
        model.expect(settings.config.check())?;
        let [_, classes] = settings.config.network.channels();
        if classes != settings.classes.count() {
            return Err(
                model.broken(format!("{classes} classes of its network have {} codes", settings.classes.count()))
            );
        }
        let network = if settings.config.axes() == 2 {
            AnyNetwork::flat(model.into_network(Network2d::of(&settings.config.network, &device)?)?)
        } else {
            AnyNetwork::solid(model.into_network(Network3d::of(&settings.config.network, &device)?)?)
        };
        Ok(Self { network, settings, device })
    }

    /// Writes the model file.
    ///
    /// # Errors
    /// As [`model::write`].
    pub fn save(&self, path: &Path, training: Summary) -> Result<(), Error> {
        let config = serde_json::to_value(&self.settings).expect("settings are plain numbers and names");
        let header = Header { method: METHOD.into(), config, training, version: env!("CARGO_PKG_VERSION").into() };
        match &self.network {
            AnyNetwork::Flat(network) => model::write(path, &header, &**network),
            AnyNetwork::Solid(network) => model::write(path, &header, &**network),
        }
    }

    /// How the model was made and works.
    pub fn config(&self) -> &SupervisedConfig {
        &self.settings.config
    }

    /// The classes that it tells apart.
    pub fn classes(&self) -> &Classes {
        &self.settings.classes
    }

    /// The classes of an image, in windows where it is large, slice by slice where the network is for 2-D images and the image is a
    /// volume, along the axes of those that were learned from, whichever way it is stored. `progress` is told the share of the work that is done.
    ///
    /// # Errors
    /// [`Error::Unfit`] for an image of another number of channels or dimensions, [`Error::Image`] for one without contrast or for which
    /// there is not enough memory, [`Error::Stopped`] when `progress` breaks.
    pub fn predict(
        &self,
        image: &Image,
        progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Prediction, Error> {
        self.expect_fitting(image)?;
        self.expect_room(image.geometry())?;
        let Settings { classes, config, .. } = &self.settings;
        let orientation = self.orientation_of(image.geometry());
        let prepared = Prepared::new(orientation.image(image)?.as_ref(), &config.scaling)?;
        let (count, device) = (classes.count(), &self.device);
        let probabilities = match &self.network {
            AnyNetwork::Flat(network) => {
                probabilities::<4, Network2d>(network, &prepared, count, config, device, progress)?
            }
            AnyNetwork::Solid(network) => {
                probabilities::<5, Network3d>(network, &prepared, count, config, device, progress)?
            }
        };
        let geometry = image.geometry().clone();
        let of_class = |p: &[f32]| orientation.back(p.to_vec(), geometry.size());
        let probabilities: Vec<f32> = if orientation == Orientation::SAME {
            probabilities
        } else {
            probabilities.chunks_exact(geometry.len()).flat_map(of_class).collect()
        };
        let labels = likeliest(&probabilities, count).into_iter().map(|class| classes.code(class)).collect();
        Ok(Prediction {
            labels: LabelMap::new(labels, geometry.clone())?,
            probabilities: Image::new(probabilities, count, geometry)?.with_stored(SampleType::F32),
        })
    }

    /// Whether the network can read an image.
    pub(super) fn expect_fitting(&self, image: &Image) -> Result<(), Error> {
        let config = &self.settings.config;
        let [channels, _] = config.network.channels();
        if image.channels() != channels {
            let problem = format!("the image has {} channels, the model is for {channels}", image.channels());
            return Err(Error::Unfit { problem, hint: "give images like those the model was trained with" });
        }
        fits(image, config)
    }

    /// Whether there is memory to segment an image.
    ///
    /// # Errors
    /// [`fewmark_image::Error::OutOfMemory`].
    pub fn expect_room(&self, image: &Geometry) -> Result<(), Error> {
        let Settings { classes, config, .. } = &self.settings;
        let [channels, _] = config.network.channels();
        let [width, height, depth] = image.size();
        let turned = self.orientation_of(image).size(image.size());
        let window = window(if config.axes() == 2 { [turned[0], turned[1], 1] } else { turned }, config);
        // The samples turned and scaled, the probabilities and, turned back, once more, weights, places of the likeliest, and their codes.
        let whole = (2 * channels + 2 * classes.count() + 4) as u64 * image.len() as u64;
        let held = config.network.held_per_voxel() as u64 * window.iter().map(|&n| n as u64).product::<u64>();
        Ok(memory::plan(format!("segmenting an image of {width} x {height} x {depth} voxels"), 4 * (whole + held))?)
    }

    /// See [`Settings::orientation_of`].
    pub(super) fn orientation_of(&self, image: &Geometry) -> Orientation {
        self.settings.orientation_of(image)
    }

    pub(super) fn network(&self) -> &AnyNetwork {
        &self.network
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }
}

/// The class of each voxel with the largest probability, the first of equal ones.
pub(super) fn likeliest(probabilities: &[f32], classes: usize) -> Vec<usize> {
    let voxels = probabilities.len() / classes;
    let at = |class: usize, voxel: usize| probabilities[class * voxels + voxel];
    (0..voxels)
        .map(|v| (1..classes).fold(0, |best, class| if at(class, v) > at(best, v) { class } else { best }))
        .collect()
}

/// The probability of each class, `[classes, z, y, x]`.
pub(super) fn probabilities<const R: usize, N: Segmenter<R>>(
    network: &N,
    image: &Prepared,
    classes: usize,
    config: &SupervisedConfig,
    device: &Device,
    progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Result<Vec<f32>, Error> {
    let (axes, least) = (config.axes(), config.network.smallest_size());
    if image.size[..axes].iter().any(|&n| n < least) {
        // What is too small for the network is continued, and what it says of that is left out.
        let padded = image.padded(axes, least);
        let p = probabilities::<R, N>(network, &padded, classes, config, device, progress)?;
        let mut kept = Vec::with_capacity(classes * image.voxels());
        for p in p.chunks_exact(padded.voxels()) {
            rows(padded.size, image.size, [0; 3])
                .for_each(|(at, _)| kept.extend_from_slice(&p[at..at + image.size[0]]));
        }
        return Ok(kept);
    }
    let [width, height, depth] = image.size;
    if R == 5 || depth == 1 {
        return in_windows::<R, N>(network, image, classes, config, device, progress);
    }
    let area = width * height;
    let mut all = vec![0.0; classes * image.voxels()];
    for z in 0..depth {
        let slice = image.slice(z);
        let mut of_slice = |share: f64| progress((z as f64 + share) / depth as f64);
        let p = in_windows::<R, N>(network, &slice, classes, config, device, &mut of_slice)?;
        for (all, p) in all.chunks_exact_mut(image.voxels()).zip(p.chunks_exact(area)) {
            all[z * area..(z + 1) * area].copy_from_slice(p);
        }
    }
    Ok(all)
}

/// Voxels (x, y, z) of the windows in which an image is segmented.
pub(super) fn window(image: [usize; 3], config: &SupervisedConfig) -> [usize; 3] {
    let most = |a: usize| config.window.get(a).copied().unwrap_or(WINDOWS[config.axes() - 2][a]);
    std::array::from_fn(|a| image[a].min(most(a)))
}

fn in_windows<const R: usize, N: Segmenter<R>>(
    network: &N,
    image: &Prepared,
    classes: usize,
    config: &SupervisedConfig,
    device: &Device,
    progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Result<Vec<f32>, Error> {
    let window = window(image.size, config);
    let weight = weights(window);
    let starts = starts(image.size, window);
    let mut sums = vec![0.0; classes * image.voxels()];
    let mut total = vec![0.0; image.voxels()];
    for (done, &start) in starts.iter().enumerate() {
        if progress(done as f64 / starts.len() as f64).is_break() {
            return Err(Error::Stopped);
        }
        let rows = || rows(image.size, window, start);
        let dims = dims::<R>(1, image.channels, window);
        let x = Tensor::from_data(TensorData::new(cut(image, start, window), dims), device);
        let p = averaged(network, x, config.mirrored_predictions);
        let p = p.into_data().convert::<f32>().try_to_vec::<f32>().expect("numbers that were just converted");
        for (p, sums) in p.chunks_exact(weight.len()).zip(sums.chunks_exact_mut(image.voxels())) {
            for (at, from) in rows() {
                let weighted = p[from..from + window[0]].iter().zip(&weight[from..]);
                sums[at..at + window[0]].iter_mut().zip(weighted).for_each(|(sum, (p, w))| *sum += p * w);
            }
        }
        for (at, from) in rows() {
            total[at..at + window[0]].iter_mut().zip(&weight[from..]).for_each(|(total, w)| *total += w);
        }
    }
    for class in sums.chunks_exact_mut(total.len()) {
        class.iter_mut().zip(&total).for_each(|(sum, total)| *sum /= total);
    }
    Ok(sums)
}

/// The samples of a window, `[channels, z, y, x]`.
pub(super) fn cut(image: &Prepared, start: [usize; 3], window: [usize; 3]) -> Vec<f32> {
    let mut samples = Vec::with_capacity(image.channels * window.iter().product::<usize>());
    for channel in image.samples.chunks_exact(image.voxels()) {
        rows(image.size, window, start).for_each(|(at, _)| samples.extend_from_slice(&channel[at..at + window[0]]));
    }
    samples
}

/// The rows of a window: where each begins in a channel of the image, and in the window.
fn rows(image: [usize; 3], window: [usize; 3], start: [usize; 3]) -> impl Iterator<Item = (usize, usize)> {
    (0..window[2] * window[1]).map(move |row| {
        let (y, z) = (start[1] + row % window[1], start[2] + row / window[1]);
        ((z * image[1] + y) * image[0] + start[0], row * window[0])
    })
}

/// The shape of a tensor of rank 4 or 5 over `size` voxels (x, y, z).
pub(super) fn dims<const R: usize>(batch: usize, channels: usize, [x, y, z]: [usize; 3]) -> [usize; R] {
    let all = [batch, channels, z, y, x];
    std::array::from_fn(|axis| if axis < 2 { all[axis] } else { all[axis + 5 - R] })
}

/// The class probabilities of a window, `[1, classes, ...]`: of it as it is, or averaged over its symmetries.
fn averaged<const R: usize, N: Segmenter<R>>(network: &N, x: Tensor<R>, mirrored: bool) -> Tensor<R> {
    if !mirrored {
        return softmax(network.forward(x), 1);
    }
    let square = R == 4 && x.dims()[2] == x.dims()[3];
    let mut sum: Option<Tensor<R>> = None;
    let mut count = 0;
    for transposed in [false, true].into_iter().filter(|&transposed| !transposed || square) {
        for flips in 0..1 << (R - 2) {
            let flip =
                |x| (2..R).filter(|axis| flips >> (axis - 2) & 1 == 1).fold(x, |x: Tensor<R>, axis| x.flip([axis]));
            let swap = |x: Tensor<R>| if transposed { x.swap_dims(2, 3) } else { x };
            let p = flip(swap(softmax(network.forward(swap(flip(x.clone()))), 1)));
            sum = Some(match sum {
                Some(sum) => sum + p,
                None => p,
            });
            count += 1;
        }
    }
    sum.expect("at least the window as it is").div_scalar(f64::from(count))
}
