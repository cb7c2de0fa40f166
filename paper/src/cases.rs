//! The data sets of the selective models' tables: images, and the one object that is clicked in each.

use std::path::{Path, PathBuf};

use fewmark::image::read_image;
use fewmark::simulate::Object;
use fewmark::{Error, Image, LabelMap, Marks};

/// Number of images on which parameters are chosen: the first ones by name. The others are reported.
pub const TUNING: usize = 2;

/// An image and the object that is to be found in it.
pub struct Case {
    /// File name.
    pub name: String,
    /// The image.
    pub image: Image,
    /// The clicked object.
    pub object: Object,
}

impl Case {
    /// The simulated clicks of a seed.
    pub fn marks(&self, seed: u64) -> Marks {
        Marks::from_voxels(self.image.geometry(), &self.object.clicks(None, seed), &[])
    }

    /// The clicked object as a label map.
    ///
    /// # Errors
    /// None for an object drawn from this case.
    pub fn truth(&self) -> Result<LabelMap, Error> {
        Ok(LabelMap::from_mask(self.object.mask(), self.image.geometry().clone())?)
    }
}

/// The folder with the real images: `FEWMARK_DATA`, or `../shared/data` beside the repository.
pub fn data_folder() -> PathBuf {
    match std::env::var_os("FEWMARK_DATA") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    }
}

/// Lung CT slices: the object is the larger connected component of the lung mask.
///
/// # Errors
/// Files that cannot be read.
pub fn lungs(data: &Path) -> Result<Vec<Case>, Error> {
    load(&data.join("lungsegdb"), |mask| mask.channel(0).iter().map(|&v| v > 127.0).collect())
}

/// Liver CT slices with a tumour, drawn in red: the object is the largest connected component of the tumour.
///
/// # Errors
/// Files that cannot be read.
pub fn liver_lesions(data: &Path) -> Result<Vec<Case>, Error> {
    load(&data.join("liver-lesion"), |mask| {
        let is_red =
            |i: usize| mask.channel(0)[i] > 127.0 && mask.channel(1)[i] <= 127.0 && mask.channel(2)[i] <= 127.0;
        (0..mask.geometry().len()).map(is_red).collect()
    })
}

/// The cases of a folder with `images` and `masks`, by name, without those whose mask is empty.
fn load(folder: &Path, object: impl Fn(&Image) -> Vec<bool>) -> Result<Vec<Case>, Error> {
    let images = folder.join("images");
    let list = |source| fewmark::image::Error::Io { action: "list", path: images.clone(), source };
    let mut names: Vec<String> = std::fs::read_dir(&images)
        .map_err(list)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let mut cases = Vec::new();
    for name in names {
        let image = read_image(images.join(&name))?;
        let mask = read_image(folder.join("masks").join(&name))?;
        let truth = LabelMap::from_mask(&object(&mask), image.geometry().clone())?;
        if truth.present().is_empty() {
            continue;
        }
        cases.push(Case { name, image, object: Object::largest(&truth, 1)? });
    }
    Ok(cases)
}
