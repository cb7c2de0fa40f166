//! Few-shot segmentation: labelled images of the study show what to look for in another.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use fewmark::image::read_labels;
use fewmark::learn::fewshot::{Known, Predictor};
use fewmark::{Dimension, Image, Method, Step, fewshot};

use super::{Ask, Happening, ended, load};
use crate::app::App;
use crate::datastore::{FINAL, ImageFile, Legend};
use crate::error::Problem;
use crate::flight::Wanted;
use crate::methods::Encoder;
use crate::stamp::Stamp;
use crate::warm::{Example, Key, Part};

/// Labelled images that are taken when the client names none: those that were saved last.
const BY_ITSELF: usize = 3;
/// Labelled images that a client may name.
const MOST: usize = 16;

/// The method that looks for the labels of the images that are asked for, and what these labels are called.
///
/// What an encoder makes of a labelled image is kept in memory as long as both files are the same.
///
/// # Errors
/// 404 and 422 when there is no labelled image, or one that is asked for cannot be an example; 409 when the work is no longer wanted.
pub(super) fn shown(
    app: &App,
    encoder: &Encoder,
    ask: &Ask,
    image: &Image,
    wanted: &Wanted,
    told: &mut dyn FnMut(Happening),
) -> Result<(Arc<dyn Method>, Legend), Problem> {
    if ask.slice.is_some() && image.geometry().dimension() == Dimension::Three {
        return Err(
            Problem::wrong(format!("the method {:?} compares whole volumes", ask.method)).hint("leave `slice` out")
        );
    }
    let mut room = Room { app, encoder, query: image, wanted, told };
    let (candidates, named) = candidates(app, ask)?;
    let mut chosen: Vec<Chosen> = Vec::new();
    let mut refused = None;
    for (image, labels) in candidates {
        if !named && chosen.len() == BY_ITSELF {
            break;
        }
        match room.example(&image, &labels).and_then(|example| agreeing(app, example, &image, &chosen)) {
            Ok(example) => chosen.push(example),
            Err(problem) if named || !wanted.still() => return Err(problem),
            // Of those that nobody named, the ones that fit do.
            Err(problem) => refused = refused.or(Some(problem)),
        }
    }
    if let (true, Some(problem)) = (chosen.is_empty(), refused) {
        return Err(problem);
    }
    let legend = chosen.iter().flat_map(|chosen| chosen.legend.clone()).collect();
    let supports = chosen.into_iter().map(|chosen| chosen.example.support.clone()).collect();
    let known = Known::new(Predictor::clone(&encoder.predictor), supports)?;
    Ok((fewshot::method(known).into(), legend))
}

/// The images that may be examples with the files of their labels, and whether the client has named them.
fn candidates(app: &App, ask: &Ask) -> Result<(Vec<(ImageFile, PathBuf)>, bool), Problem> {
    let images = app.datastore.images()?;
    if ask.support.is_empty() {
        let others = images.into_iter().filter(|image| image.path != ask.image);
        let labelled = others.filter_map(|image| image.labels.get(FINAL).cloned().map(|labels| (image, labels)));
        let mut labelled: Vec<_> = labelled.collect();
        if labelled.is_empty() {
            return Err(Problem::wrong(format!("no other image of the study has a label {FINAL:?} to learn from"))
                .hint("label one image and save it; then its labels can be found in others"));
        }
        labelled
            .sort_by_cached_key(|(_, labels)| std::cmp::Reverse(Stamp::of(labels).ok().map(|stamp| stamp.modified)));
        return Ok((labelled, false));
    }
    if ask.support.len() > MOST {
        return Err(Problem::wrong(format!("{} examples are too many: at most {MOST} are taken", ask.support.len())));
    }
    let mut named = Vec::new();
    for id in &ask.support {
        let Some(image) = app.datastore.among(&images, id) else {
            return Err(Problem::missing(format!("there is no image {id:?} in the study to be an example")));
        };
        if image.path == ask.image {
            return Err(Problem::wrong(format!("the image {id:?} cannot be an example for itself"))
                .hint("choose another image that has labels"));
        }
        let Some(labels) = image.labels.get(FINAL) else {
            return Err(Problem::wrong(format!("the image {id:?} has no label {FINAL:?} to learn from"))
                .hint("label it and save it, or choose an image that has labels"));
        };
        if !named.iter().any(|(known, _): &(ImageFile, PathBuf)| known.id == image.id) {
            let labels = labels.clone();
            named.push((image, labels));
        }
    }
    Ok((named, true))
}

/// An example, and what its labels are called.
struct Chosen {
    id: String,
    example: Arc<Example>,
    legend: Legend,
}

/// An example whose labels mean the same as those of the others.
fn agreeing(app: &App, example: Arc<Example>, image: &ImageFile, others: &[Chosen]) -> Result<Chosen, Problem> {
    let mut names = app.datastore.legend();
    names.extend(app.datastore.legend_of(&image.id, FINAL));
    let name = |code: u16| (code, names.remove(&code).unwrap_or_else(|| (format!("label {code}"), None)));
    let legend: Legend = example.support.codes().map(name).collect();
    for other in others {
        let differs = |(code, (name, _)): (&u16, &(String, _))| {
            let (known, _) = other.legend.get(code)?;
            (known != name).then(|| (*code, name.clone(), known.clone()))
        };
        if let Some((code, name, known)) = legend.iter().find_map(differs) {
            let (one, two) = (&other.id, &image.id);
            return Err(Problem::wrong(format!("label {code} is {known:?} in {one:?} and {name:?} in {two:?}"))
                .hint("choose examples whose labels mean the same"));
        }
    }
    Ok(Chosen { id: image.id.clone(), example, legend })
}

/// Where examples are made.
struct Room<'a> {
    app: &'a App,
    encoder: &'a Encoder,
    query: &'a Image,
    wanted: &'a Wanted,
    told: &'a mut dyn FnMut(Happening),
}

impl Room<'_> {
    /// What the encoder makes of a labelled image, from memory or found out now.
    fn example(&mut self, image: &ImageFile, labels: &PathBuf) -> Result<Arc<Example>, Problem> {
        let stamp = Stamp::of(labels).map_err(|e| Problem::io("read", labels, e))?;
        let part = Part::Example { labels: (labels.clone(), stamp), encoder: self.encoder.file.clone() };
        let key = Key::of(&image.path)?.part(part);
        let like = self.query.geometry();
        if let Some(example) = self.app.warm.example(&key).filter(|example| example.support.runs_as(like)) {
            self.expect_dimension(&image.id, example.dimension)?;
            return Ok(example);
        }
        let (_, decoded) = load(self.app, &image.path)?;
        let dimension = decoded.image.geometry().dimension();
        self.expect_dimension(&image.id, dimension)?;
        let map = read_labels(labels)?;
        let (wanted, told) = (self.wanted, &mut self.told);
        let support = fewshot::support(&self.encoder.predictor, &decoded.image, &map, like, &mut |step| {
            // How far one of several examples is says nothing of the whole.
            told(Happening::Step(Step { fraction: None, ..step.clone() }));
            if wanted.still() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let support = match support {
            Err(fewmark::Error::Stopped) => return Err(ended(self.wanted)),
            support => support.map_err(|e| of_example(e.into(), &image.id))?,
        };
        let example = Arc::new(Example { support, dimension });
        self.app.warm.keep_example(key, example.clone());
        Ok(example)
    }

    fn expect_dimension(&self, id: &str, dimension: Dimension) -> Result<(), Problem> {
        let kind = |dimension| match dimension {
            Dimension::Two => "a picture (2-D)",
            Dimension::Three => "a volume (3-D)",
        };
        let wanted = self.query.geometry().dimension();
        if dimension == wanted {
            return Ok(());
        }
        let (is, wanted) = (kind(dimension), kind(wanted));
        Err(Problem::wrong(format!("the example {id:?} is {is}, the image to segment is {wanted}"))
            .hint("choose an example of the same kind"))
    }
}

/// The same problem, of an example.
fn of_example(problem: Problem, id: &str) -> Problem {
    Problem { message: format!("the example {id:?}: {}", problem.message), ..problem }
}
