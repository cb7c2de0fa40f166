//! Voxel grids, and what is computed on plain masks.
//!
//! A [`Grid`] is the size and the voxel spacing of a dense, row-major field: the sample of voxel `(x, y, z)` lies at
//! `x + nx * (y + ny * z)`. A 2-D image is a grid with `nz = 1`; an axis of size 1 takes no part in any computation,
//! so one piece of code serves 2-D and 3-D.

mod grid;

pub use grid::Grid;
