//! What a trained encoder says of a scan.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_conv::ops::interpolate_linear;
use fewmark_image::{Image, LabelMap};
use fewmark_nets::{Encoder, FeatureMask, Prototypes};

use super::config::FewShotConfig;
use super::frame::Frame;
use super::losses::reduced;
use super::scan::{Slices, share};
use crate::model::{self, Header, Model, Summary};
use crate::{Error, weights};

/// The name of these models in a model file.
pub(super) const METHOD: &str = "fewshot";

/// Slices that go through the encoder at once.
const BATCH: usize = 4;

/// A trained encoder and how it is used.
#[derive(Debug)]
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
}

/// A slice whose object is known.
#[derive(Clone, Debug)]
pub struct Shot {
    features: Tensor<3>,
    mask: FeatureMask,
}

/// The prototypes of one object in one or several slices: of everything else and of the object.
#[derive(Clone, Debug)]
pub struct SlicePrototypes([Tensor<2>; 2]);

impl Encoded {
    /// Slices of the scan.
    pub fn depth(&self) -> usize {
        self.features.len()
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

    /// A model that was read from a file.
    ///
    /// # Errors
    /// [`Error::File`] when it is a model of another method, or its weights do not fit.
    pub fn load(model: Model, device: Device) -> Result<Self, Error> {
        let config: FewShotConfig = model.config()?;
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

    /// How the model was made and works.
    pub fn config(&self) -> &FewShotConfig {
        &self.config
    }

    /// Another encoder with the weights of this one.
    pub(super) fn into_weights_of(self, network: Encoder) -> Result<Encoder, Error> {
        let own = weights::of(&self.network).0;
        weights::apply(network, own, &weights::Identities::new()).map_err(|problem| Error::Unfit {
            problem: format!("the model to start from has another encoder: {problem}"),
            hint: "leave the encoder's settings as the model has them, or start from random weights",
        })
    }

    /// The features of a scan's slices. `progress` is told the share of the work that is done.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a scan of several channels or without contrast, [`Error::Stopped`] when `progress` breaks.
    pub fn encode(&self, image: &Image, progress: &mut dyn FnMut(f64) -> ControlFlow<()>) -> Result<Encoded, Error> {
        let Slices { squares, frame } = Slices::standardised(image, &self.config)?;
        let side = self.config.size;
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
        Ok(Encoded { features, frame })
    }

    /// A slice of a scan with the label that is looked for.
    ///
    /// # Panics
    /// If the scan has no such slice or the labels are of another size.
    pub fn shot(&self, scan: &Encoded, labels: &LabelMap, z: usize, label: u16) -> Shot {
        let features = scan.features[z].clone();
        let [_, rows, columns] = features.dims();
        let mask = reduced(&share(labels, z, label, &scan.frame), scan.frame.side(), [rows, columns]);
        Shot { features, mask }
    }

    /// The prototypes of an object that one or several slices show.
    ///
    /// # Panics
    /// If there is no slice.
    pub fn prototypes(&self, shots: &[&Shot]) -> SlicePrototypes {
        let head = &self.config.head;
        let of = |object: bool| {
            let all: Vec<Tensor<2>> = shots
                .iter()
                .map(|shot| head.prototypes(shot.features.clone(), &shot.mask, object, self.config.windows.inference))
                .collect();
            let mode = if object { head.foreground } else { head.background };
            let all = Tensor::cat(all, 0);
            // Means under masks are averaged over the slices, local prototypes stand side by side.
            if mode == Prototypes::Mask { all.mean_dim(0) } else { all }
        };
        SlicePrototypes([of(false), of(true)])
    }

    /// The probability of an object in each voxel of a slice of a scan, row by row: the softmax of its score and that of everything else.
    ///
    /// # Panics
    /// If the scan has no such slice.
    pub fn probability(&self, scan: &Encoded, z: usize, prototypes: &SlicePrototypes) -> Vec<f32> {
        let features = scan.features[z].clone();
        let [channels, rows, columns] = features.dims();
        let features = features.reshape([channels, rows * columns]);
        let scores = prototypes.0.clone().map(|p| self.config.head.score(p, features.clone()));
        let scores = Tensor::cat(scores.into(), 0).reshape([1, 2, rows, columns]);
        let side = scan.frame.side();
        let p = softmax(interpolate_linear(scores, [1, side, side], false), 1).narrow(1, 1, 1);
        let p: Vec<f32> = p.into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted");
        scan.frame.take(&p)
    }
}
