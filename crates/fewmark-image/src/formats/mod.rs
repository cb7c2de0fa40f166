//! One file per format. Each decodes bytes to an [`Image`](crate::Image) and, where the format is written, encodes one.

pub(crate) mod dicom;
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

/// An error for a header field that has a value that it cannot have.
pub(crate) fn bad_field(
    format: Format,
    field: impl Into<String>,
    expected: impl Into<String>,
    found: impl std::fmt::Display,
) -> DecodeError {
    DecodeError::Field { format, field: field.into(), expected: expected.into(), found: found.to_string() }
}
