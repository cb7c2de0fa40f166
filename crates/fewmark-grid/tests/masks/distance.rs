use fewmark_grid::{Grid, depth, distance_to, squared_distance_to};
use proptest::prelude::*;

use crate::{any_mask, permuted, same_on_any_threads};

fn squared_between(grid: &Grid, a: [usize; 3], b: [usize; 3]) -> f64 {
    (0..3).map(|axis| (a[axis].abs_diff(b[axis]) as f64 * grid.spacing[axis]).powi(2)).sum()
}

fn brute_force(grid: &Grid, mask: &[bool]) -> Vec<f64> {
    let set: Vec<[usize; 3]> = (0..grid.len()).filter(|&i| mask[i]).map(|i| grid.voxel(i)).collect();
    let nearest = |i| set.iter().map(|&s| squared_between(grid, grid.voxel(i), s)).fold(f64::INFINITY, f64::min);
    (0..grid.len()).map(nearest).collect()
}

fn assert_close(found: &[f32], expected: &[f64]) {
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let same = f64::from(found) == expected || (f64::from(found) / expected - 1.0).abs() < 2.4e-7;
        assert!(same, "voxel {i}: {found} instead of {expected}");
    }
}

proptest! {
    #[test]
    fn equals_the_search_over_all_voxels((grid, mask) in any_mask()) {
        let expected = brute_force(&grid, &mask);
        assert_close(&squared_distance_to(&mask, &grid), &expected);
        assert_close(&distance_to(&mask, &grid), &expected.iter().map(|d| d.sqrt()).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_of_the_axes_changes_nothing((grid, mask) in any_mask(), order in Just([0, 1, 2]).prop_shuffle()) {
        let (turned_grid, turned_mask) = permuted(&grid, &mask, order);
        let (_, expected) = permuted(&grid, &distance_to(&mask, &grid), order);
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        assert_close(&distance_to(&turned_mask, &turned_grid), &expected);
    }

    #[test]
    fn depth_is_the_distance_to_the_outside_of_a_padded_image((grid, mask) in any_mask()) {
        let pad = grid.size.map(|n| usize::from(n > 1));
        let wide = Grid { size: [0, 1, 2].map(|a| grid.size[a] + 2 * pad[a]), ..grid };
        let mut outside = vec![true; wide.len()];
        let place = |i: usize| {
            let voxel = grid.voxel(i);
            wide.index([0, 1, 2].map(|a| voxel[a] + pad[a]))
        };
        (0..grid.len()).for_each(|i| outside[place(i)] = !mask[i]);
        let distance = distance_to(&outside, &wide);
        let expected: Vec<f64> = (0..grid.len()).map(|i| f64::from(distance[place(i)])).collect();
        assert_close(&depth(&mask, &grid), &expected);
    }
}

#[test]
fn a_large_image_is_exact_and_independent_of_the_threads() {
    // Wider than a tile of columns and of no round size; few voxels, so that the far ones decide.
    let grid = Grid::unit([301, 211, 1]);
    let mask: Vec<bool> = (0..grid.len()).map(|i| i.wrapping_mul(2_654_435_761) % 6_007 == 0).collect();
    let found = same_on_any_threads(|| squared_distance_to(&mask, &grid));
    let expected = brute_force(&grid, &mask);
    assert!(found.iter().zip(&expected).all(|(&f, &e)| f64::from(f) == e), "whole numbers are exact");
}

#[test]
fn nothing_set_is_infinitely_far() {
    for size in [[1, 1, 1], [5, 1, 1], [3, 4, 1], [1, 3, 2]] {
        let grid = Grid::unit(size);
        assert!(distance_to(&vec![false; grid.len()], &grid).iter().all(|&d| d == f32::INFINITY));
        assert!(distance_to(&vec![true; grid.len()], &grid).iter().all(|&d| d == 0.0));
    }
}
