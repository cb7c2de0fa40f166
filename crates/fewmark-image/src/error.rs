use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Format, GeometryError, GeometryMismatch};

/// Why an image could not be read, written or combined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {path:?}: {source}")]
    Io {
        /// "read", "write", "list"...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A result would take the place of what it is made from.
    #[error("{0:?} would be replaced by what is made from it")]
    Replaces(PathBuf),
    /// Two results would take each other's place.
    #[error("two results would be written to {0:?}")]
    Twice(PathBuf),
    /// The contents of a file are not what its format asks for.
    #[error("{path:?}: {source}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: DecodeError,
    },
    /// A file without a byte.
    #[error("{path:?} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Neither the name nor the first bytes tell the format.
    #[error("{path:?}: not an image of a known format")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The format cannot be written, or cannot hold this image.
    #[error("{path:?}: {reason}")]
    CannotStore {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A DICOM folder or list of files that does not make one volume.
    #[error("{path:?}: {source}")]
    Series {
        /// The folder, or the first file of the list.
        path: PathBuf,
        /// What is wrong with it.
        source: SeriesError,
    },
    /// The image has no contrast to scale by.
    #[error("{0}")]
    NoContrast(String),
    /// The number of samples does not fit the geometry.
    #[error("expected {expected} samples, found {found}")]
    SampleCount {
        /// Voxels times channels.
        expected: usize,
        /// Length of the samples given.
        found: usize,
    },
    /// Numbers that do not make a geometry.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// Two images that should lie in the same space do not.
    #[error(transparent)]
    GeometryMismatch(#[from] GeometryMismatch),
    /// An image that was to be read as a label map is none.
    #[error("{}not a label map: expected whole numbers from 0 to 65535, found {found}", named(path))]
    NotLabels {
        /// The file, where the image came from one.
        path: Option<PathBuf>,
        /// What was found instead.
        found: String,
    },
    /// A part was asked for that the image does not have.
    #[error("{what} is not within the image, which has {size:?} voxels")]
    OutsideImage {
        /// The part.
        what: String,
        /// Size of the image along x, y and z.
        size: [usize; 3],
    },
    /// The work would not fit into the memory that is free.
    #[error("{what} needs {} MiB of memory, {} MiB are free", .need >> 20, .free >> 20)]
    OutOfMemory {
        /// The work that was refused.
        what: String,
        /// Estimate in bytes.
        need: u64,
        /// Free memory in bytes.
        free: u64,
    },
}

/// What is wrong in the contents of a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A field of the header has a value that it cannot have.
    #[error("{format} field {field}: expected {expected}, found {found}")]
    Field {
        /// The format.
        format: Format,
        /// Name of the field in the format's own terms.
        field: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Fewer bytes than the header promises.
    #[error("{format}: cut short in the {part}: expected {expected} bytes, found {found}")]
    Truncated {
        /// The format.
        format: Format,
        /// "header", "samples"...
        part: &'static str,
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A part of the format that is valid but not read by this program.
    #[error("{format}: {what} is not supported")]
    Unsupported {
        /// The format.
        format: Format,
        /// The feature.
        what: String,
        /// What the user can do instead.
        hint: &'static str,
    },
    /// A decompressor or a decoder library gave up.
    #[error("{format}: {message}")]
    Broken {
        /// The format.
        format: Format,
        /// What the decoder said.
        message: String,
    },
    /// The file that a header points to cannot be read.
    #[error("{format}: cannot read the data file {name:?}: {message}")]
    DataFile {
        /// The format.
        format: Format,
        /// Name in the header.
        name: String,
        /// Why not.
        message: String,
    },
    /// The header's numbers do not make a geometry.
    #[error("{format}: {source}")]
    Geometry {
        /// The format.
        format: Format,
        /// What is wrong.
        source: GeometryError,
    },
    /// The samples would not fit into the memory that is free.
    #[error("{format}: the samples need {} MiB of memory, {} MiB are free", .need >> 20, .free >> 20)]
    TooLarge {
        /// The format.
        format: Format,
        /// Bytes needed.
        need: u64,
        /// Bytes free.
        free: u64,
    },
}

/// Why DICOM files do not make one volume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// No DICOM file was found.
    #[error("no DICOM file found in it")]
    Empty,
    /// Files of several series.
    #[error("{} series are mixed: {}", .0.len(), .0.join(", "))]
    Mixed(Vec<String>),
    /// Slices at uneven distances.
    #[error("slices are missing or unevenly spaced: the usual distance is {usual:.3} mm, but {gaps}")]
    Uneven {
        /// Median distance in mm.
        usual: f64,
        /// The positions in mm between which the distance differs.
        gaps: String,
    },
    /// Several slices at the same position.
    #[error("several slices lie at position {position:.3} mm: {first:?} and {second:?}")]
    Duplicate {
        /// Position along the normal in mm.
        position: f64,
        /// A file at the position.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// Slices that differ in something that must be the same.
    #[error("{second:?} differs from {first:?} in {field}")]
    Inconsistent {
        /// The DICOM attribute.
        field: &'static str,
        /// The file compared with.
        first: PathBuf,
        /// The file that differs.
        second: PathBuf,
    },
    /// A file that is a volume of its own, or a film, among others.
    #[error("{file:?} holds several frames, and is not the only file")]
    SeveralFrames {
        /// The file.
        file: PathBuf,
    },
    /// A slice without the attribute that places it.
    #[error("{file:?} has no {field}")]
    Missing {
        /// The file.
        file: PathBuf,
        /// The DICOM attribute.
        field: &'static str,
    },
}

/// The beginning of a message about a file.
fn named(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!("{path:?}: "))
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// The error, with the file that an image came from where it does not name it yet.
    pub fn in_file(self, file: &Path) -> Self {
        match self {
            Self::NotLabels { path: None, found } => Self::NotLabels { path: Some(file.to_owned()), found },
            error => error,
        }
    }

    /// What the user can do about it, where something can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { action: "write", .. } => {
                Some("check that the folder exists, may be written to and has space left".into())
            }
            Self::Io { source, .. } => match source.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Some("check the spelling of the path".into()),
                ErrorKind::PermissionDenied => Some("check the permissions of the file".into()),
                ErrorKind::InvalidData => Some("give a text file".into()),
                ErrorKind::IsADirectory => Some("give a file, not a folder".into()),
                _ => None,
            },
            Self::Replaces(_) | Self::Twice(_) => Some("give the result another name or folder".into()),
            Self::Empty { .. } => Some("nothing was written to it: copy or export it again".into()),
            Self::UnknownFormat { .. } => {
                Some(format!("formats that can be read: {}", Format::list(|f| f.extensions())))
            }
            Self::CannotStore { .. } => {
                Some(format!("formats that can be written: {}", Format::list(Format::writable_extensions)))
            }
            Self::Decode { source, .. } => source.hint(),
            Self::Series { source, .. } => source.hint(),
            Self::GeometryMismatch(_) => Some("resample one of the two to the grid of the other first".into()),
            Self::NotLabels { .. } => Some("give the label map, not the image".into()),
            Self::OutOfMemory { .. } => Some("crop the image, work on one slice, or close other programs".into()),
            Self::OutsideImage { .. } => Some("indices are counted from 0".into()),
            Self::NoContrast(_) => Some("check that the right image was given".into()),
            Self::Geometry(GeometryError::Size(_)) => Some("ask for fewer voxels: a larger spacing".into()),
            Self::SampleCount { .. } | Self::Geometry(_) => None,
        }
    }
}

impl DecodeError {
    /// What the user can do about it, where something can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Truncated { .. } | Self::Broken { .. } => Some("the file is damaged: copy or export it again".into()),
            Self::Unsupported { hint, .. } => Some((*hint).into()),
            Self::Field { .. } | Self::Geometry { .. } => {
                Some("the header is damaged or was written by a faulty program: export the image again".into())
            }
            Self::DataFile { .. } => Some("keep the header and its data file together in one folder".into()),
            Self::TooLarge { .. } => Some("crop the image, or close other programs".into()),
        }
    }
}

impl SeriesError {
    /// What the user can do about it, where something can be said.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Empty => "give the folder that holds the slices of one series",
            Self::Mixed(_) => "give the files of one series only: move the others to folders of their own",
            Self::Uneven { .. } => "export the series again so that no slice is missing",
            Self::SeveralFrames { .. } => "give the file of several frames alone, or leave it out",
            Self::Duplicate { .. } => "give one time point or one echo only, and no copies",
            Self::Inconsistent { .. } | Self::Missing { .. } => {
                "give the files of one volume only: leave out scouts and reports"
            }
        };
        Some(hint.into())
    }
}
