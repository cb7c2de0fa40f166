//! A volume from the files of one DICOM series.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::dataset::Part10;
use super::header::read_header;
use super::pixels::Pixels;
use super::placement::{Misplaced, arrange};
use super::slice::{Header, Layout};
use crate::{DecodeError, Error, Format, Image, SeriesError, is_hidden};

/// Reads the DICOM pictures that lie in the folder; reports, indices (`DICOMDIR`), other files and folders within are
/// passed over.
pub(crate) fn read_folder(folder: &Path) -> Result<Image, Error> {
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = listed.map_err(|e| Error::io("list", folder, e))?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.is_file() && !is_index(path) && has_magic(path));
    // The order of a listing is the file system's own: the result must not depend on it.
    files.sort();
    read(folder, &files, Others::Skip)
}

/// Whether the folder holds a series: whether the first two DICOM files in it are of one. Only their headers are read, and no more than a few dozen
/// files are looked into.
pub(crate) fn holds_series(folder: &Path) -> bool {
    const SERIES_INSTANCE_UID: u32 = 0x0020_000e;
    const LOOKED_INTO: usize = 64;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file() && !is_index(path)).collect();
    files.sort();
    let headers =
        files.iter().take(LOOKED_INTO).filter(|path| has_magic(path)).map_while(|path| read_header(path).ok());
    let series: Vec<Option<String>> =
        headers.take(2).map(|header| header.text(SERIES_INSTANCE_UID).map(str::to_owned)).collect();
    matches!(&series[..], [Some(one), Some(other)] if one == other)
}

/// Whether one of the first files that are found in a folder is DICOM; hidden ones are passed over. Only a few are looked into, as a series may have
/// thousands.
pub(crate) fn holds_dicom(folder: &Path) -> bool {
    const LOOKED_INTO: usize = 8;
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| !is_hidden(path) && path.is_file()).take(LOOKED_INTO).any(|path| has_magic(&path))
}

/// Reads DICOM files that are the slices of one series.
pub(crate) fn read_files(files: &[PathBuf]) -> Result<Image, Error> {
    read(files.first().map_or(Path::new(""), PathBuf::as_path), files, Others::Refuse)
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"))
}

fn has_magic(path: &Path) -> bool {
    let mut head = [0; 132];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && Format::of_bytes(&head) == Some(Format::Dicom)
}

/// What to do with DICOM files that hold no picture, such as structured reports and contours.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Skip,
    Refuse,
}

/// A file of the series: opened, and its header read.
struct Member {
    path: PathBuf,
    bytes: Vec<u8>,
    header: Header,
}

fn read(place: &Path, files: &[PathBuf], others: Others) -> Result<Image, Error> {
    let failed = |source| Error::Series { path: place.to_owned(), source };
    let stored: u64 = files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    crate::memory::plan(format!("reading {place:?}"), stored)?;
    let opened = files.par_iter().filter_map(|path| open(path, others).transpose());
    let members = opened.collect::<Result<Vec<_>, _>>()?;
    if members.is_empty() {
        return Err(failed(SeriesError::Empty));
    }
    check_one_series(&members).map_err(failed)?;
    if let [only] = members.as_slice() {
        return super::decode(&only.bytes).map_err(|source| Error::Decode { path: only.path.clone(), source });
    }
    check_alike(&members).map_err(failed)?;
    let planes: Vec<_> = members.iter().map(|m| m.header.planes[0]).collect();
    let layout = members[0].header.layout;
    let volume = arrange(&layout, &planes).map_err(|e| misplaced(e, place, &members))?;
    let voxels = volume.geometry.len() * layout.channels();
    crate::memory::plan(format!("reading {place:?}"), voxels as u64 * size_of::<f32>() as u64)?;
    let sorted: Vec<&Member> = volume.order.iter().map(|&slice| &members[slice]).collect();
    let layouts: Vec<Layout> = members.iter().map(|m| m.header.layout).collect();
    super::assemble(&layouts, volume.geometry, |z, channels| {
        let Member { path, bytes, header } = sorted[z];
        decode_slice(bytes, header, channels).map_err(|source| Error::Decode { path: path.clone(), source })
    })
}

fn open(path: &Path, others: Others) -> Result<Option<Member>, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let header = header(&bytes, others).map_err(|source| Error::Decode { path: path.to_owned(), source })?;
    Ok(header.map(|header| Member { path: path.to_owned(), bytes, header }))
}

fn header(bytes: &[u8], others: Others) -> Result<Option<Header>, DecodeError> {
    let file = Part10::open(bytes)?;
    let set = file.data_set()?;
    if others == Others::Skip && set.pixel_data().is_err() {
        return Ok(None);
    }
    Header::parse(&set).map(Some)
}

fn decode_slice(bytes: &[u8], header: &Header, channels: &mut [&mut [f32]]) -> Result<(), DecodeError> {
    let file = Part10::open(bytes)?;
    let pixels = Pixels::find(&file.data_set()?, header.layout, &file.syntax)?;
    pixels.decode_frame(0, header.planes[0].rescale, channels)
}

fn check_one_series(members: &[Member]) -> Result<(), SeriesError> {
    let mut series: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for Member { header, .. } in members {
        series.entry(&header.series).or_insert((&header.description, 0)).1 += 1;
    }
    if series.len() == 1 {
        return Ok(());
    }
    let told = series.values().map(|(description, files)| match *description {
        "" => format!("without a description ({files} files)"),
        description => format!("{description:?} ({files} files)"),
    });
    Err(SeriesError::Mixed(told.collect()))
}

/// Whether the slices have the same size and kind of samples, and one frame each.
fn check_alike(members: &[Member]) -> Result<(), SeriesError> {
    if let Some(several) = members.iter().find(|m| m.header.layout.frames > 1) {
        return Err(SeriesError::SeveralFrames { file: several.path.clone() });
    }
    let first = &members[0];
    for second in members {
        let (a, b) = (&first.header.layout, &second.header.layout);
        let differing = [
            ("Rows", a.rows == b.rows),
            ("Columns", a.columns == b.columns),
            ("PhotometricInterpretation", a.channels() == b.channels()),
        ];
        if let Some(&(field, _)) = differing.iter().find(|(_, same)| !same) {
            let (first, second) = (first.path.clone(), second.path.clone());
            return Err(SeriesError::Inconsistent { field, first, second });
        }
    }
    Ok(())
}

fn misplaced(error: Misplaced, place: &Path, members: &[Member]) -> Error {
    let path = |slice: usize| members[slice].path.clone();
    let source = match error {
        Misplaced::Missing { field, slice } => SeriesError::Missing { file: path(slice), field },
        Misplaced::Inconsistent { field, first, second } => {
            SeriesError::Inconsistent { field, first: path(first), second: path(second) }
        }
        Misplaced::Duplicate { position, first, second } => {
            SeriesError::Duplicate { position, first: path(first), second: path(second) }
        }
        Misplaced::Uneven { usual, gaps } => SeriesError::Uneven { usual, gaps },
        Misplaced::Geometry(source) => {
            let source = DecodeError::Geometry { format: Format::Dicom, source };
            return Error::Decode { path: path(0), source };
        }
    };
    Error::Series { path: place.to_owned(), source }
}
