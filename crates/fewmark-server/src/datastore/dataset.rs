//! The labelled part of a study as one file.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::files::{files, name_of};
use super::{Datastore, FINAL, HIDDEN, ImageFile, LABELS};
use crate::error::Problem;

impl Datastore {
    /// A zip file with the images that have a final label, at most `most` of them, and these labels: a study of its own, which opens where
    /// it is unpacked. The file has no name and goes when it is closed.
    ///
    /// # Errors
    /// 507 when the disk is full.
    pub(crate) fn packed(&self, most: usize) -> Result<File, Problem> {
        let mut images = self.images()?;
        images.retain_mut(|image| {
            image.labels.retain(|tag, _| tag == FINAL);
            !image.labels.is_empty()
        });
        images.truncate(most);
        let file = tempfile::tempfile_in(self.root.join(HIDDEN).join("tmp"));
        let mut zip = ZipWriter::new(file.map_err(|e| Problem::io("write", "the data set", e))?);
        for image in &images {
            self.pack(&mut zip, image)?;
        }
        start(&mut zip, "datastore_v2.json")?;
        let index = serde_json::to_vec_pretty(&self.as_index(&images)).map_err(|_| Problem::bug())?;
        zip.write_all(&index).map_err(|e| Problem::io("write", "the data set", e))?;
        let mut file = zip.finish().map_err(of_zip)?;
        file.rewind().map_err(|e| Problem::io("read", "the data set", e))?;
        Ok(file)
    }

    fn pack(&self, zip: &mut ZipWriter<File>, image: &ImageFile) -> Result<(), Problem> {
        if image.is_series() {
            let slices = files(&image.path).map_err(|e| Problem::io("list", &image.path, e))?;
            for slice in slices {
                add(zip, &slice, &format!("{}/{}", image.name(), name_of(&slice)))?;
            }
        } else {
            add(zip, &image.path, &image.name())?;
        }
        for (tag, label) in &image.labels {
            add(zip, label, &format!("{LABELS}/{tag}/{}", name_of(label)))?;
        }
        Ok(())
    }
}

/// Begins an entry. Images are compressed already, or are soon read: they are stored as they are.
fn start(zip: &mut ZipWriter<File>, name: &str) -> Result<(), Problem> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    zip.start_file(name, options).map_err(of_zip)
}

fn add(zip: &mut ZipWriter<File>, path: &Path, name: &str) -> Result<(), Problem> {
    let mut file = File::open(path).map_err(|e| Problem::io("read", path, e))?;
    start(zip, name)?;
    std::io::copy(&mut file, zip).map_err(|e| Problem::io("write", "the data set", e))?;
    Ok(())
}

fn of_zip(error: ZipError) -> Problem {
    match error {
        ZipError::Io(e) => Problem::io("write", "the data set", e),
        _ => Problem::bug(),
    }
}
