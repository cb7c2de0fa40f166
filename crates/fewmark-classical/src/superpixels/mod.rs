//! Superpixels: small connected regions of similar voxels, in 2-D and 3-D.

mod felzenszwalb;
mod gaussian;
mod regions;
mod slic;

pub use felzenszwalb::{FelzenszwalbParams, felzenszwalb};
pub use slic::{SlicParams, slic};

use fewmark_grid::{Components, Connectivity, Grid, fill_holes};

use crate::Error;

/// What of a slice is not background: the largest 8-connected component of the samples above a threshold, its holes filled (Ouyang and
/// others, SSL-ALPNet). Empty where no sample is above.
pub fn foreground(samples: &[f32], grid: &Grid, threshold: f32) -> Vec<bool> {
    let above: Vec<bool> = samples.iter().map(|&s| s > threshold).collect();
    let largest = Components::of(&above, grid, Connectivity::Corner).largest();
    fill_holes(&largest, grid, Connectivity::Face)
}

/// Superpixels within a mask, numbered from 1 in the order of their first voxels; 0 outside the mask.
pub fn within(superpixels: &[u32], mask: &[bool]) -> Vec<u32> {
    let mut numbers = std::collections::HashMap::new();
    let number = |(&superpixel, &inside): (&u32, &bool)| {
        if !inside {
            return 0;
        }
        let next = numbers.len() as u32 + 1;
        *numbers.entry(superpixel).or_insert(next)
    };
    superpixels.iter().zip(mask).map(number).collect()
}

/// Whether there are samples, `[channels, z, y, x]`, all of them finite.
fn check_samples(samples: &[f32], grid: &Grid) -> Result<(), Error> {
    let expected = grid.len();
    if samples.is_empty() || !samples.len().is_multiple_of(expected) {
        return Err(Error::Length { what: "image", expected, found: samples.len() });
    }
    match samples.iter().filter(|s| !s.is_finite()).count() {
        0 => Ok(()),
        count => Err(Error::NotFinite { what: "image", count }),
    }
}

/// Whether an image can be smoothed so far.
fn check_sigma(found: f64) -> Result<(), Error> {
    if (0.0..=1000.0).contains(&found) {
        return Ok(());
    }
    Err(Error::Parameter { name: "sigma", expected: "a number from 0 to 1000", found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_foreground_is_the_largest_part_without_holes() {
        // A ring with a hole, connected over a corner with one voxel more, and a voxel apart.
        let rows = ["........", ".###....", ".#.#...#", ".###....", "....#..."];
        let samples: Vec<f32> = rows.concat().chars().map(|c| if c == '#' { 9.0 } else { 1.0 }).collect();
        let found = foreground(&samples, &Grid::unit([8, 5, 1]), 5.0);
        assert_eq!(found.iter().filter(|&&f| f).count(), 10);
        assert!(found[2 * 8 + 2] && found[4 * 8 + 4] && !found[2 * 8 + 7]);
        assert!(!foreground(&samples, &Grid::unit([8, 5, 1]), 50.0).contains(&true));
    }

    #[test]
    fn superpixels_within_a_mask_are_numbered_from_1() {
        let mask = [false, true, true, true, false, true];
        assert_eq!(within(&[0, 7, 7, 2, 3, 0], &mask), [0, 1, 1, 2, 0, 3]);
    }
}
