//! A chest phantom: an image whose truth is known, for demonstrations and tests.
//!
//! Two lungs in soft tissue with vessels and nodules, a spine, air around the body, a smooth bias field and noise, in
//! Hounsfield units.

use fewmark_image::{Dimension, Geometry, Image, Label, LabelMap};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::Error;

/// Label of the patient's left lung in the phantom's truth.
pub const LEFT_LUNG: u16 = 1;
/// Label of the patient's right lung in the phantom's truth.
pub const RIGHT_LUNG: u16 = 2;

const AIR: f32 = -1000.0;
const LUNG: f32 = -820.0;
const TISSUE: f32 = 40.0;
const VESSEL: f32 = -120.0;
const BONE: f32 = 500.0;
/// Standard deviation of the noise in HU.
const NOISE: f32 = 60.0;
/// Amplitude of the bias field in HU.
const BIAS: f32 = 60.0;

/// A phantom and its truth.
#[derive(Clone, Debug)]
pub struct Phantom {
    /// The image in HU.
    pub image: Image,
    /// Its lungs, nodules and vessels included: [`LEFT_LUNG`] and [`RIGHT_LUNG`].
    pub truth: LabelMap,
}

/// A ball or ellipsoid in units of the field of view, -1 to 1 along each axis.
#[derive(Clone, Copy)]
struct Ellipsoid {
    center: [f32; 3],
    radius: [f32; 3],
}

impl Ellipsoid {
    fn contains(&self, p: [f32; 3]) -> bool {
        (0..3).map(|a| ((p[a] - self.center[a]) / self.radius[a]).powi(2)).sum::<f32>() <= 1.0
    }
}

/// A chest phantom of `size` voxels: a slice when `size[2]` is 1, a volume otherwise, 360 mm wide and deep, 300 mm high.
///
/// Axes are LPS as a scanner stores them. The same seed gives the same samples.
///
/// # Errors
/// [`fewmark_image::Error::Geometry`] for an empty size.
pub fn chest(size: [usize; 3], seed: u64) -> Result<Phantom, Error> {
    let dimension = if size[2] == 1 { Dimension::Two } else { Dimension::Three };
    let height = if size[2] == 1 { 1.0 } else { 300.0 / size[2] as f64 };
    let spacing = [360.0 / size[0] as f64, 360.0 / size[1] as f64, height];
    let direction = [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]];
    let geometry = Geometry::from_parts(dimension, size, spacing, [180.0, 180.0, -150.0], direction)
        .map_err(fewmark_image::Error::from)?;

    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let anatomy = Anatomy::new(&mut random);
    let grid = geometry.grid();
    let mut samples = Vec::with_capacity(grid.len());
    let mut labels = Vec::with_capacity(grid.len());
    for i in 0..grid.len() {
        let voxel = grid.voxel(i);
        let p =
            std::array::from_fn(
                |a| {
                    if size[a] == 1 { 0.0 } else { (voxel[a] as f32 + 0.5) / size[a] as f32 * 2.0 - 1.0 }
                },
            );
        let (sample, label) = anatomy.at(p);
        let bias = BIAS * ((1.3 * p[0] + 0.4).sin() + (1.1 * p[1] - 0.7 * p[2]).cos() - 1.0);
        samples.push(sample + bias + NOISE * normal(&mut random));
        labels.push(label);
    }
    let image = Image::new(samples, 1, geometry.clone())?;
    let mut truth = LabelMap::new(labels, geometry)?;
    truth.legend_mut().insert(LEFT_LUNG, Label { name: "left lung".into(), color: [255, 196, 0] });
    truth.legend_mut().insert(RIGHT_LUNG, Label { name: "right lung".into(), color: [0, 190, 255] });
    Ok(Phantom { image, truth })
}

struct Anatomy {
    body: Ellipsoid,
    /// In LPS the patient's left is at positive x.
    left: Ellipsoid,
    right: Ellipsoid,
    heart: Ellipsoid,
    spine: Ellipsoid,
    vessels: Vec<Ellipsoid>,
    nodules: Vec<Ellipsoid>,
}

impl Anatomy {
    fn new(random: &mut ChaCha8Rng) -> Self {
        let lung = |x: f32| Ellipsoid { center: [x, -0.05, 0.0], radius: [0.30, 0.50, 0.85] };
        let (left, right) = (lung(0.42), lung(-0.42));
        let mut scattered = |count: usize, sizes: std::ops::Range<f32>| -> Vec<Ellipsoid> {
            (0..count)
                .map(|i| {
                    let home = if i % 2 == 0 { left } else { right };
                    // Every second one crosses the plane of the 2-D phantom.
                    let z = if i % 4 < 2 { 0.0 } else { random.random_range(-0.6..0.6) };
                    let center = [
                        home.center[0] + home.radius[0] * random.random_range(-0.7..0.7),
                        home.center[1] + home.radius[1] * random.random_range(-0.7..0.7),
                        z,
                    ];
                    Ellipsoid { center, radius: [random.random_range(sizes.clone()); 3] }
                })
                .collect()
        };
        Self {
            body: Ellipsoid { center: [0.0, 0.0, 0.0], radius: [0.93, 0.72, 4.0] },
            left,
            right,
            heart: Ellipsoid { center: [0.10, -0.22, -0.3], radius: [0.26, 0.24, 0.4] },
            spine: Ellipsoid { center: [0.0, 0.45, 0.0], radius: [0.11, 0.12, 4.0] },
            vessels: scattered(48, 0.008..0.02),
            nodules: scattered(8, 0.03..0.05),
        }
    }

    /// Intensity in HU and label at a point.
    fn at(&self, p: [f32; 3]) -> (f32, u16) {
        if !self.body.contains(p) {
            return (AIR, 0);
        }
        if self.spine.contains(p) {
            return (BONE, 0);
        }
        let label = match (self.left.contains(p), self.right.contains(p)) {
            _ if self.heart.contains(p) => 0,
            (true, _) => LEFT_LUNG,
            (_, true) => RIGHT_LUNG,
            _ => 0,
        };
        let within = |list: &[Ellipsoid]| list.iter().any(|e| e.contains(p));
        let sample = match label {
            0 => TISSUE,
            _ if within(&self.nodules) => TISSUE,
            _ if within(&self.vessels) => VESSEL,
            _ => LUNG,
        };
        (sample, label)
    }
}

/// A standard normal number (Box and Muller).
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_and_a_volume_have_two_lungs_of_lung_density() {
        for size in [[96, 96, 1], [48, 48, 24]] {
            let Phantom { image, truth } = chest(size, 1).unwrap();
            assert_eq!(truth.present(), [LEFT_LUNG, RIGHT_LUNG]);
            let mask = truth.mask(LEFT_LUNG);
            let lung: Vec<f32> = image.samples().iter().zip(&mask).filter(|(_, m)| **m).map(|(s, _)| *s).collect();
            let mean = lung.iter().sum::<f32>() / lung.len() as f32;
            assert!((-850.0..-650.0).contains(&mean), "mean {mean} HU over {} voxels", lung.len());
            // The left lung lies at the patient's left: at negative world x in RAS+.
            let first = mask.iter().position(|m| *m).unwrap();
            let world = truth.geometry().voxel_to_world(truth.geometry().grid().voxel(first).map(|v| v as f64));
            assert!(world[0] < 0.0);
        }
    }

    #[test]
    fn a_seed_names_a_phantom() {
        let samples = |seed| chest([32, 32, 1], seed).unwrap().image.samples().to_vec();
        assert_eq!(samples(7), samples(7));
        assert_ne!(samples(7), samples(8));
    }
}
