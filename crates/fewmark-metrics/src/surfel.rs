//! Surface elements ("surfels"): the pieces of a mask's surface at the corners between voxels, weighed by their size.
//!
//! Around each corner lie 8 voxels in 3-D, 4 in 2-D. Their pattern says how the surface passes between their centres:
//! through the midpoints of all edges of the cell that join a set voxel to one that is not set. On each face of the
//! cell these midpoints are joined around the corners of the rarer kind, which closes them to polygons; a polygon's
//! area is that of its triangulation with the largest area in a cell of unit spacing. That rule gives the 256 areas
//! and, in 2-D, the 16 lengths of DeepMind's surface-distance 0.1.
//!
//! # References
//! - S. Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", J. Med.
//!   Internet Res. 23(7), 2021: the surface Dice and the surfels.
//! - W. E. Lorensen, H. E. Cline, "Marching cubes", SIGGRAPH 1987.

use fewmark_grid::Grid;
use rayon::prelude::*;

use crate::region::Bounds;
use crate::surface::directed_distances;

/// Distances between the surfaces of two masks with the size of the surface element at each.
///
/// Other than the surface voxels of [`SurfaceDistances`](crate::SurfaceDistances), surface elements lie at the corners
/// between voxels, so that the scores depend less on how a surface is turned against the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfelDistances {
    to_truth: Vec<Surfel>,
    to_prediction: Vec<Surfel>,
}

/// Distance in mm of a surface element to the other surface, and its size in mm² (3-D) or mm (2-D).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Surfel {
    distance: f64,
    size: f64,
}

impl SurfelDistances {
    /// Measures two masks.
    ///
    /// # Panics
    /// When a mask does not have one value for each voxel of `grid`.
    pub fn between(prediction: &[bool], truth: &[bool], grid: &Grid) -> Self {
        assert_eq!([prediction.len(), truth.len()], [grid.len(); 2], "a mask has one value for each voxel");
        match Bounds::of_either(prediction, truth, grid).region(grid) {
            Some(region) => {
                let [prediction, truth] = [prediction, truth].map(|mask| region.crop(mask, grid, |&m| m));
                Self::in_region(&prediction, &truth, &region.grid(grid))
            }
            None => Self { to_truth: Vec::new(), to_prediction: Vec::new() },
        }
    }

    /// [`between`](Self::between) without a search for a smaller region.
    pub(crate) fn in_region(prediction: &[bool], truth: &[bool], grid: &Grid) -> Self {
        let axes: Vec<usize> = grid.axes().collect();
        let corners = Grid { size: std::array::from_fn(|a| grid.size[a] + usize::from(axes.contains(&a))), ..*grid };
        let sizes = surfel_sizes(&axes.iter().map(|&a| grid.spacing[a]).collect::<Vec<_>>());
        let [prediction, truth] = [prediction, truth].map(|mask| patterns(mask, grid, &corners));
        let directed = |from: &[u8], to: &[u8]| {
            let [from_border, to_border] =
                [from, to].map(|p| p.iter().map(|&p| is_border(p, &sizes)).collect::<Vec<_>>());
            let distances = directed_distances(&from_border, &to_border, &corners);
            let patterns = from.iter().filter(|&&p| is_border(p, &sizes));
            patterns.zip(distances).map(|(&p, distance)| Surfel { distance, size: sizes[usize::from(p)] }).collect()
        };
        let (to_truth, to_prediction) = rayon::join(|| directed(&prediction, &truth), || directed(&truth, &prediction));
        Self { to_truth, to_prediction }
    }

    /// Surface Dice (normalised surface distance): the share of both surfaces that lies within `tolerance` mm of the
    /// other one. `None` when both masks are empty, 0 when one of them is.
    ///
    /// A distance that equals the tolerance but for rounding is within it.
    pub fn surface_dice(&self, tolerance: f64) -> Option<f64> {
        let limit = tolerance * (1.0 + f64::from(f32::EPSILON));
        let both = || self.to_truth.iter().chain(&self.to_prediction);
        let whole: f64 = both().map(|s| s.size).sum();
        // The sum of nothing is -0.
        let near = 0.0 + both().filter(|s| s.distance <= limit).map(|s| s.size).sum::<f64>();
        (whole > 0.0).then(|| near / whole)
    }

    /// Average distance in mm from the surface of the prediction to that of the truth, weighed by area. `None` when
    /// both masks are empty, infinite when one of them is.
    pub fn average_to_truth(&self) -> Option<f64> {
        weighed_mean(&self.to_truth, &self.to_prediction)
    }

    /// Average distance in mm from the surface of the truth to that of the prediction, weighed by area. `None` when
    /// both masks are empty, infinite when one of them is.
    pub fn average_to_prediction(&self) -> Option<f64> {
        weighed_mean(&self.to_prediction, &self.to_truth)
    }
}

fn weighed_mean(surfels: &[Surfel], others: &[Surfel]) -> Option<f64> {
    match (surfels.is_empty(), others.is_empty()) {
        (true, true) => None,
        (false, false) => {
            let sum: f64 = surfels.iter().map(|s| s.distance * s.size).sum();
            Some(sum / surfels.iter().map(|s| s.size).sum::<f64>())
        }
        _ => Some(f64::INFINITY),
    }
}

/// Whether a surface passes: some of the voxels around the corner are set, but not all.
fn is_border(pattern: u8, sizes: &[f64]) -> bool {
    pattern != 0 && usize::from(pattern) + 1 != sizes.len()
}

/// For each corner the pattern of the voxels around it: bit `b` for the one that lies, along the `k`-th axis with
/// extent, before the corner (bit `k` of `b` is 0) or behind it (1). Beyond the border of the image nothing is set.
fn patterns(mask: &[bool], grid: &Grid, corners: &Grid) -> Vec<u8> {
    let axes: Vec<usize> = grid.axes().collect();
    let mut patterns = vec![0; corners.len()];
    let nx = corners.size[0];
    patterns.par_chunks_mut(nx).enumerate().for_each(|(row, out)| {
        let corner = corners.voxel(row * nx);
        for bits in 0..1usize << axes.len() {
            let mut voxel = corner.map(Some);
            for (k, &axis) in axes.iter().enumerate().filter(|&(_, &axis)| axis > 0) {
                let behind = corner[axis] + (bits >> k & 1);
                voxel[axis] = behind.checked_sub(1).filter(|&i| i < grid.size[axis]);
            }
            let [_, Some(y), Some(z)] = voxel else { continue };
            let start = grid.index([0, y, z]);
            // Voxel x lies behind corner x and before corner x + 1.
            let shift = usize::from(axes.first() == Some(&0) && bits & 1 == 0);
            for (out, &set) in out[shift..].iter_mut().zip(&mask[start..start + grid.size[0]]) {
                *out |= u8::from(set) << bits;
            }
        }
    });
    patterns
}

/// The size of the surface element of each pattern: mm² for three axes, mm for two, 1 for one.
fn surfel_sizes(spacing: &[f64]) -> Vec<f64> {
    match *spacing {
        [x, y, z] => (0..=255).map(|pattern| area(pattern, [x, y, z])).collect(),
        [x, y] => (0..16).map(|pattern| length(pattern, [x, y])).collect(),
        _ => vec![0.0, 1.0, 1.0, 0.0],
    }
}

/// A point of a cell in half voxels: corners have coordinates 0 and 2, midpoints of edges one coordinate of 1.
type Point = [u8; 3];

fn corner(bits: usize) -> Point {
    [0, 1, 2].map(|axis| (bits >> axis & 1) as u8 * 2)
}

/// Where the surface crosses a face: segments between midpoints of its edges, each around one run of set corners.
///
/// `ring` names the four corners in order; all segments have the set corners on the same side.
fn segments(ring: [usize; 4], pattern: u8) -> impl Iterator<Item = (Point, Point)> {
    let is_set = move |i: usize| pattern >> ring[i % 4] & 1 == 1;
    let midpoint = move |i: usize| {
        let [a, b] = [ring[i % 4], ring[(i + 1) % 4]].map(corner);
        std::array::from_fn(|axis| (a[axis] + b[axis]) / 2)
    };
    (0..4).filter(move |&i| is_set(i) && !is_set(i + 3)).filter_map(move |first| {
        let last = (first..first + 4).find(|&i| !is_set(i + 1))?;
        Some((midpoint(first + 3), midpoint(last)))
    })
}

fn length(pattern: u8, [x, y]: [f64; 2]) -> f64 {
    segments([0, 1, 3, 2], pattern).map(|(a, b)| norm(difference(a, b, [x, y, 0.0]))).sum()
}

fn area(pattern: u8, spacing: [f64; 3]) -> f64 {
    let rarer = if pattern.count_ones() > 4 { !pattern } else { pattern };
    polygons(rarer).iter().map(|polygon| polygon_area(polygon, spacing)).sum()
}

/// The closed polygons in which the surface around the set corners meets the faces of a cell.
fn polygons(pattern: u8) -> Vec<Vec<Point>> {
    let mut open: Vec<(Point, Point)> = faces().flat_map(|ring| segments(ring, pattern)).collect();
    let mut polygons = Vec::new();
    while let Some((start, mut end)) = open.pop() {
        let mut polygon = vec![start];
        // Rings wind alike seen from outside, so that each midpoint ends one segment and begins another.
        while let Some(next) = open.iter().position(|segment| segment.0 == end) {
            let segment = open.swap_remove(next);
            polygon.push(segment.0);
            end = segment.1;
        }
        polygons.push(polygon);
    }
    polygons
}

/// The corners of each face of a cell, anticlockwise seen from outside.
fn faces() -> impl Iterator<Item = [usize; 4]> {
    (0..3).flat_map(|axis| {
        let [across, up] = [1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3)];
        let near = [0, up, across | up, across];
        let far = [0, across, across | up, up].map(|corner| corner | 1 << axis);
        [near, far]
    })
}

/// Area of the triangulation that is largest in a cell of unit spacing.
fn polygon_area(polygon: &[Point], spacing: [f64; 3]) -> f64 {
    triangulations(polygon)
        .into_iter()
        .map(|triangles| [[1.0; 3], spacing].map(|h| triangles.iter().map(|&t| triangle_area(t, h)).sum::<f64>()))
        .max_by(|a, b| a[0].total_cmp(&b[0]))
        .map_or(0.0, |[_, area]| area)
}

/// All ways to cut a polygon into triangles between its points.
fn triangulations(polygon: &[Point]) -> Vec<Vec<[Point; 3]>> {
    let [first, middle @ .., last] = polygon else { return vec![Vec::new()] };
    if middle.is_empty() {
        return vec![Vec::new()];
    }
    let mut found = Vec::new();
    for apex in 1..=middle.len() {
        for left in triangulations(&polygon[..=apex]) {
            for right in triangulations(&polygon[apex..]) {
                found.push([&left[..], &right, &[[*first, polygon[apex], *last]]].concat());
            }
        }
    }
    found
}

fn triangle_area([a, b, c]: [Point; 3], spacing: [f64; 3]) -> f64 {
    let (u, v) = (difference(a, b, spacing), difference(a, c, spacing));
    norm(std::array::from_fn(|i| u[(i + 1) % 3] * v[(i + 2) % 3] - u[(i + 2) % 3] * v[(i + 1) % 3])) / 2.0
}

fn difference(a: Point, b: Point, spacing: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| (f64::from(b[axis]) - f64::from(a[axis])) / 2.0 * spacing[axis])
}

fn norm(v: [f64; 3]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_patterns_have_the_size_that_surface_distance_gives_them() {
        // Written by tests/golden/make_scores.py.
        let golden: serde_json::Value = serde_json::from_str(include_str!("../tests/golden/surfels.json")).unwrap();
        let numbers =
            |name: &str| -> Vec<f64> { golden[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect() };
        let spacing = numbers("spacing");
        for (name, spacing) in [("areas", &spacing[..]), ("lengths", &spacing[..2])] {
            let (found, expected) = (surfel_sizes(spacing), numbers(name));
            assert_eq!(found.len(), expected.len());
            for (pattern, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!((found - expected).abs() < 1e-8, "{name}, pattern {pattern}: {found} instead of {expected}");
            }
        }
    }
}
