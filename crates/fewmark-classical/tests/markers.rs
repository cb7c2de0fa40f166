//! Regions marked by clicks.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use fewmark_classical::markers::{MarkerShape, marker_region};
use fewmark_classical::{Error, Grid};
use proptest::prelude::*;

/// The region of clicks in a 2-D image of the given size, as rows of `#` and `.`.
fn picture(size: [usize; 2], clicks: &[[usize; 2]], shape: MarkerShape) -> Vec<String> {
    let grid = Grid::unit([size[0], size[1], 1]);
    let clicks: Vec<[usize; 3]> = clicks.iter().map(|&[x, y]| [x, y, 0]).collect();
    let mask = marker_region(&grid, &clicks, shape).unwrap();
    mask.chunks(size[0]).map(|row| row.iter().map(|set| if *set { '#' } else { '.' }).collect()).collect()
}

fn count(mask: &[bool]) -> usize {
    mask.iter().filter(|set| **set).count()
}

#[test]
fn one_click_is_a_block_clipped_to_the_image() {
    assert_eq!(picture([4, 3], &[[1, 1]], MarkerShape::ConvexHull), ["....", ".##.", ".##."]);
    assert_eq!(picture([4, 3], &[[3, 2]], MarkerShape::ConvexHull), ["....", "....", "...#"]);
    let volume = Grid::unit([4, 4, 4]);
    assert_eq!(count(&marker_region(&volume, &[[1, 1, 1]], MarkerShape::ConvexHull).unwrap()), 8);
}

#[test]
fn two_clicks_are_a_thick_line() {
    let expected = ["####....", "######..", "########", "..######", "....####"];
    assert_eq!(picture([8, 5], &[[1, 1], [6, 3]], MarkerShape::ConvexHull), expected);
    assert_eq!(picture([6, 3], &[[4, 1], [1, 1]], MarkerShape::ConvexHull), ["######", "######", "######"]);
    let grid = Grid::unit([9, 9, 9]);
    assert_eq!(count(&marker_region(&grid, &[[4, 4, 2], [4, 4, 6]], MarkerShape::ConvexHull).unwrap()), 9 * 7);
}

#[test]
fn clicks_on_one_line_are_the_line_between_the_outermost() {
    let two = picture([9, 6], &[[1, 1], [7, 4]], MarkerShape::ConvexHull);
    assert_eq!(picture([9, 6], &[[3, 2], [7, 4], [1, 1], [5, 3]], MarkerShape::Polygon), two);
    let one = picture([9, 6], &[[2, 2]], MarkerShape::Polygon);
    assert_eq!(picture([9, 6], &[[2, 2], [2, 2], [2, 2]], MarkerShape::Polygon), one);
}

#[test]
fn the_hull_does_not_depend_on_the_order_and_the_polygon_does() {
    let dented = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]];
    let polygon = ["#####", "#####", "##.##", "#...#", "#...#"];
    assert_eq!(picture([5, 5], &dented, MarkerShape::Polygon), polygon);
    assert_eq!(picture([5, 5], &dented, MarkerShape::ConvexHull), ["#####"; 5]);
    // In this order the sides cross: the hull takes the place of the polygon.
    let crossed = [[0, 0], [4, 4], [4, 0], [0, 4]];
    assert_eq!(picture([5, 5], &crossed, MarkerShape::Polygon), ["#####"; 5]);
}

#[test]
fn a_slice_marked_in_a_volume_is_filled_within_this_slice_whatever_its_axis() {
    let grid = Grid::unit([7, 7, 7]);
    for axis in 0..3 {
        let corners = [[1, 1], [5, 1], [5, 4], [1, 4]].map(|[a, b]| {
            let mut click = [3; 3];
            (click[(axis + 1) % 3], click[(axis + 2) % 3]) = (a, b);
            click
        });
        let mask = marker_region(&grid, &corners, MarkerShape::ConvexHull).unwrap();
        assert_eq!(count(&mask), 5 * 4);
        assert!((0..grid.len()).filter(|&i| mask[i]).all(|i| grid.voxel(i)[axis] == 3));
    }
}

#[test]
fn clicks_in_space_are_filled_as_a_polytope() {
    let grid = Grid::unit([8, 8, 8]);
    let cube: Vec<[usize; 3]> = (0..8).map(|k| [1 + 4 * (k & 1), 1 + 4 * (k >> 1 & 1), 1 + 4 * (k >> 2)]).collect();
    assert_eq!(count(&marker_region(&grid, &cube, MarkerShape::ConvexHull).unwrap()), 125);
    let corner = [[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]];
    let mask = marker_region(&grid, &corner, MarkerShape::ConvexHull).unwrap();
    for (i, set) in mask.iter().enumerate() {
        assert_eq!(*set, grid.voxel(i).iter().sum::<usize>() <= 4, "{:?}", grid.voxel(i));
    }
}

#[test]
fn clicks_in_an_oblique_plane_are_one_voxel_thick() {
    let grid = Grid::unit([8, 8, 8]);
    let clicks = [[0, 0, 0], [6, 0, 3], [6, 6, 3], [0, 6, 0]];
    let mask = marker_region(&grid, &clicks, MarkerShape::ConvexHull).unwrap();
    for y in 0..7 {
        for x in 0..7 {
            let column: Vec<usize> = (0..8).filter(|&z| mask[grid.index([x, y, z])]).collect();
            let expected: Vec<usize> = (0..8_usize).filter(|&z| (2 * z).abs_diff(x) <= 1).collect();
            assert_eq!(column, expected, "column {x}, {y}");
        }
    }
}

#[test]
fn no_click_and_a_click_outside_are_errors() {
    let grid = Grid::unit([4, 4, 1]);
    assert_eq!(marker_region(&grid, &[], MarkerShape::ConvexHull), Err(Error::NoClick));
    let outside = Error::Outside { click: [1, 4, 0], size: [4, 4, 1] };
    assert_eq!(marker_region(&grid, &[[0, 0, 0], [1, 4, 0]], MarkerShape::ConvexHull), Err(outside));
}

proptest! {
    #[test]
    fn clicks_are_in_the_region_and_the_polygon_within_the_hull(
        clicks in prop::collection::vec((0..9_usize, 0..8_usize, 0..5_usize), 1..9), flat in any::<bool>(),
    ) {
        let grid = Grid::unit([9, 8, 5]);
        let clicks: Vec<[usize; 3]> = clicks.into_iter().map(|(x, y, z)| [x, y, if flat { 2 } else { z }]).collect();
        let hull = marker_region(&grid, &clicks, MarkerShape::ConvexHull).unwrap();
        let polygon = marker_region(&grid, &clicks, MarkerShape::Polygon).unwrap();
        prop_assert!(clicks.iter().all(|&click| hull[grid.index(click)] && polygon[grid.index(click)]));
        prop_assert!(polygon.iter().zip(&hull).all(|(polygon, hull)| !polygon || *hull));
    }

    #[test]
    fn the_hull_is_convex_along_the_axes_and_whatever_the_order(
        clicks in prop::collection::vec((0..12_usize, 0..12_usize), 3..8),
    ) {
        let clicks: Vec<[usize; 2]> = clicks.into_iter().map(|(x, y)| [x, y]).collect();
        let rows = picture([12, 12], &clicks, MarkerShape::ConvexHull);
        for row in &rows {
            prop_assert!(!row.trim_matches('.').contains('.'), "{rows:?}");
        }
        let reversed: Vec<[usize; 2]> = clicks.iter().rev().copied().collect();
        prop_assert_eq!(picture([12, 12], &reversed, MarkerShape::ConvexHull), rows);
    }
}
