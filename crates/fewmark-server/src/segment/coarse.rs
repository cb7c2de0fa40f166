//! The grid on which a large volume is answered first.

use fewmark::{Dimension, Geometry, LabelMap};

use crate::error::Problem;

/// Volumes of more voxels are answered on a coarser grid first, where somebody listens.
const COARSE_ABOVE: usize = 400_000;
/// The coarser grid has about so many voxels at the most.
const COARSE_VOXELS: usize = 220_000;

/// Whether an image is large enough for a first answer.
pub(super) fn is_worth(geometry: &Geometry) -> bool {
    geometry.dimension() == Dimension::Three && geometry.len() > COARSE_ABOVE
}

/// The grid of the coarse answer: halved in the plane until it is small enough, then across it too.
pub(super) fn coarse_size(size: [usize; 3]) -> [usize; 3] {
    let half = |n: usize| n.div_ceil(2);
    let mut coarse = size;
    while coarse.iter().product::<usize>() > COARSE_VOXELS && coarse[0].max(coarse[1]) > 32 {
        coarse = [half(coarse[0]), half(coarse[1]), if coarse[2] > 96 { half(coarse[2]) } else { coarse[2] }];
    }
    coarse
}

/// Labels of a coarser grid on that of the image: each voxel takes the label of the one that it lies in.
pub(super) fn enlarged(labels: &[u16], coarse: [usize; 3], geometry: &Geometry) -> Result<LabelMap, Problem> {
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
}
