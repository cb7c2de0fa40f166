//! The convex polytope of clicks in a volume. All tests are exact, in integers.

use super::{cross, difference, set};
use crate::Grid;

/// The points with `normal · x <= offset`.
#[derive(PartialEq)]
struct HalfSpace {
    normal: [i128; 3],
    offset: i128,
}

/// Sets the voxels whose centres lie in the convex hull of clicks that are not all on one line.
///
/// Clicks in one oblique plane have a flat hull, which hits few voxel centres. It is then taken to be one voxel thick
/// along the axis nearest to its normal.
pub(super) fn fill(mask: &mut [bool], grid: &Grid, clicks: &[[i64; 3]]) {
    // Coordinates are doubled, so that half a voxel is a whole number.
    let doubled = clicks.iter().map(|click| click.map(|x| 2 * x));
    let corners: Vec<[i64; 3]> = match common_normal(clicks) {
        None => doubled.collect(),
        Some(normal) => {
            let axis = (0..3).max_by_key(|&axis| normal[axis].abs()).unwrap_or(0);
            doubled
                .flat_map(|corner| [-1, 1].map(|step| std::array::from_fn(|k| corner[k] + step * i64::from(k == axis))))
                .collect()
        }
    };
    let facets = facets(&corners);
    let bounds = |axis: usize| {
        let (low, high) = (clicks.iter().map(|c| c[axis]).min(), clicks.iter().map(|c| c[axis]).max());
        low.unwrap_or(0)..=high.unwrap_or(-1)
    };
    for z in bounds(2) {
        for y in bounds(1) {
            for x in bounds(0) {
                let centre = [2 * x, 2 * y, 2 * z];
                if facets.iter().all(|facet| dot(facet.normal, centre) <= facet.offset) {
                    set(mask, grid, [x, y, z]);
                }
            }
        }
    }
}

/// The normal of the plane in which all points lie, if they do; there are three that are not on one line.
fn common_normal(points: &[[i64; 3]]) -> Option<[i128; 3]> {
    let normal = points[2..].iter().map(|&c| cross(points[0], points[1], c)).find(|normal| *normal != [0; 3])?;
    points.iter().all(|&p| dot(normal, difference(p, points[0])) == 0).then_some(normal)
}

/// The facets of the convex hull of points that are not in one plane: the planes through three of them that have all
/// others on one side. A search over all triples, meant for the few points that a person clicks.
fn facets(points: &[[i64; 3]]) -> Vec<HalfSpace> {
    let mut facets: Vec<HalfSpace> = Vec::new();
    for (i, &a) in points.iter().enumerate() {
        for (j, &b) in points.iter().enumerate().skip(i + 1) {
            for &c in &points[j + 1..] {
                let normal = cross(a, b, c);
                for normal in [normal, normal.map(|n| -n)] {
                    let offset = dot(normal, a);
                    if normal != [0; 3] && points.iter().all(|&p| dot(normal, p) <= offset) {
                        let facet = reduced(HalfSpace { normal, offset });
                        if !facets.contains(&facet) {
                            facets.push(facet);
                        }
                    }
                }
            }
        }
    }
    facets
}

/// The same half-space with the smallest whole numbers, so that equal ones are equal.
fn reduced(space: HalfSpace) -> HalfSpace {
    let divisor = space.normal.into_iter().fold(0, greatest_common_divisor);
    // The offset is a combination of the normal's components, so the division leaves no remainder.
    HalfSpace { normal: space.normal.map(|n| n / divisor), offset: space.offset / divisor }
}

fn greatest_common_divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { greatest_common_divisor(b, a % b) }
}

fn dot(normal: [i128; 3], point: [i64; 3]) -> i128 {
    (0..3).map(|axis| normal[axis] * i128::from(point[axis])).sum()
}
