//! What a trained network says of an image.

use burn::tensor::Device;
use fewmark_classical::Iteration;
use fewmark_classical::convex::{ConvexProblem, PrimalDualParams, Warm, minimise};
use fewmark_classical::selective::clicked_object;
use fewmark_image::{Image, Interpolation, resample_within};
use fewmark_nets::VmNet;

use super::config::DipConfig;
use super::prepared::{Case, Prepared, prepare};
use super::task::{Networks, answer, values};
use crate::Error;
use crate::model::{self, Header, Model, Summary};

/// The name of these methods in a model file.
pub(super) const METHOD: &str = "dip";

/// A trained VM Net and how it is used.
#[derive(Debug)]
pub struct Predictor {
    network: VmNet,
    config: DipConfig,
    device: Device,
}

/// The answer for one image, a value a voxel of it each.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The object.
    pub mask: Vec<bool>,
    /// `u_VM`, 0 to 1.
    pub u: Vec<f32>,
    /// Quantities derived from image and clicks, by name.
    pub derived: Vec<(&'static str, f64)>,
}

impl Predictor {
    /// What a training came to.
    pub fn new(networks: Networks, config: DipConfig, device: Device) -> Self {
        Self { network: networks.vm, config, device }
    }

    /// A model that was read from a file.
    ///
    /// # Errors
    /// [`Error::File`] when it is a model of another method, or its weights do not fit.
    pub fn load(model: Model, device: Device) -> Result<Self, Error> {
        let config: DipConfig = model.config()?;
        model.expect(config.check())?;
        let network = model.into_network(config.network.init(config.channels(), &device)?)?;
        Ok(Self { network, config, device })
    }

    /// Writes the model file.
    ///
    /// # Errors
    /// As [`model::write`].
    pub fn save(&self, path: &std::path::Path, training: Summary) -> Result<(), Error> {
        let config = serde_json::to_value(&self.config).expect("settings are plain numbers and names");
        let version = env!("CARGO_PKG_VERSION").to_owned();
        model::write(path, &Header { method: METHOD.into(), config, training, version }, &self.network)
    }

    /// How the model was made and works.
    pub fn config(&self) -> &DipConfig {
        &self.config
    }

    /// The clicked object of an image, 2-D.
    ///
    /// With `refine` the network's answer becomes part of the data term of the TV-model, `r + 1 - 2 u_VM`, whose solution is the answer.
    ///
    /// # Errors
    /// [`Error::Classical`] for a volume or clicks outside the image, [`Error::Image`] for an image without contrast.
    pub fn predict(&self, case: &Case, refine: bool) -> Result<Prediction, Error> {
        let config = &self.config;
        let prepared = prepare(case, config)?;
        let input = prepared.input(config, &self.device);
        let mut u = values(answer(&self.network, input, config));
        if refine {
            u = self.refined(&u, &prepared)?;
        }
        let u = enlarged(u, &prepared.image, &case.image)?;
        let grid = case.image.geometry().grid();
        let mask = clicked_object(&u, &grid, &case.foreground, &case.background, &config.model)?;
        Ok(Prediction { mask, u, derived: prepared.derived })
    }

    fn refined(&self, u: &[f32], prepared: &Prepared) -> Result<Vec<f32>, Error> {
        let Prepared { data, edge, mu, .. } = prepared;
        let data: Vec<f32> = data.iter().zip(u).map(|(r, u)| r + 1.0 - 2.0 * u).collect();
        let grid = prepared.image.geometry().grid();
        let problem = ConvexProblem { grid: &grid, data: &data, weight: edge.as_deref(), mu: *mu };
        let mut go_on = |_: &Iteration| std::ops::ControlFlow::Continue(());
        Ok(minimise(&problem, &PrimalDualParams::default(), &mut Warm::default(), &mut go_on)?.0)
    }
}

/// Values on the grid of one image on that of another that covers the same place.
pub(super) fn enlarged(u: Vec<f32>, from: &Image, to: &Image) -> Result<Vec<f32>, Error> {
    let u = Image::new(u, 1, from.geometry().clone())?;
    // Sizes are rounded, so the smaller grid may end some pixels before the larger one.
    Ok(resample_within(&u, to.geometry(), Interpolation::Linear)?.channel(0).to_vec())
}
