//! Everything that decides a training, with its source.

use fewmark_image::Scaling;
use fewmark_nets::{Architecture, MsNetConfig};
use serde::{Deserialize, Serialize};

use super::Augmentation;
use crate::{Error, Plan, Schedule};

/// All settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupervisedConfig {
    /// Codes of the label maps that are learned, the background apart; empty for all that occur. Other codes are then an error.
    pub labels: Vec<u16>,
    /// Voxels (x, y, z) of what a network sees in a training step; empty for the largest image's size, up to 256x256 or 96x96x96.
    pub patch: Vec<usize>,
    /// Voxels (x, y, z) that a network sees at once when it predicts; larger images are seen in overlapping windows. Empty for 1024x1024
    /// or 128x128x128.
    pub window: Vec<usize>,
    /// Patches of a step.
    pub batch: usize,
    /// Share of the patches that are centred on a voxel of a class drawn at random, so that small classes are seen often enough, where
    /// images are larger than patches.
    pub foreground: f64,
    /// Share of the cases that is held out and scored during training.
    pub validation: f64,
    /// Fewest cases of which some are held out: of few, each teaches more than it would tell.
    #[serde(default = "validation_from")]
    pub validation_from: usize,
    /// Whether predictions are means over mirrored copies of the image (of a square 2-D image also over its transposes). Turn this off with
    /// `augmentation.mirror`.
    pub mirrored_predictions: bool,
    /// How samples become `[0, 1]`, all channels of an image by one range.
    pub scaling: Scaling,
    /// The network. Its channels and classes follow from the cases.
    pub network: Architecture,
    /// The loss.
    pub loss: LossConfig,
    /// How patches are varied.
    pub augmentation: Augmentation,
    /// The loop.
    pub training: Plan,
}

const LARGER: &str = "make it larger, or leave it out";

fn validation_from() -> usize {
    20
}

/// What is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the soft Dice loss.
    pub dice: f64,
    /// Weight of the cross-entropy.
    pub cross_entropy: f64,
    /// Whether the background is a class of the soft Dice loss.
    pub background: bool,
    /// Added to numerator and denominator of the soft Dice.
    pub smooth: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { dice: 1.0, cross_entropy: 1.0, background: true, smooth: 1e-5 }
    }
}

impl SupervisedConfig {
    /// What we recommend for an architecture: in 2-D found on white blood cells that are in no reported test, MSNet, 30 training images.
    /// What a network in 3-D learns from is neither mirrored nor turned by right angles, as left and right often have labels of their own; where one in
    /// 2-D learns from slices of volumes, whoever makes the configuration has to see to it.
    pub fn new(network: Architecture) -> Self {
        let flat = network.rank() == 4;
        Self {
            labels: Vec::new(),
            patch: Vec::new(),
            window: Vec::new(),
            batch: if flat { 4 } else { 1 },
            foreground: 1.0 / 3.0,
            validation: 0.2,
            validation_from: validation_from(),
            mirrored_predictions: flat,
            scaling: Scaling::default(),
            network,
            loss: LossConfig::default(),
            augmentation: if flat { Augmentation::default() } else { Augmentation::volumes() },
            training: Plan {
                iterations: 2000,
                learning_rate: 1e-3,
                schedule: Schedule::Cosine,
                warmup: 20,
                validate_every: 100,
                checkpoint_every: 100,
                ..Plan::default()
            },
        }
    }

    /// The settings of the paper, with all cases learned from; what it does not name is ours: 4000 iterations, 4 images a step in 2-D and 1 in
    /// 3-D, and standardised features and four softmax groups in MSNet for volumes, which does not learn without the former, and
    /// slowly without the latter.
    pub fn paper(network: Architecture) -> Self {
        let network = match network {
            Architecture::MsNet2d(config) => {
                Architecture::MsNet2d(MsNetConfig { standardise: false, softmax_groups: 1, ..config })
            }
            other => other,
        };
        let recommended = Self::new(network);
        Self {
            foreground: 0.0,
            validation: 0.0,
            mirrored_predictions: false,
            loss: LossConfig { cross_entropy: 0.0, ..LossConfig::default() },
            augmentation: Augmentation::NONE,
            training: Plan {
                iterations: 4000,
                learning_rate: 1e-3,
                schedule: Schedule::Step,
                step_every: 200,
                step_factor: 0.8,
                warmup: 0,
                ..recommended.training
            },
            ..recommended
        }
    }

    /// Whether every number is one that its setting can have.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        let failed = |name, found: String, expected| Err(Error::Setting { name, found, expected });
        self.training.check()?;
        self.augmentation.check()?;
        if self.batch == 0 {
            return failed("batch", "0".into(), "a whole number of at least 1");
        }
        let again = |(at, code): (usize, &u16)| self.labels[..at].contains(code);
        if self.labels.contains(&0) || self.labels.iter().enumerate().any(again) {
            return failed("labels", format!("{:?}", self.labels), "codes from 1 on, each once; 0 is the background");
        }
        let least = self.network.smallest_size();
        for (name, size) in [("patch", &self.patch), ("window", &self.window)] {
            if !size.is_empty() && (size.len() != self.axes() || size.contains(&0)) {
                let expected = if self.axes() == 2 { "[x, y] in voxels, or []" } else { "[x, y, z] in voxels, or []" };
                return failed(name, format!("{size:?}"), expected);
            }
            if size.iter().any(|&n| n < least) {
                let needs = format!("{} needs at least {least} voxels along every axis", self.network.name());
                return Err(Error::Unfit { problem: format!("{name} = {size:?}: {needs}"), hint: LARGER });
            }
        }
        for (name, share) in [("foreground", self.foreground), ("validation", self.validation)] {
            if !(0.0..=1.0).contains(&share) {
                return failed(name, share.to_string(), "a share from 0 to 1");
            }
        }
        let LossConfig { dice, cross_entropy, smooth, .. } = self.loss;
        for (name, weight) in [("loss.dice", dice), ("loss.cross_entropy", cross_entropy), ("loss.smooth", smooth)] {
            if !(weight.is_finite() && weight >= 0.0) {
                return failed(name, weight.to_string(), "a number of at least 0");
            }
        }
        if dice + cross_entropy == 0.0 {
            return failed("loss.dice", "0".into(), "a positive number here or in loss.cross_entropy");
        }
        self.scaling.check().map_err(|found| Error::Setting {
            name: "scaling",
            found,
            expected: "a range or a quantile",
        })
    }

    /// Axes of the images of the network.
    pub(super) fn axes(&self) -> usize {
        self.network.rank() - 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_s_network_for_images_is_as_the_paper_has_it() {
        let network = |name| Architecture::find(name, 3, 3).unwrap();
        let [own, paper] = [SupervisedConfig::new, SupervisedConfig::paper].map(|of| of(network("msnet-2d")).network);
        assert_eq!(own, Architecture::MsNet2d(MsNetConfig::recommended(3, 3)));
        assert_eq!(paper, Architecture::MsNet2d(MsNetConfig::new(3, 3)));
        // The others are the same in both.
        for name in ["msnet-3d", "unet"] {
            assert_eq!(SupervisedConfig::paper(network(name)).network, SupervisedConfig::new(network(name)).network);
        }
    }
}
