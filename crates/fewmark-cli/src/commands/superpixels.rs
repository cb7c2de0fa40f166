//! `fewmark superpixels`: scans give label maps of small regions.

use std::path::PathBuf;

use fewmark::Step;
use fewmark::classical::superpixels::{FelzenszwalbParams, SlicParams};
use fewmark::image::{Error, read_image, write_labels};
use fewmark::learn::dataset;
use fewmark::superpixels::{Partition, SuperpixelParams, superpixels};
use serde::Serialize;

use crate::args::{Common, Superpixels};
use crate::failure::Failure;
use crate::output::{print, print_json, table};
use crate::progress::ProgressLine;

#[derive(Serialize)]
struct Row {
    case: String,
    /// Whether the file was there already
    kept: bool,
    labels: PathBuf,
}

pub(crate) fn run(arguments: &Superpixels, common: &Common) -> Result<(), Failure> {
    let Superpixels { min_size, slic, compactness, sigma, scale, foreground, in_3d, .. } = *arguments;
    let partition = match slic {
        Some(segments) => Partition::Slic(SlicParams { segments, compactness, sigma, ..SlicParams::default() }),
        None => Partition::Felzenszwalb(FelzenszwalbParams { scale, sigma, min_size }),
    };
    let params = SuperpixelParams { partition, foreground, in_3d };
    params.check()?;
    let images = dataset::files(&arguments.images, dataset::image_name)?;
    let folder = &arguments.output;
    std::fs::create_dir_all(folder).map_err(|source| Error::Io { action: "create", path: folder.clone(), source })?;
    let line = ProgressLine::new(common);
    let mut rows = Vec::new();
    for (done, (case, image)) in images.iter().enumerate() {
        // The settings are in the name, so that other settings make other files.
        let labels = folder.join(format!("{case}-{}.nii.gz", params.name()));
        let kept = labels.exists();
        if !kept {
            write_labels(&labels, &superpixels(&read_image(image)?, &params)?)?;
        }
        rows.push(Row { case: case.clone(), kept, labels });
        if line.show(&Step::share("superpixels", (done + 1) as f64 / images.len() as f64)).is_break() {
            break;
        }
    }
    drop(line);
    if common.json {
        return print_json(&rows);
    }
    let cells = |row: &Row| {
        vec![row.case.clone(), row.labels.display().to_string(), if row.kept { "kept" } else { "made" }.to_owned()]
    };
    print(table(&["case", "label map", ""], &rows.iter().map(cells).collect::<Vec<_>>()))
}
