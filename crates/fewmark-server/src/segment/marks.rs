//! Marks as clients send them, and as voxels of an image.

use fewmark::{Geometry, Marks};
use serde::Deserialize;

use crate::error::Problem;

/// Clicks, corners of polygons and points of scribbles, all together.
const MOST_MARKS: usize = 10_000;
/// Points that a scribble is thinned to: its shape is known by them.
const POINTS_OF_SCRIBBLE: usize = 48;

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

/// Marks as voxels of an image, each inside it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clicks {
    foreground: Vec<[usize; 3]>,
    background: Vec<[usize; 3]>,
}

impl MarksBody {
    /// Clicks, corners and points of strokes as voxels.
    ///
    /// # Errors
    /// 422 for marks that do not lie in the image, and for too many.
    pub(super) fn within(&self, geometry: &Geometry) -> Result<Clicks, Problem> {
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
    pub(super) fn in_slice(&self, k: usize) -> Result<Self, Problem> {
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
    pub(super) fn on(&self, fine: [usize; 3], coarse: [usize; 3]) -> Self {
        let on = |clicks: &[[usize; 3]]| -> Vec<[usize; 3]> {
            clicks.iter().map(|click| std::array::from_fn(|a| click[a] * coarse[a] / fine[a])).collect()
        };
        let foreground = on(&self.foreground);
        let background = on(&self.background).into_iter().filter(|click| !foreground.contains(click)).collect();
        Self { foreground, background }
    }

    pub(super) fn of(&self, geometry: &Geometry) -> Marks {
        Marks::from_voxels(geometry, &self.foreground, &self.background)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use fewmark::Dimension;

    use super::*;

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
