//! What a trained encoder says of a scan.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_image::{Geometry, Image, LabelMap, memory};
use fewmark_nets::{Encoder, FeatureMask, Prototypes};

use super::config::FewShotConfig;
use super::encoded::Encoded;
use super::pooling::Pooling;
use super::scan::{Slices, samples_in_unit};
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
///
/// The same command makes other weights today, as the order in which numbers are added has changed since. By features alone, on three folds of scans
/// of abdominal MRI that are learned from, those have a mean Dice x 100 of 65.2, these 67.0.
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

/// A slice whose object is known.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    features: Tensor<3>,
    mask: FeatureMask,
}

/// The prototypes of one object in one or several slices: of everything else and of the object.
#[derive(Clone, Debug)]
pub(super) struct SlicePrototypes([Tensor<2>; 2]);

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

    /// Whether there is memory to keep what so many slices show of an object each.
    pub(super) fn expect_room_for(&self, objects: usize) -> Result<(), Error> {
        let (side, encoder) = (self.config.inference_side(), &self.config.encoder);
        let features = side.div_ceil(encoder.stride());
        let prototypes = features.div_ceil(self.config.inference_window()).pow(2) * encoder.features();
        let of_object = 4 * (side.pow(2) + features.pow(2) + prototypes) as u64;
        Ok(memory::plan(format!("keeping {objects} labels of slices"), of_object * objects as u64)?)
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
        Encoded::new(image, features, frame, &self.config)
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
        let features = scan.features(z);
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
        let features = scan.features(z);
        let [channels, rows, columns] = features.dims();
        let features = features.reshape([channels, rows * columns]);
        let [background, object] = self.config.head.scores(prototypes.0.clone(), features);
        (object - background).into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted")
    }
}
