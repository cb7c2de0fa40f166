//! `fewmark fewshot`: labelled scans and others give the labels of those.

use std::path::PathBuf;

use fewmark::image::{Error, read_image, write_labels};
use fewmark::learn::dataset;
use fewmark::learn::report::{Page, Png, Section};
use fewmark::{Marks, Step, VoxelMarks, fewshot, overlay};
use serde::Serialize;

use super::support::{labelled, of};
use crate::args::{Common, Fewshot};
use crate::failure::Failure;
use crate::output::{print, print_json, table};
use crate::progress::ProgressLine;

#[derive(Serialize)]
struct Row {
    case: String,
    /// Voxels of each label
    voxels: std::collections::BTreeMap<u16, usize>,
    seconds: f64,
    labels: PathBuf,
}

pub(crate) fn run(arguments: &Fewshot, common: &Common) -> Result<(), Failure> {
    let supports = labelled(&arguments.support)?;
    let queries = dataset::files(&arguments.query, dataset::image_name)?;
    let known = of(&arguments.support, &supports, common)?;
    let line = ProgressLine::new(common);
    let codes = known.codes();
    let method = fewshot::method(known);
    let folder = &arguments.output;
    let mut rows: Vec<Row> = Vec::new();
    let mut pictures = Vec::new();
    for (image, labels) in &supports {
        pictures.push((Png::of(&overlay::render(image, labels, &VoxelMarks::default())?)?, "support".to_owned()));
    }
    for (done, (case, path)) in queries.iter().enumerate() {
        let image = read_image(path)?;
        let begun = std::time::Instant::now();
        let found = method.segment(&image, &Marks::default(), &mut |step| {
            let share = (done as f64 + step.fraction.unwrap_or(0.0)) / queries.len() as f64;
            line.show(&Step { stage: "segment", fraction: Some(share), energy: None })
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        // Only now: a scan that cannot be segmented leaves no empty folder.
        let unmade = |source| Error::Io { action: "create", path: folder.clone(), source };
        std::fs::create_dir_all(folder).map_err(unmade)?;
        let labels = folder.join(format!("{case}.nii.gz"));
        write_labels(&labels, &found.labels)?;
        let picture = overlay::render(&image, &found.labels, &VoxelMarks::default())?;
        pictures.push((Png::of(&picture)?, case.clone()));
        let of_code = |&code: &u16| (code, found.labels.labels().iter().filter(|&&l| l == code).count());
        rows.push(Row { case: case.clone(), voxels: codes.iter().map(of_code).collect(), seconds, labels });
    }
    drop(line);
    let report = folder.join("report.html");
    Page::new("Segmented by labelled scans")
        .sections([Section::new("Supports, and what was found")
            .text("Lines surround labels, of the same colour in every scan. Look through what was found: nothing here was checked.")
            .pictures(pictures)])
        .write(&report)?;
    if common.json {
        return print_json(&rows);
    }
    let head: Vec<String> = ["case".to_owned()]
        .into_iter()
        .chain(codes.iter().map(|code| format!("voxels of {code}")))
        .chain(["seconds".to_owned()])
        .collect();
    let cells = |row: &Row| {
        let voxels = row.voxels.values().map(usize::to_string);
        std::iter::once(row.case.clone()).chain(voxels).chain([format!("{:.2}", row.seconds)]).collect()
    };
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    print(table(&head, &rows.iter().map(cells).collect::<Vec<_>>()))?;
    print(format!("\npictures: {}", report.display()))
}
