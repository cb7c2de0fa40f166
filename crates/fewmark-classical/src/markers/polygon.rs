//! Polygons in a plane along the axes, filled at voxel centres. All tests are exact, in integers.

use super::{MarkerShape, set};
use crate::Grid;

type Point = [i64; 2];

/// Sets the voxels within the hull or polygon of clicks that share their coordinate along `normal`.
pub(super) fn fill(mask: &mut [bool], grid: &Grid, clicks: &[[i64; 3]], normal: usize, shape: MarkerShape) {
    let [u, v] = [[1, 2], [0, 2], [0, 1]][normal];
    let points: Vec<Point> = clicks.iter().map(|click| [click[u], click[v]]).collect();
    let polygon = match shape {
        MarkerShape::Polygon if is_simple(&points) => points,
        _ => convex_hull(points),
    };
    let Some(&anchor) = clicks.first() else { return };
    let bounds = |k: usize| {
        let (low, high) = (polygon.iter().map(|p| p[k]).min(), polygon.iter().map(|p| p[k]).max());
        low.unwrap_or(0)..=high.unwrap_or(-1)
    };
    for b in bounds(1) {
        for a in bounds(0) {
            if contains(&polygon, [a, b]) {
                let mut voxel = anchor;
                (voxel[u], voxel[v]) = (a, b);
                set(mask, grid, voxel);
            }
        }
    }
}

/// Whether a point lies in a polygon by the even-odd rule, or on its outline.
fn contains(polygon: &[Point], point: Point) -> bool {
    let mut inside = false;
    for (from, to) in sides(polygon) {
        let turn = orientation(from, to, point);
        if turn == 0 && within_box(from, to, point) {
            return true;
        }
        // The ray towards increasing first coordinates crosses a side that ends on either side of it, if the point is
        // to the left of an upward side or to the right of a downward one.
        if (from[1] > point[1]) != (to[1] > point[1]) && (turn > 0) == (to[1] > from[1]) {
            inside = !inside;
        }
    }
    inside
}

/// The corners of the convex hull in order (Andrew's monotone chain), points on its sides left out.
fn convex_hull(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_unstable();
    let half = |points: &mut dyn Iterator<Item = Point>| {
        let mut chain: Vec<Point> = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..]
                && orientation(a, b, point) <= 0
            {
                chain.pop();
            }
            chain.push(point);
        }
        chain.pop();
        chain
    };
    let mut hull = half(&mut points.iter().copied());
    hull.extend(half(&mut points.iter().rev().copied()));
    hull
}

/// Whether a polygon has area and its sides meet only at shared corners.
fn is_simple(polygon: &[Point]) -> bool {
    let n = polygon.len();
    let sides: Vec<(Point, Point)> = sides(polygon).collect();
    let apart = (0..n).all(|i| {
        let (a, b) = sides[i];
        // A side and the next share a corner; they must not run back over each other.
        let (_, c) = sides[(i + 1) % n];
        let folds = orientation(a, b, c) == 0 && (within_box(a, b, c) || within_box(b, c, a));
        let others = (i + 2..n).filter(|&j| (j + 1) % n != i);
        !folds && others.map(|j| sides[j]).all(|(c, d)| !cross_or_touch(a, b, c, d))
    });
    apart
        && sides
            .iter()
            .map(|(a, b)| i128::from(a[0]) * i128::from(b[1]) - i128::from(b[0]) * i128::from(a[1]))
            .sum::<i128>()
            != 0
}

fn sides(polygon: &[Point]) -> impl Iterator<Item = (Point, Point)> + '_ {
    polygon.iter().copied().zip(polygon.iter().copied().cycle().skip(1))
}

/// The sign of the turn at `b` on the way from `a` to `c`: positive to the left, 0 straight on.
fn orientation(a: Point, b: Point, c: Point) -> i128 {
    let d = |p: Point, k: usize| i128::from(p[k] - a[k]);
    (d(b, 0) * d(c, 1) - d(b, 1) * d(c, 0)).signum()
}

/// Whether `p` lies in the rectangle spanned by `a` and `b`.
fn within_box(a: Point, b: Point, p: Point) -> bool {
    (0..2).all(|k| (a[k].min(b[k])..=a[k].max(b[k])).contains(&p[k]))
}

/// Whether two segments have a point in common.
fn cross_or_touch(a: Point, b: Point, c: Point, d: Point) -> bool {
    let (c_turn, d_turn) = (orientation(a, b, c), orientation(a, b, d));
    let (a_turn, b_turn) = (orientation(c, d, a), orientation(c, d, b));
    (c_turn * d_turn < 0 && a_turn * b_turn < 0)
        || (c_turn == 0 && within_box(a, b, c))
        || (d_turn == 0 && within_box(a, b, d))
        || (a_turn == 0 && within_box(c, d, a))
        || (b_turn == 0 && within_box(c, d, b))
}
