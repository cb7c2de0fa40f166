//! Made-up anatomies: slices and regions drawn at random, with which an encoder can be trained without any scan.
//!
//! A body outline is filled with the cells of a warped, weighted Voronoi partition and with ellipses, each of a random intensity, some of
//! a shared one; texture, blur, a bias field, noise and a power of the intensities make a slice of it. The regions are what episodes ask
//! for. (The idea that networks for real scans can learn from shapes alone is that of Hoffmann and others, SynthMorph, IEEE TMI 2022, and
//! of Dey and others, anatomix, ICLR 2025; the recipe here is our own.)

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::augmentation::smooth;

/// Share of the regions whose intensity is one of a few common ones, as different organs of the same tissue.
const SHARED: f64 = 0.35;

/// A slice of `side` x `side` pixels, standardised, and the region of each pixel: 0 outside the body, others from 1 on.
pub(super) fn slice(side: usize, random: &mut ChaCha8Rng) -> (Vec<f32>, Vec<u16>) {
    let n = side as f64;
    let regions = regions(side, random);
    let count = regions.iter().copied().max().map_or(1, |most| usize::from(most) + 1);
    let tissues: [f64; 3] = std::array::from_fn(|_| random.random());
    let mut means: Vec<f64> = (0..count)
        .map(|_| if random.random_bool(SHARED) { tissues[random.random_range(0..3)] } else { random.random() })
        .collect();
    means[0] = between(0.0, 0.08, random);
    let textures: Vec<f64> = (0..count).map(|_| between(0.0, 0.12, random)).collect();
    let grain = [2.0, 3.0, 4.0, 6.0][random.random_range(0..4)] * n / 128.0;
    let texture = waves(side, grain, random);
    let mut image: Vec<f32> = regions
        .iter()
        .zip(&texture)
        .map(|(&r, t)| (means[usize::from(r)] + textures[usize::from(r)] * t) as f32)
        .collect();
    image = smooth(image, side, between(0.5, 1.3, random) * n / 128.0);
    let (bias, strength) = (waves(side, 0.375 * n, random), between(0.0, 0.25, random));
    let noise = between(0.005, 0.05, random);
    let power = between(0.6, 1.6, random);
    for (sample, bias) in image.iter_mut().zip(&bias) {
        let normal: f64 = StandardNormal.sample(random);
        let varied = f64::from(*sample) * (bias * strength).exp() + noise * normal;
        *sample = (varied.signum() * varied.abs().powf(power)) as f32;
    }
    fewmark_image::intensity::z_score(&mut image);
    (image, regions)
}

/// The regions of a body.
fn regions(side: usize, random: &mut ChaCha8Rng) -> Vec<u16> {
    let n = side as f64;
    let px = n / 128.0;
    let warps = [(); 2].map(|()| {
        let length = [0.125, 0.1875, 0.25][random.random_range(0..3)] * n;
        let strength = between(2.0, 7.0, random) * px;
        waves(side, length, random).into_iter().map(|w| w * strength).collect::<Vec<f64>>()
    });
    let centre = [(); 2].map(|()| n / 2.0 + between(-6.0, 6.0, random) * px);
    let radius = [(); 2].map(|()| between(0.3, 0.46, random) * n);
    let places: Vec<[f64; 2]> =
        (0..side * side).map(|i| [(i / side) as f64 + warps[0][i], (i % side) as f64 + warps[1][i]]).collect();
    let in_ellipse =
        |p: [f64; 2], c: [f64; 2], r: [f64; 2]| (0..2).map(|a| ((p[a] - c[a]) / r[a]).powi(2)).sum::<f64>() < 1.0;
    let cells: Vec<([f64; 2], f64)> = (0..random.random_range(6..22))
        .map(|_| {
            let seed = [0, 1].map(|a| centre[a] + radius[a] * between(-1.0, 1.0, random));
            (seed, between(0.0, 250.0, random) * px * px)
        })
        .collect();
    let mut regions: Vec<u16> = places
        .iter()
        .map(|&p| {
            if !in_ellipse(p, centre, radius) {
                return 0;
            }
            let far = |(seed, size): &([f64; 2], f64)| (p[0] - seed[0]).powi(2) + (p[1] - seed[1]).powi(2) - size;
            let nearest = cells.iter().enumerate().min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)));
            nearest.map_or(0, |(cell, _)| cell as u16 + 1)
        })
        .collect();
    let first = cells.len() as u16 + 1;
    for region in first..first + random.random_range(2..9) {
        let middle = [0, 1].map(|a| centre[a] + 0.8 * radius[a] * between(-1.0, 1.0, random));
        let long = between(3.0, 18.0, random) * px;
        let short = long * between(0.4, 1.0, random);
        let (sin, cos) = between(0.0, std::f64::consts::PI, random).sin_cos();
        for (at, p) in places.iter().enumerate() {
            let [y, x] = [p[0] - middle[0], p[1] - middle[1]];
            let turned = [y * cos + x * sin, x * cos - y * sin];
            if regions[at] != 0 && in_ellipse(turned, [0.0; 2], [long, short]) {
                regions[at] = region;
            }
        }
    }
    regions
}

fn between(low: f64, high: f64, random: &mut ChaCha8Rng) -> f64 {
    low + (high - low) * random.random::<f64>()
}

/// Smooth random waves of about unit variance: a cubic B-spline through normal numbers, `length` pixels apart.
fn waves(side: usize, length: f64, random: &mut ChaCha8Rng) -> Vec<f64> {
    let knots = (side as f64 / length).ceil() as usize + 4;
    let values: Vec<f64> = (0..knots * knots).map(|_| StandardNormal.sample(random)).collect();
    let shift = [(); 2].map(|()| random.random::<f64>());
    let taps: [Vec<(usize, [f64; 4])>; 2] = shift.map(|shift| {
        (0..side)
            .map(|i| {
                let at = i as f64 / length + shift;
                let t = at.fract();
                let weights = [
                    (1.0 - t).powi(3) / 6.0,
                    (3.0 * t.powi(3) - 6.0 * t * t + 4.0) / 6.0,
                    (-3.0 * t.powi(3) + 3.0 * t * t + 3.0 * t + 1.0) / 6.0,
                    t.powi(3) / 6.0,
                ];
                (at as usize, weights)
            })
            .collect()
    });
    // A spline through independent numbers varies less than they do: by the sum of its squared weights, on average 0.48 an axis.
    const GAIN: f64 = 2.08;
    let mut plane = Vec::with_capacity(side * side);
    for (row, down) in &taps[0] {
        for (column, across) in &taps[1] {
            let line = |y: usize| -> f64 { (0..4).map(|x| across[x] * values[(row + y) * knots + column + x]).sum() };
            plane.push(GAIN * (0..4).map(|y| down[y] * line(y)).sum::<f64>());
        }
    }
    plane
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_of;

    #[test]
    fn slices_have_a_body_with_regions_that_can_be_seen() {
        for seed in 0..20 {
            let (image, regions) = slice(128, &mut random_of(seed, 1));
            assert!(image.iter().all(|s| s.is_finite()));
            let inside = regions.iter().filter(|&&r| r != 0).count() as f64 / regions.len() as f64;
            assert!((0.2..0.8).contains(&inside), "{inside}");
            let mut found: Vec<u16> = regions.clone();
            found.sort_unstable();
            found.dedup();
            assert!(found.len() >= 6, "{found:?}");
            // Regions explain most of what varies.
            let (mut sums, mut counts) = (vec![0.0; 64], vec![0.0; 64]);
            for (&r, &s) in regions.iter().zip(&image) {
                sums[usize::from(r)] += f64::from(s);
                counts[usize::from(r)] += 1.0;
            }
            let explained: f64 = sums.iter().zip(&counts).filter(|(_, n)| **n > 0.0).map(|(s, n)| s * s / n).sum();
            assert!(explained / regions.len() as f64 > 0.3, "{explained}");
        }
    }

    #[test]
    fn waves_have_about_unit_variance() {
        let mut all = Vec::new();
        for seed in 0..30 {
            all.extend(waves(64, 8.0, &mut random_of(seed, 1)));
        }
        let variance = all.iter().map(|w| w * w).sum::<f64>() / all.len() as f64;
        assert!((0.8..1.25).contains(&variance), "{variance}");
    }

    #[test]
    fn a_slice_is_the_same_for_the_same_seed() {
        assert_eq!(slice(64, &mut random_of(3, 7)), slice(64, &mut random_of(3, 7)));
        assert_ne!(slice(64, &mut random_of(3, 7)).1, slice(64, &mut random_of(4, 7)).1);
    }
}
