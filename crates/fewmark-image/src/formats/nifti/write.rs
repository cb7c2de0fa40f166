use super::header::NIFTI_1_LENGTH;
use super::{DATATYPES, INTENT_VECTOR, orientation};
use crate::formats::stream;
use crate::{Dimension, Image, SampleType};

/// Where the samples begin: behind the header and the four bytes that announce no extension.
const SAMPLES_AT: usize = NIFTI_1_LENGTH as usize + 4;

/// Writes a single NIfTI-1 file, little endian, plain or gzipped.
///
/// Channels lie along the fifth axis with the intent of a vector, as ITK expects.
///
/// # Errors
/// A sentence when an axis is longer than the format can say.
pub(crate) fn encode(image: &Image, gzip: bool) -> Result<Vec<u8>, String> {
    let kind = image.exact_type();
    let header = header(image, kind)?;
    let samples = kind.encode(image.samples().iter().copied());
    if gzip { stream::gzip([&header, &samples]) } else { Ok([&header[..], &samples].concat()) }
}

fn header(image: &Image, kind: SampleType) -> Result<[u8; SAMPLES_AT], String> {
    let mut header = Bytes([0; SAMPLES_AT]);
    header.put(0, [(NIFTI_1_LENGTH as i32).to_le_bytes()]);
    header.put(38, [*b"r"]);
    header.put(40, dim(image)?.map(i16::to_le_bytes));
    if image.channels() > 1 {
        header.put(68, [INTENT_VECTOR.to_le_bytes()]);
    }
    let datatype = DATATYPES.iter().find(|(_, of)| *of == kind).map_or(0, |(code, _)| *code);
    header.put(70, [datatype.to_le_bytes(), (8 * kind.bytes() as i16).to_le_bytes()]);
    header.put(108, [SAMPLES_AT as f32, 1.0, 0.0].map(f32::to_le_bytes));
    let orientation = orientation::fields(image.geometry());
    header.put(76, orientation.pixdim.map(f32::to_le_bytes));
    header.put(123, [[orientation.xyzt_units]]);
    header.put(252, [orientation.qform_code, orientation.sform_code].map(i16::to_le_bytes));
    header.put(256, orientation.quatern.map(f32::to_le_bytes));
    header.put(268, orientation.qoffset.map(f32::to_le_bytes));
    for (i, row) in orientation.srow.into_iter().enumerate() {
        header.put(280 + 16 * i, row.map(f32::to_le_bytes));
    }
    header.put(344, [*b"n+1\0"]);
    Ok(header.0)
}

/// The field `dim`: the number of axes and their lengths.
fn dim(image: &Image) -> Result<[i16; 8], String> {
    let [x, y, z] = image.geometry().size();
    let channels = image.channels();
    let axes = match (channels, image.geometry().dimension()) {
        (1, Dimension::Two) => 2,
        (1, Dimension::Three) => 3,
        _ => 5,
    };
    let mut dim = [axes, 1, 1, 1, 1, 1, 1, 1];
    for (length, place) in [(x, 1), (y, 2), (z, 3), (channels, 5)] {
        let too_long = |_| format!("a NIfTI-1 axis holds at most {} voxels, this one has {length}", i16::MAX);
        dim[place] = i16::try_from(length).map_err(too_long)?;
    }
    Ok(dim)
}

/// A header to be filled at fixed positions.
struct Bytes([u8; SAMPLES_AT]);

impl Bytes {
    fn put<const N: usize, const M: usize>(&mut self, at: usize, numbers: [[u8; N]; M]) {
        self.0[at..at + N * M].copy_from_slice(numbers.as_flattened());
    }
}
