//! What the settings of methods and trainings mean, for those who are shown them one by one.
//!
//! The configuration structs document every setting in full, with its source; here is the one sentence that fits beside a field.

/// Lowest and highest value, where there are bounds.
pub type Range = (Option<f64>, Option<f64>);

/// What a setting means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Help {
    /// One sentence.
    pub sentence: &'static str,
    /// Bounds within which values make sense, where there are any.
    pub range: Range,
}

const ANY: Range = (None, None);
const POSITIVE: Range = (Some(0.0), None);
const COUNT: Range = (Some(1.0), None);
const SHARE: Range = (Some(0.0), Some(1.0));

/// Every setting that has a sentence, in alphabetical order.
const ALL: &[(&str, &str, Range)] = &[
    ("alpha", "elastica: weight of the outline's length", POSITIVE),
    ("augmentation.channels", "gain and offset vary by this share of themselves from channel to channel", SHARE),
    ("augmentation.elastic", "strength of smooth random deformations, in pixels", POSITIVE),
    ("augmentation.elastic_sigma", "smoothness of random deformations, in pixels", POSITIVE),
    ("augmentation.elastic_spacing", "voxels between the points that random deformations move", POSITIVE),
    ("augmentation.gain", "contrast is varied by up to this share", POSITIVE),
    (
        "augmentation.gamma",
        "grey values are raised to a power that varies by up to this share, or within this range",
        ANY,
    ),
    ("augmentation.mirror", "whether images are mirrored; not where left and right have labels of their own", ANY),
    ("augmentation.noise", "standard deviation of the noise that is added, of a range of 1", POSITIVE),
    ("augmentation.offset", "up to this is added to grey values or taken from them, of a range of 1", POSITIVE),
    ("augmentation.quarter_turns", "whether images are turned by right angles", ANY),
    ("augmentation.rotation", "images are turned by up to this many degrees", POSITIVE),
    ("augmentation.scale", "images are enlarged or shrunk by up to this share", POSITIVE),
    ("augmentation.shear", "images are sheared by up to this many degrees", POSITIVE),
    ("augmentation.translation", "images are moved by up to this many pixels along each axis", POSITIVE),
    ("augmentation.zoom", "images are enlarged by a factor from this range, such as [0.9, 1.2]", ANY),
    ("background", "weight of the penalty near background clicks", POSITIVE),
    ("batch", "patches of a step", COUNT),
    ("beta", "elastica: weight of the outline's squared curvature", POSITIVE),
    ("beta_g", "how far it is across an edge: weight of the squared gradient in the distance", POSITIVE),
    ("clip", "percentiles of a scan to which its samples are clipped, such as [0, 99.5]", ANY),
    ("clip_quantile", "share of the darkest and of the brightest samples that is cut off", (Some(0.0), Some(0.499))),
    ("close", "bays and clefts up to this share of the object's radius are closed", POSITIVE),
    ("compactness", "how much the object keeps to the shape of the clicks; 0 for lungs, 1 for lesions", POSITIVE),
    ("data_channel", "whether the network also sees which grey values fit the clicks, and starts from them", ANY),
    ("distance", "which distance from the clicks is penalised", ANY),
    ("distance_cap", "largest normalised distance", POSITIVE),
    ("distance_normalisation", "what distances are divided by", ANY),
    ("distance_quantile", "the quantile of the distances that they are divided by", SHARE),
    ("distance_slack", "pixels within which crossing the object's own edge is free", POSITIVE),
    ("edge_side", "who pays for crossing an edge: what lies beyond it, or both sides", ANY),
    ("edge_sigma", "smoothing before edges are looked for, in pixels", POSITIVE),
    ("edge_weight", "whether outlines are cheaper along edges", ANY),
    ("elastica_iterations", "iterations of the elastica solver at the most", COUNT),
    ("encoder.name", "architecture of the encoder", ANY),
    ("encoder.width", "channels of the first stage of the encoder", COUNT),
    ("episodes.augment_support", "whether the labelled slice of an episode is varied like the other", ANY),
    ("episodes.batch", "episodes of a step", COUNT),
    ("episodes.least_pixels", "fewest pixels of a region to learn from", POSITIVE),
    ("episodes.source", "where the regions to learn from come from", ANY),
    ("episodes.superpixels.foreground", "samples up to this, of 255, are background", ANY),
    ("episodes.superpixels.in_3d", "whether superpixels reach across slices", ANY),
    ("episodes.superpixels.partition.algorithm", "how slices are cut into superpixels", ANY),
    ("episodes.superpixels.partition.min_size", "fewest pixels of a superpixel", COUNT),
    ("episodes.superpixels.partition.scale", "larger values prefer larger superpixels", POSITIVE),
    ("episodes.superpixels.partition.sigma", "smoothing before superpixels are looked for, in pixels", POSITIVE),
    ("episodes.synthetic", "share of the episodes that are of made-up anatomies", SHARE),
    ("eps_d", "how far it is across flat regions", POSITIVE),
    ("fill_holes", "holes up to this share of the object are filled", POSITIVE),
    ("fitting_band", "which grey values fit the object", ANY),
    ("foreground", "share of the patches that are centred on a labelled voxel", SHARE),
    ("gamma1", "how much darker than the clicks still fits, of a range of 1; 0 to measure", SHARE),
    ("gamma2", "how much brighter than the clicks still fits, of a range of 1; 0 to measure", SHARE),
    ("gamma_floor_sd", "narrowest band of grey values, in standard deviations of the clicked region", POSITIVE),
    ("head.background", "prototypes of everything but the object", ANY),
    ("head.foreground", "prototypes of the object", ANY),
    ("head.scale", "how decidedly features are told apart: what cosines are multiplied by", POSITIVE),
    ("head.threshold", "a window lies in the object where more than this share of it does", SHARE),
    (
        "head.whole_window",
        "features along each side of a window that an object must hold to have local prototypes",
        COUNT,
    ),
    ("inference.appearance", "weight of an object's brightness beside what surrounds it", POSITIVE),
    ("inference.blur", "how uncertain the place of an object is, in sides of the square", POSITIVE),
    ("inference.candidates", "how many ways to lay an object over a scan are looked at closely", COUNT),
    ("inference.context", "weight of how alike slices look around an object when it is looked for", POSITIVE),
    (
        "inference.deformation",
        "smoothness of the bending of an object's place, in sides of the square; 0 for none",
        POSITIVE,
    ),
    ("inference.edges", "how much outlines keep to edges of the image", POSITIVE),
    ("inference.enlargement", "how much larger slices are seen than in training", (Some(0.25), Some(8.0))),
    (
        "inference.full_thickness",
        "features of objects thinner than this count less, in sides of the square; 0 for never",
        POSITIVE,
    ),
    ("inference.largest", "whether only the largest part of each object is kept", ANY),
    ("inference.margin", "slices by which an object may be longer at each end than in the labelled scan", POSITIVE),
    ("inference.neighbours", "labelled slices by which a slice is segmented", COUNT),
    ("inference.offset", "added to the log odds of every object: larger values find more", ANY),
    ("inference.prior", "weight of an object's place in the labelled scan", POSITIVE),
    ("inference.reach", "how far an object may be moved within a slice, in sides of the square", SHARE),
    ("inference.refinement", "weight of how bright what was found is in the scan itself", POSITIVE),
    (
        "inference.shift",
        "slices by which an object may lie elsewhere along the body than the scans' alignment has it",
        (Some(0.0), Some(50.0)),
    ),
    ("inference.smoothing", "smoothness of outlines, in sides of the square", POSITIVE),
    ("inference.turn", "how far an object may be turned, in degrees to each side", (Some(0.0), Some(180.0))),
    ("inference.window", "how much of an object's surroundings is compared, in sides of the square", POSITIVE),
    ("iota", "sensitivity of the edge detector", POSITIVE),
    ("iterations", "steps of the optimiser", COUNT),
    ("keep", "which parts of the result are kept", ANY),
    ("labels", "labels that are learned, such as [1, 2]; [] for all", ANY),
    ("lambda", "weight of the grey values", POSITIVE),
    ("learning_rate", "learning rate", POSITIVE),
    ("loss.alignment", "weight of segmenting the labelled slice back by the one that was segmented", POSITIVE),
    ("loss.background", "how the background counts in the loss", ANY),
    ("loss.cross_entropy", "weight of the cross-entropy", POSITIVE),
    ("loss.dice", "weight of the soft Dice loss", POSITIVE),
    ("loss.smooth", "added to numerator and denominator of the soft Dice", POSITIVE),
    ("marker_reward", "whether the clicked region always fits", ANY),
    ("marker_shape", "how clicks become a region", ANY),
    ("max_iterations", "iterations of the convex solver at the most", COUNT),
    ("mirrored_predictions", "whether predictions are means over mirrored images", ANY),
    ("mu", "smoothness: weight of the outline's length", POSITIVE),
    ("mu_unit", "unit of the smoothness: the radius of the clicked region, or pixels", ANY),
    ("neck", "parts on a neck thinner than this share of the object's radius are cut off", POSITIVE),
    ("network", "size of the network", ANY),
    ("noise_amplitude", "largest value of the network's input", POSITIVE),
    ("noise_deviation", "noise that is added to the network's input in each step", POSITIVE),
    ("patch", "voxels (x, y, z) that the network sees in a step, such as [128, 128]; [] to choose", ANY),
    ("pooling", "how masks are brought to the grid of the features", ANY),
    ("presmooth_sigma", "smoothing of the image, in pixels", POSITIVE),
    ("seed", "seed of everything random", POSITIVE),
    ("size", "pixels of the longer side of what the network computes; 0 for the image's own", POSITIVE),
    ("solver", "which solver minimises the energy", ANY),
    ("start", "what training starts from: default, random or a model file", ANY),
    ("stop", "when the network's training ends", ANY),
    ("stop_patience", "steps to wait for a smaller variance", POSITIVE),
    ("stop_window", "outputs whose variance is looked at", COUNT),
    ("theta", "weight of the distance from the clicks", POSITIVE),
    ("theta_g", "weight of the plain distance within the geodesic one", POSITIVE),
    ("tolerance", "largest duality gap, relative to the energy: smaller is more exact and slower", POSITIVE),
    ("training.beta_1", "Adam: decay of the mean gradient", SHARE),
    ("training.beta_2", "Adam: decay of the mean squared gradient", SHARE),
    ("training.checkpoint_every", "steps between two checkpoints", POSITIVE),
    ("training.clip", "longest gradient of a tensor; 0 for any length", POSITIVE),
    ("training.epsilon", "Adam: added to the root of the mean squared gradient", POSITIVE),
    ("training.iterations", "steps of the optimiser", COUNT),
    ("training.learning_rate", "learning rate before it falls", POSITIVE),
    ("training.momentum", "stochastic gradient descent: decay of the sum of gradients", SHARE),
    ("training.optimizer", "how gradients become steps", ANY),
    ("training.patience", "validations without progress after which training ends; 0 for never", POSITIVE),
    ("training.schedule", "how the learning rate falls", ANY),
    ("training.seed", "seed of everything random", POSITIVE),
    ("training.snapshots", "how many times pictures are kept", POSITIVE),
    ("training.step_every", "steps between two falls of the schedule step", COUNT),
    ("training.step_factor", "what the learning rate is multiplied by at each of them", POSITIVE),
    ("training.validate_every", "steps between two validations; 0 for none", POSITIVE),
    ("training.warmup", "steps over which the learning rate rises from 0", POSITIVE),
    ("training.weight_decay", "this times a weight is added to its gradient", POSITIVE),
    ("validation", "share of the cases that is held out and scored during training", SHARE),
    ("validation_from", "fewest cases of which some are held out", COUNT),
    ("window", "lowest and highest sample of the grey range, such as [0, 400]; [] to choose", ANY),
    ("windows.inference", "features along each side of the window of a local prototype, in use", COUNT),
    ("windows.training", "features along each side of the window of a local prototype, in training", COUNT),
];

/// Settings that mean something else in a training than in a method.
const IN_TRAININGS: &[(&str, &str, Range)] =
    &[("window", "voxels (x, y, z) in which large images are segmented, such as [512, 512]; [] to choose", ANY)];

/// What a setting of a training means; `None` for one that has no sentence.
pub fn training_help(key: &str) -> Option<Help> {
    let own = IN_TRAININGS.iter().find(|(name, ..)| *name == key);
    own.map(|&(_, sentence, range)| Help { sentence, range }).or_else(|| help(key))
}

/// What a setting of a method means; `None` for one that has no sentence.
pub fn help(key: &str) -> Option<Help> {
    // How samples are scaled means the same wherever it is set.
    let key = key.strip_prefix("scaling.").unwrap_or(key);
    let at = ALL.binary_search_by(|(name, ..)| name.cmp(&key)).ok()?;
    let (_, sentence, range) = ALL[at];
    Some(Help { sentence, range })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::METHODS;
    use crate::training;

    #[test]
    fn the_list_is_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn every_setting_of_every_method_is_explained_and_its_default_is_within_bounds() {
        for entry in METHODS {
            for (key, value) in entry.defaults() {
                let help = help(&key).unwrap_or_else(|| panic!("{}: {key} has no sentence", entry.name));
                let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
                let (low, high) = help.range;
                assert!(
                    number.is_none_or(|n| low.is_none_or(|low| n >= low) && high.is_none_or(|high| n <= high)),
                    "{key}"
                );
            }
        }
    }

    /// The names of all settings, those of tables within tables with dots.
    fn names(prefix: &str, table: &toml::Table) -> Vec<String> {
        let of_entry = |(key, value): (&String, &toml::Value)| match value {
            toml::Value::Table(inner) => names(&format!("{prefix}{key}."), inner),
            _ => vec![format!("{prefix}{key}")],
        };
        table.iter().flat_map(of_entry).collect()
    }

    #[test]
    fn the_names_that_a_setting_can_have_are_told() {
        assert_eq!(training::choices("fewshot", "episodes.source"), ["superpixels", "labels", "synthetic"]);
        assert_eq!(training::choices("fewshot", "encoder.name"), ["slim", "resnet"]);
        assert_eq!(training::choices("msnet", "training.schedule"), ["constant", "step", "cosine"]);
        assert!(training::choices("fewshot", "start").is_empty());
    }

    #[test]
    fn every_setting_of_a_training_from_scans_or_labels_is_explained() {
        for name in ["msnet", "unet", "med3d", "fewshot"] {
            let mut defaults = training::defaults(name).unwrap();
            // Those of an architecture belong to its name.
            defaults.remove("network");
            for key in names("", &defaults) {
                assert!(training_help(&key).is_some(), "{name}: {key} has no sentence");
            }
        }
        assert_ne!(training_help("window"), training_help("scaling.window"));
    }
}
