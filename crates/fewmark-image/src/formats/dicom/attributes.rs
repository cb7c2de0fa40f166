//! The attributes of a file as a tree of values, each with its representation (PS3.5 section 6.2).

use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _, VirtualVr};
use dicom_core::{Tag as Pair, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::charset::Charset;
use super::cursor::MAX_DEPTH;
use super::dataset::{DataSet, Element, Tag, broken};
use crate::DecodeError;

const PIXEL_REPRESENTATION: Tag = 0x0028_0103;

/// The longest value of bytes that is kept: a palette of 65536 colours.
const LONGEST_BYTES: usize = 128 << 10;

/// An attribute of a DICOM file.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Group and element, as in `0x0028_0010`.
    pub tag: u32,
    /// The value representation, `US`; where the file does not tell it, the one of the standard, or `UN`.
    pub vr: [u8; 2],
    /// Its value.
    pub value: Value,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Texts, without their padding; also numbers that are written as text (`IS`, `DS`).
    Texts(Vec<String>),
    /// Whole numbers.
    Integers(Vec<i128>),
    /// Numbers.
    Numbers(Vec<f64>),
    /// Tags of attributes.
    Tags(Vec<u32>),
    /// The items of a sequence.
    Items(Vec<Vec<Attribute>>),
    /// Bytes; words in them have the lowest byte first.
    Bytes(Vec<u8>),
}

/// The tag of an attribute by its keyword in the standard, `PatientName`, or by its eight digits, `00100010`.
pub fn tag_named(name: &str) -> Option<u32> {
    if name.len() == 8 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return u32::from_str_radix(name, 16).ok();
    }
    let entry = StandardDataDictionary.by_name(name)?;
    let Pair(group, element) = entry.tag();
    Some(u32::from(group) << 16 | u32::from(element))
}

/// All attributes of a data set.
///
/// # Errors
/// When sequences are nested too deeply, or their items are damaged.
pub(super) fn attributes(set: &DataSet, charset: &Charset, depth: usize) -> Result<Vec<Attribute>, DecodeError> {
    if depth > MAX_DEPTH {
        return Err(broken(format!("sequences are nested more than {MAX_DEPTH} deep")));
    }
    let signed = set.unsigned(PIXEL_REPRESENTATION).ok().flatten() == Some(1);
    let charset = Charset::of(set, charset);
    let mut found = Vec::new();
    for element in set.elements().filter(|element| element.tag & 0xffff != 0 && element.tag >> 16 > 7) {
        let vr = representation(element, signed);
        if let Some(value) = value(element, vr, &charset, depth)? {
            found.push(Attribute { tag: element.tag, vr, value });
        }
    }
    Ok(found)
}

/// What the file tells, or the standard where it does not.
fn representation(element: &Element, signed: bool) -> [u8; 2] {
    match element.vr {
        Some(vr) if vr != *b"UN" => vr,
        _ if element.delimited => *b"SQ",
        _ => known(element.tag, signed),
    }
}

fn known(tag: Tag, signed: bool) -> [u8; 2] {
    let entry = StandardDataDictionary.by_tag(Pair((tag >> 16) as u16, tag as u16));
    match entry.map_or(VirtualVr::Exact(VR::UN), |entry| entry.vr()) {
        VirtualVr::Xs => *if signed { b"SS" } else { b"US" },
        VirtualVr::Exact(vr) => vr.to_bytes(),
        _ => *b"OW",
    }
}

/// The value; nothing where it is too long.
fn value(element: &Element, vr: [u8; 2], charset: &Charset, depth: usize) -> Result<Option<Value>, DecodeError> {
    let (bytes, encoding) = (element.value, element.encoding);
    let words = |size| encoding.little(bytes, size);
    Ok(Some(match &vr {
        b"SQ" => {
            // A sequence within what the file calls unknown is written as if nothing were told of its elements.
            let element = if element.vr == Some(*b"UN") { element.implicit() } else { *element };
            let items = element.items()?;
            Value::Items(items.iter().map(|item| attributes(item, charset, depth + 1)).collect::<Result<_, _>>()?)
        }
        b"AT" => {
            let pairs = bytes.as_chunks().0.iter();
            let half = |a, b| u32::from(encoding.u16([a, b]));
            Value::Tags(pairs.map(|&[a, b, c, d]| half(a, b) << 16 | half(c, d)).collect())
        }
        b"US" => Value::Integers(words(2).as_chunks().0.iter().map(|&b| u16::from_le_bytes(b).into()).collect()),
        b"SS" => Value::Integers(words(2).as_chunks().0.iter().map(|&b| i16::from_le_bytes(b).into()).collect()),
        b"UL" => Value::Integers(words(4).as_chunks().0.iter().map(|&b| u32::from_le_bytes(b).into()).collect()),
        b"SL" => Value::Integers(words(4).as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect()),
        b"UV" => Value::Integers(words(8).as_chunks().0.iter().map(|&b| u64::from_le_bytes(b).into()).collect()),
        b"SV" => Value::Integers(words(8).as_chunks().0.iter().map(|&b| i64::from_le_bytes(b).into()).collect()),
        b"FL" => Value::Numbers(words(4).as_chunks().0.iter().map(|&b| f32::from_le_bytes(b).into()).collect()),
        b"FD" => Value::Numbers(words(8).as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect()),
        b"OB" | b"OW" | b"OF" | b"OL" | b"OD" | b"OV" | b"UN" => {
            if bytes.len() > LONGEST_BYTES {
                return Ok(None);
            }
            Value::Bytes(words(match &vr {
                b"OW" => 2,
                b"OF" | b"OL" => 4,
                b"OD" | b"OV" => 8,
                _ => 1,
            }))
        }
        // One text, whatever stands in it.
        b"ST" | b"LT" | b"UT" | b"UR" => Value::Texts(texts(&charset.decode(bytes), None)),
        b"AE" | b"AS" | b"CS" | b"DA" | b"DS" | b"DT" | b"IS" | b"TM" | b"UI" => {
            Value::Texts(texts(&String::from_utf8_lossy(bytes), Some('\\')))
        }
        _ => Value::Texts(texts(&charset.decode(bytes), Some('\\'))),
    }))
}

/// The texts of a value without their padding; none of an empty value.
fn texts(text: &str, separator: Option<char>) -> Vec<String> {
    let padding = |c: char| c == ' ' || c == '\0';
    let text = text.trim_end_matches(padding);
    match separator {
        _ if text.is_empty() => Vec::new(),
        None => vec![text.to_owned()],
        Some(separator) => text.split(separator).map(|part| part.trim_matches(padding).to_owned()).collect(),
    }
}
