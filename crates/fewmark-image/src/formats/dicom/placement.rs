//! From the places of single slices to the geometry of a volume (PS3.3 section C.7.6.2.1.1).

use super::slice::{Layout, Plane};
use crate::{Dimension, Geometry, GeometryError};

/// Distances between slices may differ from the usual one by this fraction, or by [`SLACK_MM`]: positions are rounded
/// to a few decimals.
const SLACK_FRACTION: f64 = 0.01;
const SLACK_MM: f64 = 0.01;

/// Components of row and column directions may differ between slices by this much, and from right angles.
const ORIENTATION_SLACK: f64 = 1e-3;

/// Why slices do not make a volume. Slices are named by their number in the list that was given.
#[derive(Debug)]
pub(super) enum Misplaced {
    Missing { field: &'static str, slice: usize },
    Inconsistent { field: &'static str, first: usize, second: usize },
    Duplicate { position: f64, first: usize, second: usize },
    Uneven { usual: f64, gaps: String },
    Geometry(GeometryError),
}

/// The order of slices in a volume, and where it lies.
pub(super) struct Volume {
    /// For each slice of the volume the number of the one given.
    pub(super) order: Vec<usize>,
    pub(super) geometry: Geometry,
}

/// Row, column and slice directions of a plane, LPS.
struct Axes {
    row: [f64; 3],
    column: [f64; 3],
    normal: [f64; 3],
}

/// Sorts slices along their normal and checks that they are evenly spaced.
///
/// Slices that are displaced sideways against each other, as those of a tilted gantry, give a sheared geometry.
pub(super) fn arrange(layout: &Layout, planes: &[Plane]) -> Result<Volume, Misplaced> {
    let (axes, pixel_spacing) = common_plane(planes)?;
    let mut placed = Vec::with_capacity(planes.len());
    for (slice, plane) in planes.iter().enumerate() {
        let position = plane.position.ok_or(Misplaced::Missing { field: "ImagePositionPatient", slice })?;
        placed.push((dot(position, axes.normal), slice, position));
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (first, last) = (placed[0].2, placed[placed.len() - 1].2);
    let step = match placed.len() {
        1 => {
            let distance = planes[0].slice_distance.or(planes[0].thickness).unwrap_or(1.0);
            axes.normal.map(|n| n * distance)
        }
        n => {
            check_spacing(&placed)?;
            std::array::from_fn(|r| (last[r] - first[r]) / (n - 1) as f64)
        }
    };
    check_sideways(&placed, step)?;
    let size = [layout.columns, layout.rows, planes.len()];
    let geometry = geometry(Dimension::Three, size, &axes, pixel_spacing, step, first)?;
    Ok(Volume { order: placed.into_iter().map(|(_, slice, _)| slice).collect(), geometry })
}

/// The geometry of frames that share one place and follow each other along the normal at the distance that the file
/// tells.
pub(super) fn stack(layout: &Layout, plane: &Plane) -> Result<Geometry, Misplaced> {
    let (axes, pixel_spacing) = common_plane(std::slice::from_ref(plane))?;
    let position = plane.position.ok_or(Misplaced::Missing { field: "ImagePositionPatient", slice: 0 })?;
    let distance = plane.slice_distance.ok_or(Misplaced::Missing { field: "SpacingBetweenSlices", slice: 0 })?;
    let step = axes.normal.map(|n| n * distance);
    geometry(Dimension::Three, [layout.columns, layout.rows, layout.frames], &axes, pixel_spacing, step, position)
}

/// The geometry of a picture without a place in the patient: its spacing where known, otherwise 1 mm.
pub(super) fn flat(layout: &Layout, plane: &Plane) -> Result<Geometry, Misplaced> {
    let [row, column] = plane.pixel_spacing.unwrap_or([1.0; 2]);
    let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    Geometry::from_parts(Dimension::Two, [layout.columns, layout.rows, 1], [column, row, 1.0], [0.0; 3], identity)
        .map_err(Misplaced::Geometry)
}

/// Orientation and pixel spacing, which must be the same for all.
fn common_plane(planes: &[Plane]) -> Result<(Axes, [f64; 2]), Misplaced> {
    let mut common: Option<([f64; 6], [f64; 2])> = None;
    for (slice, plane) in planes.iter().enumerate() {
        let orientation = plane.orientation.ok_or(Misplaced::Missing { field: "ImageOrientationPatient", slice })?;
        let spacing = plane.pixel_spacing.ok_or(Misplaced::Missing { field: "PixelSpacing", slice })?;
        let (first_orientation, first_spacing) = *common.get_or_insert((orientation, spacing));
        let inconsistent = |field| Misplaced::Inconsistent { field, first: 0, second: slice };
        if orientation.iter().zip(first_orientation).any(|(a, b)| (a - b).abs() > ORIENTATION_SLACK) {
            return Err(inconsistent("ImageOrientationPatient"));
        }
        if spacing.iter().zip(first_spacing).any(|(a, b)| (a / b - 1.0).abs() > SLACK_FRACTION / 10.0) {
            return Err(inconsistent("PixelSpacing"));
        }
    }
    let (o, spacing) = common.ok_or(Misplaced::Missing { field: "ImagePositionPatient", slice: 0 })?;
    let (row, column) = ([o[0], o[1], o[2]], [o[3], o[4], o[5]]);
    let bad = |v: [f64; 3]| (dot(v, v) - 1.0).abs() > ORIENTATION_SLACK;
    if bad(row) || bad(column) || dot(row, column).abs() > ORIENTATION_SLACK {
        let zero = [0.0; 3];
        return Err(Misplaced::Geometry(GeometryError::Direction(transposed([row, column, zero]))));
    }
    let normal = [
        row[1] * column[2] - row[2] * column[1],
        row[2] * column[0] - row[0] * column[2],
        row[0] * column[1] - row[1] * column[0],
    ];
    Ok((Axes { row, column, normal }, spacing))
}

type Placed = (f64, usize, [f64; 3]);

/// Whether the distances along the normal are the same.
fn check_spacing(placed: &[Placed]) -> Result<(), Misplaced> {
    let mut distances: Vec<f64> = placed.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    if let Some(pair) = placed.windows(2).find(|pair| pair[1].0 - pair[0].0 < SLACK_MM) {
        return Err(Misplaced::Duplicate { position: pair[0].0, first: pair[0].1, second: pair[1].1 });
    }
    distances.sort_by(f64::total_cmp);
    let usual = distances[distances.len() / 2];
    let slack = (SLACK_FRACTION * usual).max(SLACK_MM);
    let gaps: Vec<String> = placed
        .windows(2)
        .filter(|pair| (pair[1].0 - pair[0].0 - usual).abs() > slack)
        .map(|pair| format!("{:.3} mm between {:.3} and {:.3}", pair[1].0 - pair[0].0, pair[0].0, pair[1].0))
        .collect();
    match gaps.len() {
        0 => Ok(()),
        n => {
            let listed = gaps[..n.min(4)].join(", ");
            let more = if n > 4 { format!(" and {} more", n - 4) } else { String::new() };
            Err(Misplaced::Uneven { usual, gaps: listed + &more })
        }
    }
}

/// Whether every slice lies where the first one and the steps put it: slices that wander sideways make no grid.
fn check_sideways(placed: &[Placed], step: [f64; 3]) -> Result<(), Misplaced> {
    let (_, first, origin) = placed[0];
    let slack = (SLACK_FRACTION * dot(step, step).sqrt()).max(SLACK_MM) * 2.0;
    for (k, &(_, slice, position)) in placed.iter().enumerate() {
        if (0..3).any(|r| (position[r] - origin[r] - step[r] * k as f64).abs() > slack) {
            return Err(Misplaced::Inconsistent { field: "ImagePositionPatient", first, second: slice });
        }
    }
    Ok(())
}

/// The geometry in RAS+, from axes and positions in LPS.
fn geometry(
    dimension: Dimension,
    size: [usize; 3],
    axes: &Axes,
    [row_distance, column_distance]: [f64; 2],
    step: [f64; 3],
    origin: [f64; 3],
) -> Result<Geometry, Misplaced> {
    // The first number of PixelSpacing is the distance between rows: the step along a column.
    let x = axes.row.map(|r| r * column_distance);
    let y = axes.column.map(|c| c * row_distance);
    let affine = std::array::from_fn(|r| {
        let sign = if r < 2 { -1.0 } else { 1.0 };
        // Adding 0 turns the -0 of a negated 0 into 0.
        [x[r], y[r], step[r], origin[r]].map(|v| v * sign + 0.0)
    });
    Geometry::from_affine(dimension, size, affine).map_err(Misplaced::Geometry)
}

fn transposed(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|r| std::array::from_fn(|c| m[c][r]))
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
