//! Everything that decides a training, with its source.

use fewmark_classical::superpixels::FelzenszwalbParams;
use fewmark_nets::{EncoderConfig, PrototypeHead, ResNetConfig};
use serde::{Deserialize, Serialize};

use super::{Augmentation, InferenceConfig, Pooling};
use crate::superpixels::{Partition, SuperpixelParams};
use crate::{Error, Optimizer, Plan, Schedule};

/// Slices by which objects may be shifted along the body: each is tried.
const MOST_SHIFT: f64 = 50.0;

/// The most pixels along a side of the square that an encoder sees in its training.
const MOST_SIZE: usize = 4096;

/// All settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FewShotConfig {
    /// Pixels along each side of the square that the encoder sees, a multiple of 16.
    pub size: usize,
    /// Percentiles of a scan to which its samples are clipped before they are brought to mean 0 and standard deviation 1. Paper: the upper
    /// one is 99.5 in MRI.
    pub clip: [f64; 2],
    /// The weights that a training starts from: `default` for those of the model inside the program, `random`, or a model file.
    pub start: String,
    /// The encoder.
    pub encoder: EncoderConfig,
    /// How features become classes.
    pub head: PrototypeHead,
    /// How features are averaged under masks.
    pub pooling: Pooling,
    /// Sizes of the windows of local prototypes.
    pub windows: Windows,
    /// What episodes are made of.
    pub episodes: EpisodeConfig,
    /// The loss.
    pub loss: LossConfig,
    /// How slices are varied.
    pub augmentation: Augmentation,
    /// How whole scans are segmented by labelled ones.
    pub inference: InferenceConfig,
    /// The loop. A rate of 1e-3, right for random weights, undoes at first what the encoder inside the program has learned. Mean Dice x 100 by
    /// features alone, abdominal MRI, scans of three folds that are learned from: 67.0 before training; after 300 steps 61.7 with 1e-3, 68.2 with
    /// 1e-4; after 1000 steps 69.4 with 1e-4, 69.8 with 3e-4.
    pub training: Plan,
}

/// Features along each side of the window of a local prototype.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Windows {
    /// While the encoder is trained. Paper: 4.
    pub training: usize,
    /// Afterwards, where it grows with `inference.enlargement`. Paper: 2.
    pub inference: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self { training: 4, inference: 2 }
    }
}

/// Where the masks of episodes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Superpixels of scans; support and query are the same slice, varied.
    Superpixels,
    /// Labels of labelled scans; support and query are two slices with the same label.
    Labels,
    /// Regions of made-up anatomies; no scan is needed.
    Synthetic,
}

/// What episodes are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpisodeConfig {
    /// Where masks come from.
    pub source: Source,
    /// Share of the episodes that are of made-up anatomies all the same.
    pub synthetic: f64,
    /// How superpixels are made. They are made on the encoder's grid, of samples that are scaled so that the percentiles of `clip` are 0 and
    /// 255.
    pub superpixels: SuperpixelParams,
    /// Fewest pixels of a mask. The paper has no such limit for superpixels, and 100 of 256x256 for labels.
    pub least_pixels: usize,
    /// Whether the support is varied as well as the query. The paper's text says it is not, its code does it.
    pub augment_support: bool,
    /// Episodes of a step. Paper: 1.
    pub batch: usize,
}

impl Default for EpisodeConfig {
    fn default() -> Self {
        let partition = Partition::Felzenszwalb(FelzenszwalbParams { min_size: 100, ..FelzenszwalbParams::default() });
        Self {
            source: Source::Superpixels,
            synthetic: 0.0,
            superpixels: SuperpixelParams { partition, foreground: Some(15.0), in_3d: false },
            least_pixels: 40,
            augment_support: true,
            batch: 1,
        }
    }
}

/// What is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of background pixels in the cross-entropy of the query, where those of the object weigh 1. Paper: 0.05.
    pub background: f64,
    /// Weight of the alignment loss, in which the segmented query is the support of the support. Paper: 1.
    pub alignment: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { background: 0.05, alignment: 1.0 }
    }
}

impl Default for FewShotConfig {
    fn default() -> Self {
        Self {
            size: 128,
            clip: [0.0, 99.5],
            start: "default".into(),
            encoder: EncoderConfig::default(),
            head: PrototypeHead::default(),
            pooling: Pooling::default(),
            windows: Windows::default(),
            episodes: EpisodeConfig::default(),
            loss: LossConfig::default(),
            augmentation: Augmentation::default(),
            inference: InferenceConfig::default(),
            training: Plan {
                iterations: 4000,
                learning_rate: 3e-4,
                schedule: Schedule::Cosine,
                weight_decay: 1e-5,
                checkpoint_every: 500,
                ..Plan::default()
            },
        }
    }
}

impl FewShotConfig {
    /// The settings of SSL-ALPNet: ResNet-101 on 256x256 pixels, superpixels of at least 400, stochastic gradient descent for 100,000
    /// steps with a rate of 1e-3 that falls by 0.98 every 1000 (the released code: 0.95). Its first weights are from COCO, ours random.
    pub fn paper() -> Self {
        let own = Self::default();
        Self {
            size: 256,
            start: "random".into(),
            encoder: EncoderConfig::Resnet(ResNetConfig::default()),
            episodes: EpisodeConfig {
                superpixels: SuperpixelParams {
                    partition: Partition::Felzenszwalb(FelzenszwalbParams::default()),
                    ..own.episodes.superpixels
                },
                least_pixels: 1,
                ..own.episodes
            },
            inference: InferenceConfig::paper(),
            training: Plan {
                iterations: 100_000,
                optimizer: Optimizer::Sgd,
                learning_rate: 1e-3,
                momentum: 0.9,
                weight_decay: 5e-4,
                schedule: Schedule::Step,
                step_every: 1000,
                step_factor: 0.98,
                checkpoint_every: 1000,
                ..Plan::default()
            },
            ..own
        }
    }

    /// Pixels along each side of the square on which scans are segmented, a multiple of 16.
    pub(super) fn inference_side(&self) -> usize {
        let sixteenths = (self.size as f64 * self.inference.enlargement / 16.0).round();
        16 * (sixteenths as usize).max(1)
    }

    /// Features along each side of the window of a local prototype there.
    pub(super) fn inference_window(&self) -> usize {
        let window = self.windows.inference as f64 * self.inference.enlargement;
        (window.round() as usize).clamp(1, self.inference_side() / self.encoder.stride())
    }

    /// Whether every number is one that its setting can have.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Network`] or [`Error::Classical`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        let failed = |name, found: String, expected| Err(Error::Setting { name, found, expected });
        self.training.check()?;
        self.augmentation.check()?;
        self.episodes.superpixels.check()?;
        // Making a network checks its numbers; its weights are not drawn before they are used.
        self.encoder.init(&burn::tensor::Device::flex())?;
        if !(16..=MOST_SIZE).contains(&self.size) || !self.size.is_multiple_of(16) {
            return failed("size", self.size.to_string(), "a multiple of 16, no more than 4096");
        }
        let [low, high] = self.clip;
        if !(0.0 <= low && low < high && high <= 100.0) {
            return failed("clip", format!("{:?}", self.clip), "two percentiles from 0 to 100, the lower one first");
        }
        let features = self.size / self.encoder.stride();
        for (name, window) in [
            ("windows.training", self.windows.training),
            ("windows.inference", self.windows.inference),
            ("head.whole_window", self.head.whole_window),
        ] {
            if window == 0 || window > features {
                return failed(
                    name,
                    window.to_string(),
                    "at least 1, and no more than there are features along a side",
                );
            }
        }
        let enlargement = self.inference.enlargement;
        if !(0.25..=8.0).contains(&enlargement) {
            return failed("inference.enlargement", enlargement.to_string(), "a factor from 0.25 to 8");
        }
        let InferenceConfig {
            margin,
            shift,
            prior,
            blur,
            reach,
            turn,
            candidates,
            context,
            window,
            deformation,
            appearance,
            refinement,
            full_thickness,
            offset,
            smoothing,
            edges,
            ..
        } = self.inference;
        for (name, length) in [
            ("inference.blur", blur),
            ("inference.reach", reach),
            ("inference.window", window),
            ("inference.deformation", deformation),
            ("inference.full_thickness", full_thickness),
        ] {
            if length > 1.0 {
                return failed(name, length.to_string(), "no more than 1, the side of a slice");
            }
        }
        if shift > MOST_SHIFT {
            return failed("inference.shift", shift.to_string(), "no more than 50 slices");
        }
        if turn > 180.0 {
            return failed("inference.turn", turn.to_string(), "no more than 180 degrees to each side");
        }
        if candidates == 0 {
            return failed("inference.candidates", "0".into(), "a whole number of at least 1");
        }
        if !offset.is_finite() {
            return failed("inference.offset", offset.to_string(), "a finite number");
        }
        for (name, x) in [
            ("inference.margin", margin),
            ("inference.shift", shift),
            ("inference.prior", prior),
            ("inference.blur", blur),
            ("inference.reach", reach),
            ("inference.turn", turn),
            ("inference.context", context),
            ("inference.window", window),
            ("inference.deformation", deformation),
            ("inference.appearance", appearance),
            ("inference.refinement", refinement),
            ("inference.full_thickness", full_thickness),
            ("inference.smoothing", smoothing),
            ("inference.edges", edges),
        ] {
            if !(x.is_finite() && x >= 0.0) {
                return failed(name, x.to_string(), "a number of at least 0");
            }
        }
        for (name, x) in [("loss.background", self.loss.background), ("loss.alignment", self.loss.alignment)] {
            if !(x.is_finite() && x >= 0.0) {
                return failed(name, x.to_string(), "a number of at least 0");
            }
        }
        if !(self.head.scale.is_finite() && self.head.scale > 0.0) {
            return failed("head.scale", self.head.scale.to_string(), "a positive number");
        }
        if !(0.0..1.0).contains(&self.head.threshold) {
            return failed("head.threshold", self.head.threshold.to_string(), "a share from 0, less than 1");
        }
        if !(0.0..=1.0).contains(&self.episodes.synthetic) {
            return failed("episodes.synthetic", self.episodes.synthetic.to_string(), "a share from 0 to 1");
        }
        if self.episodes.batch == 0 {
            return failed("episodes.batch", "0".into(), "a whole number of at least 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_segmented_on_a_larger_square() {
        let mut config = FewShotConfig::default();
        assert_eq!((config.inference_side(), config.inference_window()), (192, 3));
        config.inference.enlargement = 1.0;
        assert_eq!((config.inference_side(), config.inference_window()), (128, 2));
        // Sides are multiples of 16, and windows no larger than the square.
        (config.size, config.windows.inference, config.inference.enlargement) = (16, 4, 0.25);
        assert_eq!((config.inference_side(), config.inference_window()), (16, 1));
        config.inference.enlargement = 2.2;
        assert_eq!((config.inference_side(), config.inference_window()), (32, 8));
        assert_eq!(FewShotConfig::paper().inference_side(), 256);
    }

    #[test]
    fn squares_that_cannot_be_are_refused() {
        for enlargement in [0.0, -1.0, 9.0, f64::NAN] {
            let mut config = FewShotConfig::default();
            config.inference.enlargement = enlargement;
            let told = config.check().unwrap_err().to_string();
            assert!(told.contains("inference.enlargement"), "{told}");
        }
        FewShotConfig::default().check().unwrap();
        FewShotConfig::paper().check().unwrap();
    }

    #[test]
    fn a_place_is_laid_in_one_way_at_least() {
        let mut config = FewShotConfig::default();
        config.inference.candidates = 0;
        let told = config.check().unwrap_err().to_string();
        assert!(told.contains("inference.candidates"), "{told}");
    }

    #[test]
    fn shifts_that_would_be_tried_for_ever_are_refused() {
        for shift in [-1.0, 51.0, f64::INFINITY, f64::NAN] {
            let mut config = FewShotConfig::default();
            config.inference.shift = shift;
            let told = config.check().unwrap_err().to_string();
            assert!(told.contains("inference.shift"), "{told}");
        }
    }

    #[test]
    fn lengths_beyond_a_slice_are_refused() {
        let told = |change: fn(&mut InferenceConfig)| {
            let mut config = FewShotConfig::default();
            change(&mut config.inference);
            config.check().unwrap_err().to_string()
        };
        assert!(told(|inference| inference.window = 1e9).contains("inference.window"));
        assert!(told(|inference| inference.deformation = 1.5).contains("inference.deformation"));
        assert!(told(|inference| inference.reach = f64::INFINITY).contains("inference.reach"));
        let told = FewShotConfig { size: 1 << 20, ..FewShotConfig::default() }.check().unwrap_err().to_string();
        assert!(told.contains("size = 1048576"), "{told}");
    }

    #[test]
    fn turns_beyond_half_a_circle_are_refused() {
        // Each is tried: without a limit there could be any number of them.
        for turn in [-1.0, 181.0, 1e12, f64::NAN] {
            let mut config = FewShotConfig::default();
            config.inference.turn = turn;
            let told = config.check().unwrap_err().to_string();
            assert!(told.contains("inference.turn"), "{told}");
        }
    }
}
