//! Images as viewers read them: NIfTI for volumes, PNG for slices.

use std::path::Path;

use fewmark::image::{Compression, Format, SampleType, encode, encode_png, slice};
use fewmark::{Dimension, Image};

use crate::error::Problem;

/// The NIfTI codes of three bytes a voxel, and their bits.
const RGB24: (i16, i16) = (128, 24);
/// Where they stand in the header, and where the samples begin.
const DATATYPE_AT: usize = 70;
const SAMPLES_AT: usize = 352;

/// An image as `.nii.gz`, geometry kept. Colours become RGB of one byte each, other channels than the first of other images are left out.
pub(crate) fn nifti(file: &Path, image: &Image) -> Result<Vec<u8>, Problem> {
    if image.channels() == 1 {
        let is_read_by_all = !matches!(image.stored(), SampleType::I64 | SampleType::U64);
        // What the study holds as it is wanted need not be written anew.
        if is_read_by_all && is_packed_nifti_1(file) {
            return std::fs::read(file).map_err(|e| Problem::io("read", file, e));
        }
        if is_read_by_all {
            return Ok(encode("volume.nii.gz", image, Compression::Usual)?);
        }
        return Ok(encode("volume.nii.gz", &image.clone().with_stored(SampleType::F32), Compression::Usual)?);
    }
    let grey = Image::new(vec![0.0; image.geometry().len()], 1, image.geometry().clone())?.with_stored(SampleType::U8);
    let mut bytes = encode("volume.nii", &grey, Compression::Usual)?;
    bytes[DATATYPE_AT..DATATYPE_AT + 2].copy_from_slice(&RGB24.0.to_le_bytes());
    bytes[DATATYPE_AT + 2..DATATYPE_AT + 4].copy_from_slice(&RGB24.1.to_le_bytes());
    bytes.truncate(SAMPLES_AT);
    let colours = colours(image);
    bytes.extend((0..image.geometry().len()).flat_map(|voxel| [0, 1, 2].map(|c| colours[c][voxel])));
    gzip(&bytes)
}

/// Whether a file is a `.nii.gz` of the first version, which every viewer reads.
fn is_packed_nifti_1(file: &Path) -> bool {
    use std::io::Read as _;
    let is_named =
        Format::of_name(file) == Some(Format::Nifti) && file.extension().is_some_and(|ending| ending == "gz");
    let mut length = [0; 4];
    let read = std::fs::File::open(file).and_then(|file| flate2::read::GzDecoder::new(file).read_exact(&mut length));
    is_named && read.is_ok() && [u32::from_le_bytes(length), u32::from_be_bytes(length)].contains(&348)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).and_then(|()| packed.finish()).map_err(|e| Problem::io("compress", "the volume", e))
}

/// Red, green and blue, 0 to 255, by one range for all. Of two channels there is no blue.
fn colours(image: &Image) -> [Vec<u8>; 3] {
    let [low, high] = match image.stored() {
        SampleType::U8 => [0.0, 255.0],
        _ => crate::facts::window(image),
    };
    let byte = |sample: f32| ((sample - low) / (high - low) * 255.0).clamp(0.0, 255.0).round() as u8;
    std::array::from_fn(|channel| match channel < image.channels() {
        true => image.channel(channel).iter().map(|&sample| byte(sample)).collect(),
        false => vec![0; image.geometry().len()],
    })
}

/// A slice as PNG: grey by the window, or in its colours. Row 0 of the voxels is the picture's first.
pub(crate) fn png(image: &Image, axis: usize, index: usize, window: Option<[f32; 2]>) -> Result<Vec<u8>, Problem> {
    let flat = match image.geometry().dimension() {
        Dimension::Two if axis == 2 && index == 0 => image.clone(),
        _ => slice(image, axis, index)?,
    };
    let geometry = flat.geometry().clone();
    if flat.channels() >= 3 {
        let samples = colours(&flat).into_iter().flatten().map(f32::from).collect();
        return Ok(encode_png(&Image::new(samples, 3, geometry)?.with_stored(SampleType::U8))?);
    }
    let [low, high] = window.unwrap_or_else(|| crate::facts::window(&flat));
    let mut samples = flat.channel(0).to_vec();
    fewmark::image::intensity::Window { low, high }.apply(&mut samples);
    samples.iter_mut().for_each(|sample| *sample = (*sample * 255.0).round());
    Ok(encode_png(&Image::new(samples, 1, geometry)?.with_stored(SampleType::U8))?)
}
