use fewmark_grid::{Connectivity, Grid, fill_holes, fill_holes_in_slices};
use proptest::prelude::*;

use crate::any_mask;

/// A mask from rows of text, `#` for set.
fn drawn(rows: &[&str]) -> (Grid, Vec<bool>) {
    let mask = rows.iter().flat_map(|row| row.chars().map(|c| c == '#')).collect();
    (Grid::unit([rows[0].len(), rows.len(), 1]), mask)
}

#[test]
fn a_diamond_holds_its_hole_only_against_face_neighbours() {
    let (grid, mask) = drawn(&[".#...", "#.#..", ".#...", "....."]);
    let (_, filled) = drawn(&[".#...", "###..", ".#...", "....."]);
    assert_eq!(fill_holes(&mask, &grid, Connectivity::Face), filled);
    assert_eq!(fill_holes(&mask, &grid, Connectivity::Corner), mask);
}

#[test]
fn a_tube_has_holes_in_its_slices_only() {
    let (slice, ring) = drawn(&["###.", "#.#.", "###.", "...."]);
    let grid = Grid { size: [4, 4, 3], ..slice };
    let tube = ring.repeat(3);
    assert_eq!(fill_holes(&tube, &grid, Connectivity::Face), tube);
    let (_, full) = drawn(&["###.", "###.", "###.", "...."]);
    assert_eq!(fill_holes_in_slices(&tube, &grid, Connectivity::Face), full.repeat(3));
}

proptest! {
    #[test]
    fn filling_twice_is_filling_once((grid, mask) in any_mask()) {
        for connectivity in [Connectivity::Face, Connectivity::Edge, Connectivity::Corner] {
            let once = fill_holes(&mask, &grid, connectivity);
            prop_assert!(mask.iter().zip(&once).all(|(&before, &after)| after || !before));
            prop_assert_eq!(&fill_holes(&once, &grid, connectivity), &once);
            if mask.len() == 1 {
                prop_assert_eq!(&once, &mask);
            }
        }
    }
}
