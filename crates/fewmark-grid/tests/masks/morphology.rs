use fewmark_grid::{Grid, dilate, erode, surface};
use proptest::prelude::*;

use crate::{any_mask, neighbours};

fn disc(grid: &Grid, radius: f64) -> Vec<bool> {
    let center = grid.size.map(|n| (n / 2) as f64);
    let inside = |i| {
        let voxel = grid.voxel(i);
        (0..3).map(|a| ((voxel[a] as f64 - center[a]) * grid.spacing[a]).powi(2)).sum::<f64>() <= radius * radius
    };
    (0..grid.len()).map(inside).collect()
}

#[test]
fn a_ball_around_a_voxel_is_a_ball() {
    let grid = Grid { size: [21, 17, 1], spacing: [0.5, 0.75, 1.0] };
    let point: Vec<bool> = (0..grid.len()).map(|i| grid.voxel(i) == [10, 8, 0]).collect();
    assert_eq!(dilate(&point, &grid, 3.0), disc(&grid, 3.0));
}

#[test]
fn a_radius_of_whole_voxels_counts_them() {
    // In f64, 3 * 0.1 is more than 0.3.
    let grid = Grid { size: [11, 1, 1], spacing: [0.1, 1.0, 1.0] };
    let point: Vec<bool> = (0..11).map(|x| x == 5).collect();
    assert_eq!(dilate(&point, &grid, 0.3).iter().filter(|&&m| m).count(), 7);
    assert_eq!(erode(&[true; 11], &grid, 0.3).iter().filter(|&&m| m).count(), 5);
}

proptest! {
    #[test]
    fn opening_stays_inside_the_mask((grid, mask) in any_mask(), radius in 0.0..3.0f64) {
        let eroded = erode(&mask, &grid, radius);
        let opened = dilate(&eroded, &grid, radius);
        prop_assert!(eroded.iter().zip(&mask).all(|(&after, &before)| before || !after));
        prop_assert!(opened.iter().zip(&mask).all(|(&after, &before)| before || !after));
        prop_assert_eq!(erode(&mask, &grid, 0.0), mask);
    }

    #[test]
    fn the_surface_has_a_face_to_the_outside((grid, mask) in any_mask()) {
        let full = 2 * grid.axes().count();
        let expected: Vec<bool> = (0..mask.len())
            .map(|i| mask[i] && neighbours(&grid, i, 1).iter().filter(|&&n| mask[n]).count() < full)
            .collect();
        prop_assert_eq!(surface(&mask, &grid), expected);
    }
}
