//! Superpixels by local clustering (Achanta and others, SLIC, TPAMI 2012), in 2-D and 3-D.

use fewmark_grid::Grid;
use serde::{Deserialize, Serialize};

use super::gaussian::smoothed;
use super::regions::Regions;
use crate::Error;

/// Numbers of [`slic`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlicParams {
    /// Superpixels asked for; about as many come out.
    pub segments: usize,
    /// How much place counts against intensity, in grey levels per step between superpixels: the larger, the rounder they are.
    pub compactness: f64,
    /// Standard deviation in voxels of the Gaussian that smooths the image first.
    pub sigma: f64,
    /// Rounds of assigning voxels and moving centres. Source: the paper.
    pub iterations: usize,
}

impl Default for SlicParams {
    fn default() -> Self {
        Self { segments: 200, compactness: 10.0, sigma: 0.0, iterations: 10 }
    }
}

impl SlicParams {
    /// Whether every number is one that it can be.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        for (name, found) in [("segments", self.segments), ("iterations", self.iterations)] {
            if found == 0 {
                return Err(Error::Parameter { name, expected: "a whole number of at least 1", found: 0.0 });
            }
        }
        if !(self.compactness.is_finite() && self.compactness > 0.0) {
            let found = self.compactness;
            return Err(Error::Parameter { name: "compactness", expected: "a positive number", found });
        }
        super::check_sigma(self.sigma)
    }
}

/// Cuts an image, `[channels, z, y, x]`, into superpixels of about equal size, numbered from 0 in the order of their first voxels.
///
/// Centres begin on a regular lattice with a step of `S` mm. Each voxel goes to the centre within two steps along every axis for which
///
/// ```text
/// |f - f_c|^2 / compactness^2 + |x - x_c|^2 / S^2
/// ```
///
/// is least, `f` being its samples and `x` its place in mm; then each centre moves to the mean of its voxels. In the end parts that are
/// not connected (over faces), and those of less than a quarter of the usual size, join the neighbour with the most similar mean.
///
/// # Errors
/// [`Error::Length`], [`Error::NotFinite`], [`Error::Parameter`].
pub fn slic(samples: &[f32], grid: &Grid, params: &SlicParams) -> Result<Vec<u32>, Error> {
    super::check_samples(samples, grid)?;
    params.check()?;
    let voxels = grid.len();
    let channels = smoothed(samples, grid, params.sigma);
    let axes: Vec<usize> = grid.axes().collect();
    let volume: f64 = axes.iter().map(|&a| grid.size[a] as f64 * grid.spacing[a]).product();
    let step = (volume / params.segments as f64).powf(1.0 / axes.len().max(1) as f64);

    let mut centres = lattice(&channels, grid, step);
    let mut nearest = vec![0u32; voxels];
    for _ in 0..params.iterations {
        assign(&centres, &channels, grid, step, params.compactness, &mut nearest);
        update(&mut centres, &channels, grid, &nearest);
    }
    let usual = voxels / centres.len();
    Ok(Regions::connected(&nearest, grid).absorb_smaller_than(usual.div_ceil(4), &channels, grid))
}

/// What a superpixel is like.
struct Centre {
    /// x, y, z, in voxels
    place: [f64; 3],
    /// Of each channel
    samples: Vec<f64>,
}

/// Centres of equal boxes with edges of about `step` mm.
fn lattice(channels: &[Vec<f64>], grid: &Grid, step: f64) -> Vec<Centre> {
    let counts: [usize; 3] = std::array::from_fn(|a| {
        let boxes = (grid.size[a] as f64 * grid.spacing[a] / step).round() as usize;
        boxes.clamp(1, grid.size[a])
    });
    let along = |a: usize, i: usize| (i as f64 + 0.5) * grid.size[a] as f64 / counts[a] as f64 - 0.5;
    let mut centres = Vec::new();
    for z in 0..counts[2] {
        for y in 0..counts[1] {
            for x in 0..counts[0] {
                let place = [along(0, x), along(1, y), along(2, z)];
                let voxel = grid.index(place.map(|p| p.max(0.0) as usize));
                centres.push(Centre { place, samples: channels.iter().map(|channel| channel[voxel]).collect() });
            }
        }
    }
    centres
}

/// Gives each voxel to the nearest centre that reaches it; one that none reaches stays where it is.
fn assign(centres: &[Centre], channels: &[Vec<f64>], grid: &Grid, step: f64, compactness: f64, nearest: &mut [u32]) {
    let mut distance = vec![f64::INFINITY; nearest.len()];
    let reach = grid.spacing.map(|spacing| 2.0 * step / spacing);
    for (number, centre) in centres.iter().enumerate() {
        let range = |a: usize| {
            let from = (centre.place[a] - reach[a]).ceil().max(0.0) as usize;
            from..((centre.place[a] + reach[a]).floor() as usize + 1).min(grid.size[a])
        };
        for z in range(2) {
            for y in range(1) {
                for x in range(0) {
                    let voxel = grid.index([x, y, z]);
                    let apart: f64 = [x, y, z]
                        .iter()
                        .enumerate()
                        .map(|(a, &at)| ((at as f64 - centre.place[a]) * grid.spacing[a]).powi(2))
                        .sum();
                    let differs: f64 =
                        channels.iter().zip(&centre.samples).map(|(channel, f)| (channel[voxel] - f).powi(2)).sum();
                    let d = differs / (compactness * compactness) + apart / (step * step);
                    if d < distance[voxel] {
                        (distance[voxel], nearest[voxel]) = (d, number as u32);
                    }
                }
            }
        }
    }
}

/// Moves each centre to the mean of its voxels; one without voxels stays.
fn update(centres: &mut [Centre], channels: &[Vec<f64>], grid: &Grid, nearest: &[u32]) {
    let mut sums = vec![[0.0; 4]; centres.len()];
    let mut samples = vec![vec![0.0; channels.len()]; centres.len()];
    for (voxel, &number) in nearest.iter().enumerate() {
        let sum = &mut sums[number as usize];
        let place = grid.voxel(voxel);
        (0..3).for_each(|a| sum[a] += place[a] as f64);
        sum[3] += 1.0;
        samples[number as usize].iter_mut().zip(channels).for_each(|(sum, channel)| *sum += channel[voxel]);
    }
    for (centre, (sum, samples)) in centres.iter_mut().zip(sums.into_iter().zip(samples)) {
        if sum[3] > 0.0 {
            centre.place = std::array::from_fn(|a| sum[a] / sum[3]);
            centre.samples = samples.into_iter().map(|s| s / sum[3]).collect();
        }
    }
}
