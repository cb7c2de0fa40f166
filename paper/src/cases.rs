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
    /// The simulated clicks of a seed: so many, or 4 to 6.
    pub fn marks(&self, count: Option<usize>, seed: u64) -> Marks {
        Marks::from_voxels(self.image.geometry(), &self.object.clicks(count, seed), &[])
    }

    /// The clicked object as a label map.
    ///
    /// # Errors
    /// None for an object drawn from this case.
    pub fn truth(&self) -> Result<LabelMap, Error> {
        Ok(LabelMap::from_mask(self.object.mask(), self.image.geometry().clone())?)
    }
}

/// A data set of the selective models.
pub struct DataSet {
    /// Its name on command lines.
    pub key: &'static str,
    /// What it is, with its source and licence.
    pub source: &'static str,
    /// Reads its cases from the folder of real images.
    pub load: fn(&Path) -> Result<Vec<Case>, Error>,
}

/// Lungs in CT.
pub const LUNGS: DataSet = DataSet {
    key: "lungs",
    source: "lungsegdb (LungSegDB, MIT): 22 slices 512x512; object: the larger connected component of the mask",
    load: lungs,
};

/// Liver lesions in CT.
pub const LIVER_LESIONS: DataSet = DataSet {
    key: "liver-lesions",
    source: "liver-lesion (Medical Segmentation Decathlon task 8, CC BY-SA 4.0): 12 slices 512x512 with a tumour; object: its \
             largest connected component",
    load: liver_lesions,
};

/// The folder with the real images: `FEWMARK_DATA`, or `../shared/data` beside the repository.
pub fn data_folder() -> PathBuf {
    match std::env::var_os("FEWMARK_DATA") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    }
}

fn lungs(data: &Path) -> Result<Vec<Case>, Error> {
    load(&data.join("lungsegdb"), |mask| mask.channel(0).iter().map(|&v| v > 127.0).collect())
}

/// The tumours are drawn in red.
fn liver_lesions(data: &Path) -> Result<Vec<Case>, Error> {
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
