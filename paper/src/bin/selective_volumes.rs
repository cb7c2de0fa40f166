//! Abdominal organs in T2-weighted MR, each segmented in 3-D from one set of simulated clicks by total variation with the
//! program's defaults.

#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use fewmark::image::{read_image, read_labels};
use fewmark::metrics::Confusion;
use fewmark::simulate::Object;
use fewmark::{Marks, registry};
use fewmark_paper::cases::data_folder;
use fewmark_paper::results::{Provenance, Spread, markdown_table, write};
use fewmark_paper::usage;
use serde::Serialize;

/// The first three scans by number.
const SCANS: [u32; 3] = [1, 2, 3];
const ORGANS: [(u16, &str); 4] = [(1, "liver"), (2, "right kidney"), (3, "left kidney"), (4, "spleen")];
const SEED: u64 = 0;

#[derive(Serialize)]
struct Row {
    scan: u32,
    organ: &'static str,
    clicks: usize,
    dice: f64,
    seconds: f64,
}

#[derive(Serialize)]
struct Report {
    provenance: Provenance,
    data: &'static str,
    parameters: toml::Table,
    rows: Vec<Row>,
    /// Largest resident memory of the whole run in MiB, where the system tells.
    peak_memory_mib: Option<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    if usage::told(include_str!("selective_volumes.rs")) {
        return Ok(());
    }
    let folder = data_folder().join("chaos-t2");
    if !folder.is_dir() {
        println!("skipped: no real images in {folder:?}; set FEWMARK_DATA to the folder that holds them");
        return Ok(());
    }
    let method = registry::find("tv")?;
    let tv = method.build(&[])?;
    let mut rows = Vec::new();
    for scan in SCANS {
        let image = read_image(folder.join(format!("image_{scan}.nii.gz")))?;
        let labels = read_labels(folder.join(format!("label_{scan}.nii.gz")))?;
        for (label, organ) in ORGANS {
            let object = Object::largest(&labels, label)?;
            let marks = Marks::from_voxels(image.geometry(), &object.clicks(None, SEED), &[]);
            let started = Instant::now();
            let result = tv.segment(&image, &marks, &mut |_| ControlFlow::Continue(()))?;
            let seconds = started.elapsed().as_secs_f64();
            let dice = Confusion::between(&result.labels.mask(1), object.mask()).dice().unwrap_or(0.0);
            rows.push(Row { scan, organ, clicks: marks.foreground.len(), dice, seconds });
        }
    }
    let report = Report {
        provenance: Provenance::of("selective_volumes"),
        data: "chaos-t2 (CHAOS T2-SPIR, CC BY-NC-SA 4.0), scans 1, 2 and 3, 256x256 voxels a slice; object: the largest component",
        parameters: method.defaults(),
        rows,
        peak_memory_mib: peak_memory_mib(),
    };
    let text = text(&report);
    println!("{text}");
    write("selective-volumes", &text, &report)?;
    Ok(())
}

fn text(report: &Report) -> String {
    let rows: Vec<Vec<String>> = ORGANS
        .iter()
        .map(|&(_, organ)| {
            let of: Vec<&Row> = report.rows.iter().filter(|row| row.organ == organ).collect();
            let values = |value: fn(&Row) -> f64| of.iter().map(|row| value(row)).collect::<Vec<_>>();
            let dice = values(|row| row.dice);
            let each = dice.iter().map(|d| format!("{d:.3}")).collect::<Vec<_>>().join(", ");
            let seconds = Spread::of(&values(|row| row.seconds));
            vec![organ.to_owned(), each, Spread::of(&dice).to_string(), format!("{:.2}", seconds.mean)]
        })
        .collect();
    let peak = report.peak_memory_mib.map_or_else(|| "unknown".into(), |mib| format!("{mib} MiB"));
    let Provenance { command, commit, cores } = &report.provenance;
    format!(
        "# Organs in 3-D from one set of clicks\n\n{}\n- peak memory of the run: {peak}\n- data: {}\n- clicks: simulated, seed {SEED}: 4 to 6 in \
         one slice and one in each end slice\n- parameters: the defaults\n- command: `{command}`\n- commit: {commit}, {cores} cores\n",
        markdown_table(&["organ", "Dice of the scans", "mean (sd)", "seconds an organ"], &rows),
        report.data,
    )
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib >> 10)
}
