//! What files say before their samples, without reading those.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::attributes::{Attribute, Value, attributes};
use super::charset::Charset;
use super::dataset::{DataSet, Part10, Rest};
use crate::{DecodeError, Error, Format};

/// What is read of a file at first, how it grows, and the most: functional groups of thousands of frames need megabytes.
const FIRST: u64 = 64 << 10;
const GROWTH: u64 = 4;
const LARGEST: u64 = 64 << 20;

/// Memory that attributes take, in terms of the bytes that they are read from, at worst.
const EXPANSION: u64 = 16;

/// What a DICOM file says before its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct FileHeader {
    /// UID of the transfer syntax: how the samples are encoded.
    pub syntax: String,
    /// The attributes in the order of their tags; group lengths, the file's own group 2 and values of more than 128 KiB are left out.
    pub attributes: Vec<Attribute>,
}

impl FileHeader {
    /// The attribute of a tag, such as `0x0020_000e`.
    pub fn get(&self, tag: u32) -> Option<&Attribute> {
        let at = self.attributes.binary_search_by_key(&tag, |attribute| attribute.tag).ok()?;
        Some(&self.attributes[at])
    }

    /// The first text of an attribute, where it has one.
    pub fn text(&self, tag: u32) -> Option<&str> {
        match &self.get(tag)?.value {
            Value::Texts(texts) => texts.first().map(String::as_str).filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}

/// The attributes of a DICOM file. Only the part of the file before its samples is read.
///
/// # Errors
/// [`Error::Io`], [`Error::Decode`] when the file is none of DICOM or is damaged, [`Error::OutOfMemory`].
pub fn read_header(path: impl AsRef<Path>) -> Result<FileHeader, Error> {
    with_head(path.as_ref(), |file, set, _| {
        let attributes = attributes(set, &Charset::default(), 0)?;
        Ok(FileHeader { syntax: file.syntax.clone(), attributes })
    })
}

/// Does something with the elements before the samples. As much of the file is read as that takes.
pub(super) fn with_head<T>(
    path: &Path,
    work: impl Fn(&Part10, &DataSet, Rest) -> Result<T, DecodeError>,
) -> Result<T, Error> {
    let failed = |e| Error::io("read", path, e);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    let mut wanted = FIRST;
    loop {
        crate::memory::plan(format!("reading {path:?}"), wanted.min(length).saturating_mul(EXPANSION))?;
        (&mut file).take(wanted - bytes.len() as u64).read_to_end(&mut bytes).map_err(failed)?;
        // Other files lie in folders of DICOM, too: they are not read to their end.
        let known = Format::of_bytes(&bytes) == Some(Format::Dicom);
        let all = !known || bytes.len() as u64 >= length || wanted >= LARGEST;
        match head(&bytes, all, &work) {
            Ok(Some(done)) => return Ok(done),
            Err(source) if all => return Err(Error::Decode { path: path.to_owned(), source }),
            // What looks broken may just go on further down.
            Ok(None) | Err(_) => wanted *= GROWTH,
        }
    }
}

/// The work on what has been read; nothing when the file ends before its samples, but not here.
fn head<T>(
    bytes: &[u8],
    all: bool,
    work: impl Fn(&Part10, &DataSet, Rest) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    let file = Part10::open(bytes)?;
    let (set, rest) = file.head()?;
    if rest.is_empty() && !all {
        return Ok(None);
    }
    work(&file, &set, rest).map(Some)
}
