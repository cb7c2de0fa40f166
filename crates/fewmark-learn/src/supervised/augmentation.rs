//! How patches are varied from step to step, without changing what their labels say.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Variations of a patch. Each is drawn anew for every patch; 0 or `false` turns it off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Whether patches are mirrored along each axis, half of them. Turn this off where left and right have labels of their own.
    pub mirror: bool,
    /// Whether patches are turned by a multiple of 90 degrees in the x-y plane.
    pub quarter_turns: bool,
    /// Patches are turned by up to this many degrees in the x-y plane.
    pub rotation: f64,
    /// Patches are enlarged or shrunk by up to this share, evenly on a logarithmic scale.
    pub scale: f64,
    /// Standard deviation in voxels of the displacement of a coarse grid of control points, between which patches are deformed smoothly.
    pub elastic: f64,
    /// Voxels between two control points.
    pub elastic_spacing: f64,
    /// Samples are multiplied by up to this more or less, evenly on a logarithmic scale.
    pub gain: f64,
    /// Up to this is added to samples or taken from them.
    pub offset: f64,
    /// Samples are raised to a power of up to this more or less, evenly on a logarithmic scale.
    pub gamma: f64,
    /// Gain and offset vary by this share of themselves from channel to channel: stains and white balance.
    pub channels: f64,
    /// Standard deviation of the noise that is added.
    pub noise: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            mirror: true,
            quarter_turns: true,
            rotation: 45.0,
            scale: 0.2,
            elastic: 2.0,
            elastic_spacing: 32.0,
            gain: 0.15,
            offset: 0.1,
            gamma: 0.2,
            channels: 0.5,
            noise: 0.02,
        }
    }
}

impl Augmentation {
    /// What suits volumes, whose axes have a meaning and whose labels may tell left from right.
    pub fn volumes() -> Self {
        Self { mirror: false, quarter_turns: false, rotation: 15.0, ..Self::default() }
    }

    /// Patches as they are.
    pub const NONE: Self = Self {
        mirror: false,
        quarter_turns: false,
        rotation: 0.0,
        scale: 0.0,
        elastic: 0.0,
        elastic_spacing: 32.0,
        gain: 0.0,
        offset: 0.0,
        gamma: 0.0,
        channels: 0.0,
        noise: 0.0,
    };

    /// Whether every number is one that its setting can have.
    pub(super) fn check(&self) -> Result<(), Error> {
        let at_least_0 = [
            ("augmentation.rotation", self.rotation),
            ("augmentation.scale", self.scale),
            ("augmentation.elastic", self.elastic),
            ("augmentation.gain", self.gain),
            ("augmentation.offset", self.offset),
            ("augmentation.gamma", self.gamma),
            ("augmentation.channels", self.channels),
            ("augmentation.noise", self.noise),
        ];
        if let Some((name, x)) = at_least_0.into_iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            return Err(Error::Setting { name, found: x.to_string(), expected: "a number of at least 0" });
        }
        if !(self.elastic_spacing.is_finite() && self.elastic_spacing >= 1.0) {
            let found = self.elastic_spacing.to_string();
            return Err(Error::Setting { name: "augmentation.elastic_spacing", found, expected: "at least 1 voxel" });
        }
        Ok(())
    }

    /// Draws where the voxels of a patch of that many voxels (x, y, z) come from.
    pub(super) fn warp(&self, size: [usize; 3], random: &mut ChaCha8Rng) -> Warp {
        let flat = size[2] == 1;
        let mut signs = [1.0; 3];
        for sign in signs.iter_mut().take(if flat { 2 } else { 3 }) {
            if self.mirror && random.random() {
                *sign = -1.0;
            }
        }
        let turns = if self.quarter_turns { random.random_range(0..4) } else { 0 };
        let angle = f64::from(turns) * std::f64::consts::FRAC_PI_2 + even(self.rotation, random).to_radians();
        let scale = even((1.0 + self.scale).ln(), random).exp();
        // Exact for quarter turns, so that those alone move every sample to a voxel.
        let (sin, cos) = if self.rotation == 0.0 {
            [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)][turns as usize]
        } else {
            angle.sin_cos()
        };
        let matrix = [
            [cos * scale * signs[0], -sin * scale * signs[1], 0.0],
            [sin * scale * signs[0], cos * scale * signs[1], 0.0],
            [0.0, 0.0, scale * signs[2]],
        ];
        let matrix = if flat { [matrix[0], matrix[1], [0.0, 0.0, 1.0]] } else { matrix };
        let elastic = (self.elastic > 0.0).then(|| Elastic::draw(self, size, random));
        Warp { matrix, centre: size.map(|n| (n as f64 - 1.0) / 2.0), elastic }
    }

    /// Draws how samples change and changes those of a patch, `[channels, voxels]`.
    pub(super) fn vary(&self, samples: &mut [f32], channels: usize, random: &mut ChaCha8Rng) {
        let [gain, offset] = [even((1.0 + self.gain).ln(), random), even(self.offset, random)];
        let power = even((1.0 + self.gamma).ln(), random).exp() as f32;
        let noise = self.noise as f32;
        for channel in samples.chunks_exact_mut(samples.len() / channels) {
            let own = |most: f64, random: &mut ChaCha8Rng| even(most * self.channels, random);
            let gain = (gain + own((1.0 + self.gain).ln(), random)).exp() as f32;
            let offset = (offset + own(self.offset, random)) as f32;
            if power != 1.0 {
                channel.iter_mut().for_each(|s| *s = s.max(0.0).powf(power));
            }
            if gain != 1.0 || offset != 0.0 {
                channel.iter_mut().for_each(|s| *s = *s * gain + offset);
            }
            if noise > 0.0 {
                channel.iter_mut().for_each(|s| {
                    let normal: f32 = StandardNormal.sample(random);
                    *s += noise * normal;
                });
            }
        }
    }
}

/// A number drawn evenly from `-most..most`; nothing is drawn where it can only be 0.
fn even(most: f64, random: &mut ChaCha8Rng) -> f64 {
    if most == 0.0 { 0.0 } else { most * (2.0 * random.random::<f64>() - 1.0) }
}

/// Where the voxels of a patch come from.
pub(super) struct Warp {
    /// Applied to a voxel's place relative to the centre
    matrix: [[f64; 3]; 3],
    centre: [f64; 3],
    elastic: Option<Elastic>,
}

impl Warp {
    /// The place of a voxel of the patch, relative to the place of its centre, in voxels (x, y, z).
    pub(super) fn place(&self, voxel: [usize; 3]) -> [f64; 3] {
        let mut from: [f64; 3] = std::array::from_fn(|a| voxel[a] as f64 - self.centre[a]);
        if let Some(elastic) = &self.elastic {
            let displaced = elastic.at(voxel);
            from = std::array::from_fn(|a| from[a] + displaced[a]);
        }
        self.matrix.map(|row| row[0] * from[0] + row[1] * from[1] + row[2] * from[2])
    }
}

/// A smooth random displacement: a cubic B-spline between control points.
struct Elastic {
    spacing: f64,
    /// Control points (x, y, z)
    size: [usize; 3],
    /// Displacement of each, x fastest
    points: Vec<[f64; 3]>,
}

impl Elastic {
    fn draw(augmentation: &Augmentation, size: [usize; 3], random: &mut ChaCha8Rng) -> Self {
        let spacing = augmentation.elastic_spacing;
        let flat = size[2] == 1;
        let points = size.map(|n| if n == 1 { 1 } else { ((n - 1) as f64 / spacing) as usize + 4 });
        let draw = |random: &mut ChaCha8Rng| {
            std::array::from_fn(|a| {
                let normal: f64 = StandardNormal.sample(random);
                if flat && a == 2 { 0.0 } else { augmentation.elastic * normal }
            })
        };
        let count = points.iter().product();
        Self { spacing, size: points, points: (0..count).map(|_| draw(random)).collect() }
    }

    fn at(&self, voxel: [usize; 3]) -> [f64; 3] {
        let weights: [(usize, [f64; 4]); 3] = std::array::from_fn(|a| match self.size[a] {
            1 => (0, [1.0, 0.0, 0.0, 0.0]),
            _ => {
                let at = voxel[a] as f64 / self.spacing;
                (at as usize, spline(at.fract()))
            }
        });
        let taps = |a: usize| weights[a].1.into_iter().enumerate().filter(|(_, w)| *w != 0.0);
        let mut sum = [0.0; 3];
        for (k, wz) in taps(2) {
            for (j, wy) in taps(1) {
                for (i, wx) in taps(0) {
                    let [x, y, z] = [weights[0].0 + i, weights[1].0 + j, weights[2].0 + k];
                    let point = self.points[(z * self.size[1] + y) * self.size[0] + x];
                    sum = std::array::from_fn(|a| sum[a] + wx * wy * wz * point[a]);
                }
            }
        }
        sum
    }
}

/// The weights of four neighbouring control points, of the uniform cubic B-spline.
fn spline(t: f64) -> [f64; 4] {
    let s = 1.0 - t;
    [
        s * s * s / 6.0,
        (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
        (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0,
        t * t * t / 6.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_of;

    #[test]
    fn without_variations_every_voxel_stays() {
        let warp = Augmentation::NONE.warp([5, 4, 3], &mut random_of(0, 1));
        for voxel in [[0, 0, 0], [4, 3, 2], [2, 1, 1]] {
            assert_eq!(warp.place(voxel), [voxel[0] as f64 - 2.0, voxel[1] as f64 - 1.5, voxel[2] as f64 - 1.0]);
        }
        let mut samples = [0.0, 0.3, -0.1, 0.9];
        Augmentation::NONE.vary(&mut samples, 2, &mut random_of(0, 1));
        assert_eq!(samples, [0.0, 0.3, -0.1, 0.9]);
    }

    #[test]
    fn quarter_turns_and_mirrors_move_voxels_to_voxels() {
        let augmentation = Augmentation { mirror: true, quarter_turns: true, ..Augmentation::NONE };
        let mut seen = std::collections::BTreeSet::new();
        for iteration in 1..200 {
            let warp = augmentation.warp([4, 4, 1], &mut random_of(1, iteration));
            let places: Vec<_> = (0..16).map(|i| warp.place([i % 4, i / 4, 0]).map(|p| (2.0 * p) as i32)).collect();
            let mut sorted = places.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), 16);
            assert!(sorted.iter().all(|p| p[..2].iter().all(|p| [-3, -1, 1, 3].contains(p)) && p[2] == 0));
            seen.insert(places);
        }
        assert_eq!(seen.len(), 8, "the symmetries of a square");
    }

    #[test]
    fn a_spline_is_a_partition_of_unity_and_displacements_are_smooth() {
        for t in [0.0, 0.25, 0.7, 1.0] {
            assert!((spline(t).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let augmentation = Augmentation { elastic: 3.0, elastic_spacing: 8.0, ..Augmentation::NONE };
        let elastic = Elastic::draw(&augmentation, [40, 30, 1], &mut random_of(2, 1));
        let mut largest = 0.0f64;
        for y in 0..30 {
            for x in 0..39 {
                let (here, next) = (elastic.at([x, y, 0]), elastic.at([x + 1, y, 0]));
                assert_eq!(here[2], 0.0);
                largest = largest.max((here[0] - next[0]).abs());
            }
        }
        // The slope of the spline is at most half of the difference of control points two apart.
        assert!(largest > 0.05 && largest < 3.0, "{largest}");
    }
}
