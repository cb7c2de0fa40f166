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
    ("augmentation.mirror", "whether images are mirrored; not where left and right have labels of their own", ANY),
    ("augmentation.rotation", "images are turned by up to this many degrees", POSITIVE),
    ("augmentation.scale", "images are enlarged or shrunk by up to this share", POSITIVE),
    ("background", "weight of the penalty near background clicks", POSITIVE),
    ("batch", "patches of a step", COUNT),
    ("beta", "elastica: weight of the outline's squared curvature", POSITIVE),
    ("beta_g", "how far it is across an edge: weight of the squared gradient in the distance", POSITIVE),
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
    ("eps_d", "how far it is across flat regions", POSITIVE),
    ("fill_holes", "holes up to this share of the object are filled", POSITIVE),
    ("fitting_band", "which grey values fit the object", ANY),
    ("foreground", "share of the patches that are centred on a labelled voxel", SHARE),
    ("gamma1", "how much darker than the clicks still fits, of a range of 1; 0 to measure", SHARE),
    ("gamma2", "how much brighter than the clicks still fits, of a range of 1; 0 to measure", SHARE),
    ("gamma_floor_sd", "narrowest band of grey values, in standard deviations of the clicked region", POSITIVE),
    ("iota", "sensitivity of the edge detector", POSITIVE),
    ("iterations", "steps of the optimiser", COUNT),
    ("keep", "which parts of the result are kept", ANY),
    ("labels", "labels that are learned, such as [1, 2]; [] for all", ANY),
    ("lambda", "weight of the grey values", POSITIVE),
    ("learning_rate", "learning rate of the first step", POSITIVE),
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
    ("presmooth_sigma", "smoothing of the image, in pixels", POSITIVE),
    ("seed", "seed of everything random", POSITIVE),
    ("size", "pixels of the longer side of what the network computes; 0 for the image's own", POSITIVE),
    ("solver", "which solver minimises the energy", ANY),
    ("stop", "when the network's training ends", ANY),
    ("stop_patience", "steps to wait for a smaller variance", POSITIVE),
    ("stop_window", "outputs whose variance is looked at", COUNT),
    ("theta", "weight of the distance from the clicks", POSITIVE),
    ("theta_g", "weight of the plain distance within the geodesic one", POSITIVE),
    ("tolerance", "largest duality gap, relative to the energy: smaller is more exact and slower", POSITIVE),
    ("training.checkpoint_every", "steps between two checkpoints", POSITIVE),
    ("training.iterations", "steps of the optimiser", COUNT),
    ("training.learning_rate", "learning rate of the first step", POSITIVE),
    ("training.patience", "validations without progress after which training ends; 0 for never", POSITIVE),
    ("training.seed", "seed of everything random", POSITIVE),
    ("training.validate_every", "steps between two validations; 0 for none", POSITIVE),
    ("validation", "share of the cases that is held out, of 20 or more", SHARE),
    ("window", "lowest and highest sample of the grey range, such as [0, 400]; [] to choose", ANY),
];

/// What a setting means; `None` for one that has no sentence.
pub fn help(key: &str) -> Option<Help> {
    let at = ALL.binary_search_by(|(name, ..)| name.cmp(&key)).ok()?;
    let (_, sentence, range) = ALL[at];
    Some(Help { sentence, range })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::METHODS;

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
}
