//! `fewmark demo`: a chest phantom is made, clicked and segmented; masks, pictures and a page show what came out.

use std::path::Path;
use std::time::Instant;

use fewmark::image::{write_atomically, write_image, write_labels};
use fewmark::metrics::{Metric, ScoreOptions, score_case};
use fewmark::phantom::{self, LEFT_LUNG, Phantom};
use fewmark::simulate::Object;
use fewmark::{LabelMap, Marks, overlay, registry};
use serde::Serialize;

use crate::args::{Common, Demo};
use crate::failure::Failure;
use crate::output::{print, print_json, table};
use crate::progress::ProgressLine;

/// Voxels of the slice and of the volume.
const SLICE: [usize; 3] = [256, 256, 1];
const VOLUME: [usize; 3] = [96, 96, 60];
/// What is segmented, and with which method.
const RUNS: [(&str, [usize; 3], &str); 3] =
    [("slice", SLICE, "tv"), ("slice", SLICE, "elastica"), ("volume", VOLUME, "tv")];

/// A row of the score table.
#[derive(Serialize)]
struct Row {
    phantom: &'static str,
    method: &'static str,
    clicks: usize,
    dice: f64,
    iou: f64,
    assd_mm: f64,
    seconds: f64,
    mask: String,
    overlay: String,
}

pub(crate) fn run(arguments: &Demo, common: &Common) -> Result<(), Failure> {
    let folder = &arguments.output;
    std::fs::create_dir_all(folder).map_err(|e| {
        Failure::work(format!("cannot make the folder {folder:?}: {e}")).hint("choose another one with -o FOLDER")
    })?;
    let mut rows = Vec::new();
    for (name, size, method) in RUNS {
        let phantom = phantom::chest(size, arguments.seed)?;
        write_image(folder.join(format!("{name}.nii.gz")), &phantom.image)?;
        write_labels(folder.join(format!("{name}_truth.nii.gz")), &phantom.truth)?;
        rows.push(segment(name, method, &phantom, arguments.seed, folder, common)?);
    }
    let page = folder.join("index.html");
    write_atomically(&page, html(&rows).as_bytes())?;
    if common.json {
        return print_json(&rows);
    }
    print(text(&rows))?;
    print(format!("\nmasks, pictures and a page that shows them: {}", page.display()))
}

/// Clicks the left lung of a phantom, segments it, writes mask and picture, and scores the mask.
fn segment(
    name: &'static str,
    method: &'static str,
    phantom: &Phantom,
    seed: u64,
    folder: &Path,
    common: &Common,
) -> Result<Row, Failure> {
    let geometry = phantom.image.geometry();
    let object = Object::largest(&phantom.truth, LEFT_LUNG)?;
    let marks = Marks::from_voxels(geometry, &object.clicks(None, seed), &[]);
    let started = Instant::now();
    let result = {
        let line = ProgressLine::new(common);
        registry::find(method)?.build(&[])?.segment(&phantom.image, &marks, &mut |step| line.show(step))?
    };
    let seconds = started.elapsed().as_secs_f64();

    let mask = format!("{name}_{method}.nii.gz");
    let picture = format!("{name}_{method}.png");
    write_labels(folder.join(&mask), &result.labels)?;
    write_image(folder.join(&picture), &overlay::render(&phantom.image, &result.labels, &marks.in_voxels(geometry)?)?)?;

    let truth = LabelMap::from_mask(object.mask(), geometry.clone())?;
    let case = score_case(&result.labels, &truth, &ScoreOptions::default()).map_err(fewmark::image::Error::from)?;
    let score = |metric| case.foreground.get(&metric).and_then(|s| s.finite()).unwrap_or(f64::NAN);
    Ok(Row {
        phantom: name,
        method,
        clicks: marks.foreground.len(),
        dice: score(Metric::Dice),
        iou: score(Metric::Iou),
        assd_mm: score(Metric::Assd),
        seconds,
        mask,
        overlay: picture,
    })
}

const HEADER: [&str; 7] = ["phantom", "method", "clicks", "Dice", "IoU", "ASSD mm", "seconds"];

impl Row {
    fn cells(&self) -> Vec<String> {
        vec![
            self.phantom.into(),
            self.method.into(),
            self.clicks.to_string(),
            format!("{:.4}", self.dice),
            format!("{:.4}", self.iou),
            format!("{:.2}", self.assd_mm),
            format!("{:.2}", self.seconds),
        ]
    }
}

fn text(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    format!("One lung of a chest phantom, segmented from a few clicks:\n\n{}", table(&HEADER, &cells))
}

fn html(rows: &[Row]) -> String {
    let line = |cells: &[String], tag: &str| {
        let cells: String = cells.iter().map(|c| format!("<{tag}>{c}</{tag}>")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().map(|row| line(&row.cells(), "td")).collect();
    let figures: String = rows
        .iter()
        .map(|row| {
            let caption = format!("{}, {}: Dice {:.4}", row.phantom, row.method, row.dice);
            format!(
                "<figure><img src=\"{}\" alt=\"{caption}\"><figcaption>{caption}</figcaption></figure>\n",
                row.overlay
            )
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Fewmark demo</title>\n<style>{STYLE}</style>\n\
         <h1>Fewmark demo</h1>\n<p>A chest phantom with vessels, nodules, a bias field and noise. The green rings are the clicks (a ring \
         without its centre lies in another slice), the yellow line is the contour of the mask.</p>\n<table>\n{}{body}</table>\n\
         {figures}</html>\n",
        line(&HEADER.map(str::to_owned), "th"),
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:100rem;margin:2rem auto;padding:0 1rem;\
background:#16181d;color:#e8e8e8}table{border-collapse:collapse}th,td{padding:.3rem 1rem;text-align:right;\
border-bottom:1px solid #444}th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}figure{margin:2rem 0}\
img{max-width:100%}figcaption{color:#aaa}";
