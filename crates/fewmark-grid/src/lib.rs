//! Voxel grids, and what is computed on plain masks.
//!
//! A [`Grid`] is the size and the voxel spacing of a dense, row-major field: the sample of voxel `(x, y, z)` lies at
//! `x + nx * (y + ny * z)`. A 2-D image is a grid with `nz = 1`; an axis of size 1 takes no part in any computation,
//! so one piece of code serves 2-D and 3-D.
//!
//! A mask is a slice with one `bool` for each voxel. What is computed on it is exact, runs on all threads, and does not
//! depend on their number.
//!
//! ```
//! use fewmark_grid::{Components, Connectivity, Grid, distance_to};
//!
//! let grid = Grid { size: [4, 2, 1], spacing: [0.5, 3.0, 1.0] };
//! let mask = [true, false, false, true, true, false, false, false];
//! assert_eq!(distance_to(&mask, &grid)[5], 0.5);
//! assert_eq!(Components::of(&mask, &grid, Connectivity::Face).sizes(), [2, 1]);
//! ```

mod components;
mod distance;
mod grid;
mod holes;
mod morphology;

pub use components::{Components, Connectivity};
pub use distance::{depth, distance_to, squared_distance_to};
pub use grid::Grid;
pub use holes::{fill_holes, fill_holes_in_slices, fill_holes_up_to};
pub use morphology::{dilate, erode, surface};
