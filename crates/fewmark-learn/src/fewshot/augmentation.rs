//! How slices are varied (Ouyang and others 2020, section 3.3; the numbers are those of its code).

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Variations of a slice and its mask. Each is drawn anew; 0 turns it off.
///
/// An affine map and an elastic deformation, read in one linear interpolation, and a power of the intensities. Lengths are in pixels
/// of the encoder's grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Turned by up to this many degrees about the centre.
    pub rotation: f64,
    /// Moved by up to this many pixels along each axis.
    pub translation: f64,
    /// Sheared by up to this many degrees.
    pub shear: f64,
    /// Enlarged by a factor from this range about the centre.
    pub zoom: [f64; 2],
    /// Factor of the smoothed uniform noise by which pixels are displaced, in pixels.
    pub elastic: f64,
    /// Standard deviation of the Gaussian that smooths it, in pixels.
    pub elastic_sigma: f64,
    /// Range of the power of the intensities.
    pub gamma: [f64; 2],
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            rotation: 5.0,
            translation: 5.0,
            shear: 5.0,
            zoom: [0.9, 1.2],
            elastic: 10.0,
            elastic_sigma: 5.0,
            gamma: [0.5, 1.5],
        }
    }
}

/// Largest standard deviation of a Gaussian in pixels; no square needs more.
const MOST_SIGMA: f64 = 1000.0;

/// Added to ranges of intensities, as in the paper's code.
const TINY: f32 = 1e-5;

impl Augmentation {
    /// Slices as they are.
    pub const NONE: Self = Self {
        rotation: 0.0,
        translation: 0.0,
        shear: 0.0,
        zoom: [1.0, 1.0],
        elastic: 0.0,
        elastic_sigma: 5.0,
        gamma: [1.0, 1.0],
    };

    /// Whether every number is one that its setting can have.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (name, x) in [
            ("augmentation.rotation", self.rotation),
            ("augmentation.translation", self.translation),
            ("augmentation.shear", self.shear),
            ("augmentation.elastic", self.elastic),
        ] {
            if !(x.is_finite() && x >= 0.0) {
                return Err(Error::Setting { name, found: x.to_string(), expected: "a number of at least 0" });
            }
        }
        for (name, [low, high]) in [("augmentation.zoom", self.zoom), ("augmentation.gamma", self.gamma)] {
            if !(low > 0.0 && low <= high && high.is_finite()) {
                let found = format!("[{low}, {high}]");
                return Err(Error::Setting { name, found, expected: "two positive numbers, the lower one first" });
            }
        }
        if !(self.elastic_sigma > 0.0 && self.elastic_sigma <= MOST_SIGMA) {
            let (name, found) = ("augmentation.elastic_sigma", self.elastic_sigma.to_string());
            return Err(Error::Setting { name, found, expected: "a positive number, no more than 1000 pixels" });
        }
        Ok(())
    }

    /// A slice and its mask of `side` x `side` pixels, varied alike; the mask holds 0 and 1.
    pub(super) fn vary(&self, image: &[f32], mask: &[f32], side: usize, random: &mut ChaCha8Rng) -> [Vec<f32>; 2] {
        let places = self.places(side, random);
        let mut image = sample(image, side, &places);
        let mask = sample(mask, side, &places).into_iter().map(|share| f32::from(u8::from(share > 0.5))).collect();
        let power = from(self.gamma, random) as f32;
        if power != 1.0 {
            let (low, high) = image.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &s| (l.min(s), h.max(s)));
            let range = high - low + TINY;
            image.iter_mut().for_each(|s| *s = range * ((*s - low + TINY) / range).powf(power) + low);
        }
        [image, mask]
    }

    /// Where each pixel comes from, (x, y).
    fn places(&self, side: usize, random: &mut ChaCha8Rng) -> Vec<[f64; 2]> {
        let even = |most: f64, random: &mut ChaCha8Rng| most * (2.0 * random.random::<f64>() - 1.0);
        let turn = Turn {
            angle: even(self.rotation, random).to_radians(),
            moved: [even(self.translation, random), even(self.translation, random)],
            shear: even(self.shear, random).to_radians(),
            zoom: from(self.zoom, random),
        };
        let from = turn.about_the_middle_of(side).inverse();
        let displaced = (self.elastic > 0.0).then(|| {
            let mut field = || {
                let noise = (0..side * side).map(|_| (2.0 * random.random::<f64>() - 1.0) as f32).collect();
                smooth(noise, side, self.elastic_sigma)
            };
            [field(), field()]
        });
        (0..side * side)
            .map(|pixel| {
                let mut at = [(pixel % side) as f64, (pixel / side) as f64];
                if let Some(fields) = &displaced {
                    at = [0, 1].map(|a| at[a] + self.elastic * f64::from(fields[a][pixel]));
                }
                from.apply(at)
            })
            .collect()
    }
}

/// What an affine map is made of; angles in radians, lengths in pixels.
struct Turn {
    angle: f64,
    moved: [f64; 2],
    shear: f64,
    zoom: f64,
}

impl Turn {
    /// The map of a square: rotation, translation, shear and zoom, one after the other.
    fn about_the_middle_of(&self, side: usize) -> Affine {
        let centre = (side / 2) as f64;
        let about = |m: [[f64; 2]; 2]| Affine { m, t: [0, 1].map(|a| centre - m[a][0] * centre - m[a][1] * centre) };
        let (sin, cos) = self.angle.sin_cos();
        let rotation = about([[cos, -sin], [sin, cos]]);
        let translation = Affine { m: [[1.0, 0.0], [0.0, 1.0]], t: self.moved };
        // About the corner, not the centre, as in the paper's code.
        let shear = Affine { m: [[1.0, -self.shear.sin()], [0.0, self.shear.cos()]], t: [0.0; 2] };
        let zoom = about([[self.zoom, 0.0], [0.0, self.zoom]]);
        rotation.then(&translation).then(&shear).then(&zoom)
    }
}

/// A number from a range.
fn from([low, high]: [f64; 2], random: &mut ChaCha8Rng) -> f64 {
    low + (high - low) * random.random::<f64>()
}

/// `m p + t` of a place `p`.
struct Affine {
    m: [[f64; 2]; 2],
    t: [f64; 2],
}

impl Affine {
    fn apply(&self, p: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|a| self.m[a][0] * p[0] + self.m[a][1] * p[1] + self.t[a])
    }

    /// This map and then another.
    fn then(&self, next: &Self) -> Self {
        let m = [0, 1].map(|a| [0, 1].map(|b| next.m[a][0] * self.m[0][b] + next.m[a][1] * self.m[1][b]));
        Self { m, t: next.apply(self.t) }
    }

    fn inverse(&self) -> Self {
        let [[a, b], [c, d]] = self.m;
        let determinant = a * d - b * c;
        let m = [[d / determinant, -b / determinant], [-c / determinant, a / determinant]];
        let linear = Self { m, t: [0.0; 2] };
        Self { m, t: linear.apply(self.t).map(|t| -t) }
    }
}

/// The samples of a square at some places, linear between pixels; 0 outside.
fn sample(plane: &[f32], side: usize, places: &[[f64; 2]]) -> Vec<f32> {
    let inside = |at: f64| (0.0..side as f64).contains(&at);
    places
        .iter()
        .map(|&[x, y]| {
            let (left, top) = (x.floor(), y.floor());
            let (right, below) = ((x - left) as f32, (y - top) as f32);
            let mut sum = 0.0;
            for (column, across) in [(left, 1.0 - right), (left + 1.0, right)] {
                for (row, down) in [(top, 1.0 - below), (top + 1.0, below)] {
                    if inside(column) && inside(row) {
                        sum += across * down * plane[row as usize * side + column as usize];
                    }
                }
            }
            sum
        })
        .collect()
}

/// A square smoothed with a Gaussian that is cut off at two standard deviations; beyond the border it is mirrored.
pub(super) fn smooth(plane: Vec<f32>, side: usize, sigma: f64) -> Vec<f32> {
    let radius = (2.0 * sigma) as i64;
    let kernel: Vec<f32> = (-radius..=radius).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp() as f32).collect();
    let sum: f32 = kernel.iter().sum();
    let mirrored = |i: i64| -> usize {
        let last = side as i64 - 1;
        if last == 0 {
            return 0;
        }
        let i = i.rem_euclid(2 * last);
        (if i > last { 2 * last - i } else { i }) as usize
    };
    let around: Vec<usize> = (-radius..side as i64 + radius).map(mirrored).collect();
    // Each pass smooths along rows and turns rows to columns.
    let pass = |plane: &[f32]| {
        let (mut turned, mut continued, mut sums) = (vec![0.0; plane.len()], vec![0.0; around.len()], vec![0.0; side]);
        for (row, line) in plane.chunks_exact(side).enumerate() {
            continued.iter_mut().zip(&around).for_each(|(x, &from)| *x = line[from]);
            sums.fill(0.0_f32);
            for (tap, k) in kernel.iter().enumerate() {
                sums.iter_mut().zip(&continued[tap..]).for_each(|(sum, x)| *sum += k * x);
            }
            sums.iter().enumerate().for_each(|(column, weighted)| turned[column * side + row] = weighted / sum);
        }
        turned
    };
    pass(&pass(&plane))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_of;

    fn slice(side: usize) -> Vec<f32> {
        (0..side * side).map(|i| ((i % side) as f32 * 0.3).sin() + ((i / side) as f32 * 0.2).cos()).collect()
    }

    fn disc(side: usize) -> Vec<f32> {
        let far = |i: usize| (i as f32 - side as f32 / 2.0).powi(2);
        (0..side * side).map(|i| f32::from(u8::from(far(i % side) + far(i / side) < 120.0))).collect()
    }

    #[test]
    fn without_ranges_nothing_changes() {
        let [image, mask] = Augmentation::NONE.vary(&slice(32), &disc(32), 32, &mut random_of(0, 1));
        assert!(image.iter().zip(slice(32)).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(mask, disc(32));
    }

    #[test]
    fn a_mask_is_varied_as_its_image_and_stays_a_mask() {
        for seed in 0..20 {
            let varied = Augmentation { gamma: Augmentation::NONE.gamma, ..Augmentation::default() };
            let [image, mask] = varied.vary(&disc(64), &disc(64), 64, &mut random_of(seed, 1));
            assert!(mask.iter().all(|&m| m == 0.0 || m == 1.0));
            let both = image.iter().zip(&mask).filter(|(i, m)| (**i > 0.5) == (**m == 1.0)).count();
            assert_eq!(both, 64 * 64);
            assert_ne!(mask, disc(64));
        }
    }

    #[test]
    fn a_power_keeps_the_range() {
        let image = slice(32);
        let brightness = Augmentation { gamma: Augmentation::default().gamma, ..Augmentation::NONE };
        let [varied, _] = brightness.vary(&image, &disc(32), 32, &mut random_of(4, 1));
        let range = |x: &[f32]| x.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[l, h], &s| [l.min(s), h.max(s)]);
        let (before, after) = (range(&image), range(&varied));
        assert!((before[0] - after[0]).abs() < 0.02 && (before[1] - after[1]).abs() < 1e-3, "{before:?} {after:?}");
        assert_ne!(image, varied);
    }

    #[test]
    fn a_map_and_its_inverse_are_nothing() {
        let map = Affine { m: [[1.2, -0.3], [0.4, 0.8]], t: [5.0, -2.0] };
        let both = map.then(&map.inverse());
        for p in [[0.0, 0.0], [3.0, -7.0]] {
            let q = both.apply(p);
            assert!((0..2).all(|a| (p[a] - q[a]).abs() < 1e-12));
        }
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        side: usize,
        angle: f64,
        moved: [f64; 2],
        shear: f64,
        zoom: f64,
        alpha: f64,
        sigma: f64,
        image: Vec<f32>,
        warped: Vec<f32>,
        noise: Vec<f32>,
        smooth: Vec<f32>,
        elastic: Vec<f32>,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../tests/golden/augmentation.json")).unwrap()
    }

    fn grid(side: usize) -> impl Iterator<Item = [f64; 2]> {
        (0..side * side).map(move |pixel| [(pixel % side) as f64, (pixel / side) as f64])
    }

    #[test]
    fn affine_maps_are_those_of_opencv() {
        let golden = golden();
        let Golden { moved, zoom, .. } = golden;
        let turn = Turn { angle: golden.angle.to_radians(), moved, shear: golden.shear.to_radians(), zoom };
        let from = turn.about_the_middle_of(golden.side).inverse();
        let places: Vec<_> = grid(golden.side).map(|p| from.apply(p)).collect();
        let ours = sample(&golden.image, golden.side, &places);
        // The image's range is 2, and OpenCV reads at multiples of 1/32 pixel.
        let most = ours.iter().zip(&golden.warped).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 0.04, "{most}");
    }

    #[test]
    fn elastic_maps_are_those_of_opencv_and_scipy() {
        let Golden { side, alpha, sigma, image, noise, smooth, elastic, .. } = golden();
        let count = side * side;
        let fields: Vec<Vec<f32>> =
            noise.chunks_exact(count).map(|field| super::smooth(field.to_vec(), side, sigma)).collect();
        for (ours, theirs) in fields.concat().iter().zip(&smooth) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
        let displaced = |(pixel, [x, y]): (usize, [f64; 2])| {
            [x + alpha * f64::from(fields[0][pixel]), y + alpha * f64::from(fields[1][pixel])]
        };
        let places: Vec<_> = grid(side).enumerate().map(displaced).collect();
        let ours = sample(&image, side, &places);
        // Beyond the border SciPy mirrors the image, ours is 0 there.
        let inside = |at: f64| (0.0..=(side - 1) as f64).contains(&at);
        let compared: Vec<usize> = (0..count).filter(|&i| places[i].iter().all(|&at| inside(at))).collect();
        assert!(compared.len() > count / 2);
        for i in compared {
            assert!((ours[i] - elastic[i]).abs() < 1e-5, "pixel {i}: {} {}", ours[i], elastic[i]);
        }
    }
}
