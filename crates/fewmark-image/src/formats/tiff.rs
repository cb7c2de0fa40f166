//! TIFF: pages of 8 to 64-bit samples, grey or colour, of which several make a stack.
//!
//! One page is a 2-D image, several are the slices of a volume, which must have the same size and kind of samples. The
//! spacing is 1 mm: the resolution of a TIFF is one of printing, and is not read. Alpha is dropped and palettes are
//! expanded. Pages of another kind, such as reduced previews, are not told apart from slices.

use std::io::Cursor;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

use super::raster::interleaved;
use super::{CUT_SHORT, bad_field, check_claim, check_memory};
use crate::{DecodeError, Dimension, Format, Geometry, Image, SampleType};

/// More pages than any stack has: a loop of pages is caught by the decoder, this bounds what remains.
const MAX_PAGES: usize = 1 << 16;

/// Size and kind of the samples of a page.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Page {
    size: [usize; 2],
    /// Samples of a pixel in the file, and how many of them are kept.
    samples: usize,
    channels: usize,
    bits: u8,
}

impl Page {
    fn pixels(&self) -> u64 {
        self.size[0] as u64 * self.size[1] as u64
    }

    /// Bytes of the decoded samples.
    fn bytes(&self) -> u64 {
        self.pixels().saturating_mul(self.samples as u64 * u64::from(self.bits / 8))
    }
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { size: [width, height], samples, bits, .. } = self;
        write!(f, "{width} x {height} pixels of {samples} samples of {bits} bits")
    }
}

/// Decodes a file of one or more pages.
pub(crate) fn decode(bytes: &[u8]) -> Result<Image, DecodeError> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?;
    let mut pages: Vec<Vec<f32>> = Vec::new();
    let mut first: Option<(Page, SampleType)> = None;
    loop {
        let page = describe(&mut decoder)?;
        let count = pages.len() as u64 + 1;
        check_claim(Format::Tiff, page.bytes().saturating_mul(count), bytes.len() as u64)?;
        // The decoded page, all pages as f32, and in the end all once more, as one stack.
        let all = page.pixels().saturating_mul(2 * size_of::<f32>() as u64 * page.channels as u64 * count);
        check_memory(Format::Tiff, page.bytes().saturating_add(all))?;
        decoder = decoder.with_limits(limits(page));
        let (samples, kind) = samples(decoder.read_image().map_err(broken)?)?;
        let page_samples = finish_page(&mut decoder, page, samples)?;
        let (expected, expected_kind) = *first.get_or_insert((page, kind));
        if (page, kind) != (expected, expected_kind) {
            let expected = format!("pages like the first, {expected} ({})", expected_kind.name());
            let found = format!("page {count} of {page} ({})", kind.name());
            return Err(bad_field(Format::Tiff, "ImageWidth", expected, found));
        }
        pages.push(page_samples);
        if !decoder.more_images() {
            return stack(page, &pages, kind);
        }
        if pages.len() == MAX_PAGES {
            return Err(bad_field(Format::Tiff, "pages", format!("at most {MAX_PAGES}"), "more"));
        }
        decoder.next_image().map_err(broken)?;
    }
}

fn limits(page: Page) -> Limits {
    let mut limits = Limits::default();
    // The decoder counts its own small buffers as well, which a tiny page must not be refused for.
    limits.decoding_buffer_size = usize::try_from(page.bytes()).unwrap_or(usize::MAX).max(1 << 20);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    limits
}

/// A stack of pages, each with its channels one after the other.
fn stack(page: Page, pages: &[Vec<f32>], stored: SampleType) -> Result<Image, DecodeError> {
    let [width, height] = page.size;
    let dimension = if pages.len() == 1 { Dimension::Two } else { Dimension::Three };
    let geometry = Geometry::unit(dimension, [width, height, pages.len()])
        .map_err(|source| DecodeError::Geometry { format: Format::Tiff, source })?;
    let n = width * height;
    let samples = (0..page.channels).flat_map(|c| pages.iter().flat_map(move |p| &p[c * n..(c + 1) * n]));
    Ok(Image::from_parts(samples.copied().collect(), page.channels, geometry, stored))
}

fn describe(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<Page, DecodeError> {
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let color = decoder.colortype().map_err(broken)?;
    let (samples, channels) = match color {
        ColorType::Gray(8 | 16 | 32 | 64) => (1, 1),
        ColorType::GrayA(8 | 16 | 32 | 64) => (2, 1),
        ColorType::RGB(8 | 16 | 32 | 64) => (3, 3),
        ColorType::RGBA(8 | 16 | 32 | 64) => (4, 3),
        ColorType::Palette(8) => (1, 3),
        _ => {
            return Err(DecodeError::Unsupported {
                format: Format::Tiff,
                what: format!("colour type {color:?}"),
                hint: "convert it to grey or RGB samples of 8 to 64 bits",
            });
        }
    };
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(broken)?;
    if samples > 1 && planar == Some(2) {
        return Err(DecodeError::Unsupported {
            format: Format::Tiff,
            what: "colours in separate planes".into(),
            hint: "save it with interleaved colours",
        });
    }
    Ok(Page { size: [width as usize, height as usize], samples, channels, bits: color.bit_depth() })
}

/// The samples of a page as they are stored, and their type.
fn samples(result: DecodingResult) -> Result<(Vec<f32>, SampleType), DecodeError> {
    macro_rules! convert {
        ($samples:ident, $kind:ident) => {
            Ok(($samples.into_iter().map(|s| s as f32).collect(), SampleType::$kind))
        };
    }
    match result {
        DecodingResult::U8(s) => convert!(s, U8),
        DecodingResult::I8(s) => convert!(s, I8),
        DecodingResult::U16(s) => convert!(s, U16),
        DecodingResult::I16(s) => convert!(s, I16),
        DecodingResult::U32(s) => convert!(s, U32),
        DecodingResult::I32(s) => convert!(s, I32),
        DecodingResult::U64(s) => convert!(s, U64),
        DecodingResult::I64(s) => convert!(s, I64),
        DecodingResult::F32(s) => convert!(s, F32),
        DecodingResult::F64(s) => convert!(s, F64),
        DecodingResult::F16(s) => Ok((s.into_iter().map(f32::from).collect(), SampleType::F32)),
    }
}

/// The channels of a page one after the other: without alpha, and with the palette applied.
fn finish_page(decoder: &mut Decoder<Cursor<&[u8]>>, page: Page, samples: Vec<f32>) -> Result<Vec<f32>, DecodeError> {
    let pixels = page.size[0] * page.size[1];
    if samples.len() < pixels * page.samples {
        return Err(DecodeError::Broken {
            format: Format::Tiff,
            message: format!("a page has {} samples, not {}", samples.len(), pixels * page.samples),
        });
    }
    if page.samples == 1 && page.channels == 3 {
        return apply_palette(decoder, &samples[..pixels]);
    }
    let channel = |c: usize| samples[c..].iter().step_by(page.samples).take(pixels).copied();
    Ok((0..page.channels).flat_map(channel).collect())
}

/// Colours of indices; the map holds 16-bit reds, then greens, then blues.
fn apply_palette(decoder: &mut Decoder<Cursor<&[u8]>>, indices: &[f32]) -> Result<Vec<f32>, DecodeError> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(broken)?;
    if map.len() != 3 * 256 {
        return Err(bad_field(Format::Tiff, "ColorMap", "768 numbers", format!("{} numbers", map.len())));
    }
    // Eight-bit colours are stored in the upper byte.
    Ok(map.chunks(256).flat_map(|m| indices.iter().map(|&i| f32::from(m[usize::from(i as u8)] >> 8))).collect())
}

fn broken(error: tiff::TiffError) -> DecodeError {
    let message = match error {
        tiff::TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => CUT_SHORT.into(),
        error => error.to_string(),
    };
    DecodeError::Broken { format: Format::Tiff, message }
}

/// Encodes an image of 1 or 3 channels, one page a slice.
///
/// # Errors
/// What the format cannot hold.
pub(crate) fn encode(image: &Image) -> Result<Vec<u8>, String> {
    use colortype::{Gray8, Gray16, Gray32Float, GrayI16, RGB8, RGB16, RGB32Float};
    let channels = image.channels();
    let fitting = match image.exact_type() {
        SampleType::I8 => SampleType::I16,
        other => other,
    };
    match (channels, fitting) {
        (1, SampleType::U8) => pages::<Gray8>(image, |s| s as u8),
        (1, SampleType::U16) => pages::<Gray16>(image, |s| s as u16),
        (1, SampleType::I16) => pages::<GrayI16>(image, |s| s as i16),
        (1, _) => pages::<Gray32Float>(image, |s| s),
        (3, SampleType::U8) => pages::<RGB8>(image, |s| s as u8),
        (3, SampleType::U16) => pages::<RGB16>(image, |s| s as u16),
        (3, _) => pages::<RGB32Float>(image, |s| s),
        _ => Err(format!(
            "TIFF files of {channels} channels are not written, only of 1 or 3: store it as .nii.gz or .npy"
        )),
    }
}

fn pages<C: colortype::ColorType>(image: &Image, convert: impl Fn(f32) -> C::Inner) -> Result<Vec<u8>, String>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let failed = |e: tiff::TiffError| format!("TIFF: {e}");
    let [width, height, slices] = image.geometry().size();
    let side = |n: usize| u32::try_from(n).map_err(|_| format!("TIFF cannot hold {n} pixels along an axis"));
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).map_err(failed)?;
    for z in 0..slices {
        let n = width * height;
        let page: Vec<C::Inner> = interleaved(image, z * n..(z + 1) * n).map(&convert).collect();
        encoder.write_image::<C>(side(width)?, side(height)?, &page).map_err(failed)?;
    }
    Ok(file.into_inner())
}
