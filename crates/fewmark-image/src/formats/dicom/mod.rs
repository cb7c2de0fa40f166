//! DICOM: one file, or the files of a series as one volume.
//!
//! * World axes are turned from LPS to RAS+. A file with position, orientation and pixel spacing is a volume even if it
//!   has one slice (spacing along z: `SpacingBetweenSlices`, else `SliceThickness`, else 1 mm); one without is a 2-D
//!   image.
//! * Samples are values after `RescaleSlope` and `RescaleIntercept`, taken from each file or frame. `MONOCHROME1`
//!   samples are not inverted. Colours become three channels; palettes are applied, YCbCr is converted to RGB.
//! * The frames of one file, and the files of a series, are sorted along the normal of the slices and must be evenly
//!   spaced.
//! * What a file says before its samples, as a tree of attributes, and its frames as they are stored are read by
//!   themselves: `header` and `frames`, for programs that ask for them over a network.
//! * Not read: JPEG-LS, high-throughput JPEG 2000, 12-bit lossy JPEG, segmentation objects of 1 bit, float pixel data.

mod attributes;
mod charset;
mod codec;
mod cursor;
mod dataset;
mod frames;
mod header;
mod pixels;
mod placement;
mod series;
mod slice;

use rayon::prelude::*;

use self::dataset::Part10;
use self::pixels::Pixels;
use self::placement::{Misplaced, arrange, flat, stack};
use self::slice::{Header, Layout, Plane};
use crate::formats::check_memory;
use crate::{DecodeError, Format, Geometry, Image, SampleType};

pub use self::attributes::{Attribute, Value, tag_named};
pub use self::frames::{Frames, read_frames};
pub use self::header::{FileHeader, read_header};
pub(crate) use self::series::{holds_dicom, holds_series, read_files, read_folder};

/// Decodes one file, whose frames are the slices of a volume.
pub(crate) fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    let file = Part10::open(bytes)?;
    let set = file.data_set()?;
    let Header { layout, planes, .. } = Header::parse(&set)?;
    let pixels = Pixels::find(&set, layout, &file.syntax)?;
    let frame = (layout.pixels() * layout.channels() * size_of::<f32>()) as u64;
    check_memory(Format::Dicom, (layout.frames as u64).saturating_mul(frame))?;
    let (order, geometry) = place(&layout, &planes)?;
    assemble(&[layout], geometry, |z, channels| {
        let frame = order.get(z).copied().unwrap_or(z);
        let plane = planes.get(frame).unwrap_or(&planes[0]);
        pixels.decode_frame(frame, plane.rescale, channels)
    })
}

/// The order of the frames, empty where it is the file's own, and the geometry of the volume.
fn place(layout: &Layout, planes: &[Plane]) -> Result<(Vec<usize>, Geometry), DecodeError> {
    let placed = match planes {
        [one] if layout.frames == 1 && !one.is_placed() => flat(layout, one).map(|g| (Vec::new(), g)),
        [shared] if layout.frames > 1 => stack(layout, shared).map(|g| (Vec::new(), g)),
        planes => arrange(layout, planes).map(|v| (v.order, v.geometry)),
    };
    placed.map_err(|error| {
        let what = match error {
            Misplaced::Geometry(source) => return DecodeError::Geometry { format: Format::Dicom, source },
            Misplaced::Missing { field, .. } => format!("several frames without {field} (a cine loop)"),
            Misplaced::Inconsistent { field, .. } => format!("frames that differ in {field}"),
            Misplaced::Duplicate { .. } => "several frames at one position (a time series or several echoes)".into(),
            Misplaced::Uneven { usual, gaps } => {
                format!("unevenly spaced frames (the usual distance is {usual:.3} mm, but {gaps})")
            }
        };
        DecodeError::Unsupported {
            format: Format::Dicom,
            what,
            hint: "split it into volumes first, for example with dcm2niix",
        }
    })
}

/// Decodes the slices in parallel, each into its place in the volume.
///
/// `decode` gets the number of the slice and one field of pixels a channel; `layouts` are those of the files.
fn assemble<E: Send>(
    layouts: &[Layout],
    geometry: Geometry,
    decode: impl Fn(usize, &mut [&mut [f32]]) -> Result<(), E> + Sync,
) -> Result<Image, E> {
    let channels = layouts[0].channels();
    let [columns, rows, slices] = geometry.size();
    let mut samples = vec![0f32; channels * geometry.len()];
    let mut targets: Vec<Vec<&mut [f32]>> = (0..slices).map(|_| Vec::with_capacity(channels)).collect();
    for channel in samples.chunks_mut(geometry.len()) {
        for (target, slice) in targets.iter_mut().zip(channel.chunks_mut(columns * rows)) {
            target.push(slice);
        }
    }
    targets.into_par_iter().enumerate().try_for_each(|(z, mut target)| decode(z, &mut target))?;
    let stored = stored_type(layouts, &samples);
    Ok(Image::from_parts(samples, channels, geometry, stored))
}

/// The smallest integer type, not smaller than the stored samples, that holds all values; a rescaled signed sample
/// often fits into the type that an unsigned one was stored in.
fn stored_type(layouts: &[Layout], samples: &[f32]) -> SampleType {
    use SampleType::{F32, I16, I32, U8, U16, U32};
    let bits = layouts.iter().map(|l| l.bits_allocated).max().unwrap_or(32);
    let candidates: &[SampleType] = match bits {
        8 => &[U8, I16, U16, I32],
        16 => &[I16, U16, I32],
        _ => &[I32, U32],
    };
    candidates.iter().copied().find(|t| t.holds(samples)).unwrap_or(F32)
}
