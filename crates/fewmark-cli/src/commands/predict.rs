//! `fewmark predict`: a model and images give masks.

use std::path::PathBuf;

use fewmark::image::{Error, Format, read_image, write_image, write_labels};
use fewmark::learn::dataset::{self, Companion};
use fewmark::{Marks, Step, learned, overlay};
use serde::Serialize;

use crate::args::{Common, Predict};
use crate::failure::Failure;
use crate::output::{print, print_json, table};
use crate::progress::ProgressLine;

#[derive(Serialize)]
struct Row {
    case: String,
    voxels: usize,
    seconds: f64,
    mask: PathBuf,
}

pub(crate) fn run(arguments: &Predict, common: &Common) -> Result<(), Failure> {
    let method = learned::load(&arguments.model, arguments.network.device.into(), arguments.network.refine)?;
    let cases = cases(arguments, method.needs_marks())?;
    let folder = &arguments.output;
    let line = ProgressLine::new(common);
    let mut rows = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let image = read_image(&case.image)?;
        let marks = case.marks.as_deref().map(Marks::read).transpose()?.unwrap_or_default();
        let begun = std::time::Instant::now();
        let result = method.segment(&image, &marks, &mut |step| {
            let share = (i as f64 + step.fraction.unwrap_or(0.0)) / cases.len() as f64;
            line.show(&Step::share("predict", share))
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        // Pictures stay pictures, scans stay scans.
        let ending = match Format::of_name(&case.image) {
            Some(Format::Png | Format::Jpeg | Format::Bmp) => "png",
            _ => "nii.gz",
        };
        // Only now: an image that cannot be segmented leaves no empty folder.
        std::fs::create_dir_all(folder).map_err(|source| Error::Io {
            action: "create",
            path: folder.clone(),
            source,
        })?;
        let mask = folder.join(format!("{}.{ending}", case.name));
        write_labels(&mask, &result.labels)?;
        if arguments.overlays {
            let picture = overlay::render(&image, &result.labels, &marks.drawn(image.geometry())?)?;
            write_image(folder.join(format!("{}-overlay.png", case.name)), &picture)?;
        }
        let voxels = result.labels.labels().iter().filter(|&&label| label != 0).count();
        rows.push(Row { case: case.name.clone(), voxels, seconds, mask });
    }
    drop(line);
    if common.json {
        return print_json(&rows);
    }
    let cells = |row: &Row| vec![row.case.clone(), row.voxels.to_string(), format!("{:.3}", row.seconds)];
    print(table(&["case", "voxels", "seconds"], &rows.iter().map(cells).collect::<Vec<_>>()))
}

/// An image and its clicks, if it has any.
struct Case {
    name: String,
    image: PathBuf,
    marks: Option<PathBuf>,
}

fn cases(arguments: &Predict, marks: bool) -> Result<Vec<Case>, Failure> {
    if marks && arguments.marks.is_empty() {
        return Err(
            Failure::call("this model needs clicks").hint("add --marks FOLDER, with a JSON file for each image")
        );
    }
    if marks {
        let cases = dataset::pair(&arguments.images, &arguments.marks, Companion::Marks)?;
        return Ok(cases.into_iter().map(|c| Case { name: c.name, image: c.image, marks: c.with }).collect());
    }
    let images = dataset::files(&arguments.images, dataset::image_name)?;
    Ok(images.into_iter().map(|(name, image)| Case { name, image, marks: None }).collect())
}
