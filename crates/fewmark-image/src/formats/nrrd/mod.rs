//! NRRD files: `.nrrd`, and `.nhdr` with a data file.
//!
//! Source: "Definition of NRRD File Format" (teem.sourceforge.net/nrrd/format.html). An axis without a direction, or of
//! a kind that is no place in space, becomes channels. A file that names no space is read as LPS, as ITK does.

#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

use super::bad_field;
use super::layout::Layout;
use super::stream::Stream;
use super::text::{Fields, split_line};
use super::world::{flip_xy, normal};
use crate::sample::Endian;
use crate::{DecodeError, Dimension, Format, Geometry, Image, SampleType};

pub(crate) use self::write::encode;

/// Reads an attached or detached NRRD file.
///
/// # Errors
/// [`DecodeError`] with the field or part that is wrong.
pub(crate) fn decode(
    bytes: &[u8],
    data_file: &mut dyn FnMut(&str) -> Result<Vec<u8>, DecodeError>,
) -> Result<Image, DecodeError> {
    let (fields, attached) = parse(bytes)?;
    let axes = Axes::of(&fields)?;
    let layout = layout(&fields, &axes)?;
    let geometry = geometry(&fields, &axes, layout.size)?;
    let data = match fields.any(&["data file", "datafile"]) {
        None => Cow::Borrowed(attached),
        Some(name) if name == "LIST" || name.starts_with("LIST ") || name.contains('%') => {
            return Err(unsupported("data split over several files", "save the image as one .nrrd file"));
        }
        Some(name) => Cow::Owned(data_file(name)?),
    };
    let samples = samples(&fields, &layout, &data)?;
    Ok(Image::from_parts(samples, layout.channels, geometry, layout.kind))
}

/// The fields, and the bytes behind the empty line that ends them.
///
/// Names are taken in either case. Comments and the key/value pairs of other programs are passed over.
fn parse(bytes: &[u8]) -> Result<(Fields, &[u8]), DecodeError> {
    let mut fields = Fields::new(Format::Nrrd);
    let (magic, mut rest) = split_line(bytes).unwrap_or((bytes, &[]));
    if !matches!(magic, [b'N', b'R', b'R', b'D', b'0', b'0', b'0', b'1'..=b'5']) {
        return Err(bad_field(Format::Nrrd, "magic", "NRRD0001 to NRRD0005", start_of(magic)));
    }
    while !rest.is_empty() {
        let (line, after) = split_line(rest).unwrap_or((rest, &[]));
        rest = after;
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        if line.starts_with('#') || line.contains(":=") {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(bad_field(Format::Nrrd, "header line", "`field: value`", start_of(line.as_bytes())));
        };
        fields.insert(&name.trim().to_ascii_lowercase(), value.trim())?;
    }
    Ok((fields, rest))
}

/// The first bytes of a line, as a message can show them.
fn start_of(line: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&line[..line.len().min(40)]))
}

/// What the axes of the array are.
struct Axes {
    sizes: Vec<usize>,
    /// Direction vectors, one an axis, where the file has them.
    directions: Option<Vec<Option<Vec<f64>>>>,
    /// Distances between samples along the axes, where the file has them.
    spacings: Option<Vec<f64>>,
    channel: Option<usize>,
}

impl Axes {
    fn of(fields: &Fields) -> Result<Self, DecodeError> {
        let dimension: usize = fields.parse("dimension", std::iter::once(fields.need("dimension")?))?[0];
        if !(1..=16).contains(&dimension) {
            return Err(fields.bad("dimension", "1 to 16", dimension));
        }
        fields.need("sizes")?;
        let sizes = fields.exactly(&["sizes"], dimension, Vec::new)?;
        let directions = match fields.any(&["space directions"]) {
            Some(text) => Some(vectors(fields, "space directions", text)?),
            None => None,
        };
        let spacings: Option<Vec<f64>> = fields.numbers(&["spacings"])?;
        let kinds = fields.any(&["kinds"]).map(|kinds| kinds.split_whitespace().collect::<Vec<_>>());
        for (name, count) in [
            ("space directions", directions.as_ref().map(Vec::len)),
            ("spacings", spacings.as_ref().map(Vec::len)),
            ("kinds", kinds.as_ref().map(Vec::len)),
        ] {
            if let Some(count) = count.filter(|&n| n != dimension) {
                return Err(fields.bad(name, format!("{dimension} values"), count));
            }
        }
        let is_channel = |&axis: &usize| {
            let kind = kinds.as_ref().map_or("domain".into(), |kinds| kinds[axis].to_ascii_lowercase());
            directions.as_ref().is_some_and(|directions| directions[axis].is_none())
                || spacings.as_ref().is_some_and(|spacings| spacings[axis].is_nan())
                || !matches!(kind.as_str(), "domain" | "space" | "none" | "???")
        };
        let channels: Vec<usize> = (0..dimension).filter(is_channel).collect();
        let (channel, count) = (channels.first().copied(), dimension - channels.len());
        let at_an_end = channel.is_none_or(|axis| axis == 0 || axis == dimension - 1);
        if channels.len() > 1 || !at_an_end || !(2..=3).contains(&count) {
            let what = format!("an array of {count} axes in space and {} others", channels.len());
            let hint = "save a flat image or a volume, with at most one more axis, the first or the last";
            return Err(DecodeError::Unsupported { format: Format::Nrrd, what, hint });
        }
        Ok(Self { sizes, directions, spacings, channel })
    }

    /// The axes in space.
    fn spatial(&self) -> impl Iterator<Item = usize> {
        (0..self.sizes.len()).filter(|&axis| Some(axis) != self.channel)
    }
}

/// Vectors such as `(1,0,0) none (0,0,2.5)`.
fn vectors(fields: &Fields, name: &str, text: &str) -> Result<Vec<Option<Vec<f64>>>, DecodeError> {
    let mut vectors = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (vector, after) = if let Some(after) = rest.strip_prefix("none") {
            (None, after)
        } else {
            let inside = rest.strip_prefix('(').and_then(|r| r.split_once(')'));
            let (inside, after) = inside.ok_or_else(|| fields.bad(name, "vectors such as (1,0,0)", rest))?;
            (Some(fields.parse(name, inside.split(',').map(str::trim))?), after)
        };
        vectors.push(vector);
        rest = after.trim_start();
    }
    Ok(vectors)
}

fn layout(fields: &Fields, axes: &Axes) -> Result<Layout, DecodeError> {
    let kind = sample_type(fields)?;
    let binary = !matches!(fields.need("encoding")?, "txt" | "text" | "ascii");
    let endian = match fields.any(&["endian"]) {
        Some("little") => Endian::Little,
        Some("big") => Endian::Big,
        None if kind.bytes() == 1 || !binary => Endian::Little,
        other => return Err(fields.bad("endian", "little or big", format!("{other:?}"))),
    };
    let mut size = [1; 3];
    for (length, axis) in size.iter_mut().zip(axes.spatial()) {
        *length = axes.sizes[axis];
    }
    let channels = axes.channel.map_or(1, |axis| axes.sizes[axis]);
    if channels == 0 {
        return Err(fields.bad("sizes", "positive numbers", 0));
    }
    Ok(Layout { format: Format::Nrrd, size, channels, kind, endian, interleaved: axes.channel == Some(0) })
}

fn sample_type(fields: &Fields) -> Result<SampleType, DecodeError> {
    Ok(match fields.need("type")?.to_ascii_lowercase().as_str() {
        "signed char" | "int8" | "int8_t" => SampleType::I8,
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => SampleType::U8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => SampleType::I16,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => SampleType::U16,
        "int" | "signed int" | "int32" | "int32_t" => SampleType::I32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => SampleType::U32,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => SampleType::I64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => SampleType::U64,
        "float" => SampleType::F32,
        "double" => SampleType::F64,
        "block" => return Err(unsupported("type block", "convert the samples to numbers first")),
        other => return Err(fields.bad("type", "a number type", format!("{other:?}"))),
    })
}

fn geometry(fields: &Fields, axes: &Axes, size: [usize; 3]) -> Result<Geometry, DecodeError> {
    let spatial: Vec<usize> = axes.spatial().collect();
    let world_axes = world_axes(fields, axes)?.unwrap_or(spatial.len());
    if world_axes < spatial.len() || world_axes > 3 {
        return Err(fields.bad("space dimension", format!("{} or 3", spatial.len()), world_axes));
    }
    let mut columns = [[0.0; 3], [0.0; 3], [0.0, 0.0, 1.0], [0.0; 3]];
    for (column, &axis) in spatial.iter().enumerate() {
        columns[column] = match &axes.directions {
            Some(directions) => padded(fields, "space directions", directions[axis].as_deref(), world_axes)?,
            None => {
                let spacing = axes.spacings.as_ref().map_or(1.0, |s| s[axis]);
                std::array::from_fn(|row| if row == column { spacing } else { 0.0 })
            }
        };
    }
    if spatial.len() == 2 && world_axes == 3 && axes.directions.is_some() {
        columns[2] = normal(columns[0], columns[1]);
    }
    if let Some(text) = fields.any(&["space origin"]) {
        let origin = vectors(fields, "space origin", text)?.into_iter().next().flatten();
        columns[3] = padded(fields, "space origin", origin.as_deref(), world_axes)?;
    }
    let units = units(fields)?;
    let rows = std::array::from_fn(|row| columns.map(|column| column[row] * units[row]));
    let dimension = if spatial.len() == 2 { Dimension::Two } else { Dimension::Three };
    Geometry::from_affine(dimension, size, to_ras(fields, rows)?)
        .map_err(|source| DecodeError::Geometry { format: Format::Nrrd, source })
}

/// Number of world axes, where the file tells.
fn world_axes(fields: &Fields, axes: &Axes) -> Result<Option<usize>, DecodeError> {
    if fields.any(&["space"]).is_some() {
        return Ok(Some(3));
    }
    if let Some(count) = fields.numbers(&["space dimension"])? {
        return Ok(count.first().copied());
    }
    Ok(axes.directions.iter().flatten().flatten().map(Vec::len).next())
}

/// A vector of the world, its missing third component 0.
fn padded(fields: &Fields, name: &str, vector: Option<&[f64]>, count: usize) -> Result<[f64; 3], DecodeError> {
    match vector {
        Some(v) if v.len() == count => Ok(std::array::from_fn(|i| v.get(i).copied().unwrap_or(0.0))),
        _ => Err(fields.bad(name, format!("vectors of {count} numbers"), format!("{vector:?}"))),
    }
}

/// Length in mm of the units of the world axes; mm where the file does not tell.
fn units(fields: &Fields) -> Result<[f64; 3], DecodeError> {
    let mut units = [1.0; 3];
    let names = fields.any(&["space units"]).unwrap_or_default().split('"').filter(|name| !name.trim().is_empty());
    for (unit, name) in units.iter_mut().zip(names) {
        *unit = match name.trim() {
            "mm" | "millimeter" | "millimeters" => 1.0,
            "cm" => 10.0,
            "m" | "meter" | "meters" => 1000.0,
            "um" | "µm" | "micron" | "microns" => 0.001,
            other => return Err(fields.bad("space units", "mm, cm, m or um", format!("{other:?}"))),
        };
    }
    Ok(units)
}

/// Rows of the file's world axes as RAS+ rows.
fn to_ras(fields: &Fields, mut rows: [[f64; 4]; 3]) -> Result<[[f64; 4]; 3], DecodeError> {
    match fields.any(&["space"]).unwrap_or("left-posterior-superior").to_ascii_lowercase().as_str() {
        "right-anterior-superior" | "ras" => Ok(rows),
        "left-anterior-superior" | "las" => {
            rows[0] = rows[0].map(|v| 0.0 - v);
            Ok(rows)
        }
        "left-posterior-superior" | "lps" | "scanner-xyz" | "3d-right-handed" | "3d-left-handed" => Ok(flip_xy(rows)),
        other if other.ends_with("-time") || matches!(other, "rast" | "last" | "lpst") => {
            Err(unsupported("a space with a time axis", "save single volumes"))
        }
        other => Err(fields.bad("space", "left-posterior-superior or another of the format's names", other)),
    }
}

/// The samples, whatever their encoding. Lines are skipped before inflation, bytes behind it.
fn samples(fields: &Fields, layout: &Layout, data: &[u8]) -> Result<Vec<f32>, DecodeError> {
    let lines = fields.exactly(&["line skip", "lineskip"], 1, || vec![0u64])?[0];
    let data = skip_lines(fields, data, lines)?;
    let skip = fields.exactly(&["byte skip", "byteskip"], 1, || vec![0i64])?[0];
    let length = layout.bytes()?;
    let mut stream = match fields.need("encoding")? {
        "raw" => Stream::plain(Format::Nrrd, data),
        "gz" | "gzip" => Stream::gzip(Format::Nrrd, data),
        "txt" | "text" | "ascii" => return text_samples(fields, layout, data),
        encoding @ ("hex" | "bz2" | "bzip2") => {
            let (what, hint) = (format!("encoding {encoding}"), "save the image with gzip encoding");
            return Err(DecodeError::Unsupported { format: Format::Nrrd, what, hint });
        }
        other => return Err(fields.bad("encoding", "raw, gzip or ascii", format!("{other:?}"))),
    };
    let skip = match u64::try_from(skip) {
        Ok(skip) => skip,
        // -1: the samples are the last bytes of the file, however long what comes before them is.
        Err(_) if skip == -1 && fields.need("encoding")? == "raw" => (data.len() as u64).saturating_sub(length),
        Err(_) => return Err(fields.bad("byte skip", "0 or more, or -1 with raw encoding", skip)),
    };
    stream.skip("bytes to skip", skip)?;
    let raw = stream.read("samples", length)?;
    stream.finish()?;
    layout.decode(&raw, None)
}

fn skip_lines<'a>(fields: &Fields, mut data: &'a [u8], lines: u64) -> Result<&'a [u8], DecodeError> {
    for skipped in 0..lines {
        let Some((_, rest)) = split_line(data) else {
            return Err(fields.bad("line skip", format!("at most {skipped}, the lines of the data file"), lines));
        };
        data = rest;
    }
    Ok(data)
}

/// Numbers as text, parted by white space or commas.
fn text_samples(fields: &Fields, layout: &Layout, data: &[u8]) -> Result<Vec<f32>, DecodeError> {
    let expected = layout.bytes()? / layout.kind.bytes() as u64;
    let text = String::from_utf8_lossy(data);
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    // Collecting grows with the text, which bounds it: the declared size is only compared.
    let numbers: Vec<f64> = fields.parse("data", words.take(usize::try_from(expected).unwrap_or(usize::MAX)))?;
    if numbers.len() as u64 != expected {
        return Err(fields.bad("data", format!("{expected} numbers"), numbers.len()));
    }
    Ok(layout.planar(numbers.into_iter().map(|n| n as f32).collect()))
}

fn unsupported(what: &str, hint: &'static str) -> DecodeError {
    DecodeError::Unsupported { format: Format::Nrrd, what: what.into(), hint }
}
