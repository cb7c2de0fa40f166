//! Elements one after the other (PS3.5 section 7.1).

use super::dataset::{Element, Encoding, PIXEL_DATA, Tag, broken, name};
use crate::{DecodeError, Format};

const ITEM: Tag = 0xfffe_e000;
const END_OF_ITEM: Tag = 0xfffe_e00d;
const END_OF_SEQUENCE: Tag = 0xfffe_e0dd;

/// Length of a value that lasts until its delimiter.
pub(super) const UNDEFINED: u32 = 0xffff_ffff;

/// Sequences within sequences: functional groups need 3, structured reports a dozen.
pub(super) const MAX_DEPTH: usize = 32;

/// What is left to read of a data set or sequence.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) encoding: Encoding,
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, part: &'static str, length: u64) -> Result<&'a [u8], DecodeError> {
        let found = self.bytes.len() as u64;
        let split = usize::try_from(length).ok().and_then(|n| self.bytes.split_at_checked(n));
        let (taken, rest) =
            split.ok_or(DecodeError::Truncated { format: Format::Dicom, part, expected: length, found })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take("header of an element", N as u64)?;
        Ok(bytes.try_into().expect("as many bytes were taken as the array holds"))
    }

    pub(super) fn tag(&mut self) -> Result<Tag, DecodeError> {
        let [a, b, c, d] = self.array()?;
        Ok(u32::from(self.encoding.u16([a, b])) << 16 | u32::from(self.encoding.u16([c, d])))
    }

    /// Tag, value representation and length.
    pub(super) fn header(&mut self) -> Result<(Tag, Option<[u8; 2]>, u32), DecodeError> {
        let tag = self.tag()?;
        if !self.encoding.explicit || tag >> 16 == 0xfffe {
            let length = self.array()?;
            return Ok((tag, None, self.encoding.u32(length)));
        }
        let vr: [u8; 2] = self.array()?;
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return Err(broken(format!("element {} has the value representation {vr:?}", name(tag))));
        }
        let length = if has_short_length(vr) {
            let length = self.array()?;
            u32::from(self.encoding.u16(length))
        } else {
            let [_, _, length @ ..] = self.array::<6>()?;
            self.encoding.u32(length)
        };
        Ok((tag, Some(vr), length))
    }

    pub(super) fn element(&mut self, depth: usize) -> Result<Element<'a>, DecodeError> {
        let (tag, vr, length) = self.header()?;
        if length != UNDEFINED {
            let part = if tag == PIXEL_DATA { "pixel data" } else { "value of an element" };
            let value = self.take(part, length.into())?;
            return Ok(Element { tag, vr, value, delimited: false, encoding: self.encoding });
        }
        // An unknown sequence of undefined length is written in implicit encoding, whatever surrounds it (PS3.5 6.2.2).
        let encoding = if vr == Some(*b"UN") { Encoding::IMPLICIT_LITTLE } else { self.encoding };
        let start = self.bytes;
        let mut inner = Cursor { bytes: start, encoding };
        let value = loop {
            let before = inner.bytes.len();
            if inner.clone().tag()? == END_OF_SEQUENCE {
                inner.header()?;
                break &start[..start.len() - before];
            }
            match tag {
                PIXEL_DATA => inner.fragment()?,
                _ => inner.item(depth + 1)?,
            };
        };
        self.bytes = inner.bytes;
        Ok(Element { tag, vr, value, delimited: true, encoding })
    }

    /// The contents of the next item of a sequence.
    pub(super) fn item(&mut self, depth: usize) -> Result<&'a [u8], DecodeError> {
        if depth > MAX_DEPTH {
            return Err(broken(format!("sequences are nested more than {MAX_DEPTH} deep")));
        }
        let length = self.item_length()?;
        if length != UNDEFINED {
            return self.take("an item", length.into());
        }
        let start = self.bytes;
        loop {
            let before = self.bytes.len();
            if self.clone().tag()? == END_OF_ITEM {
                self.header()?;
                return Ok(&start[..start.len() - before]);
            }
            self.element(depth)?;
        }
    }

    /// The next fragment of encapsulated pixels.
    pub(super) fn fragment(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.item_length()?;
        self.take("a fragment of the pixel data", length.into())
    }

    fn item_length(&mut self) -> Result<u32, DecodeError> {
        match self.header()? {
            (ITEM, _, length) => Ok(length),
            (tag, ..) => Err(broken(format!("expected an item, found {}", name(tag)))),
        }
    }
}

/// Whether an explicit length has two bytes (PS3.5 section 7.1.2); representations yet to be invented have four.
fn has_short_length(vr: [u8; 2]) -> bool {
    const SHORT: [&[u8; 2]; 21] = [
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
        b"ST", b"TM", b"UI", b"UL", b"US",
    ];
    SHORT.contains(&&vr)
}
