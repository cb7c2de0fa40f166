//! The selective model on images whose object is known.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::ops::ControlFlow;

use fewmark_classical::Grid;
use fewmark_classical::selective::{EdgeSide, Regulariser, SelectiveParams, Session};

/// Two dark chambers in a bright body, with a wall of `wall` voxels between them; noise of a fixed pattern.
fn chambers(grid: &Grid, wall: usize) -> (Vec<f32>, Vec<bool>) {
    let middle = grid.size[0] / 2;
    let rows = 8..grid.size[1] - 8;
    let within = |x: usize, y: usize, from: usize, to: usize| rows.contains(&y) && (from..to).contains(&x);
    let left: Vec<bool> = (0..grid.len()).map(|i| within(grid.voxel(i)[0], grid.voxel(i)[1], 8, middle)).collect();
    let image = (0..grid.len())
        .map(|i| {
            let [x, y, _] = grid.voxel(i);
            let noise = ((i * 7919 % 61) as f32 / 60.0 - 0.5) * 0.08;
            let dark = left[i] || within(x, y, middle + wall, grid.size[0] - 8);
            noise + if dark { 0.2 } else { 0.7 }
        })
        .collect();
    (image, left)
}

fn segmented(image: &[f32], grid: &Grid, params: &SelectiveParams) -> Vec<bool> {
    let clicks = [[16, 16, 0], [40, 16, 0], [40, 48, 0], [16, 48, 0]];
    let mut session = Session::new(image, grid, params).unwrap();
    let regulariser = Regulariser::TotalVariation;
    session.segment(&clicks, &[], regulariser, &mut |_, _| ControlFlow::Continue(())).unwrap().mask
}

fn dice(a: &[bool], b: &[bool]) -> f64 {
    let count = |mask: &[bool]| mask.iter().filter(|m| **m).count();
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count();
    2.0 * both as f64 / (count(a) + count(b)) as f64
}

#[test]
fn a_wall_of_four_voxels_between_two_objects_of_one_grey_value_holds() {
    let grid = Grid::unit([96, 64, 1]);
    let (image, left) = chambers(&grid, 4);
    let found = segmented(&image, &grid, &SelectiveParams::default());
    assert!(dice(&found, &left) > 0.98, "{}", dice(&found, &left));
}

#[test]
fn the_objects_own_border_is_kept_when_its_edge_is_paid_for_beyond_it() {
    let grid = Grid::unit([96, 64, 1]);
    let (image, left) = chambers(&grid, 12);
    // Smoothing makes the edge wide, and the distance counts more than the grey value.
    let wide = SelectiveParams {
        presmooth_sigma: 2.0,
        theta: 4.0,
        distance_slack: 0.0,
        close: 0.0,
        ..SelectiveParams::default()
    };
    let of = |edge_side| SelectiveParams { edge_side, ..wide.clone() };
    let outer = dice(&segmented(&image, &grid, &of(EdgeSide::Outer)), &left);
    let both = dice(&segmented(&image, &grid, &of(EdgeSide::Both)), &left);
    assert!(outer > both && both > 0.9, "{outer} {both}");
}
