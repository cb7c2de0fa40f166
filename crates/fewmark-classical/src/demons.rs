//! Deformable registration of two images: symmetric demons (Thirion 1998; Vercauteren, Pennec, Perchant and Ayache, "Diffeomorphic demons",
//! NeuroImage 2009, section 2, with their symmetric forces and the additive update).
//!
//! A displacement `d` is sought for which the moving image `m(x + d(x))` looks like the fixed one `f(x)`. From coarse to fine, each iteration adds
//! the step that the two gradients `J = (grad f + grad m(x + d)) / 2` suggest for each pixel apart, and smooths the sum:
//!
//! ```text
//! d <- G * (d + (f - m) J / (|J|^2 + (f - m)^2))
//! ```
//!
//! No step is longer than half a pixel.

use multiversion::multiversion;

use crate::edge::gaussian;
use crate::{Error, Grid};

/// How two images are registered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DemonsParams {
    /// Grids, each with half as many pixels along each axis as the one before.
    pub levels: u32,
    /// Iterations on each grid.
    pub iterations: usize,
    /// Standard deviation of the Gaussian `G`, in pixels of each grid.
    pub smoothing: f64,
}

impl Default for DemonsParams {
    fn default() -> Self {
        Self { levels: 3, iterations: 30, smoothing: 1.5 }
    }
}

/// Where each pixel of a fixed image lies in a moving one, relative to itself, in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Displacement {
    /// Columns and rows
    size: [usize; 2],
    /// Along x and along y
    along: [Vec<f32>; 2],
}

impl Displacement {
    /// Along x and along y, pixel by pixel.
    pub fn along(&self) -> &[Vec<f32>; 2] {
        &self.along
    }

    /// A plane of the moving image on the pixels of the fixed one, linear between pixels, continued by its border.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn pull(&self, plane: &[f32]) -> Result<Vec<f32>, Error> {
        Error::check_length("plane", &grid(self.size), plane.len())?;
        Ok(self.pulled(plane))
    }

    fn pulled(&self, plane: &[f32]) -> Vec<f32> {
        let mut pulled = vec![0.0; plane.len()];
        let [dx, dy] = &self.along;
        pull_into(&mut pulled, plane, self.size, [dx, dy]);
        pulled
    }

    /// The same displacement on a grid of another size over the same area.
    fn on(&self, size: [usize; 2]) -> Self {
        let ratio = [0, 1].map(|axis| self.size[axis] as f32 / size[axis] as f32);
        let along =
            [0, 1].map(|axis| resampled(&self.along[axis], self.size, size).iter().map(|d| d / ratio[axis]).collect());
        Self { size, along }
    }
}

/// Registers two images of one grid with `nz = 1`. Samples should be of order 1, as differences weigh against gradients.
///
/// # Errors
/// [`Error::Length`]; [`Error::Dimension`] for a volume; [`Error::Parameter`] for a smoothing that is negative or not finite.
pub fn register(fixed: &[f32], moving: &[f32], grid: &Grid, params: &DemonsParams) -> Result<Displacement, Error> {
    Error::check_length("fixed image", grid, fixed.len())?;
    Error::check_length("moving image", grid, moving.len())?;
    let [width, height, depth] = grid.size;
    if depth != 1 {
        return Err(Error::Dimension { method: "demons", size: grid.size });
    }
    let whole = [width, height];
    let mut found: Option<Displacement> = None;
    for level in (0..params.levels.max(1)).rev() {
        let size = whole.map(|n| n.div_ceil(1 << level).max(1));
        let [fixed, moving] = [fixed, moving].map(|image| coarser(image, whole, size));
        let (fixed, moving) = (fixed?, moving?);
        let mut displacement = match found {
            Some(coarse) => coarse.on(size),
            None => Displacement { size, along: [0, 1].map(|_| vec![0.0; fixed.len()]) },
        };
        let slopes = gradient(&fixed, size);
        for _ in 0..params.iterations {
            step(&fixed, &slopes, &moving, &mut displacement);
            for along in &mut displacement.along {
                *along = gaussian(along, &self::grid(size), params.smoothing)?;
            }
        }
        found = Some(displacement);
    }
    Ok(found.expect("at least one level"))
}

/// Adds the step of every pixel.
fn step(fixed: &[f32], slopes: &[Vec<f32>; 2], moving: &[f32], displacement: &mut Displacement) {
    let pulled = displacement.pulled(moving);
    let moved = gradient(&pulled, displacement.size);
    let [dx, dy] = &mut displacement.along;
    add_steps([fixed, &pulled], [slopes, &moved], [dx, dy]);
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn add_steps([fixed, pulled]: [&[f32]; 2], [slopes, moved]: [&[Vec<f32>; 2]; 2], [dx, dy]: [&mut [f32]; 2]) {
    // Slices of one length, so that the loop needs no checks.
    let n = fixed.len();
    let (pulled, dx, dy) = (&pulled[..n], &mut dx[..n], &mut dy[..n]);
    let [[fx, fy], [mx, my]] = [slopes, moved].map(|along| [&along[0][..n], &along[1][..n]]);
    for i in 0..n {
        let difference = fixed[i] - pulled[i];
        let (jx, jy) = ((fx[i] + mx[i]) / 2.0, (fy[i] + my[i]) / 2.0);
        let scale = difference / (jx * jx + jy * jy + difference * difference).max(f32::MIN_POSITIVE);
        dx[i] += scale * jx;
        dy[i] += scale * jy;
    }
}

fn grid([width, height]: [usize; 2]) -> Grid {
    Grid::unit([width, height, 1])
}

/// Central differences along x and along y, one-sided at the border.
fn gradient(image: &[f32], [width, height]: [usize; 2]) -> [Vec<f32>; 2] {
    let mut slopes = [vec![0.0; image.len()], vec![0.0; image.len()]];
    let row = |y: usize| &image[y * width..(y + 1) * width];
    let [along_x, along_y] = &mut slopes;
    for (y, (along_x, along_y)) in along_x.chunks_exact_mut(width).zip(along_y.chunks_exact_mut(width)).enumerate() {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        differences(row(above), row(below), (below - above).max(1) as f32, along_y);
        let (last, row) = (width - 1, row(y));
        if last > 0 {
            differences(&row[..last - 1], &row[2..], 2.0, &mut along_x[1..last]);
            along_x[0] = row[1] - row[0];
            along_x[last] = row[last] - row[last - 1];
        }
    }
    slopes
}

/// What lies at the displaced place of each pixel, see [`at`]: all places of a row are told first, many at once.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn pull_into(pulled: &mut [f32], plane: &[f32], [width, height]: [usize; 2], [dx, dy]: [&[f32]; 2]) {
    // To the right and below there is another pixel, but in a plane that is one pixel wide or high.
    let (right, below) = (usize::from(width > 1), if height > 1 { width } else { 0 });
    let (mut columns, mut rows) = (vec![(0_i32, 0.0_f32); width], vec![(0_i32, 0.0_f32); width]);
    for (y, line) in pulled.chunks_exact_mut(width).enumerate() {
        let displaced = y * width..(y + 1) * width;
        for (x, (column, dx)) in columns.iter_mut().zip(&dx[displaced.clone()]).enumerate() {
            *column = cell(x as f32 + dx, width);
        }
        for (row, dy) in rows.iter_mut().zip(&dy[displaced]) {
            *row = cell(y as f32 + dy, height);
        }
        for (out, (&(left, u), &(top, v))) in line.iter_mut().zip(columns.iter().zip(&rows)) {
            let corner = top as usize * width + left as usize;
            let of_cell = &plane[corner..=corner + below + right];
            let along = |row: usize| (1.0 - u) * of_cell[row] + u * of_cell[row + right];
            *out = (1.0 - v) * along(0) + v * along(below);
        }
    }
}

/// The pixel before a place along an axis of `n` pixels, none but the last having no other behind it, and how far it lies behind that.
#[inline(always)]
fn cell(at: f32, n: usize) -> (i32, f32) {
    let at = at.clamp(0.0, (n - 1) as f32);
    let low = (at as i32).min(n.saturating_sub(2) as i32);
    (low, at - low as f32)
}

/// The differences of two lines of samples that lie so many pixels apart.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn differences(before: &[f32], after: &[f32], apart: f32, slopes: &mut [f32]) {
    slopes.iter_mut().zip(before.iter().zip(after)).for_each(|(slope, (b, a))| *slope = (a - b) / apart);
}

/// A sample at a point, linear between pixels; beyond the border that of the border.
#[inline(always)]
fn at(plane: &[f32], [width, height]: [usize; 2], x: f32, y: f32) -> f32 {
    let around = |at: f32, n: usize| {
        let (low, share) = cell(at, n);
        (low as usize, (low as usize + 1).min(n - 1), share)
    };
    let ((left, right, u), (top, bottom, v)) = (around(x, width), around(y, height));
    let along = |row: usize| (1.0 - u) * plane[row * width + left] + u * plane[row * width + right];
    (1.0 - v) * along(top) + v * along(bottom)
}

/// A plane on a grid of another size over the same area, linear between pixels.
fn resampled(plane: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let place = |pixel: usize, axis: usize| (pixel as f32 + 0.5) * from[axis] as f32 / to[axis] as f32 - 0.5;
    (0..to[0] * to[1]).map(|i| at(plane, from, place(i % to[0], 0), place(i / to[0], 1))).collect()
}

/// An image on a coarser grid, smoothed so that nothing finer than its pixels is left.
fn coarser(image: &[f32], from: [usize; 2], to: [usize; 2]) -> Result<Vec<f32>, Error> {
    let ratio = from[0] as f64 / to[0] as f64;
    let smooth = gaussian(image, &grid(from), 0.5 * ratio)?;
    Ok(resampled(&smooth, from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [72, 60];

    /// Three soft blobs whose middles are moved.
    fn blobs(shift: impl Fn(f32, f32) -> [f32; 2]) -> Vec<f32> {
        let value = |x: f32, y: f32| -> f32 {
            [(25.0, 20.0, 7.0), (45.0, 38.0, 9.0), (20.0, 42.0, 5.0)]
                .iter()
                .map(|(a, b, s)| (-((x - a).powi(2) + (y - b).powi(2)) / (2.0 * s * s)).exp())
                .sum()
        };
        (0..SIZE[0] * SIZE[1])
            .map(|i| {
                let (x, y) = ((i % SIZE[0]) as f32, (i / SIZE[0]) as f32);
                let [dx, dy] = shift(x, y);
                value(x + dx, y + dy)
            })
            .collect()
    }

    fn error(a: &[f32], b: &[f32]) -> f32 {
        (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / a.len() as f32).sqrt()
    }

    #[test]
    fn an_image_stays_where_it_is() {
        let image = blobs(|_, _| [0.0; 2]);
        let found = register(&image, &image, &grid(SIZE), &DemonsParams::default()).unwrap();
        assert!(found.along().iter().flatten().all(|d| d.abs() < 1e-6));
        assert_eq!(found.pull(&image).unwrap(), image);
    }

    #[test]
    fn what_was_bent_is_found_again() {
        let moving = blobs(|_, _| [0.0; 2]);
        // Bent by up to five pixels, and moved.
        let bend = |x: f32, y: f32| [3.0 + 2.0 * (y / 12.0).sin(), -2.0 + 2.0 * (x / 15.0).cos()];
        let fixed = blobs(bend);
        let found = register(&fixed, &moving, &grid(SIZE), &DemonsParams::default()).unwrap();
        let before = error(&fixed, &moving);
        let after = error(&fixed, &found.pull(&moving).unwrap());
        assert!(after < 0.1 * before, "{after} of {before}");
        // Where there is something to see, the displacement is the bend.
        let [dx, dy] = found.along();
        for (x, y) in [(20, 22), (28, 20), (42, 40), (40, 34)] {
            let expected = bend(x as f32, y as f32);
            let i = y * SIZE[0] + x;
            assert!((dx[i] - expected[0]).hypot(dy[i] - expected[1]) < 1.0, "{:?} for {expected:?}", (dx[i], dy[i]));
        }
    }

    #[test]
    fn odd_and_tiny_images_and_flat_ones_are_registered() {
        for (width, height) in [(1, 1), (2, 7), (33, 5)] {
            let grid = grid([width, height]);
            let flat = vec![1.0; grid.len()];
            let ramp: Vec<f32> = (0..grid.len()).map(|i| i as f32 / grid.len() as f32).collect();
            for moving in [&flat, &ramp] {
                let found = register(&flat, moving, &grid, &DemonsParams::default()).unwrap();
                assert!(found.along().iter().flatten().all(|d| d.is_finite()));
            }
        }
    }

    #[test]
    fn wrong_lengths_and_volumes_are_refused() {
        let plane = vec![0.0; 6];
        let volume = Grid::unit([1, 2, 3]);
        let params = DemonsParams::default();
        assert!(matches!(register(&plane, &plane, &volume, &params), Err(Error::Dimension { .. })));
        assert!(matches!(register(&plane[1..], &plane, &grid([2, 3]), &params), Err(Error::Length { .. })));
        let endless = DemonsParams { smoothing: f64::NAN, ..params };
        assert!(matches!(register(&plane, &plane, &grid([2, 3]), &endless), Err(Error::Parameter { .. })));
    }
}
