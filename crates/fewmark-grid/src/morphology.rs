//! Erosion and dilation by balls, and the surface of a mask.

use rayon::prelude::*;

use crate::{Grid, depth, distance_to};

/// The voxels of the mask around which a ball of `radius` mm holds only voxels of the mask.
///
/// Beyond the border of the image nothing is set. Distances are compared as `f32`, in which a whole number of voxels is
/// a whole number of voxels.
///
/// # Panics
/// When `mask` does not have one value for each voxel of `grid`.
pub fn erode(mask: &[bool], grid: &Grid, radius: f64) -> Vec<bool> {
    let radius = radius as f32;
    mask.par_iter().zip(depth(mask, grid)).map(|(&set, depth)| set && depth > radius).collect()
}

/// The voxels that lie within `radius` mm of the mask.
///
/// # Panics
/// When `mask` does not have one value for each voxel of `grid`.
pub fn dilate(mask: &[bool], grid: &Grid, radius: f64) -> Vec<bool> {
    let radius = radius as f32;
    distance_to(mask, grid).into_par_iter().map(|distance| distance <= radius).collect()
}

/// The voxels of the mask that have a neighbour by a face outside it: the mask without its erosion by the face
/// neighbourhood.
///
/// Beyond the border of the image nothing is set, so voxels of the mask on the border belong to the surface.
///
/// # Panics
/// When `mask` does not have one value for each voxel of `grid`.
pub fn surface(mask: &[bool], grid: &Grid) -> Vec<bool> {
    assert_eq!(mask.len(), grid.len(), "a mask has one value for each voxel");
    let nx = grid.size[0];
    let mut surface = vec![false; mask.len()];
    surface.par_chunks_mut(nx).enumerate().for_each(|(row, out)| {
        let start = row * nx;
        if let Some(neighbours) = neighbouring_rows(mask, grid, start) {
            let inside = &mask[start..start + nx];
            mark_interior(out, inside, &neighbours);
            out.iter_mut().zip(inside).for_each(|(out, &inside)| *out = inside && !*out);
        } else {
            out.copy_from_slice(&mask[start..start + nx]);
        }
    });
    surface
}

/// The rows beside the one at `start`, along y and z; none when one of them lies outside the image.
fn neighbouring_rows<'a>(mask: &'a [bool], grid: &Grid, start: usize) -> Option<Vec<&'a [bool]>> {
    let voxel = grid.voxel(start);
    let mut rows = Vec::with_capacity(4);
    for axis in grid.axes().filter(|&axis| axis > 0) {
        if voxel[axis] == 0 || voxel[axis] + 1 == grid.size[axis] {
            return None;
        }
        let stride = grid.strides()[axis];
        rows.extend([start - stride, start + stride].map(|start| &mask[start..start + grid.size[0]]));
    }
    Some(rows)
}

/// Sets the voxels of a row whose neighbours along the row and in the neighbouring rows are all set.
fn mark_interior(interior: &mut [bool], row: &[bool], neighbours: &[&[bool]]) {
    if let [_, middle @ .., _] = interior {
        middle.iter_mut().zip(row.windows(3)).for_each(|(out, three)| *out = three[0] & three[2]);
    } else if let [only] = interior {
        *only = true;
    }
    for neighbour in neighbours {
        interior.iter_mut().zip(*neighbour).for_each(|(out, &set)| *out &= set);
    }
}
