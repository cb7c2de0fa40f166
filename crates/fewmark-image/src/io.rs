//! Files in and out: the format is recognised, the bytes are handed to it, results are written whole or not at all.

use std::collections::HashSet;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::formats::{self, dicom, metaimage, nifti, npy, nrrd, raster, tiff};
use crate::{DecodeError, Error, Format, Image, LabelMap};

/// Reads an image: a file of any [`Format`], or a folder that holds one DICOM series.
///
/// # Errors
/// [`Error::Io`], [`Error::Empty`], [`Error::UnknownFormat`], [`Error::Decode`] with what is wrong in the file, or
/// [`Error::Series`].
pub fn read_image(path: impl AsRef<Path>) -> Result<Image, Error> {
    let path = path.as_ref();
    let metadata = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?;
    if metadata.is_dir() {
        return dicom::read_folder(path);
    }
    crate::memory::plan(format!("reading {path:?}"), metadata.len())?;
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    if bytes.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    let format = Format::of_bytes(&bytes)
        .or_else(|| Format::of_name(path))
        .ok_or_else(|| Error::UnknownFormat { path: path.to_owned() })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    decode(format, &bytes, &mut |name| formats::read_data_file(format, folder, name))
        .map_err(|source| Error::Decode { path: path.to_owned(), source })
}

/// Reads a label map: a file of one channel of whole numbers.
///
/// # Errors
/// As [`read_image`], and [`Error::NotLabels`].
pub fn read_labels(path: impl AsRef<Path>) -> Result<LabelMap, Error> {
    let path = path.as_ref();
    LabelMap::from_image(&read_image(path)?).map_err(|error| error.in_file(path))
}

/// Reads DICOM files that are the slices of one series.
///
/// # Errors
/// [`Error::Series`] when they do not make one volume, and as [`read_image`].
pub fn read_series<P: AsRef<Path>>(paths: &[P]) -> Result<Image, Error> {
    dicom::read_files(&paths.iter().map(|p| p.as_ref().to_owned()).collect::<Vec<_>>())
}

/// Decodes the bytes of a file; `data_file` gives the contents of the file that a detached header names.
///
/// # Errors
/// [`DecodeError`] with what is wrong.
pub fn decode(
    format: Format,
    bytes: &[u8],
    data_file: &mut dyn FnMut(&str) -> Result<Vec<u8>, DecodeError>,
) -> Result<Image, DecodeError> {
    match format {
        Format::Nifti => nifti::decode(bytes),
        Format::Nrrd => nrrd::decode(bytes, data_file),
        Format::MetaImage => metaimage::decode(bytes, data_file),
        Format::Dicom => dicom::decode(bytes),
        Format::Png | Format::Jpeg | Format::Bmp => raster::decode(format, bytes),
        Format::Tiff => tiff::decode(bytes),
        Format::Npy => npy::decode(bytes),
    }
}

/// Writes an image in the format that the file name tells, in the number type that it was stored in where that holds
/// every sample exactly.
///
/// # Errors
/// [`Error::CannotStore`] when the format is unknown, only read, or cannot hold the image; [`Error::Io`].
pub fn write_image(path: impl AsRef<Path>, image: &Image) -> Result<(), Error> {
    let path = path.as_ref();
    write_atomically(path, &encode(path, image, Compression::Usual)?)
}

/// How samples are written by the formats that leave it open, NRRD and MetaImage. The name of a NIfTI file tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Compressed.
    #[default]
    Usual,
    /// As they are, for readers that cannot decompress.
    None,
}

/// The bytes of the file that [`write_image`] would write under a name, with or without compression.
///
/// # Errors
/// [`Error::CannotStore`] when the format is unknown, only read, or cannot hold the image.
pub fn encode(name: impl AsRef<Path>, image: &Image, compression: Compression) -> Result<Vec<u8>, Error> {
    let path = name.as_ref();
    let format = writable_format(path)?;
    let gzip = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    let bytes = match format {
        Format::Nifti => nifti::encode(image, gzip),
        Format::Nrrd => nrrd::encode(image, compression),
        Format::MetaImage => metaimage::encode(image, compression),
        Format::Png => raster::encode_png(image),
        Format::Tiff => tiff::encode(image),
        Format::Npy => npy::encode(image),
        Format::Dicom | Format::Jpeg | Format::Bmp => Err(format!("{format} is only read")),
    };
    bytes.map_err(|reason| Error::CannotStore { path: path.to_owned(), reason })
}

/// A picture as a PNG file in memory.
///
/// # Errors
/// [`Error::CannotStore`] when PNG cannot hold the image.
pub fn encode_png(image: &Image) -> Result<Vec<u8>, Error> {
    raster::encode_png(image).map_err(|reason| Error::CannotStore { path: "picture.png".into(), reason })
}

/// The format that a file name tells, if images can be written in it.
///
/// # Errors
/// [`Error::CannotStore`] when the format is unknown or only read.
fn writable_format(path: &Path) -> Result<Format, Error> {
    let cannot = |reason: String| Error::CannotStore { path: path.to_owned(), reason };
    let format = Format::of_name(path).ok_or_else(|| cannot("the name tells no known format".into()))?;
    if !format.writable_extensions().iter().any(|e| path.to_string_lossy().to_ascii_lowercase().ends_with(e)) {
        let which = if format.writable_extensions().is_empty() { "" } else { " of this kind" };
        return Err(cannot(format!("{format} files{which} are only read")));
    }
    Ok(format)
}

/// Whether an image could be written there as far as its name and folder tell: to be asked before long work.
///
/// # Errors
/// [`Error::CannotStore`] when the format is unknown or only read, and as [`expect_folder`].
pub fn expect_writable(path: impl AsRef<Path>) -> Result<(), Error> {
    writable_format(path.as_ref())?;
    expect_folder(path)
}

/// Whether a file can be written there: whether its folder is there, and files can be made in it.
///
/// # Errors
/// [`Error::Io`] when it is not, or when the file itself is a folder.
pub fn expect_folder(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    if is_device(path) { Ok(()) } else { beside(path).map(drop) }
}

/// Whether files can be made in a folder that is there.
///
/// # Errors
/// [`Error::Io`].
pub fn expect_room_in(folder: impl AsRef<Path>) -> Result<(), Error> {
    let folder = folder.as_ref();
    new_file_in(folder).map(drop).map_err(|e| Error::io("write into", folder, e.kind().into()))
}

/// Whether a path is a folder with a DICOM series, which [`read_image`] reads as one image.
pub fn is_series(path: impl AsRef<Path>) -> bool {
    path.as_ref().is_dir() && dicom::holds_series(path.as_ref())
}

/// Whether there are DICOM files in a folder, of a series or not, as the first few of its files tell.
pub fn holds_dicom(folder: impl AsRef<Path>) -> bool {
    dicom::holds_dicom(folder.as_ref())
}

/// Whether a file or folder is one that systems keep beside others: whether its name begins with a dot.
pub fn is_hidden(path: impl AsRef<Path>) -> bool {
    path.as_ref().file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether two paths lead to one file; to a file that is not there only the path itself does.
pub fn same_file(one: impl AsRef<Path>, other: impl AsRef<Path>) -> bool {
    let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    place(one.as_ref()) == place(other.as_ref())
}

/// Whether files can be written without replacing one of those that they are made from, or each other.
///
/// # Errors
/// [`Error::Replaces`] or [`Error::Twice`] for the first one that cannot.
pub fn expect_apart<P: AsRef<Path>, Q: AsRef<Path>>(
    outputs: impl IntoIterator<Item = P>,
    inputs: impl IntoIterator<Item = Q>,
) -> Result<(), Error> {
    let places: HashSet<PathBuf> = inputs.into_iter().filter_map(|input| input.as_ref().canonicalize().ok()).collect();
    let mut written = HashSet::new();
    for output in outputs {
        let path = output.as_ref();
        // What is not there is not replaced.
        if path.canonicalize().is_ok_and(|place| places.contains(&place)) {
            return Err(Error::Replaces(path.to_owned()));
        }
        let folder = folder_of(path).canonicalize().unwrap_or_else(|_| folder_of(path).to_owned());
        if !written.insert((folder, path.file_name().map(ToOwned::to_owned))) {
            return Err(Error::Twice(path.to_owned()));
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a label map, as [`write_image`], in the smallest integer type that holds its labels.
///
/// # Errors
/// As [`write_image`].
pub fn write_labels(path: impl AsRef<Path>, labels: &LabelMap) -> Result<(), Error> {
    write_image(path, &labels.to_image())
}

/// Writes a file whole or not at all: beside its place first, then renamed.
///
/// A device or pipe is written to directly.
///
/// # Errors
/// [`Error::Io`]; what stood in the place before is then untouched.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    let path = path.as_ref();
    let failed = |e| Error::io("write", path, e);
    if is_device(path) {
        return std::fs::write(path, bytes).map_err(failed);
    }
    let mut file = beside(path)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Whether there is a device or a pipe in a place.
fn is_device(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// A temporary file beside the place of another.
fn beside(path: &Path) -> Result<tempfile::NamedTempFile, Error> {
    let failed = |e| Error::io("write", path, e);
    if path.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    let folder = folder_of(path);
    if !std::fs::metadata(folder).map_err(failed)?.is_dir() {
        return Err(failed(ErrorKind::NotADirectory.into()));
    }
    // The error of the temporary file would name that file.
    new_file_in(folder).map_err(|e| failed(e.kind().into()))
}

/// A temporary file with the permissions of an ordinary new file: `tempfile` makes them private by default.
fn new_file_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fewmark-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
