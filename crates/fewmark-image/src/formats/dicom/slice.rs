//! What one DICOM file says about its picture: its samples, and where its frames lie in the patient.

use super::dataset::{DataSet, Tag, name};
use crate::formats::bad_field;
use crate::{DecodeError, Format};

const SERIES_DESCRIPTION: Tag = 0x0008_103e;
const SLICE_THICKNESS: Tag = 0x0018_0050;
const SPACING_BETWEEN_SLICES: Tag = 0x0018_0088;
const IMAGER_PIXEL_SPACING: Tag = 0x0018_1164;
const SERIES_INSTANCE_UID: Tag = 0x0020_000e;
const IMAGE_POSITION: Tag = 0x0020_0032;
const IMAGE_ORIENTATION: Tag = 0x0020_0037;
const PLANE_POSITION_SEQUENCE: Tag = 0x0020_9113;
const PLANE_ORIENTATION_SEQUENCE: Tag = 0x0020_9116;
const SAMPLES_PER_PIXEL: Tag = 0x0028_0002;
const PHOTOMETRIC_INTERPRETATION: Tag = 0x0028_0004;
const PLANAR_CONFIGURATION: Tag = 0x0028_0006;
const NUMBER_OF_FRAMES: Tag = 0x0028_0008;
const ROWS: Tag = 0x0028_0010;
const COLUMNS: Tag = 0x0028_0011;
const PIXEL_SPACING: Tag = 0x0028_0030;
const BITS_ALLOCATED: Tag = 0x0028_0100;
const BITS_STORED: Tag = 0x0028_0101;
const HIGH_BIT: Tag = 0x0028_0102;
const PIXEL_REPRESENTATION: Tag = 0x0028_0103;
const RESCALE_INTERCEPT: Tag = 0x0028_1052;
const RESCALE_SLOPE: Tag = 0x0028_1053;
const PIXEL_MEASURES_SEQUENCE: Tag = 0x0028_9110;
const PIXEL_VALUE_TRANSFORMATION_SEQUENCE: Tag = 0x0028_9145;
const SHARED_FUNCTIONAL_GROUPS: Tag = 0x5200_9229;
const PER_FRAME_FUNCTIONAL_GROUPS: Tag = 0x5200_9230;

/// How the samples of a pixel make a value or a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Photometric {
    /// `MONOCHROME1` and `MONOCHROME2`: they differ in display only, the samples are kept as stored.
    Grey,
    Palette,
    Rgb,
    /// `YBR_FULL`: converted to RGB where the codec does not do it.
    YbrFull,
    /// `YBR_FULL_422`, `YBR_PARTIAL_420`, `YBR_ICT`, `YBR_RCT`: a codec's own, which it converts to RGB.
    YbrOfCodec,
}

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) frames: usize,
    /// 1 or 3.
    pub(super) samples_per_pixel: usize,
    pub(super) photometric: Photometric,
    /// Whether the colours of a native picture come one plane after the other.
    pub(super) planar: bool,
    /// 8, 16 or 32.
    pub(super) bits_allocated: u32,
    /// From 1 to `bits_allocated`.
    pub(super) bits_stored: u32,
    /// Unused bits below the stored ones.
    pub(super) shift: u32,
    pub(super) signed: bool,
}

impl Layout {
    fn parse(set: &DataSet) -> Result<Self, DecodeError> {
        let size = |tag| within(tag, required(set, tag)?, 1, u16::MAX.into()).map(|n| n as usize);
        let frames =
            within(NUMBER_OF_FRAMES, set.integer_text(NUMBER_OF_FRAMES)?.unwrap_or(1), 1, i64::from(u32::MAX))?;
        let (photometric, samples_per_pixel) = photometric(set)?;
        let bits_allocated = required(set, BITS_ALLOCATED)?;
        if bits_allocated == 1 {
            return Err(DecodeError::Unsupported {
                format: Format::Dicom,
                what: "a picture of 1 bit per sample (a segmentation object)".into(),
                hint: "convert it to NIfTI first, for example with dcmqi",
            });
        }
        if ![8, 16, 32].contains(&bits_allocated) {
            return Err(bad_field(Format::Dicom, name(BITS_ALLOCATED), "8, 16 or 32", bits_allocated));
        }
        let stored = set.unsigned(BITS_STORED)?.map_or(bits_allocated, |n| n as i64);
        let stored = within(BITS_STORED, stored, 1, bits_allocated)?;
        let high = set.unsigned(HIGH_BIT)?.map_or(stored - 1, |n| n as i64);
        let high = within(HIGH_BIT, high, stored - 1, bits_allocated - 1)?;
        Ok(Self {
            columns: size(COLUMNS)?,
            rows: size(ROWS)?,
            frames: frames as usize,
            samples_per_pixel,
            photometric,
            planar: set.unsigned(PLANAR_CONFIGURATION)? == Some(1),
            bits_allocated: bits_allocated as u32,
            bits_stored: stored as u32,
            shift: (high + 1 - stored) as u32,
            signed: set.unsigned(PIXEL_REPRESENTATION)? == Some(1),
        })
    }

    /// Channels of the image that the samples become.
    pub(super) fn channels(&self) -> usize {
        if self.photometric == Photometric::Grey { 1 } else { 3 }
    }

    /// Pixels of a frame.
    pub(super) fn pixels(&self) -> usize {
        self.columns * self.rows
    }

    pub(super) fn bytes_per_sample(&self) -> usize {
        self.bits_allocated as usize / 8
    }

    /// Bytes of a frame without compression.
    pub(super) fn frame_bytes(&self) -> usize {
        self.pixels() * self.samples_per_pixel * self.bytes_per_sample()
    }
}

fn required(set: &DataSet, tag: Tag) -> Result<i64, DecodeError> {
    let number = set.unsigned(tag)?.ok_or_else(|| bad_field(Format::Dicom, name(tag), "a number", "nothing"))?;
    Ok(number as i64)
}

fn within(tag: Tag, number: i64, low: i64, high: i64) -> Result<i64, DecodeError> {
    let expected = || if low == high { low.to_string() } else { format!("{low} to {high}") };
    let inside = (low..=high).contains(&number);
    inside.then_some(number).ok_or_else(|| bad_field(Format::Dicom, name(tag), expected(), number))
}

fn photometric(set: &DataSet) -> Result<(Photometric, usize), DecodeError> {
    let text = set.text(PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    let (photometric, expected) = match &*text {
        "MONOCHROME1" | "MONOCHROME2" => (Photometric::Grey, 1),
        "PALETTE COLOR" => (Photometric::Palette, 1),
        "RGB" => (Photometric::Rgb, 3),
        "YBR_FULL" => (Photometric::YbrFull, 3),
        "YBR_FULL_422" | "YBR_PARTIAL_420" | "YBR_ICT" | "YBR_RCT" => (Photometric::YbrOfCodec, 3),
        _ => {
            let known = "MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB or YBR";
            return Err(bad_field(Format::Dicom, name(PHOTOMETRIC_INTERPRETATION), known, text));
        }
    };
    let samples = required(set, SAMPLES_PER_PIXEL)?;
    within(SAMPLES_PER_PIXEL, samples, expected, expected)?;
    Ok((photometric, expected as usize))
}

/// Where one frame lies, and what its samples mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plane {
    /// Centre of the first pixel, LPS in mm.
    pub(super) position: Option<[f64; 3]>,
    /// Directions of increasing column and row, LPS.
    pub(super) orientation: Option<[f64; 6]>,
    /// Distance between rows, then between columns, in mm.
    pub(super) pixel_spacing: Option<[f64; 2]>,
    /// Slope and intercept from stored samples to values.
    pub(super) rescale: [f64; 2],
    /// Distance between the centres of neighbouring slices in mm, where the file tells it.
    pub(super) slice_distance: Option<f64>,
    /// Thickness of the slice in mm, which may be more or less than the distance.
    pub(super) thickness: Option<f64>,
}

impl Plane {
    /// Whether all is told that gives the plane a place in the patient.
    pub(super) fn is_placed(&self) -> bool {
        self.position.is_some() && self.orientation.is_some() && self.pixel_spacing.is_some()
    }
}

/// Everything that a file says but its samples.
pub(super) struct Header {
    pub(super) series: String,
    pub(super) description: String,
    pub(super) layout: Layout,
    /// One for each frame.
    pub(super) planes: Vec<Plane>,
}

impl Header {
    pub(super) fn parse(set: &DataSet) -> Result<Self, DecodeError> {
        set.pixel_data()?;
        let layout = Layout::parse(set)?;
        let text = |tag| set.text(tag).unwrap_or_default().into_owned();
        Ok(Self {
            series: text(SERIES_INSTANCE_UID),
            description: text(SERIES_DESCRIPTION),
            layout,
            planes: planes(set, layout.frames)?,
        })
    }
}

/// The places of the frames: those of their own functional group, of the shared one, or of the file itself.
fn planes(set: &DataSet, frames: usize) -> Result<Vec<Plane>, DecodeError> {
    let base = Plane {
        position: None,
        orientation: None,
        pixel_spacing: set.decimals(IMAGER_PIXEL_SPACING)?,
        rescale: [1.0, 0.0],
        slice_distance: None,
        thickness: None,
    };
    let mut shared = refine(base, set)?;
    if let Some(groups) = set.sequence(SHARED_FUNCTIONAL_GROUPS)?.first() {
        shared = refine_by_groups(shared, groups)?;
    }
    let per_frame = set.sequence(PER_FRAME_FUNCTIONAL_GROUPS)?;
    if per_frame.is_empty() {
        // The count of frames is not yet checked against the pixel data: what is kept here must not grow with it.
        return Ok(vec![shared]);
    }
    if per_frame.len() != frames {
        let expected = format!("{frames} items, one a frame");
        return Err(bad_field(Format::Dicom, name(PER_FRAME_FUNCTIONAL_GROUPS), expected, per_frame.len()));
    }
    per_frame.iter().map(|groups| refine_by_groups(shared, groups)).collect()
}

fn refine_by_groups(mut plane: Plane, groups: &DataSet) -> Result<Plane, DecodeError> {
    for tag in [
        PLANE_POSITION_SEQUENCE,
        PLANE_ORIENTATION_SEQUENCE,
        PIXEL_MEASURES_SEQUENCE,
        PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
    ] {
        if let Some(item) = groups.sequence(tag)?.first() {
            plane = refine(plane, item)?;
        }
    }
    Ok(plane)
}

/// The plane with everything replaced that the data set says about it.
fn refine(plane: Plane, set: &DataSet) -> Result<Plane, DecodeError> {
    let one = |tag| Ok::<_, DecodeError>(set.decimals::<1>(tag)?.map(|[x]| x));
    // Some programs write 0, or a negative distance for slices that run downwards.
    let positive = |distance: Option<f64>| distance.filter(|&d| d > 0.0);
    let pixel_spacing = set.decimals(PIXEL_SPACING)?;
    if let Some([row, column]) = pixel_spacing.filter(|s: &[f64; 2]| s.iter().any(|&x| x <= 0.0)) {
        return Err(bad_field(Format::Dicom, name(PIXEL_SPACING), "positive numbers", format!("{row}\\{column}")));
    }
    Ok(Plane {
        position: set.decimals(IMAGE_POSITION)?.or(plane.position),
        orientation: set.decimals(IMAGE_ORIENTATION)?.or(plane.orientation),
        pixel_spacing: pixel_spacing.or(plane.pixel_spacing),
        rescale: [one(RESCALE_SLOPE)?.unwrap_or(plane.rescale[0]), one(RESCALE_INTERCEPT)?.unwrap_or(plane.rescale[1])],
        slice_distance: positive(one(SPACING_BETWEEN_SLICES)?).or(plane.slice_distance),
        thickness: positive(one(SLICE_THICKNESS)?).or(plane.thickness),
    })
}
