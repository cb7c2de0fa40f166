//! The compressed frames of a DICOM file: run-length encoding, JPEG (baseline, extended of 8 bits, lossless) and JPEG
//! 2000.
//!
//! Each checks the size that the stream itself claims against the file's rows and columns before anything is reserved.

use hayro_jpeg2000::{DecodeSettings, DecoderContext};

use super::dataset::broken;
use super::pixels::{Raw, unsupported};
use super::slice::{Layout, Photometric};
use crate::formats::jpeg::Jpeg;
use crate::{DecodeError, Format};

/// How frames are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Rle,
    Jpeg,
    Jpeg2000,
}

impl Codec {
    /// The codec of a transfer syntax, by its UID.
    pub(super) fn of(syntax: &str) -> Result<Self, DecodeError> {
        let jpeg_or_rle = syntax.strip_prefix("1.2.840.10008.1.2.");
        match jpeg_or_rle {
            Some("5") => Ok(Self::Rle),
            Some("4.50" | "4.51" | "4.57" | "4.70") => Ok(Self::Jpeg),
            Some("4.90" | "4.91") => Ok(Self::Jpeg2000),
            Some("4.80" | "4.81") => Err(unsupported("JPEG-LS compression")),
            Some("4.201" | "4.202" | "4.203") => Err(unsupported("high-throughput JPEG 2000 compression")),
            _ => Err(unsupported(format!("the transfer syntax {syntax} with compressed pixels"))),
        }
    }

    pub(super) fn decode(self, bytes: &[u8], layout: &Layout) -> Result<Raw, DecodeError> {
        match self {
            Self::Rle => decode_rle(bytes, layout),
            Self::Jpeg => decode_jpeg(bytes, layout),
            Self::Jpeg2000 => decode_jpeg2000(bytes, layout),
        }
    }
}

/// Run-length encoding (PS3.5 annex G): one segment for each byte of a sample, the highest first, and each colour.
fn decode_rle(bytes: &[u8], layout: &Layout) -> Result<Raw, DecodeError> {
    let cut = || broken("the header of a run-length encoded frame is cut short");
    let words = bytes.first_chunk::<64>().ok_or_else(cut)?.as_chunks::<4>().0;
    let word = |i: usize| u32::from_le_bytes(words[i]) as usize;
    let segments = layout.samples_per_pixel * layout.bytes_per_sample();
    if word(0) != segments {
        return Err(broken(format!("a run-length encoded frame has {} segments, not {segments}", word(0))));
    }
    let n = layout.pixels();
    let mut samples = vec![0u32; n * layout.samples_per_pixel];
    for segment in 0..segments {
        let end = if segment + 1 < segments { word(segment + 2) } else { bytes.len() };
        let packed = bytes.get(word(segment + 1)..end).ok_or_else(|| broken("a run-length segment lies outside"))?;
        let channel = segment / layout.bytes_per_sample();
        unpack_bits(packed, &mut samples[channel * n..(channel + 1) * n])?;
    }
    Ok(Raw { samples, planar: true, photometric: layout.photometric })
}

/// Appends one unpacked byte to each sample, as its lowest; what a run has beyond the last sample is padding.
fn unpack_bits(mut packed: &[u8], samples: &mut [u32]) -> Result<(), DecodeError> {
    let cut = || broken("a run-length segment is cut short");
    let append = |sample: &mut u32, byte: u8| *sample = *sample << 8 | u32::from(byte);
    let mut filled = 0;
    while filled < samples.len() {
        let left = samples[filled..].iter_mut();
        let (control, rest) = packed.split_first().ok_or_else(cut)?;
        match control.cast_signed() {
            i8::MIN => packed = rest,
            literal @ 0.. => {
                let (bytes, rest) = rest.split_at_checked(literal as usize + 1).ok_or_else(cut)?;
                left.zip(bytes).for_each(|(sample, &byte)| append(sample, byte));
                filled += bytes.len();
                packed = rest;
            }
            repeat => {
                let (&byte, rest) = rest.split_first().ok_or_else(cut)?;
                let length = usize::from(repeat.unsigned_abs()) + 1;
                left.take(length).for_each(|sample| append(sample, byte));
                filled += length;
                packed = rest;
            }
        }
    }
    Ok(())
}

/// JPEG. Lossless colours are what the file says they are; lossy ones become RGB.
fn decode_jpeg(bytes: &[u8], layout: &Layout) -> Result<Raw, DecodeError> {
    let mut jpeg = Jpeg::open(Format::Dicom, bytes)?;
    check_size(layout, jpeg.size(), "JPEG")?;
    // The stream itself says what its colours are only in the marker of Adobe; component numbers are mere habit.
    if layout.photometric == Photometric::Rgb && !bytes.windows(5).any(|w| w == b"Adobe") {
        jpeg.assume_rgb();
    }
    let converted = layout.samples_per_pixel == 3 && !jpeg.is_lossless();
    let photometric = if converted { Photometric::Rgb } else { layout.photometric };
    Ok(Raw { samples: jpeg.decode()?, planar: false, photometric })
}

/// JPEG 2000: the decoder undoes the transforms ICT and RCT.
fn decode_jpeg2000(bytes: &[u8], layout: &Layout) -> Result<Raw, DecodeError> {
    // Some programs leave the boxes of a JP2 file around the codestream, which begins with SOC and SIZ.
    const START: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
    let start = bytes.windows(START.len()).position(|w| w == START);
    let stream = &bytes[start.ok_or_else(|| broken("a JPEG 2000 frame has no header"))?..];
    let signed = check_jpeg2000_header(stream, layout)?;
    let failed = |e: hayro_jpeg2000::DecodeError| broken(format!("JPEG 2000: {e}"));
    let settings = DecodeSettings { strict: true, resolve_palette_indices: false, target_resolution: None };
    let image = hayro_jpeg2000::Image::new(stream, &settings).map_err(failed)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(failed)?;
    let mut samples = Vec::with_capacity(layout.pixels() * layout.samples_per_pixel);
    for component in decoded.components() {
        // The decoder raises signed samples, too, by half of their range, which only unsigned ones are.
        let raised = if signed { f32::from(1u16 << (component.bit_depth() - 1)) } else { 0.0 };
        samples.extend(component.samples().iter().map(|v| ((v - raised).round() as i32).cast_unsigned()));
    }
    let photometric = match layout.photometric {
        Photometric::YbrOfCodec => Photometric::Rgb,
        other => other,
    };
    Ok(Raw { samples, planar: true, photometric })
}

/// Checks the SIZ segment (ISO/IEC 15444-1 section A.5.1), and tells whether the samples are signed.
fn check_jpeg2000_header(stream: &[u8], layout: &Layout) -> Result<bool, DecodeError> {
    /// The decoder computes in `f32`, exactly only with bits to spare.
    const MOST_BITS: u8 = 16;
    let cut = || broken("the header of a JPEG 2000 frame is cut short");
    let word = |at: usize| {
        let bytes = stream.get(at..).and_then(|b| b.first_chunk()).ok_or_else(cut)?;
        Ok::<_, DecodeError>(u32::from_be_bytes(*bytes) as usize)
    };
    let extent = |end: usize, start: usize| Ok::<_, DecodeError>(word(end)?.saturating_sub(word(start)?));
    let components = stream.get(40..).and_then(|b| b.first_chunk()).ok_or_else(cut)?;
    let components = usize::from(u16::from_be_bytes(*components));
    check_size(layout, [extent(8, 16)?, extent(12, 20)?, components], "JPEG 2000")?;
    let described = stream.get(42..42 + 3 * components).ok_or_else(cut)?.as_chunks::<3>().0;
    let &[depth, ..] = described.first().ok_or_else(cut)?;
    if described.iter().any(|&[_, dx, dy]| dx != 1 || dy != 1) {
        return Err(unsupported("JPEG 2000 with reduced colour resolution"));
    }
    if described.iter().any(|&[other, ..]| other != depth) || (depth & 0x7f) + 1 > MOST_BITS {
        return Err(unsupported(format!("JPEG 2000 with more than {MOST_BITS} bits or with unlike components")));
    }
    Ok(depth & 0x80 != 0)
}

/// Whether columns, rows and samples per pixel are those of the file.
fn check_size(layout: &Layout, found: [usize; 3], codec: &str) -> Result<(), DecodeError> {
    let expected = [layout.columns, layout.rows, layout.samples_per_pixel];
    if found == expected {
        return Ok(());
    }
    let text = |[columns, rows, samples]: [usize; 3]| format!("{columns} x {rows} pixels of {samples} samples");
    Err(broken(format!("expected {}, but the {codec} frame has {}", text(expected), text(found))))
}
