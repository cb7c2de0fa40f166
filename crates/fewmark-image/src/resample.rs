//! The same image on another grid.
//!
//! World positions decide: a voxel of the new grid takes the value that the image has at the place of the voxel's
//! centre. As in ITK, the image reaches half a voxel beyond the centres of its outermost voxels, where it keeps their
//! value.

use rayon::prelude::*;

use crate::{Dimension, Error, Geometry, Image, LabelMap};

/// How values between voxel centres are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Weighted mean of the 8 voxels around (4 in 2-D).
    Linear,
    /// The value of the nearest voxel; half way between two, that of the higher index.
    Nearest,
}

/// Positions this close to a voxel centre, or to the border of the image, count as there (in voxels): the way
/// through world coordinates costs a few units in the last place.
const SNAP: f64 = 1e-6;

/// The image sampled at the voxels of another geometry; where the image does not reach, the value is `outside`.
///
/// A geometry equal to the image's own returns the image bit for bit.
///
/// # Errors
/// [`Error::OutOfMemory`] when the result would not fit.
pub fn resample_to(
    image: &Image,
    target: &Geometry,
    interpolation: Interpolation,
    outside: f32,
) -> Result<Image, Error> {
    resample_image(image, target, interpolation, Border::Value(outside))
}

/// The image sampled at the voxels of another geometry that covers about the same place; where the image does not reach, its outermost value goes on.
///
/// # Errors
/// As [`resample_to`].
pub fn resample_within(image: &Image, target: &Geometry, interpolation: Interpolation) -> Result<Image, Error> {
    resample_image(image, target, interpolation, Border::Clamp)
}

/// The image on a grid of the given spacing in mm along x, y and z, with the same axes and the same centre.
///
/// The size is that which fills the image's box best, `round(size * old / new)`, at least 1. Where the new grid reaches
/// beyond the box, by less than half a voxel, the outermost value is taken. The z spacing of a 2-D image stays.
///
/// # Errors
/// [`Error::Geometry`] when a spacing is not positive or the size would be too large; [`Error::OutOfMemory`].
pub fn resample_to_spacing(image: &Image, spacing: [f64; 3], interpolation: Interpolation) -> Result<Image, Error> {
    resample_image(image, &respaced(image.geometry(), spacing)?, interpolation, Border::Clamp)
}

/// The labels at the voxels of another geometry, each that of the nearest voxel; `outside` where the map does not
/// reach.
///
/// # Errors
/// As [`resample_to`].
pub fn resample_labels_to(labels: &LabelMap, target: &Geometry, outside: u16) -> Result<LabelMap, Error> {
    resample_labels(labels, target, Border::Value(outside))
}

/// The labels on a grid of the given spacing in mm, as [`resample_to_spacing`].
///
/// # Errors
/// As [`resample_to_spacing`].
pub fn resample_labels_to_spacing(labels: &LabelMap, spacing: [f64; 3]) -> Result<LabelMap, Error> {
    resample_labels(labels, &respaced(labels.geometry(), spacing)?, Border::Clamp)
}

fn respaced(from: &Geometry, mut spacing: [f64; 3]) -> Result<Geometry, Error> {
    if from.dimension() == Dimension::Two {
        spacing[2] = from.spacing()[2];
    }
    if spacing == from.spacing() {
        return Ok(from.clone());
    }
    let ratio: [f64; 3] = std::array::from_fn(|a| spacing[a] / from.spacing()[a]);
    // A spacing that is not positive makes a size that saturates here; it is refused with the geometry.
    let size: [usize; 3] = std::array::from_fn(|a| (from.size()[a] as f64 / ratio[a]).round().max(1.0) as usize);
    let first = std::array::from_fn(|a| (from.size()[a] as f64 - 1.0 - ratio[a] * (size[a] as f64 - 1.0)) / 2.0);
    let origin = from.voxel_to_world(first);
    Ok(Geometry::from_parts(from.dimension(), size, spacing, origin, from.direction())?)
}

fn resample_image(
    image: &Image,
    target: &Geometry,
    interpolation: Interpolation,
    border: Border<f32>,
) -> Result<Image, Error> {
    if image.geometry() == target {
        return Ok(image.clone());
    }
    let samples = sample(image.samples(), image.channels(), image.geometry(), target, border, interpolation)?;
    Ok(Image::from_parts(samples, image.channels(), target.clone(), image.stored()))
}

fn resample_labels(labels: &LabelMap, target: &Geometry, border: Border<u16>) -> Result<LabelMap, Error> {
    if labels.geometry() == target {
        return Ok(labels.clone());
    }
    let sampled = sample(labels.labels(), 1, labels.geometry(), target, border, Interpolation::Nearest)?;
    let mut map = LabelMap::new(sampled, target.clone())?;
    map.legend_mut().clone_from(labels.legend());
    Ok(map)
}

/// What lies beyond an image.
#[derive(Clone, Copy)]
enum Border<T> {
    Value(T),
    /// The nearest voxel of the border.
    Clamp,
}

/// A sample that can be mixed.
trait Sample: Copy + Default + Send + Sync + Into<f64> {
    fn from_f64(value: f64) -> Self;
}

impl Sample for f32 {
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Sample for u16 {
    fn from_f64(value: f64) -> Self {
        value as u16
    }
}

fn sample<T: Sample>(
    samples: &[T],
    channels: usize,
    from: &Geometry,
    to: &Geometry,
    border: Border<T>,
    interpolation: Interpolation,
) -> Result<Vec<T>, Error> {
    let need = (to.len() as u64).saturating_mul((channels * size_of::<T>()) as u64);
    crate::memory::plan("resampling", need)?;
    let clamp = matches!(border, Border::Clamp);
    let source = Source { size: from.size(), strides: from.grid().strides(), clamp, interpolation };
    let positions = Positions::new(from, to, &source);
    let outside = match border {
        Border::Value(value) => value,
        Border::Clamp => T::default(),
    };
    let [nx, ny, nz] = to.size();
    let mut result = vec![outside; channels * to.len()];
    result.par_chunks_mut(nx).enumerate().for_each(|(row, values)| {
        let (y, z, channel) = (row % ny, row / ny % nz, row / (ny * nz));
        let field = &samples[channel * from.len()..(channel + 1) * from.len()];
        for (x, value) in values.iter_mut().enumerate() {
            if let Some(taps) = positions.taps([x, y, z], &source) {
                *value = mix(field, &taps);
            }
        }
    });
    Ok(result)
}

/// What is known of the image that is sampled.
struct Source {
    size: [usize; 3],
    strides: [usize; 3],
    clamp: bool,
    interpolation: Interpolation,
}

/// Along one axis of the image: a voxel, the next one's distance in samples, and the next one's weight.
#[derive(Clone, Copy)]
struct Tap {
    offset: usize,
    step: usize,
    weight: f64,
}

impl Source {
    /// The tap for a position along an axis; `None` outside.
    ///
    /// Conversions to integers take the place of `floor` and `round`, which are calls on processors of the baseline.
    fn tap(&self, axis: usize, position: f64) -> Option<Tap> {
        let last = self.size[axis] - 1;
        let inside = position >= -0.5 - SNAP && position < last as f64 + 0.5 + SNAP;
        if !inside && !self.clamp {
            return None;
        }
        let position = position.clamp(0.0, last as f64);
        let (voxel, weight) = match self.interpolation {
            Interpolation::Nearest => ((position + 0.5 + SNAP) as usize, 0.0),
            Interpolation::Linear => {
                let below = position as usize;
                match position - below as f64 {
                    weight if weight < SNAP => (below, 0.0),
                    weight if weight > 1.0 - SNAP => (below + 1, 0.0),
                    weight => (below, weight),
                }
            }
        };
        Some(Tap { offset: voxel.min(last) * self.strides[axis], step: self.strides[axis], weight })
    }
}

/// Where the voxels of the new grid lie in the image.
enum Positions {
    /// Each axis of the image runs along one axis of the new grid: the taps are known in advance for each.
    Aligned { axes: [usize; 3], taps: [Vec<Option<Tap>>; 3] },
    /// `position = matrix * (x, y, z, 1)`.
    General { matrix: [[f64; 4]; 3] },
}

impl Positions {
    fn new(from: &Geometry, to: &Geometry, source: &Source) -> Self {
        let matrix = voxel_to_voxel(from, to);
        match aligned_axes(&matrix, to.size()) {
            None => Self::General { matrix },
            Some(axes) => {
                let taps = std::array::from_fn(|a| {
                    let t = axes[a];
                    (0..to.size()[t]).map(|i| source.tap(a, matrix[a][t] * i as f64 + matrix[a][3])).collect()
                });
                Self::Aligned { axes, taps }
            }
        }
    }

    fn taps(&self, voxel: [usize; 3], source: &Source) -> Option<[Tap; 3]> {
        match self {
            Self::Aligned { axes, taps } => {
                Some([taps[0][voxel[axes[0]]]?, taps[1][voxel[axes[1]]]?, taps[2][voxel[axes[2]]]?])
            }
            Self::General { matrix } => {
                let [x, y, z] = voxel.map(|v| v as f64);
                let at = |a: usize| matrix[a][0] * x + matrix[a][1] * y + matrix[a][2] * z + matrix[a][3];
                Some([source.tap(0, at(0))?, source.tap(1, at(1))?, source.tap(2, at(2))?])
            }
        }
    }
}

/// The matrix from voxels of `to` to voxel positions in `from`.
fn voxel_to_voxel(from: &Geometry, to: &Geometry) -> [[f64; 4]; 3] {
    let position = |voxel| from.world_to_voxel(to.voxel_to_world(voxel));
    let origin = position([0.0; 3]);
    let columns: [[f64; 3]; 3] = std::array::from_fn(|c| {
        // A step as long as the grid keeps rounding errors of the difference small at its far end.
        let length = to.size()[c].max(2) as f64;
        let mut far = [0.0; 3];
        far[c] = length;
        let far = position(far);
        std::array::from_fn(|a| (far[a] - origin[a]) / length)
    });
    std::array::from_fn(|a| [columns[0][a], columns[1][a], columns[2][a], origin[a]])
}

/// The axis of the new grid along which each axis of the image runs, when no other moves it by as much as [`SNAP`].
fn aligned_axes(matrix: &[[f64; 4]; 3], size: [usize; 3]) -> Option<[usize; 3]> {
    let mut axes = [0; 3];
    for (row, axis) in matrix.iter().zip(&mut axes) {
        let reach = |t: usize| row[t].abs() * size[t] as f64;
        *axis = (0..3).max_by(|&a, &b| row[a].abs().total_cmp(&row[b].abs()))?;
        if (0..3).any(|t| t != *axis && reach(t) > SNAP) {
            return None;
        }
    }
    Some(axes)
}

/// The weighted mean of up to 8 samples; those of weight 0 are not looked at, so that what is not finite does not
/// spread.
fn mix<T: Sample>(field: &[T], [x, y, z]: &[Tap; 3]) -> T {
    let base = x.offset + y.offset + z.offset;
    if x.weight == 0.0 && y.weight == 0.0 && z.weight == 0.0 {
        return field[base];
    }
    let along_x = |at: usize| between(x, at, |i| field[i].into());
    let along_y = |at: usize| between(y, at, along_x);
    T::from_f64(between(z, base, along_y))
}

fn between(tap: &Tap, at: usize, value: impl Fn(usize) -> f64) -> f64 {
    match tap.weight {
        0.0 => value(at),
        w => value(at) * (1.0 - w) + value(at + tap.step) * w,
    }
}
