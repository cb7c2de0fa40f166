//! Labels that clients send: as files of any format, or as OHIF does, as nothing but their voxels.

use std::path::Path;

use fewmark::image::{Format, read_labels};
use fewmark::{Geometry, LabelMap};

use crate::app::App;
use crate::body::FormFile;
use crate::error::Problem;
use crate::segment::load;

/// The labels in an uploaded file, in the geometry of the image that they belong to.
///
/// # Errors
/// 422 when the file is no label map, or lies elsewhere than the image.
pub(super) fn labels_of(app: &App, image: &Path, file: &FormFile) -> Result<LabelMap, Problem> {
    let (_, decoded) = load(app, image)?;
    let geometry = decoded.image.geometry();
    if is_raw(file) {
        return raw(file, geometry);
    }
    let labels = labels_in(file)?;
    expect_same_place(image, geometry, labels.geometry())?;
    Ok(LabelMap::new(labels.labels().to_vec(), geometry.clone())?)
}

/// The scribbles in an uploaded file, on the grid of the image.
///
/// # Errors
/// 422 when the file is no label map.
pub(super) fn scribbles_of(app: &App, image: &Path, file: &FormFile) -> Result<LabelMap, Problem> {
    // Where a file says that its voxels lie does not matter: only their indices are used.
    if is_raw(file) { labels_of(app, image, file) } else { labels_in(file) }
}

fn labels_in(file: &FormFile) -> Result<LabelMap, Problem> {
    read_labels(file.file.path()).map_err(|e| Problem::from(e).of_upload(file.file.path(), &file.name))
}

fn is_raw(file: &FormFile) -> bool {
    Path::new(&file.name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("bin"))
}

/// Voxels without a header, x running fastest: one byte each, or two with the lower first.
fn raw(file: &FormFile, geometry: &Geometry) -> Result<LabelMap, Problem> {
    let found = file.file.as_file().metadata().map_err(|e| Problem::io("read", "the labels", e))?.len();
    let voxels = geometry.len() as u64;
    if found != voxels && found != 2 * voxels {
        let [x, y, z] = geometry.size();
        return Err(Problem::wrong(format!(
            "{:?}: expected the {x} x {y} x {z} voxels of the image, which are {voxels} bytes (or {} with two a voxel), got {found}",
            file.name,
            2 * voxels
        ))
        .hint("send a label of the whole image, x running fastest, one byte a voxel"));
    }
    let bytes = std::fs::read(file.file.path()).map_err(|e| Problem::io("read", "the labels", e))?;
    let labels = match found == voxels {
        true => bytes.iter().map(|&label| label.into()).collect(),
        false => bytes.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect(),
    };
    Ok(LabelMap::new(labels, geometry.clone())?)
}

/// Whether labels belong to an image. A picture has no place in the world, and viewers give it one of their own: its size has to do.
fn expect_same_place(path: &Path, image: &Geometry, labels: &Geometry) -> Result<(), Problem> {
    let picture = matches!(Format::of_name(path), Some(Format::Png | Format::Jpeg | Format::Bmp));
    if picture && image.size() == labels.size() {
        return Ok(());
    }
    Ok(image.expect_same_space(labels).map_err(fewmark::image::Error::from)?)
}
