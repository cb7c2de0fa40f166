//! NIfTI-1 and NIfTI-2 files, `.nii` and `.nii.gz`.
//!
//! Sources: the NIfTI-1 header `nifti1.h` (R. W. Cox et al., 2007) and `nifti2.h` (2011). Where they leave a choice,
//! the reader follows nibabel: the sform is taken before the qform, and an image with neither is centred on the world's
//! origin with x running to the left. A time series or vector image becomes channels.

mod header;
mod orientation;
mod write;

#[cfg(test)]
mod tests;

use self::header::{Header, NIFTI_1_LENGTH, NIFTI_2_LENGTH};
use super::bad_field;
use super::layout::Layout;
use super::stream::Stream;
use crate::{DecodeError, Dimension, Format, Image, SampleType};

pub(crate) use self::write::encode;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// NIfTI's `datatype` codes of the types that are read and written as they are.
const DATATYPES: [(i16, SampleType); 10] = [
    (2, SampleType::U8),
    (4, SampleType::I16),
    (8, SampleType::I32),
    (16, SampleType::F32),
    (64, SampleType::F64),
    (256, SampleType::I8),
    (512, SampleType::U16),
    (768, SampleType::U32),
    (1024, SampleType::I64),
    (1280, SampleType::U64),
];

/// `NIFTI_TYPE_RGB24` and `NIFTI_TYPE_RGBA32`: bytes whose channels lie together.
const COLOR_DATATYPES: [(i16, usize); 2] = [(128, 3), (2304, 4)];

/// `NIFTI_INTENT_VECTOR`: the fifth axis holds the components of a vector.
const INTENT_VECTOR: i16 = 1007;

/// Reads a plain or gzipped NIfTI file.
///
/// # Errors
/// [`DecodeError`] with the field or part that is wrong.
pub(crate) fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    let mut stream = if bytes.starts_with(&GZIP_MAGIC) {
        Stream::gzip(Format::Nifti, bytes)
    } else {
        Stream::plain(Format::Nifti, bytes)
    };
    let header = read_header(&mut stream)?;
    let (layout, dimension) = layout(&header)?;
    let geometry = orientation::geometry(&header, dimension, layout.size)?;
    let raw = stream.read("samples", layout.bytes()?)?;
    stream.finish()?;
    let samples = layout.decode(&raw, header.scale()?.filter(|_| !layout.interleaved))?;
    Ok(Image::from_parts(samples, layout.channels, geometry, layout.kind))
}

/// Reads the header and passes over what lies between it and the samples.
fn read_header(stream: &mut Stream<'_>) -> Result<Header, DecodeError> {
    let mut bytes = stream.read("header", NIFTI_1_LENGTH)?.into_owned();
    if header::is_nifti_2(&bytes) {
        bytes.extend_from_slice(&stream.read("header", NIFTI_2_LENGTH - NIFTI_1_LENGTH)?);
    }
    let header = Header::parse(&bytes)?;
    // A position that the file does not reach is a wrong field rather than a short file.
    stream.skip("header", header.samples_at()? - bytes.len() as u64).map_err(|error| match error {
        DecodeError::Truncated { .. } => bad("vox_offset", "a position inside the file", header.vox_offset),
        other => other,
    })?;
    Ok(header)
}

/// The layout of the samples: axes beyond the third become channels.
fn layout(header: &Header) -> Result<(Layout, Dimension), DecodeError> {
    let [x, y, z, time, vector, sixth, seventh] = header.axes()?;
    if sixth > 1 || seventh > 1 || (time > 1 && vector > 1) {
        return Err(unsupported("an image of five or more dimensions", "split it into volumes or time series first"));
    }
    let color = COLOR_DATATYPES.iter().find(|(code, _)| *code == header.datatype);
    let plain = DATATYPES.iter().find(|(code, _)| *code == header.datatype);
    let (kind, channels, interleaved) = match (plain, color) {
        (Some(&(_, kind)), _) => (kind, time * vector, false),
        (_, Some(&(_, channels))) if time * vector == 1 => (SampleType::U8, channels, true),
        (_, Some(_)) => return Err(unsupported("a series of colour images", "split it into single images first")),
        _ => return Err(no_datatype(header.datatype)),
    };
    // ITK stores a flat image with channels along the fifth axis, and reads it as flat.
    let flat = header.dim[0] == 2 || (vector > 1 && z == 1);
    let dimension = if flat { Dimension::Two } else { Dimension::Three };
    let (format, size, endian) = (Format::Nifti, [x, y, z], header.endian);
    Ok((Layout { format, size, channels, kind, endian, interleaved }, dimension))
}

fn no_datatype(code: i16) -> DecodeError {
    match code {
        1 | 32 | 1536 | 1792 | 2048 => {
            let what = format!("datatype {code} (binary, complex or 128-bit samples)");
            DecodeError::Unsupported { format: Format::Nifti, what, hint: "convert the samples to float32 first" }
        }
        _ => bad("datatype", "a code of NIfTI-1", code),
    }
}

fn bad(field: impl Into<String>, expected: &str, found: impl std::fmt::Display) -> DecodeError {
    bad_field(Format::Nifti, field, expected, found)
}

fn unsupported(what: &str, hint: &'static str) -> DecodeError {
    DecodeError::Unsupported { format: Format::Nifti, what: what.into(), hint }
}
