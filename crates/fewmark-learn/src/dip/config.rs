//! Everything that decides a training, with its source.

use burn::tensor::Device;
use fewmark_classical::selective::SelectiveParams;
use fewmark_image::Scaling;
use fewmark_nets::{DipNetConfig, VmNetConfig};
use serde::{Deserialize, Serialize};

use crate::{Error, Plan, Schedule};

/// The four methods of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// VM Net with total variation in the loss.
    M1,
    /// VM Net without a regulariser.
    M2,
    /// VM Net coupled to a DIP Net.
    M3,
    /// As M3, fed with the geodesic distance.
    M4,
}

impl Variant {
    /// Whether a DIP Net is trained beside the VM Net.
    pub fn has_prior(self) -> bool {
        matches!(self, Self::M3 | Self::M4)
    }
}

/// All settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DipConfig {
    /// Which of the four methods.
    pub variant: Variant,
    /// Pixels of the longer side of what the networks see; images are resampled to it. 0 leaves them as they are. Paper: 256.
    pub size: usize,
    /// How samples become `[0, 1]`.
    pub scaling: Scaling,
    /// The terms of the energy and what is kept of the result. `mu` is the weight of the total variation in M1.
    pub model: SelectiveParams,
    /// The network that predicts (Roberts and Chen, MIUA 2020).
    pub network: VmNetConfig,
    /// Whether the network also sees the data term `r` of the image and its clicks, cut off at 1 and -1, beside the image and the
    /// markers or the distance, and adds to the logits of its pointwise minimiser. Not in the paper: without it the network has to learn
    /// from a few images how grey values of any other image compare with those that were clicked there.
    pub data_channel: bool,
    /// The Deep Image Prior beside it (Ulyanov, Vedaldi and Lempitsky 2018).
    pub prior: DipNetConfig,
    /// The loss.
    pub loss: LossConfig,
    /// What the prior sees.
    pub noise: Noise,
    /// How images are varied from step to step; nothing in the paper.
    pub augmentation: Augmentation,
    /// The loop. The paper has Adam with a constant rate of 1e-3 and does not say for how long. Trained on one of two images and scored on
    /// the other (lung and liver CT), networks were better and varied less with a rate of 3e-3 that falls to 0 along a cosine. It rises first:
    /// two coupled outputs that fall to 0 together in the first steps stay there, as the gradient of their product is then 0.
    pub training: Plan,
}

/// Numbers of the losses that are not weights of `r`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of `mean((u_DIP - u_VM)^2)`. Paper: 1/2.
    pub coupling: f64,
    /// Steps over which that weight rises from 0. Not in the paper: where a small object lies in a large background, the quickest way of the
    /// prior to be like `u_VM` is to be 0 everywhere, and then the data term of the product has no gradient any more.
    pub coupling_rise: u64,
    /// `eps` of the smoothed total variation `sqrt(|Du|^2 + eps^2)`.
    pub epsilon: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { coupling: 0.5, coupling_rise: 50, epsilon: 1e-3 }
    }
}

impl LossConfig {
    /// The weight of the coupling in an iteration.
    pub(super) fn coupling_at(&self, iteration: u64) -> f64 {
        let risen = if iteration < self.coupling_rise { iteration as f64 / self.coupling_rise as f64 } else { 1.0 };
        self.coupling * risen
    }
}

/// The input of a DIP Net: `z` uniform in `[0, amplitude]`, drawn once an image, plus a fresh normal sample each iteration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// Largest value of `z`. Paper: 1/10.
    pub amplitude: f64,
    /// Standard deviation of what is added. Paper: N(0, 1/100), read as a variance.
    pub deviation: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { amplitude: 0.1, deviation: 0.1 }
    }
}

/// Variations of the images that leave the objects where they are. All of a step's images are mirrored alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Whether images are mirrored along x and along y, each in half of the steps.
    pub mirror: bool,
    /// Samples are multiplied by up to this more or less, evenly on a logarithmic scale.
    pub gain: f64,
    /// Up to this is added to samples or taken from them.
    pub offset: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { mirror: true, gain: 0.2, offset: 0.1 }
    }
}

impl Augmentation {
    /// Images as they are.
    pub const NONE: Self = Self { mirror: false, gain: 0.0, offset: 0.0 };
}

impl Default for DipConfig {
    fn default() -> Self {
        Self {
            variant: Variant::M4,
            size: 256,
            scaling: Scaling::default(),
            model: SelectiveParams { edge_weight: true, ..SelectiveParams::default() },
            network: VmNetConfig::default(),
            data_channel: true,
            prior: DipNetConfig::light(),
            loss: LossConfig::default(),
            noise: Noise::default(),
            augmentation: Augmentation::default(),
            training: Plan {
                iterations: 150,
                learning_rate: 3e-3,
                warmup: 15,
                schedule: Schedule::Cosine,
                epsilon: 1e-7,
                snapshots: 4,
                ..Plan::default()
            },
        }
    }
}

impl DipConfig {
    /// Channels that the network sees.
    pub(super) fn channels(&self) -> usize {
        if self.data_channel { 3 } else { 2 }
    }

    /// Whether every number is one that its setting can have.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Classical`] or [`Error::Network`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        self.training.check()?;
        // Making a network checks its numbers; its weights are not drawn before they are used.
        self.network.init(self.channels(), &Device::flex())?;
        self.prior.init(&Device::flex())?;
        self.model.check()?;
        self.scaling.check().map_err(|found| Error::Setting {
            name: "scaling",
            found,
            expected: "a range or a quantile",
        })?;
        let at_least_0 = [
            ("loss.coupling", self.loss.coupling),
            ("noise.amplitude", self.noise.amplitude),
            ("noise.deviation", self.noise.deviation),
            ("augmentation.gain", self.augmentation.gain),
            ("augmentation.offset", self.augmentation.offset),
        ];
        match at_least_0.into_iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            Some((name, x)) => Err(Error::Setting { name, found: x.to_string(), expected: "a number of at least 0" }),
            None if !(self.loss.epsilon.is_finite() && self.loss.epsilon > 0.0) => Err(Error::Setting {
                name: "loss.epsilon",
                found: self.loss.epsilon.to_string(),
                expected: "a positive number",
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coupling_rises_and_stays() {
        let loss = LossConfig { coupling: 0.5, coupling_rise: 10, ..LossConfig::default() };
        assert_eq!([1, 5, 10, 400].map(|iteration| loss.coupling_at(iteration)), [0.05, 0.25, 0.5, 0.5]);
        let at_once = LossConfig { coupling_rise: 0, ..loss };
        assert_eq!(at_once.coupling_at(1), 0.5);
    }
}
