//! `fewmark predict`: a model and images give masks.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fewmark::image::{Format, expect_apart, read_image, write_image, write_labels};
use fewmark::learn::dataset::{self, Companion};
use fewmark::learn::model::file_of;
use fewmark::{Marks, Method, Step, learned, overlay};
use serde::Serialize;

use crate::args::{Common, Predict};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{expect_output_folder, make_output_folder, print, print_json, table};
use crate::progress::ProgressLine;

#[derive(Serialize)]
struct Row {
    case: String,
    /// Voxels of all labels
    voxels: usize,
    /// Voxels of each label
    labels: BTreeMap<u16, usize>,
    seconds: f64,
    mask: PathBuf,
}

pub(crate) fn run(arguments: &Predict, common: &Common) -> Result<(), Failure> {
    let method = learned::load(&arguments.model, arguments.network.device.into(), arguments.network.refine)?;
    let cases = cases(arguments, method.needs_marks())?;
    let model = file_of(&arguments.model);
    let overlay = |case: &Case| arguments.overlays.then(|| case.overlay(&arguments.output));
    let written = cases.iter().flat_map(|case| [Some(case.mask(&arguments.output)), overlay(case)]).flatten();
    expect_apart(written, cases.iter().flat_map(|case| case.marks.iter().chain([&case.image])).chain([&model]))?;
    expect_output_folder(&arguments.output)?;
    let interrupt = Interrupt::listen()?;
    let line = ProgressLine::new(common);
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for (i, case) in cases.iter().enumerate() {
        let mut shown = |step: &Step| {
            let _ = line.show(&Step::share("predict", (i as f64 + step.fraction.unwrap_or(0.0)) / cases.len() as f64));
            interrupt.flow()
        };
        match predict(&*method, case, arguments, &mut shown) {
            Ok(row) => rows.push(row),
            Err(_) if interrupt.came() => break,
            // One image that cannot be segmented does not keep the others from it.
            Err(failure) => failures.push(failure.of(&case.image)),
        }
    }
    drop(line);
    if common.json {
        print_json(&rows)?;
    } else if !rows.is_empty() {
        let cells = |row: &Row| vec![row.case.clone(), row.voxels.to_string(), format!("{:.3}", row.seconds)];
        print(table(&["case", "voxels", "seconds"], &rows.iter().map(cells).collect::<Vec<_>>()))?;
    }
    Failure::of_several(failures, cases.len(), "images")?;
    interrupt.told(rows.len(), cases.len(), "images")
}

/// Segments an image and writes its mask.
fn predict(
    method: &dyn Method,
    case: &Case,
    arguments: &Predict,
    progress: &mut dyn FnMut(&Step) -> ControlFlow<()>,
) -> Result<Row, Failure> {
    let folder = &arguments.output;
    let image = read_image(&case.image)?;
    let marks = case.marks.as_deref().map(Marks::read).transpose()?.unwrap_or_default();
    let begun = std::time::Instant::now();
    let result = method.segment(&image, &marks, progress)?;
    let seconds = begun.elapsed().as_secs_f64();
    // Only now: an image that cannot be segmented leaves no empty folder.
    make_output_folder(folder)?;
    let mask = case.mask(folder);
    write_labels(&mask, &result.labels)?;
    if arguments.overlays {
        let picture = overlay::render(&image, &result.labels, &marks.drawn(image.geometry())?)?;
        write_image(case.overlay(folder), &picture)?;
    }
    let mut labels = BTreeMap::new();
    for &label in result.labels.labels().iter().filter(|&&label| label != 0) {
        *labels.entry(label).or_default() += 1;
    }
    Ok(Row { case: case.name.clone(), voxels: labels.values().sum(), labels, seconds, mask })
}

/// An image and its clicks, if it has any.
struct Case {
    name: String,
    image: PathBuf,
    marks: Option<PathBuf>,
}

impl Case {
    /// Where its mask belongs: pictures stay pictures, scans stay scans.
    fn mask(&self, folder: &Path) -> PathBuf {
        let ending = match Format::of_name(&self.image) {
            Some(Format::Png | Format::Jpeg | Format::Bmp) => "png",
            _ => "nii.gz",
        };
        folder.join(format!("{}.{ending}", self.name))
    }

    /// Where the picture of its contours belongs.
    fn overlay(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-overlay.png", self.name))
    }
}

fn cases(arguments: &Predict, marks: bool) -> Result<Vec<Case>, Failure> {
    if marks && arguments.marks.is_empty() {
        return Err(
            Failure::call("this model needs clicks").hint("add --marks FOLDER, with a JSON file for each image")
        );
    }
    if !marks && !arguments.marks.is_empty() {
        return Err(Failure::call("this model takes no clicks").hint("leave out --marks"));
    }
    if marks {
        let cases = dataset::pair(&arguments.images, &arguments.marks, Companion::Marks)?;
        return Ok(cases.into_iter().map(|c| Case { name: c.name, image: c.image, marks: c.with }).collect());
    }
    let images = dataset::images(&arguments.images)?;
    Ok(images.into_iter().map(|(name, image)| Case { name, image, marks: None }).collect())
}
