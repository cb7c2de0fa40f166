//! What is computed on masks, against brute force, SciPy and invariants.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod components;
mod distance;
mod golden;
mod holes;
mod morphology;

use fewmark_grid::Grid;
use proptest::prelude::*;

/// Small grids, flat ones and lines among them, with random spacing, and a mask from sparse to dense.
fn any_mask() -> impl Strategy<Value = (Grid, Vec<bool>)> {
    let axis = || (1usize..7, prop_oneof![Just(1.0), 0.2..4.0f64]);
    ([axis(), axis(), axis()], 0.0..1.0f64).prop_flat_map(|(axes, density)| {
        let grid = Grid { size: axes.map(|(n, _)| n), spacing: axes.map(|(_, h)| h) };
        (Just(grid), prop::collection::vec(prop::bool::weighted(density), grid.len()))
    })
}

/// The grid and a field with its axes in another order: new axis `a` is old axis `order[a]`.
fn permuted<T: Copy>(grid: &Grid, field: &[T], order: [usize; 3]) -> (Grid, Vec<T>) {
    let new = Grid { size: order.map(|a| grid.size[a]), spacing: order.map(|a| grid.spacing[a]) };
    let values = (0..grid.len()).map(|index| {
        let mut old = [0; 3];
        new.voxel(index).iter().zip(order).for_each(|(&i, axis)| old[axis] = i);
        field[grid.index(old)]
    });
    (new, values.collect())
}

/// The voxels whose steps from `voxel` along x, y and z are at most 1, and not 0 for between 1 and `most` axes.
fn neighbours(grid: &Grid, voxel: usize, most: usize) -> Vec<usize> {
    let [x, y, z] = grid.voxel(voxel).map(|i| i as isize);
    let mut found = Vec::new();
    for step in (0..27).map(|s| [s % 3 - 1, s / 3 % 3 - 1, s / 9 - 1]) {
        let at = [x + step[0], y + step[1], z + step[2]];
        let inside = (0..3).all(|a| at[a] >= 0 && at[a] < grid.size[a] as isize);
        if inside && (1..=most).contains(&step.iter().filter(|&&s| s != 0).count()) {
            found.push(grid.index(at.map(|i| i as usize)));
        }
    }
    found
}

/// Runs on pools of one and of four threads, expects the same, and gives it back.
fn same_on_any_threads<T: PartialEq + std::fmt::Debug + Send>(work: impl Fn() -> T + Sync) -> T {
    let [one, four] = [1, 4].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(&work));
    assert_eq!(one, four);
    one
}
