use std::collections::VecDeque;

use fewmark_grid::{Components, Connectivity, Grid};
use proptest::prelude::*;

use crate::{any_mask, neighbours, same_on_any_threads};

const CONNECTIVITIES: [(Connectivity, usize); 3] =
    [(Connectivity::Face, 1), (Connectivity::Edge, 2), (Connectivity::Corner, 3)];

fn flood_fill(grid: &Grid, mask: &[bool], most: usize) -> Vec<u32> {
    let mut labels = vec![0; mask.len()];
    let mut next = 0;
    for start in 0..mask.len() {
        if !mask[start] || labels[start] > 0 {
            continue;
        }
        next += 1;
        labels[start] = next;
        let mut queue = VecDeque::from([start]);
        while let Some(voxel) = queue.pop_front() {
            for other in neighbours(grid, voxel, most) {
                if mask[other] && labels[other] == 0 {
                    labels[other] = next;
                    queue.push_back(other);
                }
            }
        }
    }
    labels
}

proptest! {
    #[test]
    fn equal_a_flood_fill((grid, mask) in any_mask()) {
        for (connectivity, most) in CONNECTIVITIES {
            let components = Components::of(&mask, &grid, connectivity);
            prop_assert_eq!(components.labels(), flood_fill(&grid, &mask, most));
            for (k, &size) in components.sizes().iter().enumerate() {
                prop_assert_eq!(components.labels().iter().filter(|&&l| l as usize == k + 1).count(), size);
            }
        }
    }

    #[test]
    fn the_component_of_a_voxel_is_what_it_reaches((grid, mask) in any_mask(), seed in 0usize..400) {
        let components = Components::of(&mask, &grid, Connectivity::Edge);
        let kept = components.containing([seed, usize::MAX]);
        let label = components.labels().get(seed).copied().unwrap_or(0);
        let expected: Vec<bool> = components.labels().iter().map(|&l| l == label && l > 0).collect();
        prop_assert_eq!(kept, expected);
    }
}

#[test]
fn the_largest_is_the_first_of_equals() {
    let grid = Grid::unit([8, 1, 1]);
    let mask = [true, false, true, true, false, true, true, false];
    let components = Components::of(&mask, &grid, Connectivity::Face);
    assert_eq!(components.sizes(), [1, 2, 2]);
    assert_eq!(components.largest(), [false, false, true, true, false, false, false, false]);
    let empty = Components::of(&[false; 8], &grid, Connectivity::Face);
    assert_eq!((empty.count(), empty.largest()), (0, vec![false; 8]));
}

#[test]
fn a_long_snake_is_one_component_on_any_threads() {
    // Rows joined at alternating ends: every row but the last is numbered before it is known to belong to the others.
    let grid = Grid::unit([40, 61, 1]);
    let mask: Vec<bool> = (0..grid.len())
        .map(|i| {
            let [x, y, _] = grid.voxel(i);
            y % 2 == 0 || x == if y % 4 == 1 { 39 } else { 0 }
        })
        .collect();
    let components = same_on_any_threads(|| Components::of(&mask, &grid, Connectivity::Face));
    assert_eq!(components.sizes(), [31 * 40 + 30]);
}
