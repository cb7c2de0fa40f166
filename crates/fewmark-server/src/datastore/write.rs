//! Images and labels as they are added, replaced and removed.

use std::fs;
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use fewmark::image::{Compression, Format, encode, write_atomically};
use fewmark::{Dimension, LabelMap, image};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::files::{files_or_none, name_of};
use super::names::{self, ending, stem};
use super::{Datastore, ImageFile, gone};
use crate::clock;
use crate::error::Problem;

/// Where a label is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where there is none, or in place of any.
    Any,
    /// Where there is none.
    Free,
    /// In place of the one that had this version, see [`Datastore::version`].
    Of(u64),
}

impl Datastore {
    /// Saves the label of an image, in the image's geometry, in place of the one that was there.
    ///
    /// # Errors
    /// 404 when there is no such image, 409 when the place is another, 422 for a tag that cannot be, 507 when the disk is full: what was there is then
    /// untouched.
    pub(crate) fn save_label(
        &self,
        image: &ImageFile,
        tag: &str,
        labels: &LabelMap,
        info: Map<String, Value>,
        place: Place,
    ) -> Result<(), Problem> {
        names::check_tag(tag)?;
        let folder = self.label_folder(tag);
        let ending = label_ending(image, labels);
        let path = folder.join(format!("{}.{ending}", image.id));
        let bytes = encode(&path, &labels.to_image(), Compression::Usual)?;
        let mut index = self.lock();
        if !image.path.exists() {
            return Err(gone(&image.id));
        }
        let present = self.image(&image.id)?.labels.get(tag).cloned();
        let is_as_expected = match place {
            Place::Any => true,
            Place::Free => present.is_none(),
            Place::Of(version) => present.is_some_and(|path| Self::version(&path) == version),
        };
        if !is_as_expected {
            let problem = Problem::new(StatusCode::CONFLICT, format!("somebody has saved the label {tag:?} meanwhile"));
            return Err(problem.hint("look at it first"));
        }
        fs::create_dir_all(&folder).map_err(|e| Problem::io("create", format!("labels/{tag}"), e))?;
        write_atomically(&path, &bytes)?;
        // Only one file speaks for a label.
        for other in files_or_none(&folder) {
            if other != path && stem(&name_of(&other)) == image.id && Format::of_name(&other).is_some() {
                fs::remove_file(&other).map_err(|e| Problem::io("remove", &other, e))?;
            }
        }
        let known = json!({ "ts": clock::now(), "name": name_of(&path) });
        let known = known.as_object().cloned().unwrap_or_default();
        let info: Map<String, Value> = info.into_iter().chain(known).collect();
        index.change(|index| {
            index.set_image(&image.id, &image.name(), None);
            index.set_label(&image.id, tag, &format!(".{ending}"), info);
        })
    }

    /// What tells one version of a label's file from another; 0 where there is none.
    pub(crate) fn version(path: &Path) -> u64 {
        let modified = fs::metadata(path).and_then(|facts| facts.modified()).ok();
        let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        // Milliseconds, which JavaScript's numbers hold.
        since.map_or(0, |since| since.as_millis() as u64)
    }

    /// Removes the label of an image.
    pub(crate) fn remove_label(&self, id: &str, tag: &str) -> Result<(), Problem> {
        let mut index = self.lock();
        let (image, path) = self.label(id, tag)?;
        fs::remove_file(&path).map_err(|e| Problem::io("remove", &path, e))?;
        index.change(|index| index.remove_label(&image.id, tag))
    }

    /// Removes an image and its labels.
    ///
    /// # Errors
    /// 404 when there is no such image, 422 for a folder of files.
    pub(crate) fn remove_image(&self, id: &str) -> Result<(), Problem> {
        let mut index = self.lock();
        let image = self.image(id)?;
        if image.is_series() {
            return Err(Problem::wrong(format!(
                "the image {id:?} is a folder of files, which is not removed from here"
            ))
            .hint("remove the folder yourself; its labels can be removed from here"));
        }
        for path in image.labels.values().chain([&image.path]) {
            fs::remove_file(path).map_err(|e| Problem::io("remove", path, e))?;
        }
        index.change(|index| index.remove_image(&image.id))
    }

    /// Adds an image, which must be one, under the name that it is to have; its id.
    ///
    /// # Errors
    /// 409 when an image of that id is there and `replace` is false or it is a folder of files, 422 when the name or the file is none of an image.
    pub(crate) fn add_image(
        &self,
        file: NamedTempFile,
        name: &str,
        info: Map<String, Value>,
        replace: bool,
    ) -> Result<String, Problem> {
        names::check_image_name(name)?;
        let id = stem(name).to_owned();
        // The name tells the format where the first bytes do not.
        let ending = ending(name).unwrap_or_default();
        let named = file.path().with_extension(ending);
        fs::rename(file.path(), &named).map_err(|e| Problem::io("write", name, e))?;
        let named = Removed(named);
        image::read_image(&named.0).map_err(|e| Problem::from(e).of_upload(&named.0, name))?;
        let synced = fs::File::open(&named.0).and_then(|file| file.sync_all());
        synced.map_err(|e| Problem::io("write", name, e))?;
        readable(&named.0);

        let mut index = self.lock();
        let present = self.images()?.into_iter().find(|image| image.id == id);
        if present.as_ref().is_some_and(|present| !replace || present.is_series()) {
            let problem = Problem::new(StatusCode::CONFLICT, format!("there is an image {id:?} already"));
            return Err(problem.hint("give another name"));
        }
        fs::rename(&named.0, self.root.join(name)).map_err(|e| Problem::io("write", name, e))?;
        if let Some(old) = present.filter(|old| old.name() != name) {
            fs::remove_file(&old.path).map_err(|e| Problem::io("remove", &old.path, e))?;
        }
        index.change(|index| index.set_image(&id, name, Some(info)))?;
        Ok(id)
    }
}

/// The ending of the label's file: that of the image where the format holds labels and geometry, so that its header is repeated.
fn label_ending(image: &ImageFile, labels: &LabelMap) -> &'static str {
    match Format::of_name(&image.path) {
        Some(Format::Nrrd) => "nrrd",
        Some(Format::MetaImage) => "mha",
        Some(Format::Png | Format::Jpeg | Format::Bmp) if labels.geometry().dimension() == Dimension::Two => "png",
        Some(Format::Tiff) => "tif",
        Some(Format::Npy) => "npy",
        _ => "nii.gz",
    }
}

/// A file that goes when this is dropped.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Temporary files are private; an image of the study is an ordinary file.
fn readable(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o644));
    }
    let _ = path;
}
