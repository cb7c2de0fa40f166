//! The study folder, in MONAI Label's layout.
//!
//! ```text
//! FOLDER/a.nii.gz, b.png, ...           images; their names without endings are their ids
//!        labels/final/a.nii.gz          saved by a person
//!        labels/original/a.nii.gz       made by a model; there may be other tags
//!        datastore_v2.json              what is known of images and labels: names, times, who saved
//!        models/NAME.safetensors        trained models
//!        .fewmark/                      runs of trainings, and files on their way
//! ```
//!
//! The files are the truth: they are listed whenever somebody asks, so a study that another program works on, or whose index is lost, is
//! shown as it is. The index only adds what files do not say. Everything is written beside its place and renamed.

mod index;
mod names;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fewmark::image::{Format, encode, write_atomically};
use fewmark::{LabelMap, image};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use crate::clock;
use crate::error::Problem;
use index::Index;
pub(crate) use names::{ending, stem};

/// Labels that a person saved.
pub(crate) const FINAL: &str = "final";

/// The beginning of the names of files that are written beside their place.
const PART: &str = ".fewmark-";

/// The hidden folder with what is not the user's.
const HIDDEN: &str = ".fewmark";

/// A study folder.
pub(crate) struct Datastore {
    root: PathBuf,
    index: Mutex<Index>,
}

/// An image of the study.
#[derive(Clone, Debug)]
pub(crate) struct ImageFile {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    /// The files of its labels by tag.
    pub(crate) labels: BTreeMap<String, PathBuf>,
}

impl ImageFile {
    /// Name of the file.
    pub(crate) fn name(&self) -> String {
        name_of(&self.path)
    }

    /// When the file was last written, and its length: changes when it is replaced.
    pub(crate) fn stamp(&self) -> Result<(SystemTime, u64), Problem> {
        let facts = fs::metadata(&self.path).map_err(|_| gone(&self.id))?;
        Ok((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), facts.len()))
    }
}

/// The name of a file without its folders.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn gone(id: &str) -> Problem {
    Problem::missing(format!("there is no image {id:?} in the study")).hint("/api/images lists the images")
}

impl Datastore {
    /// Opens a folder; missing parts of it are made when they are needed.
    ///
    /// # Errors
    /// When it is no folder, or its hidden folder cannot be made.
    pub(crate) fn open(root: &Path) -> std::io::Result<Self> {
        let root = root.canonicalize()?;
        let temporary = root.join(HIDDEN).join("tmp");
        fs::create_dir_all(&temporary)?;
        let store = Self { index: Mutex::new(Index::at(&root)), root };
        // What a program that was killed left behind is of no use.
        remove_old(&temporary, "");
        remove_old(&store.root, PART);
        store.tags().iter().for_each(|tag| remove_old(&store.label_folder(tag), PART));
        Ok(store)
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder's own name.
    pub(crate) fn name(&self) -> String {
        name_of(&self.root)
    }

    /// Where trained models are.
    pub(crate) fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Where trainings keep what they need to go on.
    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join(HIDDEN).join("runs")
    }

    /// A file on its way, on the file system of the study.
    pub(crate) fn temporary_file(&self) -> Result<NamedTempFile, Problem> {
        let folder = self.root.join(HIDDEN).join("tmp");
        fs::create_dir_all(&folder).map_err(|e| Problem::io("create", "the folder for uploads", e))?;
        tempfile::Builder::new()
            .prefix("upload-")
            .tempfile_in(&folder)
            .map_err(|e| Problem::io("write", "an upload", e.kind().into()))
    }

    /// All images in the order of their names, with the labels that there are.
    pub(crate) fn images(&self) -> Result<Vec<ImageFile>, Problem> {
        let mut files = files(&self.root).map_err(|e| Problem::io("list", "the study folder", e))?;
        files.retain(|path| Format::of_name(path).is_some());
        let mut images: BTreeMap<String, ImageFile> = BTreeMap::new();
        for path in files {
            let name = name_of(&path);
            // Of two images with one name before the ending, the second is known by its full name.
            let stem = stem(&name).to_owned();
            let id = if images.contains_key(&stem) { name } else { stem };
            images.insert(id.clone(), ImageFile { id, path, labels: BTreeMap::new() });
        }
        for tag in self.tags() {
            let mut of_tag = files_or_none(&self.label_folder(&tag));
            of_tag.retain(|path| Format::of_name(path).is_some());
            for path in of_tag {
                if let Some(image) = images.get_mut(stem(&name_of(&path))) {
                    image.labels.entry(tag.clone()).or_insert(path);
                }
            }
        }
        Ok(images.into_values().collect())
    }

    /// One image.
    pub(crate) fn image(&self, id: &str) -> Result<ImageFile, Problem> {
        let mut images = self.images()?;
        match images.iter().position(|image| image.id == id) {
            Some(at) => Ok(images.swap_remove(at)),
            None => Err(gone(id)),
        }
    }

    /// The label of an image under a tag.
    pub(crate) fn label(&self, id: &str, tag: &str) -> Result<(ImageFile, PathBuf), Problem> {
        let image = self.image(id)?;
        match image.labels.get(tag).cloned() {
            Some(path) => Ok((image, path)),
            None => Err(Problem::missing(format!("the image {id:?} has no label {tag:?}"))),
        }
    }

    /// The tags of labels that there are.
    fn tags(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.join("labels")).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let mut tags: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        tags.retain(|tag| names::is_tag(tag));
        tags.sort();
        tags
    }

    fn label_folder(&self, tag: &str) -> PathBuf {
        self.root.join("labels").join(tag)
    }

    /// Saves the label of an image, in the image's geometry, in place of the one that was there.
    ///
    /// # Errors
    /// 404 when there is no such image, 422 for a tag that cannot be, 507 when the disk is full: what was there is then untouched.
    pub(crate) fn save_label(
        &self,
        image: &ImageFile,
        tag: &str,
        labels: &LabelMap,
        info: Map<String, Value>,
    ) -> Result<(), Problem> {
        names::check_tag(tag)?;
        let folder = self.label_folder(tag);
        let ending = label_ending(image, labels);
        let path = folder.join(format!("{}.{ending}", image.id));
        let bytes = encode(&path, &labels.to_image())?;
        let mut index = self.lock();
        if !image.path.exists() {
            return Err(gone(&image.id));
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

    /// Removes the label of an image.
    pub(crate) fn remove_label(&self, id: &str, tag: &str) -> Result<(), Problem> {
        let mut index = self.lock();
        let (_, path) = self.label(id, tag)?;
        fs::remove_file(&path).map_err(|e| Problem::io("remove", &path, e))?;
        index.change(|index| index.remove_label(id, tag))
    }

    /// Removes an image and its labels.
    pub(crate) fn remove_image(&self, id: &str) -> Result<(), Problem> {
        let mut index = self.lock();
        let image = self.image(id)?;
        for path in image.labels.values().chain([&image.path]) {
            fs::remove_file(path).map_err(|e| Problem::io("remove", path, e))?;
        }
        index.change(|index| index.remove_image(id))
    }

    /// Adds an image, which must be one, under the name that it is to have; its id.
    ///
    /// # Errors
    /// 409 when an image of that id is there and `replace` is false, 422 when the name or the file is none of an image.
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
        match &present {
            Some(_) if !replace => {
                return Err(Problem::new(
                    axum::http::StatusCode::CONFLICT,
                    format!("there is an image {id:?} already"),
                )
                .hint("give another name"));
            }
            _ => {}
        }
        fs::rename(&named.0, self.root.join(name)).map_err(|e| Problem::io("write", name, e))?;
        if let Some(old) = present.filter(|old| old.name() != name) {
            fs::remove_file(&old.path).map_err(|e| Problem::io("remove", &old.path, e))?;
        }
        index.change(|index| index.set_image(&id, name, Some(info)))?;
        Ok(id)
    }

    /// What the index knows of an image.
    pub(crate) fn image_info(&self, id: &str) -> Map<String, Value> {
        self.lock().image_info(id)
    }

    /// Adds to what the index knows of an image.
    pub(crate) fn set_image_info(&self, image: &ImageFile, info: Map<String, Value>) -> Result<(), Problem> {
        self.lock().change(|index| index.set_image(&image.id, &image.name(), Some(info)))
    }

    /// What the index knows of a label.
    pub(crate) fn label_info(&self, id: &str, tag: &str) -> Map<String, Value> {
        self.lock().label_info(id, tag)
    }

    /// Adds to what the index knows of a label.
    pub(crate) fn set_label_info(&self, id: &str, tag: &str, info: Map<String, Value>) -> Result<(), Problem> {
        let (image, path) = self.label(id, tag)?;
        let ending = format!(".{}", ending(&name_of(&path)).unwrap_or_default());
        self.lock().change(|index| {
            index.set_image(&image.id, &image.name(), None);
            index.set_label(id, tag, &ending, info);
        })
    }

    /// The whole study as MONAI Label's index has it.
    pub(crate) fn as_index(&self) -> Result<Value, Problem> {
        let images = self.images()?;
        let mut index = self.lock();
        index.reload();
        let objects: Map<String, Value> = images
            .into_iter()
            .map(|image| {
                let labels: Map<String, Value> = image
                    .labels
                    .iter()
                    .map(|(tag, path)| {
                        let ext = format!(".{}", ending(&name_of(path)).unwrap_or_default());
                        (tag.clone(), json!({ "ext": ext, "info": index.label_info(&image.id, tag) }))
                    })
                    .collect();
                let ext = format!(".{}", ending(&image.name()).unwrap_or_default());
                let info = index.image_info(&image.id);
                (image.id.clone(), json!({ "image": { "ext": ext, "info": info }, "labels": labels }))
            })
            .collect();
        Ok(json!({
            "name": self.name(),
            "description": "",
            "images_dir": ".",
            "labels_dir": "labels",
            "objects": objects,
        }))
    }

    /// Names and colours of labels that were saved, by their values.
    pub(crate) fn legend(&self) -> BTreeMap<u16, (String, Option<String>)> {
        self.lock().legend()
    }

    /// Names and colours of the values of one label.
    pub(crate) fn legend_of(&self, id: &str, tag: &str) -> BTreeMap<u16, (String, Option<String>)> {
        let info = self.label_info(id, tag).into();
        index::legend_of(&info).into_iter().map(|(value, name, colour)| (value, (name, colour))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ending of the label's file: that of the image where the format holds labels and geometry, so that its header is repeated.
fn label_ending(image: &ImageFile, labels: &LabelMap) -> &'static str {
    match Format::of_name(&image.path) {
        Some(Format::Nrrd) => "nrrd",
        Some(Format::MetaImage) => "mha",
        Some(Format::Png | Format::Jpeg | Format::Bmp) if labels.geometry().dimension() == fewmark::Dimension::Two => {
            "png"
        }
        Some(Format::Tiff) => "tif",
        Some(Format::Npy) => "npy",
        _ => "nii.gz",
    }
}

/// Removes files on their way that are so old that nobody can be writing them any more.
fn remove_old(folder: &Path, beginning: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let facts = entry.metadata().ok().filter(|facts| facts.is_file());
        let age = facts.and_then(|facts| facts.modified().ok()?.elapsed().ok());
        if age.is_some_and(|age| age.as_secs() > 3600) && entry.file_name().to_string_lossy().starts_with(beginning) {
            let _ = fs::remove_file(entry.path());
        }
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

/// The files in a folder that are not hidden, in the order of their names.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
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

fn files_or_none(folder: &Path) -> Vec<PathBuf> {
    files(folder).unwrap_or_default()
}
