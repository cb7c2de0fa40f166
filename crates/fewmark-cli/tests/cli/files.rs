//! Makers of small images, and of files with one thing wrong.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use fewmark::phantom::Phantom;
use fewmark::{Dimension, Geometry, Image, LabelMap, phantom};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::lab::Lab;

/// A file or folder of the tests of the crate `fewmark-image`.
pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fewmark-image/tests/golden").join(name)
}

/// A slanted geometry with an origin, so that nothing about it goes without saying.
pub(crate) fn oblique(size: [usize; 3]) -> Geometry {
    let (sin, cos) = 0.3f64.sin_cos();
    let direction = [[-cos, sin, 0.0], [-sin, -cos, 0.0], [0.0, 0.0, 1.0]];
    Geometry::from_parts(Dimension::Three, size, [0.7, 0.8, 2.5], [10.5, -20.25, 30.125], direction)
        .expect("the numbers make a geometry")
}

/// A flat image whose samples are given by pixel.
pub(crate) fn flat(width: usize, height: usize, sample: impl Fn(usize, usize) -> f32) -> Image {
    let geometry = Geometry::unit(Dimension::Two, [width, height, 1]).expect("the size is no size of an image");
    let samples = (0..width * height).map(|i| sample(i % width, i / width)).collect();
    Image::new(samples, 1, geometry).expect("there is a sample for each pixel")
}

/// A volume of samples that all differ.
pub(crate) fn ramp(size: [usize; 3]) -> Image {
    let samples = (0..size.iter().product::<usize>()).map(|i| i as f32 + 0.5).collect();
    Image::new(samples, 1, oblique(size)).expect("there is a sample for each voxel")
}

/// The label map of an image with label 1 where the test is true.
pub(crate) fn labels(image: &Image, inside: impl Fn([usize; 3]) -> bool) -> LabelMap {
    let grid = image.geometry().grid();
    let mask: Vec<bool> = (0..grid.len()).map(|i| inside(grid.voxel(i))).collect();
    LabelMap::from_mask(&mask, image.geometry().clone()).expect("there is a value for each voxel")
}

/// A chest phantom of 64 by 64 pixels, or as many slices.
pub(crate) fn chest(slices: usize) -> Phantom {
    phantom::chest([64, 64, slices], 0).expect("the size is one of an image")
}

/// A NIfTI-1 volume of 4 x 3 x 2 voxels, changed before it is written.
pub(crate) fn nifti_1(lab: &Lab, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    lab.write_image("whole.nii", &ramp([4, 3, 2]));
    let mut bytes = lab.read("whole.nii");
    change(&mut bytes);
    lab.write(name, bytes);
    std::fs::remove_file(lab.path("whole.nii")).expect("the file can be removed");
}

/// Where fields of a NIfTI-1 header lie.
pub(crate) mod field {
    pub(crate) const DIM: usize = 40;
    pub(crate) const DATATYPE: usize = 70;
    pub(crate) const PIXDIM: usize = 76;
    pub(crate) const VOX_OFFSET: usize = 108;
    pub(crate) const QFORM_CODE: usize = 252;
    pub(crate) const QUATERN_B: usize = 256;
    pub(crate) const SROW_X: usize = 280;
    /// Where the orientation ends.
    pub(crate) const INTENT_NAME: usize = 328;
    pub(crate) const MAGIC: usize = 344;
    /// Where the samples begin.
    pub(crate) const SAMPLES: usize = 352;
}

/// Puts numbers of `N` bytes one behind the other.
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, numbers: &[[u8; N]]) {
    bytes[at..at + N * numbers.len()].copy_from_slice(numbers.as_flattened());
}

pub(crate) fn put_i16(bytes: &mut [u8], at: usize, numbers: &[i16]) {
    put(bytes, at, &numbers.iter().map(|n| n.to_le_bytes()).collect::<Vec<_>>());
}

pub(crate) fn put_f32(bytes: &mut [u8], at: usize, numbers: &[f32]) {
    put(bytes, at, &numbers.iter().map(|n| n.to_le_bytes()).collect::<Vec<_>>());
}

/// The header of a NIfTI-2 file of 32-bit floats, with the four bytes that announce no extension.
pub(crate) fn nifti_2(dim: [i64; 8]) -> Vec<u8> {
    let mut bytes = vec![0; 544];
    put(&mut bytes, 0, &[540i32.to_le_bytes()]);
    put(&mut bytes, 4, &[*b"n+2\0\r\n\x1a\n"]);
    put(&mut bytes, 12, &[16i16.to_le_bytes(), 32i16.to_le_bytes()]);
    put(&mut bytes, 16, &dim.map(i64::to_le_bytes));
    put(&mut bytes, 104, &[1.0f64; 8].map(f64::to_le_bytes));
    put(&mut bytes, 168, &[544i64.to_le_bytes()]);
    bytes
}

/// A NIfTI-1 header of 32-bit floats of unit spacing.
pub(crate) fn nifti_1_header(dim: [i16; 8]) -> Vec<u8> {
    let mut bytes = vec![0; field::SAMPLES];
    put(&mut bytes, 0, &[348i32.to_le_bytes()]);
    put_i16(&mut bytes, field::DIM, &dim);
    put_i16(&mut bytes, field::DATATYPE, &[16, 32]);
    put_f32(&mut bytes, field::PIXDIM, &[1.0; 8]);
    put_f32(&mut bytes, field::VOX_OFFSET, &[field::SAMPLES as f32]);
    put(&mut bytes, field::MAGIC, &[*b"n+1\0"]);
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("bytes can be compressed");
    encoder.finish().expect("bytes can be compressed")
}

pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut whole).expect("the bytes are gzip");
    whole
}

/// The bytes with the only occurrence of `old` replaced.
pub(crate) fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i..].starts_with(old)).collect();
    let [at] = at[..] else { panic!("{old:?} occurs at {at:?}") };
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// A PNG with another size in its header, and the right checksum over it.
pub(crate) fn png_of_size(png: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png.to_vec();
    put(&mut bytes, 16, &[width.to_be_bytes(), height.to_be_bytes()]);
    let mut checksum = flate2::Crc::new();
    checksum.update(&bytes[12..29]);
    put(&mut bytes, 29, &[checksum.sum().to_be_bytes()]);
    bytes
}
