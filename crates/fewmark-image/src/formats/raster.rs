//! Pictures: PNG, JPEG and BMP.
//!
//! A picture is a 2-D image of unit spacing with 1 channel (grey) or 3 (red, green, blue). Palettes are expanded to
//! colours, alpha is dropped, and a colour picture whose channels are all equal stays one of three channels.

use std::io::Cursor;

use image::{DynamicImage, ExtendedColorType, ImageDecoder as _, ImageEncoder as _, ImageFormat, ImageReader, Limits};

use super::jpeg::Jpeg;
use super::{CUT_SHORT, bad_field, check_claim, check_memory};
use crate::{DecodeError, Dimension, Format, Geometry, Image, SampleType};

/// Decodes a picture of the given format.
pub(crate) fn decode(format: Format, bytes: &[u8]) -> Result<Image, DecodeError> {
    let kind = match format {
        Format::Jpeg => return decode_jpeg(bytes),
        Format::Bmp => ImageFormat::Bmp,
        _ => ImageFormat::Png,
    };
    let broken = |e| DecodeError::Broken { format, message: plain_words(&e) };
    if format == Format::Png {
        check_palette(bytes)?;
    }
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), kind).into_decoder().map_err(broken)?;
    let decoded = decoder.total_bytes();
    check_claim(format, decoded, bytes.len() as u64)?;
    let (width, height) = decoder.dimensions();
    // The decoded samples, and the image of up to 3 channels of f32.
    let need = (u64::from(width) * u64::from(height)).saturating_mul(3 * 4).saturating_add(decoded);
    check_memory(format, need)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(need.max(1 << 20));
    decoder.set_limits(limits).map_err(broken)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let geometry = geometry(format, [width as usize, height as usize])?;
    match picture {
        DynamicImage::ImageLuma8(p) => Ok(planes::<_, 1, 1>(p.as_raw(), geometry, SampleType::U8)),
        DynamicImage::ImageLumaA8(p) => Ok(planes::<_, 2, 1>(p.as_raw(), geometry, SampleType::U8)),
        DynamicImage::ImageRgb8(p) => Ok(planes::<_, 3, 3>(p.as_raw(), geometry, SampleType::U8)),
        DynamicImage::ImageRgba8(p) => Ok(planes::<_, 4, 3>(p.as_raw(), geometry, SampleType::U8)),
        DynamicImage::ImageLuma16(p) => Ok(planes::<_, 1, 1>(p.as_raw(), geometry, SampleType::U16)),
        DynamicImage::ImageLumaA16(p) => Ok(planes::<_, 2, 1>(p.as_raw(), geometry, SampleType::U16)),
        DynamicImage::ImageRgb16(p) => Ok(planes::<_, 3, 3>(p.as_raw(), geometry, SampleType::U16)),
        DynamicImage::ImageRgba16(p) => Ok(planes::<_, 4, 3>(p.as_raw(), geometry, SampleType::U16)),
        other => Err(unsupported(format, format!("a picture with samples of kind {:?}", other.color()))),
    }
}

/// Refuses a palette of a broken number of colours, which the decoder would panic at (`png` 0.18.1).
fn check_palette(bytes: &[u8]) -> Result<(), DecodeError> {
    const SIGNATURE: usize = 8;
    // Length, kind, that many bytes, and a checksum of four.
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    while let Some((&[a, b, c, d, ref kind @ ..], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if kind == b"PLTE" && !length.is_multiple_of(3) {
            let found = format!("{length} bytes");
            return Err(bad_field(Format::Png, "PLTE", "colours of 3 bytes", found));
        }
        rest = after.get(length.saturating_add(4)..).unwrap_or_default();
    }
    Ok(())
}

fn decode_jpeg(bytes: &[u8]) -> Result<Image, DecodeError> {
    let jpeg = Jpeg::open(Format::Jpeg, bytes)?;
    let [width, height, channels] = jpeg.size();
    let stored = if jpeg.is_wide() { SampleType::U16 } else { SampleType::U8 };
    check_memory(Format::Jpeg, (width * height * channels * 2 * size_of::<f32>()) as u64)?;
    let geometry = geometry(Format::Jpeg, [width, height])?;
    match channels {
        1 => Ok(planes::<f32, 1, 1>(&jpeg.decode()?, geometry, stored)),
        3 => Ok(planes::<f32, 3, 3>(&jpeg.decode()?, geometry, stored)),
        _ => Err(unsupported(Format::Jpeg, "a picture in the colours of print (CMYK)")),
    }
}

fn geometry(format: Format, [width, height]: [usize; 2]) -> Result<Geometry, DecodeError> {
    Geometry::unit(Dimension::Two, [width, height, 1]).map_err(|source| DecodeError::Geometry { format, source })
}

fn unsupported(format: Format, what: impl Into<String>) -> DecodeError {
    DecodeError::Unsupported { format, what: what.into(), hint: "save it as an 8 or 16 bit PNG, or as TIFF" }
}

/// What a decoder complains of, without its own terms where a plain word says it.
fn plain_words(error: &image::ImageError) -> String {
    use image::ImageError;
    let message = error.to_string();
    match error {
        ImageError::Limits(_) => "the size in the header is larger than any picture's".into(),
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => CUT_SHORT.into(),
        _ if message.contains("unexpected end of file") => CUT_SHORT.into(),
        _ if message.contains("CRC error") => "a checksum is wrong".into(),
        // "Format error decoding Png: " says nothing that the file's name does not.
        _ => message.split_once(": ").map_or(message.as_str(), |(_, rest)| rest).trim().to_lowercase(),
    }
}

/// One plane a channel, from pixels of `N` interleaved samples of which the first `C` are kept.
fn planes<T: Copy + Into<f32>, const N: usize, const C: usize>(
    pixels: &[T],
    geometry: Geometry,
    stored: SampleType,
) -> Image {
    let pixels = pixels.as_chunks::<N>().0;
    let samples = (0..C).flat_map(|channel| pixels.iter().map(move |pixel| pixel[channel].into())).collect();
    Image::from_parts(samples, C, geometry, stored)
}

/// Encodes a 2-D image of 1, 3 (colour) or 4 channels (with alpha) and 8 or 16 bit samples.
///
/// # Errors
/// What the format cannot hold.
pub(crate) fn encode_png(image: &Image) -> Result<Vec<u8>, String> {
    let other = "store it as .nii.gz, .tif or .npy";
    let [width, height, depth] = image.geometry().size();
    if depth != 1 {
        return Err(format!("PNG holds one slice, not a volume of {depth}: {other}"));
    }
    let stored = image.exact_type();
    let color = match (image.channels(), stored) {
        (1, SampleType::U8) => ExtendedColorType::L8,
        (1, SampleType::U16) => ExtendedColorType::L16,
        (3, SampleType::U8) => ExtendedColorType::Rgb8,
        (3, SampleType::U16) => ExtendedColorType::Rgb16,
        (4, SampleType::U8) => ExtendedColorType::Rgba8,
        (4, SampleType::U16) => ExtendedColorType::Rgba16,
        (1 | 3 | 4, kind) => {
            return Err(format!(
                "PNG holds whole numbers from 0 to 65535, not samples of type {}: {other}",
                kind.name()
            ));
        }
        (channels, _) => return Err(format!("PNG holds 1, 3 or 4 channels, not {channels}: {other}")),
    };
    let size = |n: usize| u32::try_from(n).map_err(|_| format!("PNG cannot hold {n} pixels along an axis: {other}"));
    let (width, height) = (size(width)?, size(height)?);
    let mut bytes = stored.encode(interleaved(image, 0..image.geometry().len()));
    if stored == SampleType::U16 {
        // The encoder takes the machine's byte order.
        for pair in bytes.as_chunks_mut().0 {
            *pair = u16::from_le_bytes(*pair).to_ne_bytes();
        }
    }
    let mut file = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut file);
    encoder.write_image(&bytes, width, height, color).map_err(|e| format!("PNG: {e}"))?;
    Ok(file)
}

/// Samples of a range of voxels, the channels of a voxel beside each other.
pub(super) fn interleaved(image: &Image, voxels: std::ops::Range<usize>) -> impl Iterator<Item = f32> {
    voxels.flat_map(move |voxel| (0..image.channels()).map(move |channel| image.channel(channel)[voxel]))
}
