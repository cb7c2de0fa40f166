//! Methods that come from a model file.

use std::path::Path;

use fewmark_learn::{Compute, dip, fewshot, model, supervised};

use crate::{Error, Method};

/// The method of a model file, whatever it was trained for; with `refine`, its answers are refined by total variation.
///
/// # Errors
/// [`Error::Learn`] when the file cannot be read or is no model, [`Error::UnknownMethod`] when this version does not know its method.
pub fn load(path: impl AsRef<Path>, compute: Compute, refine: bool) -> Result<Box<dyn Method>, Error> {
    let model = model::read(path)?;
    let device = compute.device()?;
    match model.header.method.as_str() {
        "dip" => Ok(Box::new(crate::dip::Trained::new(dip::Predictor::load(model, device)?, refine))),
        "supervised" => Ok(Box::new(crate::supervised::Trained::new(supervised::Predictor::load(model, device)?))),
        "fewshot-support" => Ok(crate::fewshot::method(fewshot::Known::load(model, device)?)),
        "fewshot" => Err(fewmark_learn::Error::Unfit {
            problem: "this model knows how to compare, but was shown nothing to look for".into(),
            hint: "use `fewmark fewshot`, or make a model with `fewmark support build`",
        }
        .into()),
        other => Err(Error::UnknownMethod { name: other.into(), nearest: None }),
    }
}

/// The one name of being stopped.
pub(crate) fn stopped(error: fewmark_learn::Error) -> Error {
    match error {
        fewmark_learn::Error::Stopped => Error::Stopped,
        error => error.into(),
    }
}
