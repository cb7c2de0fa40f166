//! What lies in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use fewmark::image::{holds_dicom, is_hidden};

/// The name of a file without its folders.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Removes files on their way that are so old that nobody can be writing them any more.
pub(super) fn remove_old(folder: &Path, beginning: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let facts = entry.metadata().ok().filter(|facts| facts.is_file());
        let age = facts.and_then(|facts| facts.modified().ok()?.elapsed().ok());
        if age.is_some_and(|age| age.as_secs() > 3600) && entry.file_name().to_string_lossy().starts_with(beginning) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The files in a folder that are not hidden, in the order of their names.
pub(super) fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let hidden = is_hidden(entry.path());
        // A link counts as what it points to.
        let is_file =
            entry.file_type().is_ok_and(|kind| kind.is_file() || (kind.is_symlink() && entry.path().is_file()));
        if is_file && !hidden && entry.file_name().to_str().is_some() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn files_or_none(folder: &Path) -> Vec<PathBuf> {
    files(folder).unwrap_or_default()
}

/// The folders in a folder that hold the files of a DICOM series, as some of their files tell; in the order of their names.
pub(super) fn series(folder: &Path, others: &[&str]) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| {
        let name = entry.file_name();
        let named = name.to_str().is_some_and(|name| !others.contains(&name)) && !is_hidden(entry.path());
        named && entry.path().is_dir()
    });
    let mut found: Vec<PathBuf> = folders.map(|entry| entry.path()).filter(|path| holds_dicom(path)).collect();
    found.sort();
    found
}
