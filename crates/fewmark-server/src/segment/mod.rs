//! One segmentation: an image and what is given with it make a label map.

mod answer;
mod coarse;
mod examples;
mod marks;
mod region;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use fewmark::image::{Interpolation, embed_slice, read_image, resample_to, slice};
use fewmark::{Dimension, Image, LabelMap, Marks, Method, Segmentation, Step, registry};

pub(crate) use answer::{Answer, volume_ml};
pub(crate) use marks::{MarksBody, thinned};
pub(crate) use region::Region;

use crate::app::App;
use crate::datastore::Legend;
use crate::error::Problem;
use crate::flight::Wanted;
use crate::warm::{Decoded, Key, Part};

/// What is to be segmented, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) image: PathBuf,
    pub(crate) method: String,
    pub(crate) settings: toml::Table,
    pub(crate) marks: MarksBody,
    /// One slice across z of a volume, instead of all of it.
    pub(crate) slice: Option<usize>,
    /// Ids of labelled images, for a method that is shown some; none for those that were saved last.
    pub(crate) support: Vec<String>,
    /// The box outside of which the answer is empty.
    pub(crate) region: Option<Region>,
}

/// What happens on the way to the answer.
pub(crate) enum Happening {
    Step(Step),
    Coarse(Box<Answer>),
}

/// An image from its file, or from memory if the file is the same.
pub(crate) fn load(app: &App, path: &Path) -> Result<(Key, Arc<Decoded>), Problem> {
    let key = Key::of(path)?;
    if let Some(image) = app.warm.image(&key) {
        return Ok((key, image));
    }
    let image: Arc<Decoded> = Arc::new(read_image(path)?.into());
    app.warm.keep_image(key.clone(), image.clone());
    Ok((key, image))
}

/// Does the work. `told` hears of every step, and of a coarse answer when `coarse` asks for one and the image is large.
///
/// # Errors
/// 409 when the work is no longer wanted; 404 and 422 for what cannot be done.
pub(crate) fn segment(
    app: &App,
    ask: &Ask,
    wanted: &Wanted,
    coarse: bool,
    told: &mut dyn FnMut(Happening),
) -> Result<Answer, Problem> {
    let begun = Instant::now();
    let (whole, decoded) = load(app, &ask.image)?;
    let geometry = decoded.image.geometry();
    let marks = ask.marks.within(geometry)?;
    let (method, legend) = method(app, ask, &decoded.image, wanted, told)?;
    let needs_marks = method.needs_marks();
    let mut work = Work { app, method, wanted, told };
    let answer = |found: Segmentation, mut labels: LabelMap, warm: bool, coarse: bool| -> Result<Answer, Problem> {
        if let Some(region) = &ask.region {
            region.limit(&mut labels)?;
        }
        let (legend, seconds) = (legend.clone(), begun.elapsed().as_secs_f64());
        Ok(Answer { labels, legend, trace: found.trace, seconds, warm, coarse })
    };

    // The one slice of a picture is all of it.
    if let Some(k) = ask.slice.filter(|k| geometry.dimension() == Dimension::Three || *k > 0) {
        let (key, image) = work.part(&whole, Part::Slice(k), || Ok(slice(&decoded.image, 2, k)?))?;
        let marks = marks.in_slice(k)?.of(image.image.geometry());
        let (found, warm) = work.solve(key, &image.image, &marks)?;
        let mut labels = LabelMap::new(vec![0; geometry.len()], geometry.clone())?;
        embed_slice(&mut labels, &found.labels, 2, k)?;
        return answer(found, labels, warm, false);
    }
    if coarse && needs_marks && coarse::is_worth(geometry) {
        let size = coarse::coarse_size(geometry.size());
        let (key, image) = work.part(&whole, Part::Coarse, || {
            let target = geometry.resized(size).map_err(fewmark::image::Error::from)?;
            Ok(resample_to(&decoded.image, &target, Interpolation::Linear, 0.0)?)
        })?;
        let marks = marks.on(geometry.size(), size).of(image.image.geometry());
        let (found, warm) = work.solve(key, &image.image, &marks)?;
        let labels = coarse::enlarged(found.labels.labels(), size, geometry)?;
        (work.told)(Happening::Coarse(Box::new(answer(found, labels, warm, true)?)));
    }
    let (found, warm) = work.solve(whole, &decoded.image, &marks.of(geometry))?;
    let labels = found.labels.clone();
    answer(found, labels, warm, false)
}

/// The method that is asked for, and what its labels are called where it names them.
fn method(
    app: &App,
    ask: &Ask,
    image: &Image,
    wanted: &Wanted,
    told: &mut dyn FnMut(Happening),
) -> Result<(Arc<dyn Method>, Legend), Problem> {
    if let Some(encoder) = app.methods.encoder(&ask.method, &ask.settings)? {
        return examples::shown(app, &encoder, ask, image, wanted, told);
    }
    if !ask.support.is_empty() {
        return Err(Problem::wrong(format!("the method {:?} takes no support example", ask.method))
            .hint("/api/info tells which marks a method takes"));
    }
    let mut settings = ask.settings.clone();
    let shaped = registry::find(&ask.method).is_ok_and(|entry| entry.defaults().contains_key(SHAPE));
    if ask.marks.polygon.is_some() && shaped {
        settings.entry(SHAPE).or_insert_with(|| "polygon".into());
    }
    Ok((app.methods.build(&ask.method, settings)?, Legend::new()))
}

/// A segmentation under way.
struct Work<'a> {
    app: &'a App,
    method: Arc<dyn Method>,
    wanted: &'a Wanted,
    told: &'a mut dyn FnMut(Happening),
}

impl Work<'_> {
    /// A part of an image, from memory or made now.
    fn part(
        &self,
        whole: &Key,
        part: Part,
        make: impl FnOnce() -> Result<Image, Problem>,
    ) -> Result<(Key, Arc<Decoded>), Problem> {
        let key = whole.part(part);
        if let Some(image) = self.app.warm.image(&key) {
            return Ok((key, image));
        }
        let image: Arc<Decoded> = Arc::new(make()?.into());
        self.app.warm.keep_image(key.clone(), image.clone());
        Ok((key, image))
    }

    /// Segments with what was kept of the image; whether there was something.
    fn solve(&mut self, key: Key, image: &Image, marks: &Marks) -> Result<(Segmentation, bool), Problem> {
        if !self.wanted.still() {
            return Err(ended(self.wanted));
        }
        let mut state = self.app.warm.take_state(&key);
        let warm = !state.is_empty();
        let found = self.method.segment_again(image, marks, &mut state, &mut |step| {
            (self.told)(Happening::Step(step.clone()));
            if self.wanted.still() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.app.warm.keep_state(key, state);
        match found {
            Err(fewmark::Error::Stopped) => Err(ended(self.wanted)),
            found => Ok((found?, warm)),
        }
    }
}

/// The parameter that tells how clicks become a region.
const SHAPE: &str = "marker_shape";

/// Why work that is no longer wanted has no answer.
pub(crate) fn ended(wanted: &Wanted) -> Problem {
    let why = match wanted.superseded() {
        true => "superseded by a newer request for the same image",
        false => "stopped, as nobody waits for the answer",
    };
    Problem::new(StatusCode::CONFLICT, why)
}
