//! NumPy arrays, format versions 1 to 3.
//!
//! The shape tells what the axes are, never the sizes: `[y, x]` is a 2-D image, `[z, y, x]` a volume, `[channel, z, y,
//! x]` a volume of several channels. Channels last are not recognised: transpose the array first. The spacing is 1 mm.
//! An image of several channels is written with four axes; when it is 2-D its z axis has size 1, and it is read again
//! as a volume of one slice.

use super::{bad_field, check_memory};
use crate::sample::Endian;
use crate::{DecodeError, Dimension, Format, Geometry, Image, SampleType};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The header is padded so that the samples begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// What the header tells of the samples.
#[derive(Debug, PartialEq)]
struct Header {
    kind: SampleType,
    endian: Endian,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Decodes an array of 2 to 4 axes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    let (text, data) = split(bytes)?;
    let header = parse_header(text)?;
    let (dimension, channels, size) = match *header.shape {
        [y, x] => (Dimension::Two, 1, [x, y, 1]),
        [z, y, x] => (Dimension::Three, 1, [x, y, z]),
        [c, z, y, x] => (Dimension::Three, c, [x, y, z]),
        _ => return Err(field("shape", "2 to 4 axes", format!("{:?}", header.shape))),
    };
    let geometry =
        Geometry::unit(dimension, size).map_err(|source| DecodeError::Geometry { format: Format::Npy, source })?;
    let count = geometry.len().checked_mul(channels).filter(|&n| n > 0);
    let length = count.and_then(|n| n.checked_mul(header.kind.bytes()));
    let (Some(count), Some(length)) = (count, length) else {
        return Err(field("shape", "at least one sample and no more than a file holds", format!("{:?}", header.shape)));
    };
    let data = data.get(..length).ok_or(DecodeError::Truncated {
        format: Format::Npy,
        part: "samples",
        expected: length as u64,
        found: data.len() as u64,
    })?;
    let copies = if header.fortran_order { 2 } else { 1 };
    check_memory(Format::Npy, copies * (count as u64) * 4)?;
    let mut samples = header.kind.decode(data, header.endian);
    if header.fortran_order {
        samples = from_fortran_order(&samples, &header.shape);
    }
    Ok(Image::from_parts(samples, channels, geometry, header.kind))
}

/// Encodes an array in C order, little-endian.
pub(crate) fn encode(image: &Image) -> Result<Vec<u8>, String> {
    let [x, y, z] = image.geometry().size();
    let shape = match (image.geometry().dimension(), image.channels()) {
        (Dimension::Two, 1) => format!("({y}, {x})"),
        (Dimension::Three, 1) => format!("({z}, {y}, {x})"),
        (_, c) => format!("({c}, {z}, {y}, {x})"),
    };
    let stored = image.exact_type();
    let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': {shape}, }}", description(stored));
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| "the header is too long".to_owned())?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(stored.encode(image.samples().iter().copied()));
    Ok(bytes)
}

/// The text of the header, and the samples.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), DecodeError> {
    let cut = |expected: usize| DecodeError::Truncated {
        format: Format::Npy,
        part: "header",
        expected: expected as u64,
        found: bytes.len() as u64,
    };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| field("magic", "\\x93NUMPY", "other bytes".into()))?;
    let &[version, _, ref rest @ ..] = rest else { return Err(cut(10)) };
    let (length, rest) = match (version, rest) {
        (1, &[a, b, ref rest @ ..]) => (u16::from_le_bytes([a, b]).into(), rest),
        (2 | 3, &[a, b, c, d, ref rest @ ..]) => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        (1..=3, _) => return Err(cut(12)),
        _ => return Err(field("version", "1 to 3", version.to_string())),
    };
    let (text, data) = rest.split_at_checked(length).ok_or_else(|| cut(bytes.len() - rest.len() + length))?;
    let text = std::str::from_utf8(text).map_err(|_| field("header", "text", "other bytes".into()))?;
    Ok((text, data))
}

/// Parses the header, a Python dictionary of three entries: `{'descr': '<i2', 'fortran_order': False, 'shape': (3, 4),
/// }`.
fn parse_header(text: &str) -> Result<Header, DecodeError> {
    let value = |key: &str| {
        let quoted = [format!("'{key}'"), format!("\"{key}\"")];
        let after = quoted.iter().find_map(|k| text.split_once(k.as_str())).map(|(_, rest)| rest.trim_start());
        after.and_then(|rest| rest.strip_prefix(':')).map(str::trim_start).unwrap_or("")
    };
    let head = |text: &str| text.chars().take(40).collect::<String>();
    let (kind, endian) = parse_description(value("descr"))
        .ok_or_else(|| field("descr", "whole or floating point numbers of 1 to 8 bytes", head(value("descr"))))?;
    let fortran_order = match value("fortran_order") {
        v if v.starts_with("True") => true,
        v if v.starts_with("False") => false,
        v => return Err(field("fortran_order", "True or False", head(v))),
    };
    let shape = value("shape").strip_prefix('(').and_then(|v| v.split_once(')')).map(|(v, _)| v);
    let sizes = shape.and_then(|v| {
        let sizes = v.trim().trim_end_matches(',').split(',').map(|n| n.trim().trim_end_matches('L').parse().ok());
        sizes.collect::<Option<Vec<usize>>>()
    });
    let shape = sizes.ok_or_else(|| field("shape", "a tuple of sizes", head(value("shape"))))?;
    Ok(Header { kind, endian, fortran_order, shape })
}

/// Byte order and type, as in `'<f4'`; booleans are taken for `u8`.
fn parse_description(text: &str) -> Option<(SampleType, Endian)> {
    let quote = text.chars().next().filter(|&q| q == '\'' || q == '"')?;
    let (text, _) = text[1..].split_once(quote)?;
    let (endian, kind) = match text.split_at_checked(1)? {
        ("<" | "|", kind) => (Endian::Little, kind),
        (">", kind) => (Endian::Big, kind),
        ("=", kind) if cfg!(target_endian = "little") => (Endian::Little, kind),
        ("=", kind) => (Endian::Big, kind),
        _ => return None,
    };
    let kind = match kind {
        "b1" | "?" | "u1" => SampleType::U8,
        "i1" => SampleType::I8,
        "u2" => SampleType::U16,
        "i2" => SampleType::I16,
        "u4" => SampleType::U32,
        "i4" => SampleType::I32,
        "u8" => SampleType::U64,
        "i8" => SampleType::I64,
        "f4" => SampleType::F32,
        "f8" => SampleType::F64,
        _ => return None,
    };
    Some((kind, endian))
}

fn description(kind: SampleType) -> &'static str {
    match kind {
        SampleType::U8 => "|u1",
        SampleType::I8 => "|i1",
        SampleType::U16 => "<u2",
        SampleType::I16 => "<i2",
        SampleType::U32 => "<u4",
        SampleType::I32 => "<i4",
        SampleType::U64 => "<u8",
        SampleType::I64 => "<i8",
        SampleType::F32 => "<f4",
        SampleType::F64 => "<f8",
    }
}

/// Samples in C order from samples in Fortran order, where the first axis runs fastest.
fn from_fortran_order(samples: &[f32], shape: &[usize]) -> Vec<f32> {
    // Reading the array backwards in axes: `index` counts in C order, `position` is where Fortran order keeps it.
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &size in shape {
        strides.push(stride);
        stride *= size;
    }
    let position = |mut index: usize| {
        let mut position = 0;
        for (&size, &stride) in shape.iter().zip(&strides).rev() {
            position += index % size * stride;
            index /= size;
        }
        position
    };
    (0..samples.len()).map(|index| samples[position(index)]).collect()
}

fn field(name: &str, expected: &str, found: String) -> DecodeError {
    bad_field(Format::Npy, name, expected, found)
}
