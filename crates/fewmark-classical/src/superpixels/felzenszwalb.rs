//! Superpixels by merging along a minimum spanning tree (Felzenszwalb and Huttenlocher, IJCV 2004).

use fewmark_grid::Grid;
use serde::{Deserialize, Serialize};

use super::gaussian::smoothed;
use super::regions::Regions;
use crate::Error;

/// Numbers of [`felzenszwalb`], the defaults those of SSL-ALPNet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FelzenszwalbParams {
    /// How readily regions merge, in 255ths of a grey level times voxels. Source: scikit-image's default.
    pub scale: f64,
    /// Standard deviation in voxels of the Gaussian that smooths the image first.
    pub sigma: f64,
    /// Fewest voxels of a region; smaller ones join a neighbour.
    pub min_size: usize,
}

impl Default for FelzenszwalbParams {
    fn default() -> Self {
        Self { scale: 1.0, sigma: 1.0, min_size: 400 }
    }
}

impl FelzenszwalbParams {
    /// Whether every number is one that it can be.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        if !(self.scale.is_finite() && self.scale >= 0.0) {
            return Err(Error::Parameter { name: "scale", expected: "a number of at least 0", found: self.scale });
        }
        super::check_sigma(self.sigma)
    }
}

/// Cuts an image, `[channels, z, y, x]`, into superpixels, numbered from 0 in the order of their first voxels.
///
/// Neighbours (8 in 2-D, 26 in 3-D) are edges with the Euclidean distance of their smoothed samples as cost. In the order of cost, two regions
/// `A` and `B` merge at an edge of cost `c` if
///
/// ```text
/// c < min(Int(A) + scale / (255 |A|), Int(B) + scale / (255 |B|))
/// ```
///
/// where `Int` is the cost at which a region merged last; then, again in the order of cost, every region of less than `min_size` voxels
/// joins its neighbour. In 2-D the partition is scikit-image's; where costs are equal, edges count in the order right, down, down
/// right, up right, which scikit-image leaves to its sort.
///
/// # Errors
/// [`Error::Length`], [`Error::NotFinite`], [`Error::Parameter`].
pub fn felzenszwalb(samples: &[f32], grid: &Grid, params: &FelzenszwalbParams) -> Result<Vec<u32>, Error> {
    super::check_samples(samples, grid)?;
    let voxels = grid.len();
    params.check()?;
    let channels = smoothed(samples, grid, params.sigma);

    let edges = edges(&channels, grid);
    let mut regions = Regions::new(voxels);
    let mut internal = vec![0.0; voxels];
    let scale = params.scale / 255.0;
    for &(cost, a, b) in &edges {
        let (a, b) = (regions.root(a), regions.root(b));
        let limit = |root: u32| internal[root as usize] + scale / f64::from(regions.size(root));
        if a != b && cost < limit(a).min(limit(b)) {
            internal[regions.merge(a, b) as usize] = cost;
        }
    }
    for &(_, a, b) in &edges {
        let (a, b) = (regions.root(a), regions.root(b));
        let too_small = |root: u32| (regions.size(root) as usize) < params.min_size;
        if a != b && (too_small(a) || too_small(b)) {
            regions.merge(a, b);
        }
    }
    Ok(regions.numbered())
}

/// Pairs of neighbours with the distance of their samples, in the order of that, then of where they lie.
fn edges(channels: &[Vec<f64>], grid: &Grid) -> Vec<(f64, u32, u32)> {
    let size = grid.size.map(|n| n as isize);
    let within = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0]];
    let up = (-1..=1).flat_map(|y| (-1..=1).map(move |x| [x, y, 1]));
    let mut edges = Vec::with_capacity(grid.len() * if size[2] > 1 { 13 } else { 4 });
    for offset in within.into_iter().chain(up) {
        // Voxels whose neighbour at this offset lies inside.
        let range = |axis: usize| (-offset[axis]).max(0)..size[axis] - offset[axis].max(0);
        for z in range(2) {
            for y in range(1) {
                for x in range(0) {
                    let at = |[x, y, z]: [isize; 3]| ((z * size[1] + y) * size[0] + x) as usize;
                    let (a, b) = (at([x, y, z]), at([x + offset[0], y + offset[1], z + offset[2]]));
                    let squared: f64 = channels.iter().map(|c| (c[a] - c[b]).powi(2)).sum();
                    edges.push((squared.sqrt(), a as u32, b as u32));
                }
            }
        }
    }
    // A stable sort keeps the order of equal costs.
    edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    edges
}
