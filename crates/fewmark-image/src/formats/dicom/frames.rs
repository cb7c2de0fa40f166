//! Frames as they are stored.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::dataset::{DataSet, Encoding, Part10, Rest, Tag, broken, name};
use super::header::with_head;
use super::pixels;
use crate::formats::bad_field;
use crate::{DecodeError, Error, Format};

const SAMPLES_PER_PIXEL: Tag = 0x0028_0002;
const PHOTOMETRIC_INTERPRETATION: Tag = 0x0028_0004;
const NUMBER_OF_FRAMES: Tag = 0x0028_0008;
const ROWS: Tag = 0x0028_0010;
const COLUMNS: Tag = 0x0028_0011;
const BITS_ALLOCATED: Tag = 0x0028_0100;

/// The syntax that native frames are handed out in.
const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";

/// Frames of a DICOM file, neither decompressed nor converted.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames {
    /// UID of the transfer syntax that they are in: the file's own where they are compressed, else explicit little-endian.
    pub syntax: String,
    /// The bytes of each, samples with the lowest byte first.
    pub frames: Vec<Vec<u8>>,
}

/// What the header says of the frames.
struct Plan {
    syntax: String,
    encoding: Encoding,
    /// Columns, rows and frames.
    size: [u64; 3],
    /// Bytes of a native frame; nothing where one does not end with a byte.
    frame: Option<u64>,
    /// Bytes of a sample.
    word: usize,
    /// Where the samples begin in the file, and how many bytes they have; nothing where they are compressed in some way.
    native: Option<(u64, u64)>,
}

impl Plan {
    fn of(file: &Part10, set: &DataSet, rest: Rest) -> Result<Self, DecodeError> {
        let number = |tag, usual: Option<u64>| {
            let number = set.unsigned(tag)?.or(usual).filter(|&number| (1..=u16::MAX.into()).contains(&number));
            number.ok_or_else(|| bad_field(Format::Dicom, name(tag), "a number from 1 to 65535", "none"))
        };
        let frames = set.integer_text(NUMBER_OF_FRAMES)?.unwrap_or(1);
        let frames = u64::try_from(frames).ok().filter(|&frames| (1..=u32::MAX.into()).contains(&frames));
        let frames =
            frames.ok_or_else(|| bad_field(Format::Dicom, name(NUMBER_OF_FRAMES), "a number from 1", "none"))?;
        let size = [number(COLUMNS, None)?, number(ROWS, None)?, frames];
        let bits_allocated = number(BITS_ALLOCATED, None)?;
        let halved = set.text(PHOTOMETRIC_INTERPRETATION).is_some_and(|kind| kind == "YBR_FULL_422");
        // Two pixels share their colours.
        let samples = if halved { 2 } else { number(SAMPLES_PER_PIXEL, Some(1))? };
        let bits = size[0] * size[1] * samples * bits_allocated;
        let (left_of, left) = rest.samples()?;
        let native = left_of.and_then(|bytes| Some((file.offset(left)?, bytes.into())));
        Ok(Self {
            syntax: file.syntax.clone(),
            encoding: file.encoding,
            size,
            frame: if frames == 1 { Some(bits.div_ceil(8)) } else { Some(bits / 8).filter(|_| bits % 8 == 0) },
            word: (bits_allocated / 8).clamp(1, 8) as usize,
            native,
        })
    }

    fn frame(&self) -> Result<u64, DecodeError> {
        self.frame.ok_or_else(|| DecodeError::Unsupported {
            format: Format::Dicom,
            what: "a frame that ends within a byte".into(),
            hint: "retrieve the whole file",
        })
    }
}

/// Some frames of a DICOM file, counted from 1. Of native ones no more is read than was asked for.
///
/// # Errors
/// [`Error::OutsideImage`] for a frame that there is not; [`Error::Io`], [`Error::Decode`] and [`Error::OutOfMemory`].
pub fn read_frames(path: impl AsRef<Path>, numbers: &[usize]) -> Result<Frames, Error> {
    let path = path.as_ref();
    let plan = with_head(path, Plan::of)?;
    if let Some(&outside) = numbers.iter().find(|&&number| number == 0 || number as u64 > plan.size[2]) {
        return Err(Error::OutsideImage { what: format!("frame {outside}"), size: plan.size.map(|n| n as usize) });
    }
    match plan.native {
        Some(native) => read_native(path, &plan, native, numbers),
        None => {
            let length = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?.len();
            crate::memory::plan(format!("reading {path:?}"), length.saturating_mul(2))?;
            let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
            packed(&bytes, &plan, numbers).map_err(|source| Error::Decode { path: path.to_owned(), source })
        }
    }
}

fn read_native(path: &Path, plan: &Plan, (start, length): (u64, u64), numbers: &[usize]) -> Result<Frames, Error> {
    let failed = |e| Error::io("read", path, e);
    let broken = |source| Error::Decode { path: path.to_owned(), source };
    let frame = plan.frame().map_err(broken)?;
    let mut file = File::open(path).map_err(failed)?;
    let there = file.metadata().map_err(failed)?.len().saturating_sub(start).min(length);
    crate::memory::plan(format!("reading {path:?}"), frame.saturating_mul(numbers.len() as u64))?;
    let mut frames = Vec::new();
    for &number in numbers {
        let begin = frame.saturating_mul(number as u64 - 1);
        let expected = begin.saturating_add(frame);
        if expected > there {
            let part = "pixel data";
            return Err(broken(DecodeError::Truncated { format: Format::Dicom, part, expected, found: there }));
        }
        file.seek(SeekFrom::Start(start + begin)).map_err(failed)?;
        let mut bytes = vec![0; frame as usize];
        file.read_exact(&mut bytes).map_err(failed)?;
        frames.push(plan.encoding.little(&bytes, plan.word));
    }
    Ok(Frames { syntax: EXPLICIT_LITTLE.into(), frames })
}

/// Frames of a file that is compressed: frame by frame, or as a whole.
fn packed(bytes: &[u8], plan: &Plan, numbers: &[usize]) -> Result<Frames, DecodeError> {
    let file = Part10::open(bytes)?;
    let set = file.data_set()?;
    let element = set.pixel_data()?;
    let Some(items) = element.fragments()? else {
        let frame = plan.frame()? as usize;
        let cut = |number: usize| {
            let range = frame.checked_mul(number - 1).and_then(|from| Some(from..from.checked_add(frame)?));
            let bytes = range
                .and_then(|range| element.value.get(range))
                .ok_or_else(|| broken("the pixel data is cut short"))?;
            Ok(plan.encoding.little(bytes, plan.word))
        };
        let frames = numbers.iter().map(|&number| cut(number)).collect::<Result<_, DecodeError>>()?;
        return Ok(Frames { syntax: EXPLICIT_LITTLE.into(), frames });
    };
    let Some((offsets, fragments)) = items.split_first().filter(|(_, fragments)| !fragments.is_empty()) else {
        return Err(broken("the pixel data has no fragments"));
    };
    let parts = pixels::frames(offsets, fragments, element.encoding, plan.size[2] as usize)?;
    Ok(Frames {
        syntax: plan.syntax.clone(),
        frames: numbers.iter().map(|&number| parts[number - 1].concat()).collect(),
    })
}
