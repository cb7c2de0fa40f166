//! Parts of an image: boxes, margins and slices. Every voxel that is kept stays where it was in the patient.

use std::ops::Range;

use crate::{Dimension, Error, Geometry, Image, LabelMap};

/// The box of `size` voxels that begins at voxel `start`, which may reach beyond the image: there the value is
/// `outside`.
///
/// # Errors
/// [`Error::Geometry`] for an empty or too large box, [`Error::OutOfMemory`].
pub fn window(image: &Image, start: [i64; 3], size: [usize; 3], outside: f32) -> Result<Image, Error> {
    let geometry = image.geometry().window(start, size)?;
    let samples = copy_box(image.samples(), image.channels(), image.geometry(), start, &geometry, outside)?;
    Ok(Image::from_parts(samples, image.channels(), geometry, image.stored()))
}

/// The box of a label map, as [`window`].
///
/// # Errors
/// As [`window`].
pub fn window_labels(labels: &LabelMap, start: [i64; 3], size: [usize; 3], outside: u16) -> Result<LabelMap, Error> {
    let geometry = labels.geometry().window(start, size)?;
    let cut = copy_box(labels.labels(), 1, labels.geometry(), start, &geometry, outside)?;
    let mut map = LabelMap::new(cut, geometry)?;
    map.legend_mut().clone_from(labels.legend());
    Ok(map)
}

/// The part of the image within ranges of voxels along x, y and z.
///
/// # Errors
/// [`Error::OutsideImage`] when a range is empty or ends beyond the image.
pub fn crop_to_box(image: &Image, ranges: [Range<usize>; 3]) -> Result<Image, Error> {
    let size = image.geometry().size();
    if ranges.iter().zip(size).any(|(range, n)| range.is_empty() || range.end > n) {
        return Err(Error::OutsideImage { what: format!("the box {ranges:?}"), size });
    }
    let start = std::array::from_fn(|a| ranges[a].start as i64);
    window(image, start, std::array::from_fn(|a| ranges[a].len()), 0.0)
}

/// The image without `before` voxels at the start and `after` voxels at the end of each axis.
///
/// # Errors
/// [`Error::OutsideImage`] when nothing would be left.
pub fn crop(image: &Image, before: [usize; 3], after: [usize; 3]) -> Result<Image, Error> {
    let size = image.geometry().size();
    crop_to_box(image, std::array::from_fn(|a| before[a]..size[a].saturating_sub(after[a])))
}

/// The image with `before` voxels of `value` more at the start and `after` at the end of each axis.
///
/// # Errors
/// As [`window`].
pub fn pad(image: &Image, before: [usize; 3], after: [usize; 3], value: f32) -> Result<Image, Error> {
    let size = image.geometry().size();
    // What saturates is too large for any image, and refused with the geometry.
    let padded = std::array::from_fn(|a| size[a].saturating_add(before[a]).saturating_add(after[a]));
    let start = before.map(|b| -i64::try_from(b).unwrap_or(i64::MAX));
    window(image, start, padded, value)
}

/// One slice of a volume across `axis` (0, 1 or 2 for x, y or z) as a 2-D image.
///
/// Its axes are the other two, in their order; its geometry keeps the place in the patient.
///
/// # Errors
/// [`Error::OutsideImage`] when there is no such axis or slice.
pub fn slice(image: &Image, axis: usize, index: usize) -> Result<Image, Error> {
    let geometry = slice_geometry(image.geometry(), axis, index)?;
    let n = image.geometry().len();
    let positions: Vec<usize> = slice_positions(image.geometry(), axis, index).collect();
    let samples = (0..image.channels()).flat_map(|c| positions.iter().map(move |p| image.samples()[c * n + p]));
    Ok(Image::from_parts(samples.collect(), image.channels(), geometry, image.stored()))
}

/// One slice of a label map, as [`slice()`].
///
/// # Errors
/// As [`slice()`].
pub fn slice_labels(labels: &LabelMap, axis: usize, index: usize) -> Result<LabelMap, Error> {
    let geometry = slice_geometry(labels.geometry(), axis, index)?;
    let cut = slice_positions(labels.geometry(), axis, index).map(|p| labels.labels()[p]).collect();
    let mut map = LabelMap::new(cut, geometry)?;
    map.legend_mut().clone_from(labels.legend());
    Ok(map)
}

/// Puts the labels of a slice, as [`slice()`] or [`slice_labels`] cuts it, into its place in the volume.
///
/// # Errors
/// [`Error::OutsideImage`] when there is no such axis or slice, [`Error::GeometryMismatch`] when the labels lie
/// elsewhere.
pub fn embed_slice(volume: &mut LabelMap, labels: &LabelMap, axis: usize, index: usize) -> Result<(), Error> {
    let geometry = volume.geometry().clone();
    slice_geometry(&geometry, axis, index)?.expect_same_space(labels.geometry())?;
    for (position, &label) in slice_positions(&geometry, axis, index).zip(labels.labels()) {
        volume.labels_mut()[position] = label;
    }
    Ok(())
}

/// The axes within a slice across the given one.
fn axes_within(axis: usize) -> [usize; 2] {
    match axis {
        0 => [1, 2],
        1 => [0, 2],
        _ => [0, 1],
    }
}

fn slice_geometry(volume: &Geometry, axis: usize, index: usize) -> Result<Geometry, Error> {
    let size = volume.size();
    if axis > 2 || index >= size[axis] {
        let across = ["x", "y", "z"].get(axis).map_or_else(|| format!("axis {axis}"), |name| (*name).to_owned());
        return Err(Error::OutsideImage { what: format!("slice {index} across {across}"), size });
    }
    let [a, b] = axes_within(axis);
    let order = [a, b, axis];
    let mut start = [0.0; 3];
    start[axis] = index as f64;
    let direction = volume.direction().map(|row| order.map(|o| row[o]));
    let spacing = order.map(|o| volume.spacing()[o]);
    let origin = volume.voxel_to_world(start);
    Ok(Geometry::from_parts(Dimension::Two, [size[a], size[b], 1], spacing, origin, direction)?)
}

/// Positions in the volume of the voxels of a slice, in the slice's order.
fn slice_positions(volume: &Geometry, axis: usize, index: usize) -> impl Iterator<Item = usize> + use<> {
    let strides = volume.grid().strides();
    let size = volume.size();
    let [a, b] = axes_within(axis);
    (0..size[b]).flat_map(move |j| (0..size[a]).map(move |i| i * strides[a] + j * strides[b] + index * strides[axis]))
}

/// Copies a box of voxels, row by row.
fn copy_box<T: Copy>(
    samples: &[T],
    channels: usize,
    from: &Geometry,
    start: [i64; 3],
    to: &Geometry,
    outside: T,
) -> Result<Vec<T>, Error> {
    crate::memory::plan("cutting out a box", (to.len() as u64).saturating_mul((channels * size_of::<T>()) as u64))?;
    let [nx, ny, nz] = to.size();
    let mut result = vec![outside; channels * to.len()];
    // The part of a row that lies within the image, in voxels of the box.
    let inside = |axis: usize| {
        let (first, n) = (i128::from(start[axis]), to.size()[axis] as i128);
        let low = (-first).clamp(0, n) as usize;
        let high = (from.size()[axis] as i128 - first).clamp(0, n) as usize;
        low..high.max(low)
    };
    let within = |axis: usize, voxel: usize| (start[axis] + voxel as i64) as usize;
    let columns = inside(0);
    if columns.is_empty() {
        return Ok(result);
    }
    for channel in 0..channels {
        for z in inside(2) {
            for y in inside(1) {
                let source = from.grid().index([within(0, columns.start), within(1, y), within(2, z)]);
                let source = channel * from.len() + source;
                let target = ((channel * nz + z) * ny + y) * nx;
                result[target + columns.start..target + columns.end]
                    .copy_from_slice(&samples[source..source + columns.len()]);
            }
        }
    }
    Ok(result)
}
