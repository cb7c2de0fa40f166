//! One file per format. Each decodes bytes to an [`Image`](crate::Image) and, where the format is written, encodes one.

pub(crate) mod dicom;
mod jpeg;
mod layout;
pub(crate) mod metaimage;
pub(crate) mod nifti;
pub(crate) mod npy;
pub(crate) mod nrrd;
pub(crate) mod raster;
mod stream;
mod text;
pub(crate) mod tiff;
mod world;

use std::path::Path;

use crate::{DecodeError, Format};

/// Reads the data file that a detached header names, which must lie in the header's own folder or below it.
pub(crate) fn read_data_file(format: Format, folder: &Path, name: &str) -> Result<Vec<u8>, DecodeError> {
    let failed = |message: String| DecodeError::DataFile { format, name: name.to_owned(), message };
    let inside = Path::new(name)
        .components()
        .all(|c| matches!(c, std::path::Component::Normal(_) | std::path::Component::CurDir));
    if !inside {
        return Err(failed("it lies outside the header's folder".into()));
    }
    let path = folder.join(name);
    let length = std::fs::metadata(&path).map_err(|e| failed(e.to_string()))?.len();
    check_memory(format, length)?;
    std::fs::read(&path).map_err(|e| failed(e.to_string()))
}

/// Refuses samples that would not fit into the free memory.
pub(crate) fn check_memory(format: Format, need: u64) -> Result<(), DecodeError> {
    match crate::memory::free() {
        Some(free) if need > free => Err(DecodeError::TooLarge { format, need, free }),
        _ => Ok(()),
    }
}

/// What a decoder library says in many ways.
pub(crate) const CUT_SHORT: &str = "the file is cut short";

/// Decoded bytes that any file may claim, however short it is, and how many times its own size a longer one may.
///
/// A run of BMP makes 255 pixels of 3 bytes from 2 bytes, deflate 1032 bytes from one. Codecs that have no limit, such
/// as JPEG 2000, exceed the ratio only with pictures of nothing.
const fn credible_claim(format: Format) -> (u64, u64) {
    match format {
        Format::Bmp => (0, 512),
        _ => (64 << 20, 4096),
    }
}

/// Refuses a size that so few compressed bytes cannot have, before anything is allocated for it.
///
/// # Errors
/// [`DecodeError::Broken`] with both sizes.
pub(crate) fn check_claim(format: Format, claimed: u64, compressed: u64) -> Result<(), DecodeError> {
    let (small, ratio) = credible_claim(format);
    if claimed <= small || claimed / ratio <= compressed {
        return Ok(());
    }
    let message = format!("{} MiB of samples cannot come from {compressed} bytes", claimed >> 20);
    Err(DecodeError::Broken { format, message })
}

/// An error for a header field that has a value that it cannot have.
pub(crate) fn bad_field(
    format: Format,
    field: impl Into<String>,
    expected: impl Into<String>,
    found: impl std::fmt::Display,
) -> DecodeError {
    DecodeError::Field { format, field: field.into(), expected: expected.into(), found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_few_bytes_can_become_is_bounded_but_small_pictures_are_not() {
        for format in [Format::Png, Format::Bmp] {
            let (small, ratio) = credible_claim(format);
            check_claim(format, small, 0).unwrap();
            check_claim(format, 1 << 39, 1 << 30).unwrap();
            for (claimed, compressed) in [(small + 1001 * ratio, 1000), (u64::MAX, 1 << 40)] {
                let error = check_claim(format, claimed, compressed).unwrap_err();
                assert!(error.to_string().contains(&compressed.to_string()), "{error}");
            }
        }
    }
}
