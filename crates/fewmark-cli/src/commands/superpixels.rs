//! `fewmark superpixels`: scans give label maps of small regions.

use std::path::{Path, PathBuf};

use fewmark::classical::superpixels::{FelzenszwalbParams, SlicParams};
use fewmark::image::{expect_apart, read_image, read_labels, write_labels};
use fewmark::learn::dataset;
use fewmark::superpixels::{Partition, SuperpixelParams, superpixels};
use fewmark::{LabelMap, Step};
use serde::Serialize;

use crate::args::{Common, Superpixels};
use crate::failure::Failure;
use crate::output::{make_output_folder, print, print_json, table};
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
    let images = dataset::images(&arguments.images)?;
    let folder = &arguments.output;
    // The settings are in the name, so that other settings make other files.
    let labels_of = |case: &str| folder.join(format!("{case}-{}.nii.gz", params.name()));
    expect_apart(images.keys().map(|case| labels_of(case)), images.values())?;
    make_output_folder(folder)?;
    let line = ProgressLine::new(common);
    let mut rows = Vec::new();
    for (done, (case, image)) in images.iter().enumerate() {
        let labels = labels_of(case);
        let scan = read_image(image)?;
        // What is there may be cut short, or of another scan of that name.
        let is_of = |map: LabelMap| map.geometry().expect_same_space(scan.geometry()).is_ok();
        let kept = is_newer(&labels, image) && read_labels(&labels).is_ok_and(is_of);
        if !kept {
            let found = superpixels(&scan, &params).map_err(|error| Failure::from(error).of(image))?;
            write_labels(&labels, &found)?;
        }
        rows.push(Row { case: case.clone(), kept, labels });
        let _ = line.show(&Step::share("superpixels", (done + 1) as f64 / images.len() as f64));
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

/// Whether a file is there and was written after another.
fn is_newer(file: &Path, other: &Path) -> bool {
    let written = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified());
    matches!((written(file), written(other)), (Ok(file), Ok(other)) if file >= other)
}
