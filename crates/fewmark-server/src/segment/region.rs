//! A box that an answer is limited to.

use fewmark::LabelMap;

use crate::error::Problem;

/// A box of voxels: of each axis the first and the one after the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Region([[f64; 2]; 3]);

impl Region {
    /// The box of `[i0, i1, j0, j1, k0, k1]`, which has the voxels from `i0` up to, but not with, `i1`, and so on.
    ///
    /// # Errors
    /// 422 for a box without voxels.
    pub(crate) fn new([i0, i1, j0, j1, k0, k1]: [f64; 6]) -> Result<Self, Problem> {
        let sides = [[i0, i1], [j0, j1], [k0, k1]].map(|side| side.map(f64::round));
        if sides.iter().all(|[first, end]| first < end) {
            return Ok(Self(sides));
        }
        Err(Problem::wrong(format!("the box {:?} has no voxels", [i0, i1, j0, j1, k0, k1]))
            .hint("expected [i0, i1, j0, j1, k0, k1], each first voxel below the one after the last"))
    }

    /// Takes away what lies outside the box.
    ///
    /// # Errors
    /// 422 when the box lies outside the image.
    pub(super) fn limit(&self, labels: &mut LabelMap) -> Result<(), Problem> {
        let grid = labels.geometry().grid();
        let size = labels.geometry().size();
        if (0..3).any(|axis| self.0[axis][1] <= 0.0 || self.0[axis][0] >= size[axis] as f64) {
            return Err(Problem::wrong(format!("the box {:?} lies outside the image of size {size:?}", self.0)));
        }
        let inside = |at: usize| {
            let voxel = grid.voxel(at);
            (0..3).all(|axis| (self.0[axis][0]..self.0[axis][1]).contains(&(voxel[axis] as f64)))
        };
        labels.labels_mut().iter_mut().enumerate().filter(|(at, _)| !inside(*at)).for_each(|(_, label)| *label = 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fewmark::{Dimension, Geometry};

    use super::*;

    #[test]
    fn what_lies_in_the_box_stays() {
        let geometry = Geometry::unit(Dimension::Three, [4, 3, 2]).unwrap();
        let mut labels = LabelMap::new(vec![7; 24], geometry.clone()).unwrap();
        Region::new([1.0, 3.0, -5.0, 2.0, 1.0, 9.0]).unwrap().limit(&mut labels).unwrap();
        let left: Vec<[usize; 3]> =
            (0..24).filter(|&at| labels.labels()[at] == 7).map(|at| geometry.grid().voxel(at)).collect();
        assert_eq!(left, [[1, 0, 1], [2, 0, 1], [1, 1, 1], [2, 1, 1]]);
    }

    #[test]
    fn boxes_without_voxels_are_refused() {
        for sides in
            [[3.0, 3.0, 0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 2.0, 1.0, 0.0, 1.0], [f64::NAN, 1.0, 0.0, 1.0, 0.0, 1.0]]
        {
            assert!(Region::new(sides).is_err(), "{sides:?}");
        }
        let geometry = Geometry::unit(Dimension::Three, [4, 3, 2]).unwrap();
        let mut labels = LabelMap::new(vec![7; 24], geometry).unwrap();
        assert!(Region::new([4.0, 9.0, 0.0, 3.0, 0.0, 2.0]).unwrap().limit(&mut labels).is_err());
        assert!(labels.labels().iter().all(|label| *label == 7));
    }
}
