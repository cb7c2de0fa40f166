//! Methods that come from a model file.

use std::path::Path;

use fewmark_learn::model::{Model, Summary};
use fewmark_learn::{Compute, dip, fewshot, model, supervised};

use crate::{Error, Method};

/// The method of a model file, whatever it was trained for; with `refine`, the answers of a network trained from clicks are refined by total variation.
///
/// # Errors
/// [`Error::Learn`] when the file cannot be read or is no model, or there is nothing to refine; [`Error::UnknownMethod`] when this version does not know its method.
pub fn load(path: impl AsRef<Path>, compute: Compute, refine: bool) -> Result<Box<dyn Method>, Error> {
    let model = model::read(path)?;
    let device = compute.device()?;
    if refine && model.header.method != "dip" {
        return Err(fewmark_learn::Error::Unfit {
            problem: "only answers of networks that were trained from clicks are refined by total variation".into(),
            hint: "leave out --refine",
        }
        .into());
    }
    match model.header.method.as_str() {
        "dip" => Ok(Box::new(crate::dip::Trained::new(dip::Predictor::load(model, device)?, refine))),
        "supervised" => Ok(Box::new(crate::supervised::Trained::new(supervised::Predictor::load(model, device)?))),
        "fewshot-support" => Ok(crate::fewshot::method(fewshot::Known::load(model, device)?)),
        _ => Err(of_no_method(&model)),
    }
}

/// A model file, without using it.
#[derive(Clone, Debug)]
pub struct Description {
    /// The network, "msnet-2d"; "dip" for Deep-Image-Prior networks.
    pub network: String,
    /// What it has to be given beside an image.
    pub needs: Needs,
    /// The labels that it answers with; none where these are those of what it is given.
    pub codes: Vec<u16>,
    /// Axes of the images that it can segment: 2, 3 or both.
    pub dimensions: Vec<u8>,
    /// How it was trained.
    pub training: Summary,
}

/// What a model has to be given beside an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it knows from training what it looks for.
    Nothing,
    /// Marks in the image.
    Marks,
    /// Labelled images, see [`crate::fewshot`]: it is an encoder, and no method by itself.
    Supports,
}

/// What a model file is for.
///
/// # Errors
/// As [`load`], but for encoders, which it describes.
pub fn describe(path: impl AsRef<Path>) -> Result<Description, Error> {
    let model = model::read(path)?;
    let training = model.header.training.clone();
    match model.header.method.as_str() {
        "dip" => Ok(Description {
            network: "dip".into(),
            needs: Needs::Marks,
            codes: vec![1],
            dimensions: vec![2, 3],
            training,
        }),
        "supervised" => {
            let predictor = supervised::Predictor::load(model, Compute::Cpu.device()?)?;
            let network = &predictor.config().network;
            // A network for pictures goes through a volume slice by slice.
            let dimensions = if network.rank() == 4 { vec![2, 3] } else { vec![3] };
            let codes = predictor.classes().codes().to_vec();
            Ok(Description { network: network.name().into(), needs: Needs::Nothing, codes, dimensions, training })
        }
        "fewshot-support" => {
            let codes = fewshot::Known::load(model, Compute::Cpu.device()?)?.codes();
            let (network, dimensions) = ("fewshot".into(), vec![2, 3]);
            Ok(Description { network, needs: Needs::Nothing, codes, dimensions, training })
        }
        "fewshot" => {
            fewshot::Predictor::load(model, Compute::Cpu.device()?)?;
            let (network, dimensions) = ("fewshot".into(), vec![2, 3]);
            Ok(Description { network, needs: Needs::Supports, codes: Vec::new(), dimensions, training })
        }
        _ => Err(of_no_method(&model)),
    }
}

/// Why a model is no method of its own.
fn of_no_method(model: &Model) -> Error {
    match model.header.method.as_str() {
        "fewshot" => fewmark_learn::Error::Unfit {
            problem: "this model knows how to compare, but was shown nothing to look for".into(),
            hint: "use `fewmark fewshot`, or make a model with `fewmark support build`",
        }
        .into(),
        other => Error::UnknownMethod { name: other.into(), nearest: None },
    }
}

/// The one name of being stopped.
pub(crate) fn stopped(error: fewmark_learn::Error) -> Error {
    match error {
        fewmark_learn::Error::Stopped => Error::Stopped,
        error => error.into(),
    }
}
