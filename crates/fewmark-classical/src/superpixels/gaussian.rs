//! Smoothing with a Gaussian in double precision, as scikit-image does before it sorts differences: with single precision many of them
//! would be equal, and the partition another one. [`crate::edge::gaussian`] is for everything else.

use rayon::prelude::*;

use fewmark_grid::Grid;

use crate::edge::{gaussian_kernel, reflect};

/// The channels of an image, `[channels, z, y, x]`, each [smoothed](smooth).
pub(super) fn smoothed(samples: &[f32], grid: &Grid, sigma: f64) -> Vec<Vec<f64>> {
    let smoothed = |channel: &[f32]| {
        let mut field: Vec<f64> = channel.iter().map(|&s| f64::from(s)).collect();
        smooth(&mut field, grid, sigma);
        field
    };
    samples.chunks_exact(grid.len()).map(smoothed).collect()
}

/// Smooths along every axis with a Gaussian of `sigma` voxels that is cut off at four of them; beyond the border the field is mirrored,
/// its border samples doubled.
///
/// scikit-image's and SciPy's `gaussian_filter` with `mode="reflect"`, which is also the order of operations here.
fn smooth(field: &mut Vec<f64>, grid: &Grid, sigma: f64) {
    if sigma == 0.0 {
        return;
    }
    let kernel = gaussian_kernel(sigma);
    // From the slowest axis on, as SciPy does.
    for axis in [2, 1, 0] {
        let n = grid.size[axis];
        if n == 1 {
            continue;
        }
        let stride = grid.strides()[axis];
        let from = field.clone();
        field.par_iter_mut().enumerate().with_min_len(4096).for_each(|(i, to)| {
            let at = i / stride % n;
            let line = i - at * stride;
            let sample = |offset: isize| from[line + reflect(at as isize + offset, n) * stride];
            // The middle first, then pairs from the outside in: the order in which SciPy adds.
            let reach = (kernel.len() - 1) as isize;
            let mut sum = sample(0) * kernel[0];
            for offset in (1..=reach).rev() {
                sum += (sample(-offset) + sample(offset)) * kernel[offset as usize];
            }
            *to = sum;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_and_a_point_spreads_as_the_kernel() {
        let grid = Grid::unit([9, 5, 1]);
        let mut constant = vec![3.0; 45];
        smooth(&mut constant, &grid, 1.0);
        assert!(constant.iter().all(|x| (x - 3.0).abs() < 1e-12));
        let mut point = vec![0.0; 45];
        point[2 * 9 + 4] = 1.0;
        smooth(&mut point, &grid, 0.5);
        let k = gaussian_kernel(0.5);
        assert!((point[2 * 9 + 5] - k[0] * k[1]).abs() < 1e-15);
        assert!((point.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
