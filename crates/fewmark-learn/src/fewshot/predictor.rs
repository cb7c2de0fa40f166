//! What a trained encoder says of a scan.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_classical::edge::gaussian;
use fewmark_grid::Grid;
use fewmark_image::{Geometry, Image, LabelMap, memory};
use fewmark_nets::{Encoder, FeatureMask, Prototypes};
use rayon::prelude::*;

use super::alignment::{Stack, descriptor};
use super::appearance::{Appearance, Around};
use super::config::FewShotConfig;
use super::deformation::picture;
use super::frame::{Frame, resize};
use super::outline;
use super::place::Body;
use super::pooling::Pooling;
use super::scan::{Slices, relative_height, samples_in_unit, share};
use crate::model::{self, Header, Model, Summary};
use crate::{Error, weights};

/// The name of these models in a model file.
pub(super) const METHOD: &str = "fewshot";

/// Trained with the settings of
///
/// ```text
/// fewmark train fewshot --set episodes.source=synthetic --set start=random --set training.iterations=4000 \
///     --set training.learning_rate=1e-3 -o RUN
/// ```
const BUILT_IN: &[u8] = include_bytes!("../../models/fewshot.safetensors");

/// Slices that go through the encoder at once.
const BATCH: usize = 4;

/// Bytes of memory for each voxel of a scan while an object is looked for in it: a scan of 39 million voxels took 36 beside its own samples, what
/// is kept of each slice and the vote of a support; a tenth is added.
const BYTES_PER_VOXEL: u64 = 40;

/// Bytes for each voxel of what one of several supports finds, a probability and whether it is inside, which is kept until all have been asked.
const BYTES_OF_VOTE: u64 = 5;

/// A trained encoder and how it is used. Clones share the weights.
#[derive(Clone, Debug)]
pub struct Predictor {
    network: Encoder,
    config: FewShotConfig,
    device: Device,
}

/// The features of the slices of a scan.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Of each slice `[channels, y, x]`
    features: Vec<Tensor<3>>,
    frame: Frame,
    geometry: Geometry,
    body: Body,
    /// From 0 to 1
    samples: Vec<f32>,
    /// Of each slice
    pictures: Vec<Vec<f32>>,
    /// Weights of outlines in each voxel
    edges: Vec<f32>,
}

/// A slice whose object is known.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    features: Tensor<3>,
    mask: FeatureMask,
}

/// The prototypes of one object in one or several slices: of everything else and of the object.
#[derive(Clone, Debug)]
pub(super) struct SlicePrototypes([Tensor<2>; 2]);

impl Encoded {
    /// Slices of the scan.
    pub fn depth(&self) -> usize {
        self.features.len()
    }

    /// The geometry of the scan.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(super) fn body(&self) -> Body {
        self.body
    }

    /// Rows and columns of the features.
    pub(super) fn size(&self) -> [usize; 2] {
        let [_, rows, columns] = self.features[0].dims();
        [rows, columns]
    }

    /// What the slices look like, for an alignment along z.
    pub(super) fn stack(&self) -> Stack {
        let of_slice = |features: &Tensor<3>| {
            let features = features.clone().into_data().convert::<f32>();
            let features = features.try_to_vec::<f32>().expect("numbers that were just converted");
            descriptor(&features, self.size(), &self.body)
        };
        Stack::new(self.features.iter().map(of_slice).collect(), self.geometry.spacing()[2])
    }

    /// Values of features on the pixels of the square.
    pub(super) fn enlarged(&self, values: &[f32]) -> Vec<f32> {
        resize(values, self.size(), [self.side(); 2])
    }

    /// Pixels along each side of the square.
    pub(super) fn side(&self) -> usize {
        self.frame.side()
    }

    /// Values of the pixels of the square on those of a slice, row by row.
    pub(super) fn taken(&self, square: &[f32]) -> Vec<f32> {
        self.frame.take(square)
    }

    /// The share of a label in each pixel of the square.
    pub(super) fn share(&self, labels: &LabelMap, z: usize, label: u16) -> Vec<f32> {
        share(labels, z, label, &self.frame)
    }

    /// What a slice looks like in the square, see [`picture()`].
    pub(super) fn picture(&self, z: usize) -> &[f32] {
        &self.pictures[z]
    }

    /// The samples of a slice, from 0 to 1.
    pub(super) fn slice(&self, z: usize) -> &[f32] {
        let area = self.samples.len() / self.depth();
        &self.samples[z * area..(z + 1) * area]
    }

    /// How bright a label is in a slice beside what lies around it.
    pub(super) fn appearance(&self, labels: &LabelMap, z: usize, label: u16, window: f64) -> Result<Appearance, Error> {
        let area = self.samples.len() / self.depth();
        let labels = &labels.labels()[z * area..(z + 1) * area];
        let object: Vec<f32> = labels.iter().map(|&l| f32::from(u8::from(l == label))).collect();
        self.appearance_of([(z, &object)], window)
    }

    /// How bright an object is beside what lies around it in some slices, each with how far its pixels belong to it.
    pub(super) fn appearance_of<'a>(
        &self,
        shown: impl IntoIterator<Item = (usize, &'a Vec<f32>)>,
        window: f64,
    ) -> Result<Appearance, Error> {
        let (grid, side) = pixels(&self.geometry);
        Appearance::of(shown.into_iter().map(|(z, inside)| (self.slice(z), &inside[..])), &grid, window * side)
    }

    /// Values of the pixels of a slice, smoothed by a Gaussian whose standard deviation is in sides of the square.
    pub(super) fn smoothed(&self, values: &[f32], deviation: f64) -> Result<Vec<f32>, Error> {
        let (grid, side) = pixels(&self.geometry);
        Ok(gaussian(values, &grid, deviation * side)?)
    }

    /// What a slice is like around an object that lies at a place, on pixels.
    pub(super) fn around(&self, z: usize, place: &[f32], window: f64) -> Result<Option<Around>, Error> {
        Ok(Around::of(self.slice(z), &self.smoothed(place, window)?))
    }

    /// Where an object lies on the pixels of a slice, by the logarithm of its odds there.
    pub(super) fn outlined(&self, z: usize, odds: &[f32], smoothing: f64) -> Result<Vec<bool>, Error> {
        if smoothing == 0.0 {
            return Ok(odds.iter().map(|&odds| odds > 0.0).collect());
        }
        let edges = &self.edges[z * odds.len()..(z + 1) * odds.len()];
        let (grid, side) = pixels(&self.geometry);
        let u = outline::outlined(odds, edges, &grid, smoothing * side)?;
        Ok(u.into_iter().map(|u| u > 0.5).collect())
    }
}

impl SlicePrototypes {
    pub(super) fn of(tensors: [Tensor<2>; 2]) -> Self {
        Self(tensors)
    }

    /// Numbers that they hold.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|prototypes| prototypes.dims().iter().product::<usize>()).sum()
    }

    /// Of everything else and of the object, `[count, channels]`.
    pub(super) fn tensors(&self) -> &[Tensor<2>; 2] {
        &self.0
    }
}

impl Shot {
    pub(super) fn mask(&self) -> &FeatureMask {
        &self.mask
    }
}

impl Predictor {
    pub(super) fn new(network: Encoder, config: FewShotConfig, device: Device) -> Self {
        Self { network, config, device }
    }

    /// An encoder with random weights: what is reached without any training.
    ///
    /// # Errors
    /// As [`FewShotConfig::check`].
    pub fn untrained(config: FewShotConfig, device: Device) -> Result<Self, Error> {
        config.check()?;
        let network = crate::init_seeded(&device, config.training.seed, |device| config.encoder.init(device))?;
        Ok(Self { network, config, device })
    }

    /// The encoder that is inside the program, trained on made-up anatomies alone, used as today's settings say: its file keeps those of the day
    /// on which it was trained.
    ///
    /// # Errors
    /// None but for a program that was built wrongly.
    pub fn built_in(device: Device) -> Result<Self, Error> {
        let model = model::parse(BUILT_IN, Path::new("the model inside the program"))?;
        // Not checked: its settings of inference are in units of that day, and are replaced.
        let config = model.config()?;
        Ok(Self::of(model, config, device)?.with_inference_of(&FewShotConfig::default()))
    }

    /// A model that was read from a file.
    ///
    /// # Errors
    /// [`Error::File`] when it is a model of another method, or its weights do not fit.
    pub fn load(model: Model, device: Device) -> Result<Self, Error> {
        let config: FewShotConfig = model.config()?;
        model.expect(config.check())?;
        Self::of(model, config, device)
    }

    fn of(model: Model, config: FewShotConfig, device: Device) -> Result<Self, Error> {
        let network = model.into_network(config.encoder.init(&device)?)?;
        Ok(Self { network, config, device })
    }

    /// Writes the model file.
    ///
    /// # Errors
    /// As [`model::write`].
    pub fn save(&self, path: &Path, training: Summary) -> Result<(), Error> {
        let config = serde_json::to_value(&self.config).expect("settings are plain numbers and names");
        let version = env!("CARGO_PKG_VERSION").to_owned();
        model::write(path, &Header { method: METHOD.into(), config, training, version }, &self.network)
    }

    pub(super) fn network(&self) -> &Encoder {
        &self.network
    }

    /// How the model was made and works.
    pub fn config(&self) -> &FewShotConfig {
        &self.config
    }

    /// The same encoder, used as another configuration says.
    pub fn with_inference_of(mut self, config: &FewShotConfig) -> Self {
        (self.config.head, self.config.windows, self.config.inference) =
            (config.head.clone(), config.windows.clone(), config.inference.clone());
        self
    }

    /// Another encoder with the weights of this one.
    pub(super) fn into_weights_of(self, network: Encoder) -> Result<Encoder, Error> {
        let own = weights::of(&self.network).0;
        weights::apply(network, own, &weights::Identities::new()).map_err(|problem| Error::Unfit {
            problem: format!("the weights to start from are of another encoder: {problem}"),
            hint: "give the encoder the same settings, or start from random weights",
        })
    }

    /// Whether objects of so many supports can be looked for in a scan; this takes much less time than to look.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a scan of several channels or without contrast, and as [`Predictor::expect_room`].
    pub fn expect_fitting(&self, image: &Image, supports: usize) -> Result<(), Error> {
        self.expect_room(image.geometry(), supports)?;
        samples_in_unit(image, &self.config).map(drop)
    }

    /// Whether there is memory to encode a scan and to look for objects of so many supports in it.
    ///
    /// # Errors
    /// [`fewmark_image::Error::OutOfMemory`].
    pub fn expect_room(&self, scan: &Geometry, supports: usize) -> Result<(), Error> {
        let [width, height, depth] = scan.size();
        let others = if supports == 1 { "another".to_owned() } else { format!("{supports} others") };
        let what = format!("segmenting a scan of {width} x {height} x {depth} voxels by {others}");
        Ok(memory::plan(what, self.memory(scan, supports))?)
    }

    /// About how many bytes of memory that takes, beside the scan and the supports.
    fn memory(&self, scan: &Geometry, supports: usize) -> u64 {
        let (side, encoder) = (self.config.inference_side(), &self.config.encoder);
        // Of each slice its features, the square that they are of, the one that tells the body, and its picture.
        let of_slice = encoder.features() * side.div_ceil(encoder.stride()).pow(2) + 3 * side.pow(2);
        let of_voxel = BYTES_PER_VOXEL + BYTES_OF_VOTE * supports as u64;
        of_voxel * scan.len() as u64 + (4 * scan.size()[2] * of_slice) as u64
    }

    /// The features of a scan's slices. `progress` is told the share of the work that is done.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a scan of several channels or without contrast, [`Error::Stopped`] when `progress` breaks.
    pub fn encode(&self, image: &Image, progress: &mut dyn FnMut(f64) -> ControlFlow<()>) -> Result<Encoded, Error> {
        let side = self.config.inference_side();
        let Slices { squares, frame } = Slices::standardised(image, &self.config, side)?;
        let mut features = Vec::with_capacity(squares.len());
        for batch in squares.chunks(BATCH) {
            if progress(features.len() as f64 / squares.len() as f64).is_break() {
                return Err(Error::Stopped);
            }
            let data = TensorData::new(batch.concat(), [batch.len(), 1, side, side]);
            let found = self.network.forward(Tensor::from_data(data, &self.device));
            let [_, channels, rows, columns] = found.dims();
            features.extend((0..batch.len()).map(|i| found.clone().narrow(0, i, 1).reshape([channels, rows, columns])));
        }
        let [_, rows, columns] = features[0].dims();
        let inside = Slices::foreground(image, &self.config, side)?;
        let inside: Vec<Vec<f32>> = inside.iter().map(|plane| resize(plane, [side; 2], [rows, columns])).collect();
        let body = Body::of(&inside, [rows, columns]);
        let geometry = image.geometry().clone();
        let (grid, longer) = pixels(&geometry);
        let samples = samples_in_unit(image, &self.config)?;
        let mut edges = Vec::with_capacity(samples.len());
        for slice in samples.chunks_exact(grid.len()) {
            edges.extend(outline::edges(slice, &grid, longer, &self.config.inference)?);
        }
        let pictures = samples.par_chunks_exact(grid.len()).map(|slice| picture(&frame.put(slice, 0.0), side));
        let pictures = pictures.collect::<Result<Vec<_>, Error>>()?;
        Ok(Encoded { features, frame, geometry, body, samples, pictures, edges })
    }

    /// The slices of a scan that show a label, some of them, with what features see of it.
    pub(super) fn shots(&self, scan: &Encoded, labels: &LabelMap, slices: &[usize], label: u16) -> Vec<(usize, Shot)> {
        let read = |pooling| {
            let shots = slices.iter().map(|&z| (z, self.shot(scan, labels, z, label, pooling)));
            shots.filter(|(_, shot)| shot.mask.share.iter().any(|&share| share > 0.0)).collect::<Vec<_>>()
        };
        let shots = read(self.config.pooling);
        // An object between the middles of features has its share of them all the same.
        if shots.is_empty() { read(Pooling::Image) } else { shots }
    }

    /// A slice of a scan with the label that is looked for.
    fn shot(&self, scan: &Encoded, labels: &LabelMap, z: usize, label: u16, pooling: Pooling) -> Shot {
        let features = scan.features[z].clone();
        let [_, rows, columns] = features.dims();
        let mask = pooling.mask(&scan.share(labels, z, label), scan.side(), [rows, columns]);
        Shot { features, mask }
    }

    /// The prototypes of the object in a slice.
    pub(super) fn prototypes(&self, shot: &Shot) -> SlicePrototypes {
        let (head, window) = (&self.config.head, self.config.inference_window());
        SlicePrototypes([false, true].map(|object| head.prototypes(shot.features.clone(), &shot.mask, object, window)))
    }

    /// The prototypes of an object from several slices.
    pub(super) fn joined(&self, slices: &[&SlicePrototypes]) -> SlicePrototypes {
        let head = &self.config.head;
        let of = |at: usize, mode: Prototypes| {
            let all = Tensor::cat(slices.iter().map(|slice| slice.0[at].clone()).collect(), 0);
            // Means under masks are averaged over the slices, local prototypes stand side by side.
            if mode == Prototypes::Mask { all.mean_dim(0) } else { all }
        };
        SlicePrototypes([of(0, head.background), of(1, head.foreground)])
    }

    /// The logarithm of the odds of an object in each feature of a slice of a scan: the score of the object less that of everything else.
    pub(super) fn feature_odds(&self, scan: &Encoded, z: usize, prototypes: &SlicePrototypes) -> Vec<f32> {
        let features = scan.features[z].clone();
        let [channels, rows, columns] = features.dims();
        let features = features.reshape([channels, rows * columns]);
        let [background, object] = self.config.head.scores(prototypes.0.clone(), features);
        (object - background).into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted")
    }
}

/// The pixels of a slice, and the length of its longer side; lengths are in widths of a pixel.
fn pixels(geometry: &Geometry) -> (Grid, f64) {
    let ([width, height, _], down) = (geometry.size(), relative_height(geometry));
    let grid = Grid { spacing: [1.0, down, 1.0], ..Grid::unit([width, height, 1]) };
    (grid, (width as f64).max(height as f64 * down))
}
