//! An encoder together with what it was shown: ready to segment.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_image::{Geometry, Image, LabelMap, Orientation};
use serde::{Deserialize, Serialize};

use super::alignment::Stack;
use super::appearance::{Appearance, LEVELS};
use super::config::FewShotConfig;
use super::inference::Prediction;
use super::place::Body;
use super::predictor::{Predictor, SlicePrototypes};
use super::support::{Shown, Support};
use crate::Error;
use crate::model::{Header, Model, Summary};
use crate::tensor_file::Stored;

/// The name of these models in a model file.
pub(super) const METHOD: &str = "fewshot-support";

/// An encoder and the labelled scans by which it segments others.
#[derive(Debug)]
pub struct Known {
    predictor: Predictor,
    supports: Vec<Support>,
}

/// What a model file says of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    fewshot: FewShotConfig,
    supports: Vec<SupportDescription>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SupportDescription {
    thickness: BTreeMap<u16, f64>,
    /// Whether the labels were carried to it
    #[serde(default)]
    carried: bool,
    /// Where its axes point; none in files from before it mattered
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<[[f64; 3]; 3]>,
    /// mm between two slices
    step: f64,
    body: Body,
    /// The labels in each slice
    slices: Vec<Vec<u16>>,
}

/// Names of the tensors of an object in a slice: prototypes of everything else and of the object, its mask and its place, and how bright it is.
const OF_OBJECT: [&str; 5] = ["background", "object", "mask", "place", "appearance"];

impl Known {
    /// An encoder and labelled scans, which must have been turned to one orientation.
    ///
    /// # Errors
    /// [`Error::Unfit`] without a support.
    pub fn new(predictor: Predictor, supports: Vec<Support>) -> Result<Self, Error> {
        if supports.is_empty() {
            let hint = "give a labelled scan";
            return Err(Error::Unfit { problem: "there is no support to segment by".into(), hint });
        }
        Ok(Self { predictor, supports })
    }

    /// The labels that are looked for, in ascending order.
    pub fn codes(&self) -> Vec<u16> {
        let mut codes: Vec<u16> = self.supports.iter().flat_map(|support| support.codes()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// The encoder.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// Carries the labels to a scan without any, which then is a support as well, see [`Predictor::carried`]; whether anything was found in it.
    /// `progress` is told the share of the work that is done.
    ///
    /// # Errors
    /// As [`Predictor::expect_room`], [`Predictor::encode`] and [`Predictor::segment`].
    pub fn carry(&mut self, image: &Image, progress: &mut dyn FnMut(f64) -> ControlFlow<()>) -> Result<bool, Error> {
        let given = self.supports.iter().take_while(|support| !support.is_carried()).count();
        let image = self.orientation_of(image.geometry()).image(image)?;
        self.predictor.expect_room(image.geometry(), given)?;
        let scan = self.predictor.encode(&image, &mut |share| progress(0.5 * share))?;
        let support =
            self.predictor.carried(&scan, &self.supports[..given], &mut |share| progress(0.5 + 0.5 * share))?;
        let found = support.is_some();
        self.supports.extend(support);
        Ok(found)
    }

    /// How a scan is turned so that its axes run as those of the labelled ones, whose slices its own are compared with.
    fn orientation_of(&self, geometry: &Geometry) -> Orientation {
        let direction = self.supports.iter().find_map(|support| support.direction);
        direction.map_or(Orientation::SAME, |direction| Orientation::towards(geometry, &direction))
    }

    /// The objects in a scan, whichever way its axes run, see [`Predictor::segment`]. `progress` is told the share of the work that is done.
    ///
    /// # Errors
    /// As [`Predictor::expect_room`], [`Predictor::encode`] and [`Predictor::segment`].
    pub fn segment(
        &self,
        image: &Image,
        progress: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<Prediction, Error> {
        let orientation = self.orientation_of(image.geometry());
        let turned = orientation.image(image)?;
        self.predictor.expect_room(turned.geometry(), self.supports.len())?;
        let scan = self.predictor.encode(&turned, &mut |share| progress(0.7 * share))?;
        let found = self.predictor.segment(&scan, &self.supports, &mut |share| progress(0.7 + 0.3 * share))?;
        if orientation == Orientation::SAME {
            return Ok(found);
        }
        let (geometry, size) = (image.geometry(), image.geometry().size());
        Ok(Prediction {
            labels: LabelMap::new(orientation.back(found.labels.labels().to_vec(), size), geometry.clone())?,
            probability: Image::new(orientation.back(found.probability.samples().to_vec(), size), 1, geometry.clone())?,
        })
    }

    /// Writes a model file that needs nothing else.
    ///
    /// # Errors
    /// As [`crate::model::write`].
    pub fn save(&self, path: &Path, training: Summary) -> Result<(), Error> {
        let mut tensors = BTreeMap::new();
        let mut supports = Vec::new();
        for (i, support) in self.supports.iter().enumerate() {
            let (descriptors, step) = support.stack.parts();
            let shape = vec![descriptors.len(), descriptors.first().map_or(0, Vec::len)];
            tensors.insert(format!("support.{i}.stack"), Stored::F32 { shape, samples: descriptors.concat() });
            for (z, shown) in support.slices.iter().enumerate() {
                if let Some(picture) = support.pictures.get(&z) {
                    tensors.insert(picture_name(i, z), numbers(picture));
                }
                for (code, Shown { prototypes, mask, place, appearance }) in shown {
                    let [background, object] = prototypes.tensors().clone().map(stored);
                    let others = [mask, place, &appearance.0].map(|samples| numbers(samples));
                    for (what, tensor) in OF_OBJECT.into_iter().zip([background, object].into_iter().chain(others)) {
                        tensors.insert(name(i, z, *code, what), tensor);
                    }
                }
            }
            supports.push(SupportDescription {
                thickness: support.thickness.clone(),
                carried: support.is_carried,
                direction: support.direction,
                step,
                body: support.body,
                slices: support.slices.iter().map(|shown| shown.keys().copied().collect()).collect(),
            });
        }
        let description = Description { fewshot: self.predictor.config().clone(), supports };
        let config = serde_json::to_value(&description).expect("settings are plain numbers and names");
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let header = Header { method: METHOD.into(), config, training, version };
        crate::model::write_with(path, &header, self.predictor.network(), tensors)
    }

    /// A model that was read from a file.
    ///
    /// # Errors
    /// [`Error::File`] when it is a model of another method, or its tensors do not fit.
    pub fn load(model: Model, device: Device) -> Result<Self, Error> {
        let Description { fewshot, supports } = model.config()?;
        model.expect(fewshot.check())?;
        let lacking = model.broken("it lacks a part of a support".into());
        let network = fewshot.encoder.init(&device)?;
        let (network, mut tensors) = model.into_network_and_others(network)?;
        let pixels = fewshot.inference_side().pow(2);
        let count = fewshot.inference_side().div_ceil(fewshot.encoder.stride()).pow(2);
        let mut take = |name: String| match tensors.remove(&name) {
            Some(Stored::F32 { shape, samples }) => Some((shape, samples)),
            _ => None,
        };
        let mut read = |i: usize, description: SupportDescription| -> Option<Support> {
            let (shape, samples) = take(format!("support.{i}.stack"))?;
            let [depth, length] = shape[..].try_into().ok()?;
            let is_measured = |code| description.thickness.contains_key(code);
            if depth != description.slices.len() || length == 0 || !description.slices.iter().flatten().all(is_measured)
            {
                return None;
            }
            let stack =
                Stack::from_parts(samples.chunks_exact(length).map(<[f32]>::to_vec).collect(), description.step);
            let (mut slices, mut pictures) = (Vec::new(), BTreeMap::new());
            for (z, codes) in description.slices.iter().enumerate() {
                if !codes.is_empty() {
                    let picture = take(picture_name(i, z))?.1;
                    (picture.len() == pixels).then(|| pictures.insert(z, picture))?;
                }
                let mut shown = BTreeMap::new();
                for &code in codes {
                    let mut tensor = |what| {
                        let (shape, samples) = take(name(i, z, code, what))?;
                        let shape: [usize; 2] = shape[..].try_into().ok()?;
                        (shape[0] > 0 && shape[1] == fewshot.encoder.features()).then_some(())?;
                        Some(Tensor::from_data(TensorData::new(samples, shape), &device))
                    };
                    let prototypes = SlicePrototypes::of([tensor(OF_OBJECT[0])?, tensor(OF_OBJECT[1])?]);
                    let mut numbers = |what| Some(take(name(i, z, code, what))?.1);
                    let (mask, place) = (numbers(OF_OBJECT[2])?, numbers(OF_OBJECT[3])?);
                    let appearance = Appearance(numbers(OF_OBJECT[4])?);
                    let lengths = (mask.len(), place.len(), appearance.0.len());
                    if lengths != (pixels, count, LEVELS) {
                        return None;
                    }
                    shown.insert(code, Shown { prototypes, mask, place, appearance });
                }
                slices.push(shown);
            }
            let SupportDescription { thickness, carried, direction, .. } = description;
            Some(Support { thickness, is_carried: carried, direction, stack, body: description.body, slices, pictures })
        };
        let supports: Option<Vec<Support>> =
            supports.into_iter().enumerate().map(|(i, description)| read(i, description)).collect();
        match supports {
            Some(supports) => Self::new(Predictor::new(network, fewshot, device), supports),
            None => Err(lacking),
        }
    }
}

fn name(support: usize, z: usize, code: u16, what: &str) -> String {
    format!("support.{support}.slice.{z}.label.{code}.{what}")
}

fn picture_name(support: usize, z: usize) -> String {
    format!("support.{support}.slice.{z}.picture")
}

fn numbers(samples: &[f32]) -> Stored {
    Stored::F32 { shape: vec![samples.len()], samples: samples.to_vec() }
}

fn stored(x: Tensor<2>) -> Stored {
    let shape = x.dims().to_vec();
    let samples = x.into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted");
    Stored::F32 { shape, samples }
}
