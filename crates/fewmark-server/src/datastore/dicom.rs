//! DICOM files of the study, by the identifiers that they carry.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fewmark::image::Format;
use fewmark::image::dicom::{Attribute, FileHeader, Value, read_header};
use rayon::prelude::*;

use super::files::files_or_none;
use super::{Datastore, ImageFile};
use crate::error::Problem;
use crate::stamp::Stamp;

pub(crate) const STUDY_UID: u32 = 0x0020_000d;
pub(crate) const SERIES_UID: u32 = 0x0020_000e;
pub(crate) const INSTANCE_UID: u32 = 0x0008_0018;

/// What is kept of a file's attributes: what queries of all levels ask for.
const KEPT: [u32; 34] = [
    0x0008_0005, // character set
    0x0008_0016, // kind of object
    INSTANCE_UID,
    0x0008_0020, // date of the study
    0x0008_0021, // date of the series
    0x0008_0030, // time of the study
    0x0008_0031, // time of the series
    0x0008_0050, // accession number
    0x0008_0060, // modality
    0x0008_0090, // referring physician
    0x0008_1030, // description of the study
    0x0008_103e, // description of the series
    0x0010_0010, // name of the patient
    0x0010_0020, // id of the patient
    0x0010_0030, // birth date
    0x0010_0040, // sex
    0x0018_0015, // body part
    0x0018_1030, // protocol
    STUDY_UID,
    SERIES_UID,
    0x0020_0010, // id of the study
    0x0020_0011, // number of the series
    0x0020_0013, // number of the instance
    0x0020_0052, // frame of reference
    0x0020_0060, // laterality
    0x0028_0008, // frames
    0x0028_0010, // rows
    0x0028_0011, // columns
    0x0028_0100, // bits
    0x0040_0244, // date of the procedure
    0x0040_0245, // time of the procedure
    0x0040_0253, // id of the procedure
    0x0040_0254, // its description
    0x0040_1001, // id of the request
];

/// The longest text of an attribute that is kept.
const LONGEST: usize = 1024;

/// Files and series that are remembered. One file takes about 3 KiB.
const MOST: usize = 50_000;

/// A DICOM file, and what queries ask of it.
pub(crate) struct Instance {
    pub(crate) path: PathBuf,
    pub(crate) study: String,
    pub(crate) series: String,
    pub(crate) uid: String,
    /// How its samples are encoded.
    pub(crate) syntax: String,
    /// The attributes that are kept, in the order of their tags.
    pub(crate) attributes: Vec<Attribute>,
}

impl Instance {
    fn of(path: &Path) -> Option<Self> {
        let mut header: FileHeader = read_header(path).ok()?;
        let uid = |tag| header.text(tag).filter(|uid| is_uid(uid)).map(str::to_owned);
        let [study, series, uid] = [uid(STUDY_UID)?, uid(SERIES_UID)?, uid(INSTANCE_UID)?];
        header.attributes.retain(|attribute| KEPT.contains(&attribute.tag) && is_short(attribute));
        header.attributes.shrink_to_fit();
        Some(Self { path: path.to_owned(), study, series, uid, syntax: header.syntax, attributes: header.attributes })
    }

    /// An attribute, where the file has it.
    fn get(&self, tag: u32) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.tag == tag)
    }

    /// The first text of an attribute, where it has one.
    pub(crate) fn text(&self, tag: u32) -> Option<&str> {
        match &self.get(tag)?.value {
            Value::Texts(texts) => texts.first().map(String::as_str),
            _ => None,
        }
    }
}

fn is_short(attribute: &Attribute) -> bool {
    match &attribute.value {
        Value::Texts(texts) => texts.iter().map(String::len).sum::<usize>() <= LONGEST && texts.len() <= LONGEST,
        Value::Integers(numbers) => numbers.len() <= LONGEST,
        _ => false,
    }
}

/// Whether a text is an identifier of DICOM: numbers with dots between them.
fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// What was found out, so that not every frame that a viewer loads costs a look into every folder.
#[derive(Default)]
pub(super) struct Known {
    /// What is in files, also that one is none of DICOM, as long as the file stays as it is.
    files: Mutex<HashMap<PathBuf, Read>>,
    /// Where the image of a series was found last.
    places: Mutex<HashMap<String, PathBuf>>,
}

type Read = (Stamp, Option<Arc<Instance>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn instance(&self, path: &Path) -> Option<Arc<Instance>> {
        let stamp = Stamp::of(path).ok()?;
        if let Some((_, found)) = locked(&self.files).get(path).filter(|(read, _)| *read == stamp) {
            return found.clone();
        }
        let found = Instance::of(path).map(Arc::new);
        let mut known = locked(&self.files);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(path.to_owned(), (stamp, found.clone()));
        found
    }
}

impl Datastore {
    /// The DICOM files of all images, in the order of the images' and the files' names.
    pub(crate) fn instances(&self) -> Result<Vec<Arc<Instance>>, Problem> {
        let files: Vec<PathBuf> = self.images()?.iter().flat_map(files_of).collect();
        Ok(files.par_iter().filter_map(|path| self.dicom.instance(path)).collect())
    }

    /// One DICOM file of a series, by its identifier. The image that the series is has it nearly always.
    pub(crate) fn instance_of(&self, series: &str, uid: &str) -> Result<Option<Arc<Instance>>, Problem> {
        let is_meant = |instance: &Arc<Instance>| instance.series == series && instance.uid == uid;
        if let Some(image) = self.image_of_series(series, &self.images()?)
            && let Some(found) = files_of(&image).iter().filter_map(|path| self.dicom.instance(path)).find(is_meant)
        {
            return Ok(Some(found));
        }
        Ok(self.instances()?.into_iter().find(is_meant))
    }

    /// The first of an image's files that is DICOM.
    pub(crate) fn first_instance(&self, image: &ImageFile) -> Option<Arc<Instance>> {
        files_of(image).iter().find_map(|path| self.dicom.instance(path))
    }

    /// The first image that is the series of an identifier.
    pub(super) fn image_of_series(&self, uid: &str, images: &[ImageFile]) -> Option<ImageFile> {
        if !is_uid(uid) {
            return None;
        }
        let is_meant = |image: &&ImageFile| self.first_instance(image).is_some_and(|first| first.series == uid);
        let place = locked(&self.dicom.places).get(uid).cloned();
        if let Some(image) = images.iter().find(|image| Some(&image.path) == place.as_ref()).filter(is_meant) {
            return Some(image.clone());
        }
        let found = images.iter().find(is_meant)?;
        let mut places = locked(&self.dicom.places);
        if places.len() >= MOST {
            places.clear();
        }
        places.insert(uid.to_owned(), found.path.clone());
        Some(found.clone())
    }
}

/// The files of an image that may be DICOM.
fn files_of(image: &ImageFile) -> Vec<PathBuf> {
    if image.is_series() {
        files_or_none(&image.path)
    } else if Format::of_name(&image.path) == Some(Format::Dicom) {
        vec![image.path.clone()]
    } else {
        Vec::new()
    }
}
