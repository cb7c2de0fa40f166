//! The samples of a DICOM file: native, run-length encoded, JPEG or JPEG 2000 (PS3.5 sections 8 and A.4).

use super::codec;
use super::dataset::{DataSet, Encoding, Tag, broken, name};
use super::slice::{Layout, Photometric};
use crate::formats::{bad_field, check_claim};
use crate::{DecodeError, Format};

const PALETTE_DESCRIPTORS: [Tag; 3] = [0x0028_1101, 0x0028_1102, 0x0028_1103];
const PALETTE_DATA: [Tag; 3] = [0x0028_1201, 0x0028_1202, 0x0028_1203];

/// The samples of a file, not yet decoded.
pub(super) struct Pixels<'a> {
    layout: Layout,
    source: Source<'a>,
    palette: Option<Palette>,
}

enum Source<'a> {
    Native { bytes: &'a [u8], encoding: Encoding },
    Compressed { codec: codec::Codec, frames: Vec<Vec<&'a [u8]>> },
}

/// The samples of one frame as they are stored, before unused bits are removed.
pub(super) struct Raw {
    pub(super) samples: Vec<u32>,
    /// Whether the colours come one plane after the other, not interleaved.
    pub(super) planar: bool,
    /// What the samples mean after the codec has done its part.
    pub(super) photometric: Photometric,
}

impl<'a> Pixels<'a> {
    /// Finds the samples, and checks that there are as many as the layout says: afterwards a planned allocation is
    /// safe.
    pub(super) fn find(set: &DataSet<'a>, layout: Layout, syntax: &str) -> Result<Self, DecodeError> {
        let element = set.pixel_data()?;
        let source = match element.fragments()? {
            None => Source::native(element.value, element.encoding, &layout)?,
            Some(items) => Source::compressed(&items, element.encoding, &layout, syntax)?,
        };
        let palette = (layout.photometric == Photometric::Palette).then(|| Palette::parse(set, &layout)).transpose()?;
        Ok(Self { layout, source, palette })
    }

    /// Decodes one frame to values, into one field of pixels a channel.
    pub(super) fn decode_frame(
        &self,
        frame: usize,
        rescale: [f64; 2],
        channels: &mut [&mut [f32]],
    ) -> Result<(), DecodeError> {
        let raw = self.raw(frame)?;
        let layout = &self.layout;
        let expected = layout.pixels() * layout.samples_per_pixel;
        if raw.samples.len() != expected {
            return Err(broken(format!("frame {frame} has {} samples, not {expected}", raw.samples.len())));
        }
        if let [grey] = channels {
            let [slope, intercept] = rescale;
            for (value, &sample) in grey.iter_mut().zip(&raw.samples) {
                *value = (stored_value(layout, sample) * slope + intercept) as f32;
            }
            return Ok(());
        }
        for pixel in 0..layout.pixels() {
            let color = self.color(&raw, pixel);
            for (channel, value) in channels.iter_mut().zip(color) {
                channel[pixel] = value;
            }
        }
        Ok(())
    }

    fn raw(&self, frame: usize) -> Result<Raw, DecodeError> {
        match &self.source {
            Source::Native { bytes, encoding } => {
                let size = self.layout.frame_bytes();
                let bytes = &bytes[frame * size..(frame + 1) * size];
                Ok(Raw {
                    samples: native_samples(bytes, self.layout.bytes_per_sample(), *encoding),
                    planar: self.layout.planar,
                    photometric: self.layout.photometric,
                })
            }
            Source::Compressed { codec, frames } => codec.decode(&frames[frame].concat(), &self.layout),
        }
    }

    fn color(&self, raw: &Raw, pixel: usize) -> [f32; 3] {
        if let Some(palette) = &self.palette {
            return palette.color(stored_value(&self.layout, raw.samples[pixel]));
        }
        let sample = |channel: usize| {
            let n = self.layout.pixels();
            stored_value(&self.layout, raw.samples[if raw.planar { channel * n + pixel } else { pixel * 3 + channel }])
        };
        let color = [sample(0), sample(1), sample(2)];
        let color = if raw.photometric == Photometric::YbrFull { rgb(color, self.layout.bits_stored) } else { color };
        color.map(|c| c as f32)
    }
}

impl<'a> Source<'a> {
    fn native(bytes: &'a [u8], encoding: Encoding, layout: &Layout) -> Result<Self, DecodeError> {
        if layout.photometric == Photometric::YbrOfCodec {
            return Err(unsupported("native pixels with halved colour resolution"));
        }
        let expected = (layout.frames as u64).saturating_mul(layout.frame_bytes() as u64);
        let found = bytes.len() as u64;
        if found < expected {
            return Err(DecodeError::Truncated { format: Format::Dicom, part: "pixel data", expected, found });
        }
        Ok(Self::Native { bytes, encoding })
    }

    fn compressed(items: &[&'a [u8]], encoding: Encoding, layout: &Layout, syntax: &str) -> Result<Self, DecodeError> {
        let codec = codec::Codec::of(syntax)?;
        let Some((offsets, fragments)) = items.split_first().filter(|(_, fragments)| !fragments.is_empty()) else {
            return Err(broken("the pixel data has no fragments"));
        };
        let frames = frames(offsets, fragments, encoding, layout.frames)?;
        let claimed = (layout.frames as u64).saturating_mul(layout.frame_bytes() as u64);
        check_claim(Format::Dicom, claimed, fragments.iter().map(|f| f.len() as u64).sum())?;
        Ok(Self::Compressed { codec, frames })
    }
}

/// The fragments of each frame: all for a single frame, one each, or as the table of offsets says.
pub(super) fn frames<'a>(
    offsets: &[u8],
    fragments: &[&'a [u8]],
    encoding: Encoding,
    count: usize,
) -> Result<Vec<Vec<&'a [u8]>>, DecodeError> {
    if count == 1 {
        return Ok(vec![fragments.to_vec()]);
    }
    if fragments.len() == count {
        return Ok(fragments.iter().map(|&f| vec![f]).collect());
    }
    let starts: Vec<u64> = offsets.as_chunks().0.iter().map(|&b| encoding.u32(b).into()).collect();
    if starts.len() != count {
        return Err(broken(format!("{} fragments without offsets for {count} frames", fragments.len())));
    }
    let mut frames = vec![Vec::new(); count];
    let (mut position, mut frame) = (0, 0);
    for &fragment in fragments {
        while starts.get(frame + 1).is_some_and(|&start| start <= position) {
            frame += 1;
        }
        frames[frame].push(fragment);
        // Offsets count the items' headers of 8 bytes.
        position += fragment.len() as u64 + 8;
    }
    Ok(frames)
}

fn native_samples(bytes: &[u8], bytes_per_sample: usize, encoding: Encoding) -> Vec<u32> {
    match bytes_per_sample {
        1 => bytes.iter().map(|&b| b.into()).collect(),
        2 => bytes.as_chunks().0.iter().map(|&b| encoding.u16(b).into()).collect(),
        _ => bytes.as_chunks().0.iter().map(|&b| encoding.u32(b)).collect(),
    }
}

/// The number in the stored bits of a sample, with its sign where it has one.
fn stored_value(layout: &Layout, sample: u32) -> f64 {
    let unused = u32::BITS - layout.bits_stored;
    let aligned = sample >> layout.shift << unused;
    if layout.signed { f64::from(aligned.cast_signed() >> unused) } else { f64::from(aligned >> unused) }
}

/// RGB of a full-range YCbCr colour (PS3.3 section C.7.6.3.1.2, with the constants of ITU-R BT.601).
fn rgb([y, cb, cr]: [f64; 3], bits: u32) -> [f64; 3] {
    let center = 2f64.powi(bits as i32 - 1);
    let (cb, cr) = (cb - center, cr - center);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|c| c.round().clamp(0.0, 2.0 * center - 1.0))
}

/// Colours by index.
struct Palette {
    first: f64,
    /// At least one colour.
    colors: Vec<[f32; 3]>,
}

impl Palette {
    fn parse(set: &DataSet, layout: &Layout) -> Result<Self, DecodeError> {
        let mut first = 0.0;
        let mut colors = Vec::new();
        for channel in 0..3 {
            let (values, start) = palette_channel(set, layout, channel)?;
            first = start;
            colors.resize(values.len(), [0.0; 3]);
            for (color, value) in colors.iter_mut().zip(values) {
                color[channel] = value;
            }
        }
        Ok(Self { first, colors })
    }

    /// Indices outside the palette take its first or last colour (PS3.3 section C.7.6.3.1.5).
    fn color(&self, index: f64) -> [f32; 3] {
        let position = (index - self.first).max(0.0) as usize;
        self.colors[position.min(self.colors.len() - 1)]
    }
}

fn palette_channel(set: &DataSet, layout: &Layout, channel: usize) -> Result<(Vec<f32>, f64), DecodeError> {
    let missing = |tag| bad_field(Format::Dicom, name(tag), "a colour palette", "nothing");
    let tag = PALETTE_DESCRIPTORS[channel];
    let descriptor = set.get(tag).ok_or_else(|| missing(tag))?;
    let encoding = descriptor.encoding;
    let [count, first, bits] = descriptor.value.as_chunks().0 else {
        return Err(bad_field(Format::Dicom, name(tag), "three numbers", format!("{:?}", descriptor.value)));
    };
    // 2^16 entries do not fit into the field and are written as 0.
    let count = match encoding.u16(*count) {
        0 => 1 << 16,
        n => usize::from(n),
    };
    let first = encoding.u16(*first);
    let first = if layout.signed { f64::from(first.cast_signed()) } else { f64::from(first) };
    let tag = PALETTE_DATA[channel];
    let data = set.get(tag).ok_or_else(|| missing(tag))?.value;
    let bytes_per_entry = if encoding.u16(*bits) == 8 && data.len() < 2 * count { 1 } else { 2 };
    let values = native_samples(data, bytes_per_entry, encoding);
    if values.len() < count {
        let (expected, found) = ((count * bytes_per_entry) as u64, data.len() as u64);
        return Err(DecodeError::Truncated { format: Format::Dicom, part: "palette", expected, found });
    }
    Ok((values[..count].iter().map(|&v| v as f32).collect(), first))
}

pub(super) fn unsupported(what: impl Into<String>) -> DecodeError {
    DecodeError::Unsupported {
        format: Format::Dicom,
        what: what.into(),
        hint: "decompress the file first, for example with `gdcmconv --raw` or `dcmdjpls`",
    }
}
