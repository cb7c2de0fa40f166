//! The elements of a DICOM file, as slices of its bytes (PS3.5 section 7, PS3.10 section 7).
//!
//! Nothing is copied or reserved by a length that the file claims, and nesting is bounded, so that what reading costs
//! is bounded by the size of the file. `dicom-object` gives neither: it fills the claimed length with zeros before it
//! reads, and descends without limit.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;

use super::cursor::{Cursor, UNDEFINED};
use crate::formats::bad_field;
use crate::sample::Endian;
use crate::{DecodeError, Format};

/// Tag of an element: group and number, as in `0x0028_0010`.
pub(super) type Tag = u32;

pub(super) const PIXEL_DATA: Tag = 0x7fe0_0010;
/// The group of all kinds of samples, which come last.
const GROUP_OF_PIXELS: Tag = 0x7fe0_0000;
const TRANSFER_SYNTAX: Tag = 0x0002_0010;
/// Bytes that any deflated data set may expand to, and how many times its own size a large one may: nothing in the file
/// says beforehand what it expands to, and a small file must not fill the memory.
const SMALL_INFLATED: u64 = 64 << 20;
const MAX_RATIO: u64 = 64;

const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
const DEFLATED_LITTLE: &str = "1.2.840.10008.1.2.1.99";
const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";

/// How the elements of a data set are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Encoding {
    pub(super) explicit: bool,
    endian: Endian,
}

impl Encoding {
    const EXPLICIT_LITTLE: Self = Self { explicit: true, endian: Endian::Little };
    pub(super) const IMPLICIT_LITTLE: Self = Self { explicit: false, endian: Endian::Little };

    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self.endian {
            Endian::Little => u16::from_le_bytes(bytes),
            Endian::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self.endian {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        }
    }

    /// Words of so many bytes, the lowest byte of each first.
    pub(super) fn little(self, bytes: &[u8], word: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if self.endian == Endian::Big {
            bytes.chunks_exact_mut(word).for_each(<[u8]>::reverse);
        }
        bytes
    }
}

/// A DICOM file before its data set is parsed.
pub(super) struct Part10<'a> {
    /// UID of the transfer syntax: how the elements and the pixels are encoded.
    pub(super) syntax: String,
    pub(super) encoding: Encoding,
    body: Cow<'a, [u8]>,
    /// Bytes of the file.
    length: usize,
}

impl<'a> Part10<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let dicom = |b: &&[u8]| b.starts_with(b"DICM");
        let file = bytes.get(128..).filter(dicom).ok_or_else(|| broken("the mark DICM is missing at byte 128"))?;
        let mut cursor = Cursor { bytes: &file[4..], encoding: Encoding::EXPLICIT_LITTLE };
        let mut meta = DataSet::empty(cursor.encoding);
        while cursor.bytes.starts_with(&[2, 0]) {
            meta.insert(cursor.element(0)?);
        }
        let syntax = meta.text(TRANSFER_SYNTAX).ok_or_else(|| broken("the transfer syntax is missing"))?.into_owned();
        let body = match syntax.as_str() {
            DEFLATED_LITTLE => Cow::Owned(inflate(cursor.bytes)?),
            _ => Cow::Borrowed(cursor.bytes),
        };
        let encoding = match syntax.as_str() {
            IMPLICIT_LITTLE => Encoding::IMPLICIT_LITTLE,
            EXPLICIT_BIG => Encoding { explicit: true, endian: Endian::Big },
            _ => Encoding::EXPLICIT_LITTLE,
        };
        Ok(Self { syntax, encoding, body, length: bytes.len() })
    }

    pub(super) fn data_set(&self) -> Result<DataSet<'_>, DecodeError> {
        DataSet::parse(&self.body, self.encoding)
    }

    /// The elements before the samples, which need not be there, and what follows those elements.
    pub(super) fn head(&self) -> Result<(DataSet<'_>, Rest<'_>), DecodeError> {
        let mut cursor = Cursor { bytes: &self.body, encoding: self.encoding };
        let mut set = DataSet::empty(self.encoding);
        while !cursor.bytes.is_empty() && cursor.clone().tag()? < GROUP_OF_PIXELS {
            set.insert(cursor.element(0)?);
        }
        Ok((set, Rest(cursor)))
    }

    /// Where in the file the last `left` bytes of the data set begin; nowhere when it is deflated.
    pub(super) fn offset(&self, left: usize) -> Option<u64> {
        matches!(self.body, Cow::Borrowed(_)).then(|| (self.length - left) as u64)
    }
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let limit = SMALL_INFLATED.max(MAX_RATIO.saturating_mul(bytes.len() as u64));
    let limit = limit.min(crate::memory::free().unwrap_or(u64::MAX));
    let mut inflated = Vec::new();
    flate2::read::DeflateDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut inflated)
        .map_err(|e| broken(e.to_string()))?;
    if inflated.len() as u64 > limit {
        return Err(broken(format!("the deflated data set expands beyond {} MiB", limit >> 20)));
    }
    Ok(inflated)
}

/// What follows the elements before the samples.
pub(super) struct Rest<'a>(Cursor<'a>);

impl Rest<'_> {
    /// Whether nothing does.
    pub(super) fn is_empty(&self) -> bool {
        self.0.bytes.is_empty()
    }

    /// Length of the samples, none where they are encapsulated, and how many bytes are there from their first on.
    ///
    /// # Errors
    /// When there are no integer samples.
    pub(super) fn samples(mut self) -> Result<(Option<u32>, usize), DecodeError> {
        loop {
            match self.0.header()? {
                (PIXEL_DATA, _, length) => return Ok(((length != UNDEFINED).then_some(length), self.0.bytes.len())),
                (tag, _, length) if tag < PIXEL_DATA && length != UNDEFINED => {
                    self.0.take("value of an element", length.into())?;
                }
                _ => return Err(no_pixels()),
            }
        }
    }
}

/// One element: its value is a slice of the file.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    /// The value representation; in implicit encoding it is not told.
    pub(super) vr: Option<[u8; 2]>,
    pub(super) value: &'a [u8],
    /// Whether the value consists of items and ended at a delimiter: a sequence, or encapsulated pixels.
    pub(super) delimited: bool,
    pub(super) encoding: Encoding,
}

impl<'a> Element<'a> {
    /// The same value read as the file would write it that does not tell representations.
    pub(super) fn implicit(self) -> Self {
        Self { encoding: Encoding::IMPLICIT_LITTLE, ..self }
    }

    /// The offset table and the fragments of encapsulated pixels; `None` for native ones.
    pub(super) fn fragments(&self) -> Result<Option<Vec<&'a [u8]>>, DecodeError> {
        if !self.delimited {
            return Ok(None);
        }
        let mut cursor = Cursor { bytes: self.value, encoding: self.encoding };
        let mut fragments = Vec::new();
        while !cursor.bytes.is_empty() {
            fragments.push(cursor.fragment()?);
        }
        Ok(Some(fragments))
    }

    /// The data sets of a sequence.
    pub(super) fn items(&self) -> Result<Vec<DataSet<'a>>, DecodeError> {
        let mut cursor = Cursor { bytes: self.value, encoding: self.encoding };
        let mut items = Vec::new();
        while !cursor.bytes.is_empty() {
            items.push(DataSet::parse(cursor.item(1)?, self.encoding)?);
        }
        Ok(items)
    }
}

/// The elements of a data set by tag.
pub(super) struct DataSet<'a> {
    elements: BTreeMap<Tag, Element<'a>>,
    encoding: Encoding,
}

impl<'a> DataSet<'a> {
    fn empty(encoding: Encoding) -> Self {
        Self { elements: BTreeMap::new(), encoding }
    }

    /// Elements after the pixel data, which come last but for padding and signatures, are not looked at.
    fn parse(bytes: &'a [u8], encoding: Encoding) -> Result<Self, DecodeError> {
        let mut cursor = Cursor { bytes, encoding };
        let mut set = Self::empty(encoding);
        while !cursor.bytes.is_empty() && !set.elements.contains_key(&PIXEL_DATA) {
            set.insert(cursor.element(0)?);
        }
        Ok(set)
    }

    fn insert(&mut self, element: Element<'a>) {
        self.elements.insert(element.tag, element);
    }

    /// All elements in the order of their tags.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Element<'a>> {
        self.elements.values()
    }

    pub(super) fn get(&self, tag: Tag) -> Option<&Element<'a>> {
        self.elements.get(&tag).filter(|e| !e.value.is_empty() || e.delimited)
    }

    /// The element with the samples, which is what makes a file a picture.
    pub(super) fn pixel_data(&self) -> Result<&Element<'a>, DecodeError> {
        self.get(PIXEL_DATA).ok_or_else(no_pixels)
    }

    /// The items of a sequence; none where it is absent.
    pub(super) fn sequence(&self, tag: Tag) -> Result<Vec<DataSet<'a>>, DecodeError> {
        self.get(tag).map_or(Ok(Vec::new()), Element::items)
    }

    /// A text without its padding.
    pub(super) fn text(&self, tag: Tag) -> Option<Cow<'a, str>> {
        let bytes = self.get(tag)?.value;
        let padding = |b: &u8| b.is_ascii_whitespace() || *b == 0;
        let start = bytes.iter().position(|b| !padding(b))?;
        let end = bytes.iter().rposition(|b| !padding(b))? + 1;
        Some(String::from_utf8_lossy(&bytes[start..end]))
    }

    /// A whole number: binary (US, SS, UL, SL) or text (IS, DS), whatever the file says that it is; where the encoding
    /// does not tell, `binary` says what the standard prescribes for the attribute.
    fn integer(&self, tag: Tag, binary: bool) -> Option<Result<i64, DecodeError>> {
        let element = self.get(tag)?;
        let binary = element.vr.map_or(binary, |vr| matches!(&vr, b"US" | b"SS" | b"UL" | b"SL"));
        let signed = element.vr.is_some_and(|vr| matches!(&vr, b"SS" | b"SL"));
        let number = match *element.value {
            [a, b] if binary && signed => Some(i64::from(self.encoding.u16([a, b]).cast_signed())),
            [a, b] if binary => Some(i64::from(self.encoding.u16([a, b]))),
            [a, b, c, d] if binary && signed => Some(i64::from(self.encoding.u32([a, b, c, d]).cast_signed())),
            [a, b, c, d] if binary => Some(i64::from(self.encoding.u32([a, b, c, d]))),
            _ if binary => None,
            _ => self.text(tag).and_then(|t| t.parse().ok()),
        };
        let bytes = || format!("{:?}", &element.value[..element.value.len().min(16)]);
        Some(number.ok_or_else(|| bad_field(Format::Dicom, name(tag), "a whole number", bytes())))
    }

    /// A number that the standard stores in binary (US).
    pub(super) fn unsigned(&self, tag: Tag) -> Result<Option<u64>, DecodeError> {
        let Some(number) = self.integer(tag, true).transpose()? else { return Ok(None) };
        u64::try_from(number).map(Some).map_err(|_| bad_field(Format::Dicom, name(tag), "a number from 0", number))
    }

    /// A number that the standard stores as text (IS).
    pub(super) fn integer_text(&self, tag: Tag) -> Result<Option<i64>, DecodeError> {
        self.integer(tag, false).transpose()
    }

    /// Decimal numbers (DS), exactly `N`; an element with fewer or more is an error.
    pub(super) fn decimals<const N: usize>(&self, tag: Tag) -> Result<Option<[f64; N]>, DecodeError> {
        let Some(text) = self.text(tag) else { return Ok(None) };
        let numbers: Option<Vec<f64>> = text.split('\\').map(|t| t.trim().parse().ok()).collect();
        let finite = numbers.filter(|n| n.iter().all(|x: &f64| x.is_finite()));
        let exact = finite.and_then(|n| <[f64; N]>::try_from(n).ok());
        exact.map(Some).ok_or_else(|| bad_field(Format::Dicom, name(tag), format!("{N} finite numbers"), text))
    }
}

/// Attributes that messages are about, by their keyword in the standard (PS3.6).
const KEYWORDS: [(Tag, &str); 14] = [
    (0x0028_0002, "SamplesPerPixel"),
    (0x0028_0004, "PhotometricInterpretation"),
    (0x0028_0008, "NumberOfFrames"),
    (0x0028_0010, "Rows"),
    (0x0028_0011, "Columns"),
    (0x0028_0030, "PixelSpacing"),
    (0x0028_0100, "BitsAllocated"),
    (0x0028_0101, "BitsStored"),
    (0x0028_0102, "HighBit"),
    (0x0020_0032, "ImagePositionPatient"),
    (0x0020_0037, "ImageOrientationPatient"),
    (0x0028_1052, "RescaleIntercept"),
    (0x0028_1053, "RescaleSlope"),
    (0x7fe0_0010, "PixelData"),
];

/// The tag as it is written in the standard, "Rows (0028,0010)".
pub(super) fn name(tag: Tag) -> String {
    let number = format!("({:04X},{:04X})", tag >> 16, tag & 0xffff);
    match KEYWORDS.iter().find(|(known, _)| *known == tag) {
        Some((_, keyword)) => format!("{keyword} {number}"),
        None => number,
    }
}

fn no_pixels() -> DecodeError {
    DecodeError::Unsupported {
        format: Format::Dicom,
        what: "a file without integer pixel data (a report, contours or float pixels)".into(),
        hint: "give the files of the picture itself",
    }
}

pub(super) fn broken(message: impl Into<String>) -> DecodeError {
    DecodeError::Broken { format: Format::Dicom, message: message.into() }
}
