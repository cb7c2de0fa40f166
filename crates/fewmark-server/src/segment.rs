//! One segmentation: an image, marks and a method give a label map.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use fewmark::image::{Interpolation, embed_slice, read_image, resample_to, slice};
use fewmark::{Dimension, Geometry, Image, LabelMap, Marks, Method, Segmentation, Step, Trace, registry};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::Problem;
use crate::flight::Wanted;
use crate::runs;
use crate::warm::{Decoded, Key, Part};

/// Volumes of more voxels are answered on a coarser grid first, where somebody listens.
const COARSE_ABOVE: usize = 400_000;
/// The coarser grid has about so many voxels at the most.
const COARSE_VOXELS: usize = 220_000;
/// Clicks, corners of polygons and points of scribbles, all together.
const MOST_MARKS: usize = 10_000;
/// Points that a scribble is thinned to: its shape is known by them.
const POINTS_OF_SCRIBBLE: usize = 48;
/// Points of an energy curve.
const CURVE: usize = 200;

/// Marks as clients send them: voxels x, y, z.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MarksBody {
    pub(crate) foreground: Vec<[f64; 3]>,
    pub(crate) background: Vec<[f64; 3]>,
    pub(crate) polygon: Option<Polygon>,
    pub(crate) scribbles: Vec<Scribble>,
}

/// A polygon in a slice across z.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Polygon {
    slice: usize,
    points: Vec<[f64; 2]>,
}

/// A stroke.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scribble {
    pub(crate) foreground: bool,
    pub(crate) points: Vec<[f64; 3]>,
}

/// What is to be segmented, and how.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) image: PathBuf,
    pub(crate) method: String,
    pub(crate) settings: toml::Table,
    pub(crate) marks: MarksBody,
    /// One slice across z of a volume, instead of all of it.
    pub(crate) slice: Option<usize>,
}

/// The answer.
pub(crate) struct Answer {
    /// In the geometry of the whole image.
    pub(crate) labels: LabelMap,
    pub(crate) trace: Trace,
    pub(crate) seconds: f64,
    /// Whether the work went on from what was kept of the image.
    pub(crate) warm: bool,
    /// Whether it was found on a coarser grid, and the true answer follows.
    pub(crate) coarse: bool,
}

/// What happens on the way to the answer.
pub(crate) enum Happening {
    Step(Step),
    Coarse(Box<Answer>),
}

/// An image from its file, or from memory if the file is the same.
pub(crate) fn load(app: &App, path: &Path) -> Result<(Key, Arc<Decoded>), Problem> {
    let facts = std::fs::metadata(path).map_err(|e| Problem::io("read", path, e))?;
    let stamp = (facts.modified().unwrap_or(std::time::SystemTime::UNIX_EPOCH), facts.len());
    let key = Key { file: path.to_owned(), stamp, part: Part::Whole };
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
    let mut settings = ask.settings.clone();
    let shaped = registry::find(&ask.method).is_ok_and(|entry| entry.defaults().contains_key(SHAPE));
    if ask.marks.polygon.is_some() && shaped {
        settings.entry(SHAPE).or_insert_with(|| "polygon".into());
    }
    let method = app.methods.build(&ask.method, settings)?;
    let needs_marks = method.needs_marks();
    let mut work = Work { app, method, wanted, told };
    let answer = |found: Segmentation, labels: LabelMap, warm: bool, coarse: bool| Answer {
        labels,
        trace: found.trace,
        seconds: begun.elapsed().as_secs_f64(),
        warm,
        coarse,
    };

    // The one slice of a picture is all of it.
    if let Some(k) = ask.slice.filter(|k| geometry.dimension() == Dimension::Three || *k > 0) {
        let (key, image) = work.part(&whole, Part::Slice(k), || Ok(slice(&decoded.image, 2, k)?))?;
        let marks = marks.in_slice(k)?.of(image.image.geometry());
        let (found, warm) = work.solve(key, &image.image, &marks)?;
        let mut labels = LabelMap::new(vec![0; geometry.len()], geometry.clone())?;
        embed_slice(&mut labels, &found.labels, 2, k)?;
        return Ok(answer(found, labels, warm, false));
    }
    if coarse && needs_marks && geometry.dimension() == Dimension::Three && geometry.len() > COARSE_ABOVE {
        let size = coarse_size(geometry.size());
        let (key, image) = work.part(&whole, Part::Coarse, || {
            let target = geometry.resized(size).map_err(fewmark::image::Error::from)?;
            Ok(resample_to(&decoded.image, &target, Interpolation::Linear, 0.0)?)
        })?;
        let marks = marks.on(geometry.size(), size).of(image.image.geometry());
        let (found, warm) = work.solve(key, &image.image, &marks)?;
        let labels = enlarged(found.labels.labels(), size, geometry)?;
        (work.told)(Happening::Coarse(Box::new(answer(found, labels, warm, true))));
    }
    let (found, warm) = work.solve(whole, &decoded.image, &marks.of(geometry))?;
    let labels = found.labels.clone();
    Ok(answer(found, labels, warm, false))
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
        let key = Key { part, ..whole.clone() };
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

/// The grid of the coarse answer: halved in the plane until it is small enough, then across it too.
fn coarse_size(size: [usize; 3]) -> [usize; 3] {
    let half = |n: usize| n.div_ceil(2);
    let mut coarse = size;
    while coarse.iter().product::<usize>() > COARSE_VOXELS && coarse[0].max(coarse[1]) > 32 {
        coarse = [half(coarse[0]), half(coarse[1]), if coarse[2] > 96 { half(coarse[2]) } else { coarse[2] }];
    }
    coarse
}

/// Labels of a coarser grid on that of the image: each voxel takes the label of the one that it lies in.
fn enlarged(labels: &[u16], coarse: [usize; 3], geometry: &Geometry) -> Result<LabelMap, Problem> {
    let size = geometry.size();
    let at = |axis: usize| -> Vec<usize> { (0..size[axis]).map(|i| i * coarse[axis] / size[axis]).collect() };
    let [xs, ys, zs] = [at(0), at(1), at(2)];
    let mut large = Vec::with_capacity(geometry.len());
    for z in zs {
        for y in &ys {
            let row = (z * coarse[1] + y) * coarse[0];
            large.extend(xs.iter().map(|x| labels[row + x]));
        }
    }
    Ok(LabelMap::new(large, geometry.clone())?)
}

/// Marks as voxels of an image, each inside it.
#[derive(Clone, Debug, PartialEq)]
struct Clicks {
    foreground: Vec<[usize; 3]>,
    background: Vec<[usize; 3]>,
}

impl MarksBody {
    /// Clicks, corners and points of strokes as voxels.
    ///
    /// # Errors
    /// 422 for marks that do not lie in the image, and for too many.
    fn within(&self, geometry: &Geometry) -> Result<Clicks, Problem> {
        let Self { foreground, background, polygon, scribbles } = self;
        let strokes = scribbles.iter().map(|stroke| stroke.points.len()).sum::<usize>();
        let count = foreground.len() + background.len() + strokes + polygon.as_ref().map_or(0, |p| p.points.len());
        if count > MOST_MARKS {
            return Err(Problem::wrong(format!("{count} marks are too many: at most {MOST_MARKS} are taken")));
        }
        let voxels = |points: &mut dyn Iterator<Item = [f64; 3]>| {
            points.map(|point| voxel(point, geometry)).collect::<Result<Vec<_>, _>>()
        };
        let mut clicks = Clicks {
            foreground: voxels(&mut foreground.iter().copied())?,
            background: voxels(&mut background.iter().copied())?,
        };
        if let Some(Polygon { slice, points }) = polygon {
            if points.len() < 3 {
                return Err(Problem::wrong(format!("a polygon has at least 3 corners, not {}", points.len())));
            }
            clicks.foreground.extend(voxels(&mut points.iter().map(|[x, y]| [*x, *y, *slice as f64]))?);
        }
        for Scribble { foreground, points } in scribbles {
            let thinned = thinned(points, POINTS_OF_SCRIBBLE);
            let list = if *foreground { &mut clicks.foreground } else { &mut clicks.background };
            list.extend(voxels(&mut thinned.into_iter())?);
        }
        Ok(clicks)
    }
}

/// Every so many of the points, the first and the last among them.
pub(crate) fn thinned(points: &[[f64; 3]], most: usize) -> Vec<[f64; 3]> {
    match points.len() {
        n if n <= most => points.to_vec(),
        n => (0..most).map(|i| points[i * (n - 1) / (most - 1)]).collect(),
    }
}

fn voxel(point: [f64; 3], geometry: &Geometry) -> Result<[usize; 3], Problem> {
    let (size, nearest) = (geometry.size(), point.map(f64::round));
    if (0..3).all(|a| nearest[a] >= 0.0 && nearest[a] < size[a] as f64) {
        return Ok(nearest.map(|c| c as usize));
    }
    let problem = format!("it lies outside the image of size {size:?}");
    Err(fewmark::Error::Click { click: point.to_vec(), problem }.into())
}

impl Clicks {
    /// The clicks of one slice across z, which all of them must lie in.
    fn in_slice(&self, k: usize) -> Result<Self, Problem> {
        match self.foreground.iter().chain(&self.background).find(|click| click[2] != k) {
            Some(click) => Err(Problem::wrong(format!("the mark {click:?} does not lie in slice {k}"))
                .hint("send the marks of one slice with `slice`, or leave `slice` out to segment in 3-D")),
            None => {
                let flat = |clicks: &[[usize; 3]]| clicks.iter().map(|&[x, y, _]| [x, y, 0]).collect();
                Ok(Self { foreground: flat(&self.foreground), background: flat(&self.background) })
            }
        }
    }

    /// The clicks on a coarser grid of the same box. What is marked as the object there is not marked as background too.
    fn on(&self, fine: [usize; 3], coarse: [usize; 3]) -> Self {
        let on = |clicks: &[[usize; 3]]| -> Vec<[usize; 3]> {
            clicks.iter().map(|click| std::array::from_fn(|a| click[a] * coarse[a] / fine[a])).collect()
        };
        let foreground = on(&self.foreground);
        let background = on(&self.background).into_iter().filter(|click| !foreground.contains(click)).collect();
        Self { foreground, background }
    }

    fn of(&self, geometry: &Geometry) -> Marks {
        Marks::from_voxels(geometry, &self.foreground, &self.background)
    }
}

impl Answer {
    /// As our own interface tells it.
    pub(crate) fn to_json(&self) -> Value {
        let voxels = self.labels.labels().iter().filter(|label| **label != 0).count();
        let last = self.trace.solvers.last();
        let curve = last.map_or(&[][..], |run| &run.report.trace);
        let every = curve.len().div_ceil(CURVE).max(1);
        let trace: Vec<Value> = curve
            .iter()
            .rev()
            .step_by(every)
            .map(|point| json!({ "iteration": point.iteration, "energy": point.energy }))
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let stopped = last.map_or("done", |run| match run.report.stop {
            fewmark::classical::Stop::Converged => "converged",
            fewmark::classical::Stop::IterationLimit => "iteration limit",
        });
        json!({
            "runs": runs::encode(self.labels.labels()),
            "voxels": voxels,
            "volume_ml": volume_ml(voxels, self.labels.geometry()),
            "seconds": self.seconds,
            "trace": trace,
            "stopped": stopped,
            "warm": self.warm,
            "coarse": self.coarse,
        })
    }
}

/// The volume of so many voxels, in ml; that of a picture by its pixels of 1 mm depth.
pub(crate) fn volume_ml(voxels: usize, geometry: &Geometry) -> f64 {
    voxels as f64 * geometry.grid().voxel_volume() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_grids_are_small_and_keep_thin_axes() {
        assert_eq!(coarse_size([256, 256, 32]), [64, 64, 32]);
        assert_eq!(coarse_size([512, 512, 200]), [64, 64, 50]);
        assert_eq!(coarse_size([33, 33, 33]), [33, 33, 33]);
    }

    #[test]
    fn labels_are_enlarged_into_the_box_of_each_voxel() {
        let geometry = Geometry::unit(Dimension::Three, [4, 2, 1]).unwrap();
        let large = enlarged(&[1, 2], [2, 1, 1], &geometry).unwrap();
        assert_eq!(large.labels(), [1, 1, 2, 2, 1, 1, 2, 2]);
    }

    #[test]
    fn marks_that_cannot_be_are_refused() {
        let geometry = Geometry::unit(Dimension::Three, [10, 10, 4]).unwrap();
        let body = |text: &str| serde_json::from_str::<MarksBody>(text).unwrap().within(&geometry);
        for text in [
            r#"{"foreground":[[10,0,0]]}"#,
            r#"{"foreground":[[0,-1,0]]}"#,
            r#"{"polygon":{"slice":4,"points":[[1,1],[2,1],[2,2]]}}"#,
            r#"{"polygon":{"slice":0,"points":[[1,1],[2,1]]}}"#,
            r#"{"scribbles":[{"foreground":true,"points":[[0,0,9]]}]}"#,
        ] {
            assert_eq!(body(text).unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        }
        let clicks = body(r#"{"foreground":[[1,2,3]],"background":[[4,4,2]]}"#).unwrap();
        assert!(clicks.in_slice(3).is_err());
        let coarse =
            body(r#"{"foreground":[[2,2,2]],"background":[[3,3,2],[9,9,2]]}"#).unwrap().on([10, 10, 4], [5, 5, 4]);
        assert_eq!(coarse, Clicks { foreground: vec![[1, 1, 2]], background: vec![[4, 4, 2]] });
    }

    #[test]
    fn long_strokes_are_thinned_and_keep_their_ends() {
        let stroke: Vec<[f64; 3]> = (0..1000).map(|i| [f64::from(i), 0.0, 0.0]).collect();
        let thin = thinned(&stroke, 48);
        assert_eq!((thin.len(), thin[0], thin[47]), (48, stroke[0], stroke[999]));
    }
}
