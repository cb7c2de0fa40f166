//! Clicks turned into a region: the marker set, on which `c1` is measured and from which distances start.
//!
//! Burrows, Chen and Torella take the polygon of the clicks; the published code of Roberts and Spencer its convex hull.
//! What is done with one or two clicks, and in 3-D, is defined here.

mod polygon;
mod polytope;

use crate::{Error, Grid};

/// What three clicks or more stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkerShape {
    /// Their convex hull: the order of the clicks does not matter.
    #[default]
    ConvexHull,
    /// The polygon through them in the order given, filled by the even-odd rule; their convex hull when the polygon
    /// crosses itself or has no area, or when the clicks do not lie in one plane along the axes.
    Polygon,
}

/// The mask of the region that clicks mark, one flag per voxel.
///
/// * One click: the voxel and its successors along each axis, a 2×2 (in 3-D 2×2×2) block, as in the published code of
///   Roberts and Spencer.
/// * Two clicks, or more on one line: the straight line of voxels between the outermost two, one voxel thicker on every
///   side (a 3×3 square, in 3-D a 3×3×3 cube).
/// * Three clicks or more, in one plane along the axes: the voxels of this plane whose centres lie in the hull or
///   polygon.
/// * Otherwise: the voxels whose centres lie in the convex polytope of the clicks.
///
/// All is clipped to the image, and every clicked voxel belongs to the region. Clicks are voxels `(x, y, z)`; distances
/// play no part, so the spacing does not matter.
///
/// # Errors
///
/// [`Error::NoClick`], [`Error::Outside`].
pub fn marker_region(grid: &Grid, clicks: &[[usize; 3]], shape: MarkerShape) -> Result<Vec<bool>, Error> {
    if let Some(&click) = clicks.iter().find(|click| (0..3).any(|axis| click[axis] >= grid.size[axis])) {
        return Err(Error::Outside { click: click.map(|x| x as i64), size: grid.size });
    }
    let mut distinct: Vec<[i64; 3]> = Vec::with_capacity(clicks.len());
    for click in clicks.iter().map(|click| click.map(|x| x as i64)) {
        if !distinct.contains(&click) {
            distinct.push(click);
        }
    }
    let mut mask = vec![false; grid.len()];
    match distinct[..] {
        [] => return Err(Error::NoClick),
        [click] => set_block(&mut mask, grid, click, 0..=1),
        [first, second, ..] => {
            if distinct[2..].iter().all(|&click| cross(first, second, click) == [0; 3]) {
                set_thick_line(&mut mask, grid, &distinct);
            } else if let Some(normal) = (0..3).find(|&axis| distinct.iter().all(|c| c[axis] == first[axis])) {
                polygon::fill(&mut mask, grid, &distinct, normal, shape);
            } else {
                polytope::fill(&mut mask, grid, &distinct);
            }
        }
    }
    for click in distinct {
        set(&mut mask, grid, click);
    }
    Ok(mask)
}

/// Sets a voxel, unless it lies outside the image.
fn set(mask: &mut [bool], grid: &Grid, voxel: [i64; 3]) {
    if (0..3).all(|axis| (0..grid.size[axis] as i64).contains(&voxel[axis])) {
        mask[grid.index(voxel.map(|x| x as usize))] = true;
    }
}

/// Sets the block of voxels at the given steps from a voxel along every axis.
fn set_block(mask: &mut [bool], grid: &Grid, [x, y, z]: [i64; 3], steps: std::ops::RangeInclusive<i64>) {
    for dz in steps.clone() {
        for dy in steps.clone() {
            for dx in steps.clone() {
                set(mask, grid, [x + dx, y + dy, z + dz]);
            }
        }
    }
}

/// Sets the line through collinear clicks, from the first to the last along it.
fn set_thick_line(mask: &mut [bool], grid: &Grid, clicks: &[[i64; 3]]) {
    let (Some(&from), Some(&to)) = (clicks.iter().min(), clicks.iter().max()) else { return };
    for voxel in bresenham(from, to) {
        set_block(mask, grid, voxel, -1..=1);
    }
}

/// Bresenham's line: one voxel for each step along the longest axis, the others rounded to the nearest.
fn bresenham(from: [i64; 3], to: [i64; 3]) -> impl Iterator<Item = [i64; 3]> {
    let step = difference(to, from);
    let count = step.into_iter().map(i64::abs).max().unwrap_or(0);
    (0..=count).map(move |k| {
        // from + k step / count, rounded to the nearest whole number, halves upwards.
        std::array::from_fn(|axis| from[axis] + (2 * k * step[axis] + count).div_euclid((2 * count).max(1)))
    })
}

fn difference(a: [i64; 3], b: [i64; 3]) -> [i64; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

/// The cross product of `b - a` and `c - a`, exact: twice the area of the triangle, along its normal.
fn cross(a: [i64; 3], b: [i64; 3], c: [i64; 3]) -> [i128; 3] {
    let (u, v) = (difference(b, a).map(i128::from), difference(c, a).map(i128::from));
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}
