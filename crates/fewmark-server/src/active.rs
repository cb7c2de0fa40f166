//! Which image a person should label next.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fewmark::learned::Needs;
use fewmark::{Marks, Warm};

use crate::Shared;
use crate::app::App;
use crate::datastore::{FINAL, ImageFile};
use crate::error::Problem;
use crate::methods::{Model, Use};
use crate::segment::load;
use crate::stamp::Stamp;
use crate::warm::Key;

/// How the next image is chosen among those without a final label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// The first by name.
    First,
    /// Any.
    Random,
    /// The one that the newest trained model is least sure of.
    Uncertain,
}

/// Images that the model looks at for one answer: the next answer looks at others, and remembers these.
const LOOKED_AT: usize = 8;

impl Strategy {
    /// All by name, and what they do.
    pub(crate) const ALL: [(&'static str, Self, &'static str); 3] = [
        ("first", Self::First, "The first image by name that has no final label"),
        ("random", Self::Random, "A random image that has no final label"),
        ("uncertain", Self::Uncertain, "The image that the newest trained model is least sure of"),
    ];

    /// # Errors
    /// 404 for a name that none has.
    pub(crate) fn named(name: &str) -> Result<Self, Problem> {
        let found = Self::ALL.iter().find(|(known, ..)| *known == name).map(|(_, strategy, _)| *strategy);
        found.ok_or_else(|| {
            Problem::missing(format!("there is no strategy {name:?}"))
                .hint("the strategies are first, random and uncertain")
        })
    }
}

/// The image that was chosen.
pub(crate) struct Chosen {
    pub(crate) image: ImageFile,
    /// Mean entropy in bits, for `uncertain`.
    pub(crate) uncertainty: Option<f64>,
}

/// The next image; none when all have final labels.
///
/// # Errors
/// 409 for `uncertain` without a model that needs no marks.
pub(crate) async fn next(app: &Shared, strategy: Strategy) -> Result<Option<Chosen>, Problem> {
    let mut open = app.wait(|app| app.datastore.images()).await?;
    open.retain(|image| !image.labels.contains_key(FINAL));
    if open.is_empty() {
        return Ok(None);
    }
    let plain = |image| Ok(Some(Chosen { image, uncertainty: None }));
    match strategy {
        Strategy::First => plain(open.swap_remove(0)),
        Strategy::Random => {
            let draw = u64::from_le_bytes(crate::random::bytes());
            let at = (draw % open.len() as u64) as usize;
            plain(open.swap_remove(at))
        }
        Strategy::Uncertain => {
            let model = app.wait(|app| newest_model(app)).await?;
            app.compute(move |app| least_sure(app, &model, open).map(Some)).await
        }
    }
}

/// The newest model that segments without marks.
pub(crate) fn newest_model(app: &App) -> Result<Arc<Model>, Problem> {
    let models = app.methods.models();
    let alone = models.into_iter().filter(|model| model.description.needs == Needs::Nothing);
    let newest = alone.max_by_key(|model| model.stamp.modified);
    newest.ok_or_else(|| {
        Problem::new(axum::http::StatusCode::CONFLICT, "there is no trained model to ask how sure it is")
            .hint("train one first, or choose the next image with the strategy first or random")
    })
}

/// An image and a model, as long as both are the same files.
type Asked = (Key, String, Stamp);

/// What was found out about them.
static KNOWN: LazyLock<Mutex<HashMap<Asked, f64>>> = LazyLock::new(Mutex::default);

/// The image with the largest mean entropy among those that the model has looked at, now or before.
fn least_sure(app: &App, model: &Model, open: Vec<ImageFile>) -> Result<Chosen, Problem> {
    let mut best: Option<Chosen> = None;
    let mut looked = 0;
    for image in open {
        // Gone since the study was listed.
        let Ok(file) = Key::of(&image.path) else { continue };
        let key = (file, model.name.clone(), model.stamp);
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let uncertainty = match known {
            Some(known) => known,
            None if looked == LOOKED_AT => continue,
            None => {
                looked += 1;
                // An image that the model cannot read tells nothing; the others do.
                let Ok(found) = uncertainty(app, model, &image) else { continue };
                KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found);
                found
            }
        };
        if best.as_ref().and_then(|best| best.uncertainty).is_none_or(|best| uncertainty > best) {
            best = Some(Chosen { image, uncertainty: Some(uncertainty) });
        }
    }
    best.ok_or_else(|| Problem::wrong(format!("the model {:?} can read none of the images that are left", model.name)))
}

/// How unsure a model is of an image: the mean over the voxels of the entropy of its own probability of anything but the background, in
/// bits; for a method without probabilities, the share of voxels that lie at the border of two labels.
fn uncertainty(app: &App, model: &Model, image: &ImageFile) -> Result<f64, Problem> {
    let (_, decoded) = load(app, &image.path)?;
    let Use::Method(method) = &model.used else { return Err(Problem::bug()) };
    let found = method
        .segment_again(&decoded.image, &Marks::default(), &mut Warm::default(), &mut |_| ControlFlow::Continue(()))?;
    Ok(match &found.probability {
        Some(probability) => mean_entropy(probability.samples()),
        None => {
            let labels = found.labels.labels();
            labels.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64 / labels.len() as f64
        }
    })
}

/// The mean entropy in bits of voxels that are object with a probability.
fn mean_entropy(probabilities: &[f32]) -> f64 {
    let entropy = |p: &f32| {
        let p = f64::from(*p).clamp(0.0, 1.0);
        let term = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
        term(p) + term(1.0 - p)
    };
    probabilities.iter().map(entropy).sum::<f64>() / probabilities.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_toss_has_one_bit_and_certainty_none() {
        assert_eq!(mean_entropy(&[0.5, 0.5]), 1.0);
        assert_eq!(mean_entropy(&[0.0, 1.0]), 0.0);
        assert!((mean_entropy(&[0.25]) - 0.811_278).abs() < 1e-6);
    }
}
