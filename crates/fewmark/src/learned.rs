//! Methods that come from a model file.

use std::path::Path;

use fewmark_learn::{Compute, dip, model};

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
        other => Err(Error::UnknownMethod { name: other.into(), nearest: None }),
    }
}
