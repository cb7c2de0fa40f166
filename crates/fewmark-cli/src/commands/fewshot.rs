//! `fewmark fewshot`: labelled scans and others give the labels of those.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fewmark::image::{expect_apart, read_image, same_file, write_labels};
use fewmark::learn::dataset;
use fewmark::learn::report::{Page, Png, Section};
use fewmark::{Image, LabelMap, Marks, Method, Step, VoxelMarks, fewshot, overlay};
use serde::Serialize;

use super::support::{encoder_of, expect_fitting, inputs, labelled, of, unlabelled};
use crate::args::{Common, Fewshot, SupportArgs};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{expect_output_folder, make_output_folder, note, print, print_json, table};
use crate::progress::ProgressLine;

/// What was found in a scan.
#[derive(Serialize)]
struct Row {
    case: String,
    /// Voxels of each label
    voxels: BTreeMap<u16, usize>,
    seconds: f64,
    labels: PathBuf,
}

impl Row {
    fn is_empty(&self) -> bool {
        self.voxels.values().all(|&count| count == 0)
    }

    /// In a sentence.
    fn told(&self) -> String {
        let voxels: Vec<String> = self.voxels.iter().map(|(code, count)| format!("{count} voxels of {code}")).collect();
        format!("found: {}, {}; {:.1} s", self.case, voxels.join(", "), self.seconds)
    }
}

pub(crate) fn run(arguments: &Fewshot, common: &Common) -> Result<(), Failure> {
    let supports = labelled(&arguments.support, common)?;
    let queries = others(dataset::images(&arguments.query)?, &arguments.support.supports, common)?;
    let folder = &arguments.output;
    expect_output_folder(folder)?;
    let unlabelled = unlabelled(&arguments.support)?;
    let read = inputs(&arguments.support, &unlabelled);
    expect_apart(queries.keys().map(|case| labels_of(case, folder)), read.iter().chain(queries.values()))?;
    let encoder = encoder_of(&arguments.support)?;
    expect_fitting(&encoder, queries.values(), supports.len() + unlabelled.len())?;
    let known = of(encoder, &arguments.support, &supports, &unlabelled, common)?;
    let codes = known.codes();
    let method = fewshot::method(known);
    let interrupt = Interrupt::listen()?;
    let line = ProgressLine::new(common);
    let (mut rows, mut failures, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for (done, (case, path)) in queries.iter().enumerate() {
        let mut shown = |step: &Step| {
            let share = (done as f64 + step.fraction.unwrap_or(0.0)) / queries.len() as f64;
            let _ = line.show(&Step { stage: "segment", fraction: Some(share), energy: None });
            interrupt.flow()
        };
        match segment(&*method, case, path, folder, &codes, &mut shown) {
            Ok((row, picture)) => {
                found.push((picture, row.told()));
                rows.push(row);
            }
            Err(_) if interrupt.came() => break,
            // One scan that cannot be segmented does not keep the others from it.
            Err(failure) => failures.push(failure.of(path)),
        }
    }
    drop(line);
    let empty: Vec<&str> = rows.iter().filter(|row| row.is_empty()).map(|row| row.case.as_str()).collect();
    if !empty.is_empty() {
        note(common, format!("nothing was found in {}", empty.join(", ")));
    }
    let report = folder.join("report.html");
    if !rows.is_empty() {
        write_report(&report, arguments, &supports, &codes, found)?;
    }
    if common.json {
        print_json(&rows)?;
    } else if !rows.is_empty() {
        print_table(&rows, &codes, &report)?;
    }
    Failure::of_several(failures, queries.len(), "scans")?;
    interrupt.told(rows.len(), queries.len(), "scans")
}

fn labels_of(case: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{case}.nii.gz"))
}

/// The scans but those that are shown with their labels: what would be found in them says nothing.
fn others(
    mut queries: BTreeMap<String, PathBuf>,
    supports: &[PathBuf],
    common: &Common,
) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let is_shown = |path: &PathBuf| supports.iter().any(|support| same_file(support, path));
    let shown: Vec<PathBuf> = queries.extract_if(.., |_, path| is_shown(path)).map(|(_, path)| path).collect();
    for path in &shown {
        if queries.is_empty() {
            return Err(
                Failure::call(format!("{path:?} is the labelled scan itself")).hint("give other scans with --query")
            );
        }
        note(common, format!("{path:?} is left out: it is a labelled scan"));
    }
    Ok(queries)
}

/// Segments a scan and writes its label map; with it comes a picture.
fn segment(
    method: &dyn Method,
    case: &str,
    path: &Path,
    folder: &Path,
    codes: &[u16],
    progress: &mut dyn FnMut(&Step) -> ControlFlow<()>,
) -> Result<(Row, Png), Failure> {
    let image = read_image(path)?;
    let begun = std::time::Instant::now();
    let found = method.segment(&image, &Marks::default(), progress)?.labels;
    let seconds = begun.elapsed().as_secs_f64();
    // Only now: a scan that cannot be segmented leaves no empty folder.
    make_output_folder(folder)?;
    let labels = labels_of(case, folder);
    write_labels(&labels, &found)?;
    let picture = Png::of(&overlay::render(&image, &found, &VoxelMarks::default())?)?;
    let of_code = |&code: &u16| (code, found.labels().iter().filter(|&&l| l == code).count());
    let voxels = codes.iter().map(of_code).collect();
    Ok((Row { case: case.to_owned(), voxels, seconds, labels }, picture))
}

/// A page with what was shown beside what was found.
fn write_report(
    path: &Path,
    arguments: &Fewshot,
    supports: &[(Image, LabelMap)],
    codes: &[u16],
    found: Vec<(Png, String)>,
) -> Result<(), Failure> {
    let SupportArgs { supports: scans, labels, unlabelled, model, .. } = &arguments.support;
    let mut shown = Vec::new();
    for ((image, map), (scan, labels)) in supports.iter().zip(scans.iter().zip(labels)) {
        let picture = Png::of(&overlay::render(image, map, &VoxelMarks::default())?)?;
        shown.push((picture, format!("shown: {} with {}", scan.display(), labels.display())));
    }
    let listed = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let encoder = model.as_ref().map_or("the one inside the program".to_owned(), |path| path.display().to_string());
    let mut about = vec![("encoder", encoder)];
    if !unlabelled.is_empty() {
        about.push(("scans without labels", listed(unlabelled)));
    }
    about.extend(arguments.support.settings.iter().map(|change| ("setting", change.to_string().trim().to_owned())));
    Page::new("Segmented by labelled scans")
        .sections([
            Section::new("What was shown, and what was found")
                .text("Lines surround labels, of the same colour in every scan. Look through what was found: nothing here was checked.")
                .legend(codes.iter().map(|&code| (format!("label {code}"), overlay::color(code))))
                .beside(shown, found),
            Section::new("Made with").settings(about),
        ])
        .write(path)?;
    Ok(())
}

fn print_table(rows: &[Row], codes: &[u16], report: &Path) -> Result<(), Failure> {
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
