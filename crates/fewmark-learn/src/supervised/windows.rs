//! Overlapping windows that cover an image.

/// Where windows of at most `window` voxels begin, so that they cover `size` voxels and each overlaps the next by at least half.
pub(super) fn starts(size: [usize; 3], window: [usize; 3]) -> Vec<[usize; 3]> {
    let along: [Vec<usize>; 3] = std::array::from_fn(|a| {
        let room = size[a].saturating_sub(window[a]);
        let steps = room.div_ceil((window[a] / 2).max(1));
        // Without room there is one step, at 0.
        (0..=steps).map(|step| step * room / steps.max(1)).collect()
    });
    let [xs, ys, zs] = &along;
    zs.iter().flat_map(|&z| ys.iter().flat_map(move |&y| xs.iter().map(move |&x| [x, y, z]))).collect()
}

/// How much each voxel of a window counts, `[z, y, x]`: less towards its border, where a network sees less around it. A Gaussian of an
/// eighth of the window, nowhere below a thousandth.
pub(super) fn weights(window: [usize; 3]) -> Vec<f32> {
    let along = window.map(|n| {
        let of = |i: usize| (i as f64 - (n as f64 - 1.0) / 2.0) / (n as f64 / 8.0);
        (0..n).map(|i| if n == 1 { 1.0 } else { (-0.5 * of(i) * of(i)).exp() }).collect::<Vec<f64>>()
    });
    let [xs, ys, zs] = &along;
    let products = zs.iter().flat_map(|z| ys.iter().flat_map(move |y| xs.iter().map(move |x| z * y * x)));
    products.map(|weight| weight.max(1e-3) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_an_image_and_overlap_by_half() {
        assert_eq!(starts([5, 7, 1], [8, 8, 1]), [[0, 0, 0]]);
        assert_eq!(starts([10, 8, 1], [8, 8, 1]), [[0, 0, 0], [2, 0, 0]]);
        for (size, window) in [(33, 8), (100, 64), (9, 2), (7, 1)] {
            let xs: Vec<usize> = starts([size, 1, 1], [window, 1, 1]).into_iter().map(|s| s[0]).collect();
            assert_eq!((xs[0], xs[xs.len() - 1] + window), (0, size));
            assert!(xs.windows(2).all(|w| w[1] > w[0] && w[1] - w[0] <= (window / 2).max(1)), "{xs:?}");
        }
    }

    #[test]
    fn the_middle_of_a_window_counts_most() {
        let weights = weights([5, 4, 3]);
        assert_eq!(weights.len(), 60);
        let most = weights.iter().copied().fold(0.0, f32::max);
        assert_eq!(weights[20 + 4 + 2 + 1], weights[20 + 2 * 5 + 2], "even sizes are symmetric");
        assert_eq!(most, weights[20 + 2 * 5 + 2]);
        assert!(weights.iter().all(|&w| w > 0.0));
    }
}
