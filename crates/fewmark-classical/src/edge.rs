//! Gradients of an image, Gaussian smoothing, and the edge detector `g`.

use crate::{Error, Grid};
use multiversion::multiversion;
use rayon::prelude::*;

/// What a difference of neighbouring samples is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradientStep {
    /// One voxel along each axis, as in the published code: the gradient does not depend on the spacing.
    #[default]
    Voxel,
    /// The spacing along each axis, in mm.
    Spacing,
}

/// `|grad f|²` by central differences, one-sided at the borders (`numpy.gradient`).
///
/// # Errors
///
/// [`Error::Length`].
pub fn gradient_magnitude_squared(f: &[f32], grid: &Grid, step: GradientStep) -> Result<Vec<f32>, Error> {
    squared_differences(f, grid, step, add_squared_difference)
}

/// `|grad f|²` with the larger of the two one-sided differences along each axis.
///
/// It is large in the middle of a wall that is one voxel thin, where central differences are 0.
///
/// # Errors
///
/// [`Error::Length`].
pub fn steepest_gradient_squared(f: &[f32], grid: &Grid, step: GradientStep) -> Result<Vec<f32>, Error> {
    squared_differences(f, grid, step, add_squared_steepest)
}

/// Adds squared differences along one axis to the row of voxels that begins at a voxel.
type AddToRow = fn(&mut [f32], &[f32], usize, &Grid, usize, f32);

fn squared_differences(f: &[f32], grid: &Grid, step: GradientStep, add: AddToRow) -> Result<Vec<f32>, Error> {
    Error::check_length("image", grid, f.len())?;
    let mut out = vec![0.0; f.len()];
    let nx = grid.size[0];
    out.par_chunks_exact_mut(nx.max(1)).enumerate().for_each(|(number, row)| {
        for axis in grid.axes() {
            let h = match step {
                GradientStep::Voxel => 1.0,
                GradientStep::Spacing => grid.spacing[axis],
            };
            add(row, f, number * nx, grid, axis, h as f32);
        }
    });
    Ok(out)
}

/// Adds the squared derivative along one axis to the row that begins at `start`.
fn add_squared_difference(row: &mut [f32], f: &[f32], start: usize, grid: &Grid, axis: usize, h: f32) {
    let nx = row.len();
    if axis == 0 {
        let f = &f[start..start + nx];
        let mut add = |x: usize, low: usize, high: usize| {
            let slope = (f[high] - f[low]) / ((high - low) as f32 * h);
            row[x] += slope * slope;
        };
        add(0, 0, 1);
        (1..nx - 1).for_each(|x| add(x, x - 1, x + 1));
        add(nx - 1, nx - 2, nx - 1);
        return;
    }
    let (low, high) = rows_beside(start, grid, axis);
    let scale = ((high - low) / grid.strides()[axis]) as f32 * h;
    for ((out, a), b) in row.iter_mut().zip(&f[low..low + nx]).zip(&f[high..high + nx]) {
        let slope = (b - a) / scale;
        *out += slope * slope;
    }
}

/// Adds the larger of the two squared one-sided differences along one axis to the row that begins at `start`.
fn add_squared_steepest(row: &mut [f32], f: &[f32], start: usize, grid: &Grid, axis: usize, h: f32) {
    let nx = row.len();
    let here = &f[start..start + nx];
    let larger = |low: f32, f: f32, high: f32| ((f - low).abs().max((high - f).abs()) / h).powi(2);
    if axis == 0 {
        for (x, out) in row.iter_mut().enumerate() {
            *out += larger(here[x.saturating_sub(1)], here[x], here[(x + 1).min(nx - 1)]);
        }
        return;
    }
    let (low, high) = rows_beside(start, grid, axis);
    for (((out, low), f), high) in row.iter_mut().zip(&f[low..low + nx]).zip(here).zip(&f[high..high + nx]) {
        *out += larger(*low, *f, *high);
    }
}

/// Where the rows before and after the one that begins at `start` begin along an axis; at a border its own.
fn rows_beside(start: usize, grid: &Grid, axis: usize) -> (usize, usize) {
    let (at, stride) = (grid.voxel(start)[axis], grid.strides()[axis]);
    let low = if at == 0 { start } else { start - stride };
    let high = if at + 1 == grid.size[axis] { start } else { start + stride };
    (low, high)
}

/// Gaussian smoothing with the standard deviation `sigma`, in the unit of the spacing, along every axis.
///
/// As `scipy.ndimage.gaussian_filter` with its defaults: the kernel ends at four standard deviations, and the image
/// is continued by reflection about its edges (`mode="reflect"`: d c b a | a b c d | d c b a).
///
/// # Errors
///
/// [`Error::Length`]; [`Error::Parameter`] when `sigma` is negative or not finite.
pub fn gaussian(f: &[f32], grid: &Grid, sigma: f64) -> Result<Vec<f32>, Error> {
    Error::check_length("image", grid, f.len())?;
    if !(sigma.is_finite() && sigma >= 0.0) {
        return Err(Error::Parameter { name: "sigma", expected: "at least 0", found: sigma });
    }
    let mut out = f.to_vec();
    if sigma == 0.0 {
        return Ok(out);
    }
    for axis in grid.axes() {
        let kernel: Vec<f32> =
            gaussian_kernel(sigma / grid.spacing[axis]).iter().map(|&weight| weight as f32).collect();
        out = convolve(&out, grid, axis, &kernel);
    }
    Ok(out)
}

/// One half of the kernel, the centre first; the whole sums to 1.
pub(crate) fn gaussian_kernel(sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as usize;
    let kernel: Vec<f64> = (0..=radius).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let sum = 2.0 * kernel.iter().sum::<f64>() - kernel[0];
    kernel.iter().map(|weight| weight / sum).collect()
}

/// Fewest samples that are worth a thread of their own.
const PIECE: usize = 1 << 14;

/// Convolves with a symmetric kernel along one axis.
fn convolve(f: &[f32], grid: &Grid, axis: usize, kernel: &[f32]) -> Vec<f32> {
    let (nx, n, stride, radius) = (grid.size[0], grid.size[axis], grid.strides()[axis], kernel.len() - 1);
    let mut out = vec![0.0; f.len()];
    let rows = out.par_chunks_exact_mut(nx).enumerate().with_min_len(PIECE.div_ceil(nx));
    rows.for_each_init(Vec::new, |line, (number, row)| {
        let start = number * nx;
        if axis == 0 {
            // The row with its continuation on both sides, so that a shift of the row is a slice of it.
            line.clear();
            let reflected = |x: isize| f[start + reflect(x, n)];
            line.extend((-(radius as isize)..0).map(reflected));
            line.extend_from_slice(&f[start..start + nx]);
            line.extend((nx as isize..(nx + radius) as isize).map(reflected));
            add_shifts(row, kernel, |k| {
                let from = (radius as isize + k) as usize;
                &line[from..from + nx]
            });
        } else {
            let at = grid.voxel(start)[axis];
            add_shifts(row, kernel, |k| {
                let from = start - at * stride + reflect(at as isize + k, n) * stride;
                &f[from..from + nx]
            });
        }
    });
    out
}

/// Sums the rows `shifted(k)`, weighted by the symmetric kernel, into a row of zeros.
fn add_shifts<'a>(row: &mut [f32], kernel: &[f32], shifted: impl Fn(isize) -> &'a [f32]) {
    row.iter_mut().zip(shifted(0)).for_each(|(out, f)| *out = kernel[0] * f);
    for (k, weight) in kernel.iter().enumerate().skip(1) {
        let k = k as isize;
        add_pair(row, shifted(-k), shifted(k), *weight);
    }
}

/// Adds the sum of two rows, weighted, to another.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn add_pair(row: &mut [f32], low: &[f32], high: &[f32], weight: f32) {
    row.iter_mut().zip(low.iter().zip(high)).for_each(|(out, (low, high))| *out += weight * (low + high));
}

/// The position in `0..n` that stands for `i` in a line continued by reflection about its edges.
pub(crate) fn reflect(i: isize, n: usize) -> usize {
    let n = n as isize;
    let i = i.rem_euclid(2 * n);
    if i < n { i as usize } else { (2 * n - 1 - i) as usize }
}

/// The edge detector `g = 1 / (1 + iota |grad f_s|²)`, which weights the total variation.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EdgeDetector {
    /// `iota`: weight of the squared gradient. Default 10, as in the published code for images in `[0, 1]`; the paper
    /// prints 1 (Burrows, Chen and Torella, below eq. 1), with which `g` is nearly 1 everywhere.
    pub iota: f64,
    /// Standard deviation, in the unit of the spacing, of the Gaussian that makes `f_s` of `f`. Default 1; the paper prints none (0).
    pub sigma: f64,
}

impl Default for EdgeDetector {
    fn default() -> Self {
        Self { iota: 10.0, sigma: 1.0 }
    }
}

impl EdgeDetector {
    /// The values of `g` on the image `f`, in `(0, 1]`.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Parameter`] when a parameter is negative or not finite.
    pub fn apply(&self, f: &[f32], grid: &Grid) -> Result<Vec<f32>, Error> {
        self.apply_by(f, grid, GradientStep::Voxel)
    }

    /// The same with gradients by another step.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    pub fn apply_by(&self, f: &[f32], grid: &Grid, step: GradientStep) -> Result<Vec<f32>, Error> {
        if !(self.iota.is_finite() && self.iota >= 0.0) {
            return Err(Error::Parameter { name: "iota", expected: "a weight of at least 0", found: self.iota });
        }
        let smooth = gaussian(f, grid, self.sigma)?;
        let mut g = gradient_magnitude_squared(&smooth, grid, step)?;
        g.par_iter_mut().for_each(|g| *g = 1.0 / (1.0 + self.iota as f32 * *g));
        Ok(g)
    }
}
