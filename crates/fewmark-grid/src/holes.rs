//! Filling of holes.

use rayon::prelude::*;

use crate::{Components, Connectivity, Grid};

/// The mask with its holes filled: background components that do not touch the border of the image.
///
/// `background` says which background voxels are neighbours: with [`Connectivity::Face`] a hole may be closed by voxels
/// of the mask that touch only at corners; with [`Connectivity::Corner`] the mask must enclose it face by face. In 3-D
/// a hole is a cavity; for holes within slices see [`fill_holes_in_slices`].
///
/// # Panics
/// When `mask` does not have one value for each voxel of `grid`.
pub fn fill_holes(mask: &[bool], grid: &Grid, background: Connectivity) -> Vec<bool> {
    fill_holes_up_to(mask, grid, background, usize::MAX)
}

/// The mask with its holes of at most `largest` voxels filled, as [`fill_holes`] does with all.
///
/// # Panics
/// When `mask` does not have one value for each voxel of `grid`.
pub fn fill_holes_up_to(mask: &[bool], grid: &Grid, background: Connectivity, largest: usize) -> Vec<bool> {
    let outside: Vec<bool> = mask.iter().map(|&m| !m).collect();
    let components = Components::of(&outside, grid, background);
    let mut open = vec![false; components.count()];
    for index in border(grid) {
        if let Some(component) = components.labels()[index].checked_sub(1) {
            open[component as usize] = true;
        }
    }
    let filled: Vec<bool> = open.iter().zip(components.sizes()).map(|(open, &size)| !open && size <= largest).collect();
    components.labels().par_iter().map(|&label| label == 0 || filled[label as usize - 1]).collect()
}

/// The mask with the holes of each slice along z filled, as [`fill_holes`] does in 2-D.
///
/// # Panics
/// When `mask` does not have one value for each voxel of `grid`.
pub fn fill_holes_in_slices(mask: &[bool], grid: &Grid, background: Connectivity) -> Vec<bool> {
    assert_eq!(mask.len(), grid.len(), "a mask has one value for each voxel");
    let [nx, ny, _] = grid.size;
    let slice = Grid { size: [nx, ny, 1], ..*grid };
    mask.par_chunks(slice.len()).flat_map(|mask| fill_holes(mask, &slice, background)).collect()
}

/// The voxels on the border of the image, along the axes that have more than one voxel; the only voxel of an image is
/// on the border, too.
fn border(grid: &Grid) -> impl Iterator<Item = usize> {
    let [nx, ny, nz] = grid.size;
    let single = grid.len() == 1;
    let is_end = |i: usize, n: usize| n > 1 && (i == 0 || i + 1 == n);
    (0..ny * nz).flat_map(move |row| {
        let whole = single || is_end(row % ny, ny) || is_end(row / ny, nz);
        // Of a row inside the image only the two ends lie on the border.
        let (count, step) = match (whole, nx) {
            (true, _) => (nx, 1),
            (false, 1) => (0, 1),
            (false, _) => (2, nx - 1),
        };
        (0..count).map(move |i| row * nx + i * step)
    })
}
