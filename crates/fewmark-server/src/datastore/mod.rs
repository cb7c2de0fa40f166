//! The study folder, in MONAI Label's layout.
//!
//! ```text
//! FOLDER/a.nii.gz, b.png, ...           images; their names without endings are their ids
//!        c/                             an image too, if it holds the files of a DICOM series, whose identifier names it as well
//!        labels/final/a.nii.gz          saved by a person
//!        labels/original/a.nii.gz       made by a model; there may be other tags
//!        datastore_v2.json              what is known of images and labels: names, times, who saved
//!        models/NAME.safetensors        trained models
//!        .fewmark/                      runs of trainings, and files on their way
//! ```
//!
//! The files are the truth: they are listed whenever somebody asks, so a study that another program works on, or whose index is lost, is
//! shown as it is. The index only adds what files do not say. Everything is written beside its place and renamed.

mod dataset;
mod dicom;
mod files;
mod index;
mod info;
mod names;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fewmark::image::Format;
use tempfile::NamedTempFile;

use crate::error::Problem;
use dicom::Known;
pub(crate) use dicom::{INSTANCE_UID, Instance, SERIES_UID, STUDY_UID};
pub(crate) use files::name_of;
use files::{files, files_or_none, remove_old, series};
use index::Index;
pub(crate) use index::unnamed;
pub(crate) use info::{Legend, colour_of};
pub(crate) use names::{check_tag, ending, stem};
pub(crate) use write::Place;

/// Labels that a person saved.
pub(crate) const FINAL: &str = "final";
/// Labels that a model made.
pub(crate) const ORIGINAL: &str = "original";

/// The beginning of the names of files that are written beside their place.
const PART: &str = ".fewmark-";

/// The folders of the study that hold no images.
const LABELS: &str = "labels";
const MODELS: &str = "models";

/// The hidden folder with what is not the user's.
const HIDDEN: &str = ".fewmark";

/// A study folder.
pub(crate) struct Datastore {
    root: PathBuf,
    index: Mutex<Index>,
    dicom: Known,
}

/// An image of the study.
#[derive(Clone, Debug)]
pub(crate) struct ImageFile {
    pub(crate) id: String,
    /// Its file, or the folder of a series.
    pub(crate) path: PathBuf,
    /// The files of its labels by tag.
    pub(crate) labels: BTreeMap<String, PathBuf>,
}

impl ImageFile {
    /// Name of the file, or of the folder of a series.
    pub(crate) fn name(&self) -> String {
        name_of(&self.path)
    }

    /// Whether it is a folder with the files of a series.
    pub(crate) fn is_series(&self) -> bool {
        self.path.is_dir()
    }
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
        let store = Self { index: Mutex::new(Index::at(&root)), dicom: Known::default(), root };
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
        self.root.join(MODELS)
    }

    /// Where trainings keep what they need to go on.
    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join(HIDDEN).join("runs")
    }

    /// Where a batch that is not done keeps what it has done.
    pub(crate) fn batch(&self) -> PathBuf {
        self.root.join(HIDDEN).join("batch.json")
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
        files.extend(series(&self.root, &[LABELS, MODELS]));
        let mut images: BTreeMap<String, ImageFile> = BTreeMap::new();
        for path in files {
            let name = name_of(&path);
            // Of two images with one name before the ending, the second is known by its full name; a folder has no other.
            let stem = stem(&name).to_owned();
            let id = if images.contains_key(&stem) { name } else { stem };
            images.entry(id.clone()).or_insert(ImageFile { id, path, labels: BTreeMap::new() });
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

    /// One image, by its id or by the identifier of its DICOM series.
    pub(crate) fn image(&self, id: &str) -> Result<ImageFile, Problem> {
        self.among(&self.images()?, id).ok_or_else(|| gone(id))
    }

    /// The image of that id, or else of that identifier, among all images.
    pub(crate) fn among(&self, images: &[ImageFile], id: &str) -> Option<ImageFile> {
        images.iter().find(|image| image.id == id).cloned().or_else(|| self.image_of_series(id, images))
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
        let entries = fs::read_dir(self.root.join(LABELS)).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let mut tags: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        tags.retain(|tag| names::is_tag(tag));
        tags.sort();
        tags
    }

    fn label_folder(&self, tag: &str) -> PathBuf {
        self.root.join(LABELS).join(tag)
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
