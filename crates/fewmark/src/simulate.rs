//! Simulated clicks: what a person who sees the object would click.
//!
//! The truth is eroded by 0.3 of the radius of the largest ball that fits into it, and the clicks lie on the rim of what is
//! left, at equal angles about its centre, each moved by at most two voxels. Evaluation only: no method sees the truth.

use std::f64::consts::TAU;

use fewmark_grid::{Components, Connectivity, Grid, depth};
use fewmark_image::LabelMap;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::Error;

/// Share of the largest inscribed radius by which the object is eroded.
const EROSION: f32 = 0.3;
/// Fewest and most clicks in a plane.
const CLICKS: std::ops::RangeInclusive<usize> = 4..=6;
/// A click is moved by at most this many voxels along each axis of its plane, and no farther in all.
const JITTER: i64 = 2;

/// An object that is to be clicked.
#[derive(Clone, Debug)]
pub struct Object {
    mask: Vec<bool>,
    grid: Grid,
}

impl Object {
    /// Every voxel of a label.
    ///
    /// # Errors
    /// [`Error::NoObject`] when no voxel has the label.
    pub fn whole(truth: &LabelMap, label: u16) -> Result<Self, Error> {
        let mask = truth.mask(label);
        if !mask.contains(&true) {
            return Err(Error::NoObject(format!(
                "no voxel has the label {label}; labels present: {:?}",
                truth.present()
            )));
        }
        Ok(Self { mask, grid: truth.geometry().grid() })
    }

    /// The largest connected component of a label (voxels that share a face or, in a plane, an edge).
    ///
    /// # Errors
    /// As [`Object::whole`].
    pub fn largest(truth: &LabelMap, label: u16) -> Result<Self, Error> {
        let whole = Self::whole(truth, label)?;
        let mask = largest(&whole.mask, &whole.grid);
        Ok(Self { mask, ..whole })
    }

    /// The voxels of the object.
    pub fn mask(&self) -> &[bool] {
        &self.mask
    }

    /// Number of its voxels.
    pub fn size(&self) -> usize {
        self.mask.iter().filter(|m| **m).count()
    }

    /// Clicks in the object: `count` of them, or 4 to 6 as the seed has it, in the slice where its inner part is largest; in a
    /// volume also one in the first and one in the last slice of the inner part.
    pub fn clicks(&self, count: Option<usize>, seed: u64) -> Vec<[usize; 3]> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let count = count.unwrap_or_else(|| random.random_range(CLICKS));
        let inner = self.inner();
        let slices = self.slices(&inner);
        let Some(middle) = slices.iter().max_by_key(|s| s.voxels.len()) else { return Vec::new() };
        let mut clicks: Vec<[usize; 3]> = Vec::with_capacity(count + 2);
        let start = random.random_range(0.0..TAU);
        for i in 0..count {
            let rim = self.rim(&inner, middle, start + TAU * i as f64 / count as f64);
            clicks.push(self.jittered(rim, &mut random));
        }
        for end in [slices.first(), slices.last()].into_iter().flatten().filter(|s| s.z != middle.z) {
            clicks.push(self.jittered(end.center(&self.grid), &mut random));
        }
        clicks.sort_unstable_by_key(|c| c[2] != middle.z);
        clicks.dedup();
        clicks
    }

    /// The largest component of the object eroded by [`EROSION`].
    fn inner(&self) -> Vec<bool> {
        let depth = depth(&self.mask, &self.grid);
        let radius = depth.iter().copied().fold(0.0, f32::max);
        let eroded: Vec<bool> = depth.iter().map(|&d| d > EROSION * radius).collect();
        largest(&eroded, &self.grid)
    }

    /// The slices that hold part of the inner object, in order.
    fn slices(&self, inner: &[bool]) -> Vec<Slice> {
        let area = self.grid.size[0] * self.grid.size[1];
        let slice = |(z, plane): (usize, &[bool])| {
            let voxels: Vec<[usize; 3]> =
                (0..area).filter(|&i| plane[i]).map(|i| [i % self.grid.size[0], i / self.grid.size[0], z]).collect();
            (!voxels.is_empty()).then_some(Slice { z, voxels })
        };
        inner.chunks_exact(area).enumerate().filter_map(slice).collect()
    }

    /// The last voxel of the inner object on a ray from the centre of a slice.
    fn rim(&self, inner: &[bool], slice: &Slice, angle: f64) -> [usize; 3] {
        let center = slice.center(&self.grid);
        let [sx, sy, _] = self.grid.spacing;
        let step = 0.5 * sx.min(sy);
        let mut last = center;
        for k in 1.. {
            let length = step * f64::from(k);
            let x = (center[0] as f64 + length * angle.cos() / sx).round();
            let y = (center[1] as f64 + length * angle.sin() / sy).round();
            let inside = x >= 0.0 && y >= 0.0 && x < self.grid.size[0] as f64 && y < self.grid.size[1] as f64;
            let voxel = [x as usize, y as usize, slice.z];
            if !inside || !inner[self.grid.index(voxel)] {
                break;
            }
            last = voxel;
        }
        last
    }

    /// The voxel, moved a little within its plane unless that leads out of the object.
    fn jittered(&self, voxel: [usize; 3], random: &mut ChaCha8Rng) -> [usize; 3] {
        let offset: [i64; 2] = std::array::from_fn(|_| random.random_range(-JITTER..=JITTER));
        if offset[0].pow(2) + offset[1].pow(2) > JITTER.pow(2) {
            return voxel;
        }
        let moved: [Option<usize>; 2] =
            std::array::from_fn(|a| voxel[a].checked_add_signed(offset[a] as isize).filter(|&c| c < self.grid.size[a]));
        match moved {
            [Some(x), Some(y)] if self.mask[self.grid.index([x, y, voxel[2]])] => [x, y, voxel[2]],
            _ => voxel,
        }
    }
}

/// The inner object in one slice.
struct Slice {
    z: usize,
    voxels: Vec<[usize; 3]>,
}

impl Slice {
    /// The voxel nearest to the centroid.
    fn center(&self, grid: &Grid) -> [usize; 3] {
        let mean = |a: usize| self.voxels.iter().map(|v| v[a] as f64).sum::<f64>() / self.voxels.len() as f64;
        let (x, y) = (mean(0), mean(1));
        let distance =
            |v: &[usize; 3]| ((v[0] as f64 - x) * grid.spacing[0]).hypot((v[1] as f64 - y) * grid.spacing[1]);
        let nearest = self.voxels.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.copied().unwrap_or([0, 0, self.z])
    }
}

/// The largest connected component of a mask.
fn largest(mask: &[bool], grid: &Grid) -> Vec<bool> {
    Components::of(mask, grid, Connectivity::Face).largest()
}

#[cfg(test)]
mod tests {
    use fewmark_image::{Dimension, Geometry};

    use super::*;

    fn truth(dimension: Dimension, size: [usize; 3], inside: impl Fn([f64; 3]) -> bool) -> LabelMap {
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let geometry = Geometry::from_parts(dimension, size, [1.0, 1.0, 4.0], [0.0; 3], identity).unwrap();
        let grid = geometry.grid();
        let mask: Vec<bool> = (0..grid.len()).map(|i| inside(grid.voxel(i).map(|v| v as f64))).collect();
        LabelMap::from_mask(&mask, geometry).unwrap()
    }

    fn disc([x, y, _]: [f64; 3]) -> bool {
        (x - 50.0).hypot(y - 40.0) <= 30.0 || (x - 5.0).hypot(y - 90.0) <= 4.0
    }

    #[test]
    fn clicks_lie_on_the_rim_of_the_eroded_object() {
        let truth = truth(Dimension::Two, [100, 100, 1], disc);
        for seed in 0..20 {
            let clicks = Object::largest(&truth, 1).unwrap().clicks(None, seed);
            assert!(CLICKS.contains(&clicks.len()), "{clicks:?}");
            for [x, y, _] in clicks {
                // The rim lies 0.7 radii from the centre; a click strays from it by the jitter and by rounding.
                let radius = (x as f64 - 50.0).hypot(y as f64 - 40.0);
                assert!((radius - 21.0).abs() <= 4.0, "radius {radius}");
            }
        }
    }

    #[test]
    fn a_seed_names_the_clicks() {
        let truth = truth(Dimension::Two, [100, 100, 1], disc);
        let object = Object::largest(&truth, 1).unwrap();
        assert_eq!(object.clicks(None, 3), object.clicks(None, 3));
        assert_ne!(object.clicks(None, 3), object.clicks(None, 4));
        assert_eq!(object.clicks(Some(9), 3).len(), 9);
    }

    #[test]
    fn a_volume_is_clicked_in_three_slices() {
        let ball = |[x, y, z]: [f64; 3]| (x - 50.0).hypot(y - 40.0).hypot(4.0 * (z - 10.0)) <= 30.0;
        let truth = truth(Dimension::Three, [100, 100, 20], ball);
        let object = Object::largest(&truth, 1).unwrap();
        let clicks = object.clicks(Some(5), 0);
        assert_eq!(clicks.len(), 7);
        assert!(clicks[..5].iter().all(|c| c[2] == 10), "{clicks:?}");
        assert!(clicks[5..].iter().all(|c| c[2] != 10), "{clicks:?}");
        assert!(clicks.iter().all(|&c| object.mask()[truth.geometry().grid().index(c)]));
    }

    #[test]
    fn a_thin_object_is_still_clicked() {
        let truth = truth(Dimension::Two, [40, 40, 1], |[x, y, _]| y == 7.0 && x < 20.0);
        let object = Object::largest(&truth, 1).unwrap();
        let clicks = object.clicks(None, 0);
        assert!(!clicks.is_empty() && clicks.iter().all(|c| c[1] == 7), "{clicks:?}");
    }

    #[test]
    fn an_absent_label_is_an_error() {
        let truth = truth(Dimension::Two, [10, 10, 1], |_| false);
        assert!(matches!(Object::largest(&truth, 1), Err(Error::NoObject(_))));
    }
}
