//! What methods made of images, beside each other.

use std::error::Error;
use std::path::PathBuf;

use fewmark::image::{read_image, write_image};
use fewmark::{Dimension, Geometry, Image, LabelMap, overlay};

use crate::cases::Case;

/// At most so many images are on a sheet.
const SHOWN: usize = 6;

/// The contours that methods drew on some images: a file each, and a sheet with a row for an image and a column for a method.
pub struct Sheet<'a> {
    folder: PathBuf,
    cases: &'a [Case],
    /// Seed of the clicks that are drawn.
    clicks: u64,
    columns: Vec<Vec<Image>>,
}

impl<'a> Sheet<'a> {
    /// A sheet in `target/paper/NAME`, whose first column is the truth.
    ///
    /// # Errors
    /// When a picture cannot be drawn or written.
    pub fn new(name: &str, cases: &'a [Case], clicks: u64) -> Result<Self, Box<dyn Error>> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/paper").join(name);
        let mut sheet = Self { folder, cases, clicks, columns: Vec::new() };
        let truths: Vec<Vec<bool>> = cases.iter().map(|case| case.object.mask().to_vec()).collect();
        sheet.add("truth", &truths)?;
        Ok(sheet)
    }

    /// Draws what a method made of each image and writes the sheet as far as it is.
    ///
    /// # Errors
    /// As [`Sheet::new`].
    pub fn add(&mut self, method: &str, masks: &[Vec<bool>]) -> Result<(), Box<dyn Error>> {
        let folder = self.folder.join(method);
        std::fs::create_dir_all(&folder)?;
        let mut column = Vec::new();
        for (case, mask) in self.cases.iter().zip(masks) {
            let labels = LabelMap::from_mask(mask, case.image.geometry().clone())?;
            let marks = case.marks(None, self.clicks).in_voxels(case.image.geometry())?;
            let picture = overlay::render(&case.image, &labels, &marks)?;
            write_image(folder.join(&case.name), &picture)?;
            if column.len() < SHOWN {
                column.push(picture);
            }
        }
        self.push(column)
    }

    /// Adds a method as it was drawn before, where all its pictures lie.
    ///
    /// # Errors
    /// As [`Sheet::new`].
    pub fn add_drawn(&mut self, method: &str) -> Result<(), Box<dyn Error>> {
        let paths = self.cases.iter().take(SHOWN).map(|case| self.folder.join(method).join(&case.name));
        let drawn: Vec<Image> = paths.map_while(|path| read_image(path).ok()).collect();
        if drawn.len() == self.cases.len().min(SHOWN) { self.push(drawn) } else { Ok(()) }
    }

    fn push(&mut self, column: Vec<Image>) -> Result<(), Box<dyn Error>> {
        self.columns.push(column);
        Ok(write_image(self.folder.join("sheet.png"), &tiled(&self.columns)?)?)
    }
}

/// Pictures of one size in columns beside each other, at half their size.
fn tiled(columns: &[Vec<Image>]) -> Result<Image, Box<dyn Error>> {
    let first = &columns[0][0];
    let [width, height, _] = first.geometry().size().map(|n| n / 2);
    let size = [width * columns.len(), height * columns[0].len(), 1];
    let channels = first.channels();
    let mut samples = vec![0.0; channels * size[0] * size[1]];
    for (column, pictures) in columns.iter().enumerate() {
        for (row, picture) in pictures.iter().enumerate() {
            let wide = picture.geometry().size()[0];
            for channel in 0..channels {
                let from = picture.channel(channel);
                for y in 0..height {
                    for x in 0..width {
                        let mean = |a: usize, b: usize| from[(2 * y + b) * wide + 2 * x + a];
                        let to = (channel * size[1] + row * height + y) * size[0] + column * width + x;
                        samples[to] = ((mean(0, 0) + mean(1, 0) + mean(0, 1) + mean(1, 1)) / 4.0).round();
                    }
                }
            }
        }
    }
    let geometry = Geometry::unit(Dimension::Two, size).map_err(fewmark::image::Error::from)?;
    Ok(Image::new(samples, channels, geometry)?.with_stored(first.stored()))
}
