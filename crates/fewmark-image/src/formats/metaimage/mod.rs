//! MetaImage files: `.mha`, and `.mhd` with a data file.
//!
//! Source: the MetaIO documentation of ITK ("MetaIO/Documentation", itk.org), and what ITK writes. World axes are LPS;
//! the direction matrix is stored column after column.

#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

use super::bad_field;
use super::layout::Layout;
use super::stream::Stream;
use super::text::{Fields, split_line};
use super::world::flip_xy;
use crate::sample::Endian;
use crate::{DecodeError, Dimension, Format, Geometry, Image, SampleType};

pub(crate) use self::write::encode;

/// MetaIO's names of the sample types. `LONG` has 4 bytes, whatever the platform.
const ELEMENT_TYPES: [(&str, SampleType); 12] = [
    ("MET_UCHAR", SampleType::U8),
    ("MET_CHAR", SampleType::I8),
    ("MET_USHORT", SampleType::U16),
    ("MET_SHORT", SampleType::I16),
    ("MET_UINT", SampleType::U32),
    ("MET_INT", SampleType::I32),
    ("MET_ULONG_LONG", SampleType::U64),
    ("MET_LONG_LONG", SampleType::I64),
    ("MET_FLOAT", SampleType::F32),
    ("MET_DOUBLE", SampleType::F64),
    ("MET_ULONG", SampleType::U32),
    ("MET_LONG", SampleType::I32),
];

/// Reads a MetaImage with its data in the same file or in another one.
///
/// # Errors
/// [`DecodeError`] with the field or part that is wrong.
pub(crate) fn decode(
    bytes: &[u8],
    data_file: &mut dyn FnMut(&str) -> Result<Vec<u8>, DecodeError>,
) -> Result<Image, DecodeError> {
    let (fields, header_length) = parse(bytes)?;
    let dimension = match fields.exactly(&["NDims"], 1, || vec![0])?[0] {
        2 => Dimension::Two,
        3 => Dimension::Three,
        0 => return Err(fields.bad("NDims", "2 or 3", "none")),
        n => {
            let (what, hint) = (format!("an image of {n} dimensions"), "save single volumes");
            return Err(DecodeError::Unsupported { format: Format::MetaImage, what, hint });
        }
    };
    let layout = layout(&fields, dimension)?;
    let geometry = geometry(&fields, dimension, layout.size)?;
    let (data, begin) = match fields.need("ElementDataFile")? {
        "LOCAL" | "Local" | "local" => (Cow::Borrowed(bytes), header_length),
        name if name.starts_with("LIST") || name.contains('%') => {
            return Err(unsupported("data split over several files", "save the image as one .mha file"));
        }
        name => (Cow::Owned(data_file(name)?), 0),
    };
    let samples = samples(&fields, &layout, &data, begin)?;
    Ok(Image::from_parts(samples, layout.channels, geometry, layout.kind))
}

/// The fields, and the length of the header: `ElementDataFile` is its last line.
fn parse(bytes: &[u8]) -> Result<(Fields, usize), DecodeError> {
    let mut fields = Fields::new(Format::MetaImage);
    let mut rest = bytes;
    while !rest.is_empty() && fields.any(&["ElementDataFile"]).is_none() {
        let (line, after) = split_line(rest).unwrap_or((rest, &[]));
        rest = after;
        let line = String::from_utf8_lossy(line);
        match line.split_once(['=', ':']) {
            Some((name, _)) if name.trim() == "Comment" => {}
            Some((name, value)) => fields.insert(name.trim(), value.trim())?,
            None if line.trim().is_empty() => {}
            None => {
                let found = format!("{:?}", line.chars().take(40).collect::<String>());
                return Err(bad_field(Format::MetaImage, "header line", "`field = value`", found));
            }
        }
    }
    Ok((fields, bytes.len() - rest.len()))
}

fn layout(fields: &Fields, dimension: Dimension) -> Result<Layout, DecodeError> {
    fields.need("DimSize")?;
    let mut size = [1; 3];
    size[..dimension.count()].copy_from_slice(&fields.exactly(&["DimSize"], dimension.count(), Vec::new)?);
    let channels = fields.exactly(&["ElementNumberOfChannels"], 1, || vec![1])?[0];
    if channels == 0 {
        return Err(fields.bad("ElementNumberOfChannels", "a positive number", 0));
    }
    let name = fields.need("ElementType")?;
    let element = name.strip_suffix("_ARRAY").unwrap_or(name);
    let kind = ELEMENT_TYPES.iter().find(|(name, _)| *name == element).map(|&(_, kind)| kind);
    let kind = kind.ok_or_else(|| fields.bad("ElementType", "a number type such as MET_SHORT", name))?;
    let big = is_true(fields, &["BinaryDataByteOrderMSB", "ElementByteOrderMSB"])?;
    let endian = if big { Endian::Big } else { Endian::Little };
    Ok(Layout { format: Format::MetaImage, size, channels, kind, endian, interleaved: true })
}

/// A truth value, by its first letter as MetaIO takes it; a field that is not there is false.
fn is_true(fields: &Fields, names: &[&str]) -> Result<bool, DecodeError> {
    let Some(value) = fields.any(names) else { return Ok(false) };
    match value.bytes().next() {
        Some(b'T' | b't' | b'1') => Ok(true),
        Some(b'F' | b'f' | b'0') => Ok(false),
        _ => Err(fields.bad(names[0], "True or False", format!("{value:?}"))),
    }
}

fn geometry(fields: &Fields, dimension: Dimension, size: [usize; 3]) -> Result<Geometry, DecodeError> {
    let n = dimension.count();
    let given_spacing = fields.exactly(&["ElementSpacing", "ElementSize"], n, || vec![1.0; n])?;
    let given_origin = fields.exactly(&["Offset", "Position", "Origin"], n, || vec![0.0; n])?;
    let identity = || (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let matrix = fields.exactly(&["TransformMatrix", "Rotation", "Orientation"], n * n, identity)?;
    let mut spacing = [1.0; 3];
    spacing[..n].copy_from_slice(&given_spacing);
    // The axes and, as a fourth column, the origin: all change to RAS+ together.
    let mut lps = [[0.0; 4]; 3];
    lps[2][2] = 1.0;
    for row in 0..n {
        for column in 0..n {
            lps[row][column] = matrix[column * n + row];
        }
        lps[row][3] = given_origin[row];
    }
    let [x, y, z] = flip_xy(lps);
    let direction = [x, y, z].map(|[a, b, c, _]| [a, b, c]);
    Geometry::from_parts(dimension, size, spacing, [x[3], y[3], z[3]], direction)
        .map_err(|source| DecodeError::Geometry { format: Format::MetaImage, source })
}

/// The samples, which begin at `begin` of `data` unless the field `HeaderSize` puts them elsewhere.
fn samples(fields: &Fields, layout: &Layout, data: &[u8], begin: usize) -> Result<Vec<f32>, DecodeError> {
    if fields.any(&["BinaryData"]).is_some() && !is_true(fields, &["BinaryData"])? {
        return Err(unsupported("data written as text", "save the image with binary data"));
    }
    let length = layout.bytes()?;
    let compressed = is_true(fields, &["CompressedData"])?;
    let header_size = fields.exactly(&["HeaderSize"], 1, || vec![0i64])?[0];
    let begin = match u64::try_from(header_size) {
        Ok(0) => begin as u64,
        Ok(size) => size,
        // -1: the samples are the last bytes of the file, however long what comes before them is.
        Err(_) if header_size == -1 && !compressed => (data.len() as u64).saturating_sub(length),
        Err(_) => return Err(fields.bad("HeaderSize", "0 or more, or -1 with plain data", header_size)),
    };
    let mut stream = Stream::plain(Format::MetaImage, data);
    stream.skip("header", begin)?;
    if compressed {
        let packed = &data[begin as usize..];
        let is_gzip = packed.starts_with(&[0x1f, 0x8b]);
        let inflating = if is_gzip { Stream::gzip } else { Stream::zlib };
        stream = inflating(Format::MetaImage, packed);
    }
    let raw = stream.read("samples", length)?;
    stream.finish()?;
    layout.decode(&raw, None)
}

fn unsupported(what: &str, hint: &'static str) -> DecodeError {
    DecodeError::Unsupported { format: Format::MetaImage, what: what.into(), hint }
}
