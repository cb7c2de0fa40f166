//! Tables 1 and 2 of Burrows, Chen and Torella, all seven columns: M1 to M4, total variation, Euler's elastica and the model for a single
//! image, on lung CT and liver lesions.
//!
//! The networks learn from the first two images by name, with clicks and without labels; the others are reported. The terms of the
//! energy have the parameters that total variation was given on those two images. Name the tables to run, `lungs` or
//! `liver-lesions`; without a name both are run. Each training is a line of `paper/results/dip-table-N.jsonl`; what is there with the same settings
//! is not trained again. The contours of all columns on the reported images go to `target/paper`, as Figures 3 to 6 show them: a picture each,
//! and a sheet, without the columns that were trained where those pictures are not.

#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::path::Path;

use fewmark::learn::dip::{DipConfig, Predictor, SingleConfig, Variant};
use fewmark::training;
use fewmark_paper::cases::{self, Case, DataSet, TUNING};
use fewmark_paper::learned::{Training, clicked, single, trained};
use fewmark_paper::pictures::Sheet;
use fewmark_paper::results::{Provenance, Spread, append_row, markdown_table, read_rows};
use fewmark_paper::selective::{Column, ELASTICA_AXES, TV_AXES, column, masks};
use fewmark_paper::usage;
use serde::{Deserialize, Serialize};

/// Networks allocate large tensors again and again; this allocator keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A table of the paper, and our stand-in for its data.
struct Table {
    name: &'static str,
    title: &'static str,
    data: DataSet,
    /// Mean and standard deviation of Dice, then of Jaccard, as the paper prints them.
    paper: [(&'static str, [f64; 4]); 7],
}

const TABLES: [Table; 2] = [
    Table {
        name: "dip-table-1",
        title: "Table 1, one lung in CT",
        data: cases::LUNGS,
        paper: [
            ("M1", [0.902, 0.047, 0.825, 0.077]),
            ("M2", [0.935, 0.048, 0.882, 0.082]),
            ("M3", [0.971, 0.021, 0.944, 0.038]),
            ("M4", [0.976, 0.024, 0.953, 0.044]),
            ("TV", [0.960, 0.031, 0.925, 0.052]),
            ("elastica", [0.963, 0.015, 0.929, 0.027]),
            ("DIP", [0.916, 0.143, 0.830, 0.168]),
        ],
    },
    Table {
        name: "dip-table-2",
        title: "Table 2, liver lesions in CT",
        data: cases::LIVER_LESIONS,
        paper: [
            ("M1", [0.841, 0.137, 0.745, 0.174]),
            ("M2", [0.767, 0.224, 0.665, 0.241]),
            ("M3", [0.879, 0.071, 0.790, 0.112]),
            ("M4", [0.868, 0.080, 0.774, 0.116]),
            ("TV", [0.862, 0.090, 0.768, 0.129]),
            ("elastica", [0.864, 0.075, 0.770, 0.122]),
            ("DIP", [0.840, 0.132, 0.743, 0.165]),
        ],
    },
];

/// Seeds of the trainings; clicks are those of seed 0.
const SEEDS: std::ops::Range<u64> = 0..3;
const CLICKS: u64 = 0;

/// A training of a method, or the fits of the model for a single image.
#[derive(Serialize, Deserialize)]
struct Row {
    method: String,
    /// All settings that decide what comes out
    settings: toml::Table,
    commit: String,
    training: Training,
}

struct Report<'a> {
    data: &'a str,
    split: String,
    learned: Vec<Row>,
    variational: Vec<Column>,
}

fn main() -> Result<(), String> {
    if usage::told(include_str!("dip_tables.rs")) {
        return Ok(());
    }
    // On a thread of the pool, from which short pieces of work are shared at once.
    rayon::scope(|_| tables().map_err(|error| error.to_string()))
}

fn tables() -> Result<(), Box<dyn Error>> {
    let data = cases::data_folder();
    if !data.is_dir() {
        println!("skipped: no real images in {data:?}; set FEWMARK_DATA to the folder that holds them");
        return Ok(());
    }
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !TABLES.iter().any(|table| table.data.key == name.as_str())) {
        return Err(format!("there is no table {unknown:?}; there are lungs and liver-lesions").into());
    }
    for table in TABLES.iter().filter(|table| wanted.is_empty() || wanted.iter().any(|name| name == table.data.key)) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(table.name);
        let report = report(table, &(table.data.load)(&data)?, &file.with_extension("jsonl"))?;
        let text = text(table, &report);
        println!("{text}");
        fewmark::image::write_atomically(file.with_extension("md"), text.as_bytes())?;
    }
    Ok(())
}

fn report<'a>(table: &'a Table, cases: &[Case], file: &Path) -> Result<Report<'a>, Box<dyn Error>> {
    let (learned_from, reported) = cases.split_at(TUNING.min(cases.len()));
    let tv = column("tv", cases, &toml::Table::new(), &TV_AXES)?;
    let elastica = column("elastica", cases, &tv.chosen, &ELASTICA_AXES)?;
    let mut settings = training::defaults("dip")?;
    if let Some(model) = settings.get_mut("model").and_then(toml::Value::as_table_mut) {
        model.extend(tv.chosen.clone());
    }
    let marks = |case: &Case| case.marks(None, CLICKS);
    let mut known: Vec<Row> = read_rows(file)?;
    let mut take = |method: &str, settings: &toml::Table| {
        let found = known.iter().position(|row| row.method == method && row.settings == *settings);
        found.map(|at| known.swap_remove(at))
    };
    let row = |method: &str, settings: toml::Table, training: Training| -> Result<Row, Box<dyn Error>> {
        let row = Row { method: method.into(), settings, commit: Provenance::of("dip_tables").commit, training };
        eprintln_progress(&row);
        append_row(file, &row)?;
        Ok(row)
    };
    let mut sheet = Sheet::new(table.name, reported, CLICKS)?;
    let mut learned = Vec::new();
    for (method, variant) in [("M1", Variant::M1), ("M2", Variant::M2), ("M3", Variant::M3), ("M4", Variant::M4)] {
        for seed in SEEDS {
            let mut config = DipConfig { variant, ..settings.clone().try_into()? };
            config.training.seed = seed;
            let settings = toml::Table::try_from(&config)?;
            let shown = seed == SEEDS.start;
            if let Some(row) = take(method, &settings) {
                learned.push(row);
                if shown {
                    sheet.add_drawn(method)?;
                }
                continue;
            }
            let stops = [config.training.iterations];
            for (training, predictor) in trained(learned_from, reported, &marks, &config, &stops)? {
                if shown {
                    sheet.add(method, &predicted(reported, &predictor)?)?;
                }
                learned.push(row(method, settings.clone(), training)?);
            }
        }
    }
    for column in [&tv, &elastica] {
        sheet.add(column.method, &masks(column.method, reported, &column.chosen, CLICKS)?)?;
    }
    let of_single = SingleConfig::default();
    let config: DipConfig = settings.clone().try_into()?;
    settings.insert("single".into(), toml::Table::try_from(&of_single)?.into());
    if let Some(row) = take("DIP", &settings) {
        learned.push(row);
        sheet.add_drawn("DIP")?;
    } else {
        let mut seen = Vec::new();
        let training = single(reported, &marks, &config, &of_single, &mut |mask| seen.push(mask.to_vec()))?;
        sheet.add("DIP", &seen)?;
        learned.push(row("DIP", settings, training)?);
    }
    let names: Vec<&str> = learned_from.iter().map(|case| case.name.as_str()).collect();
    let split = format!("learned from {}; reported on the other {}", names.join(" and "), reported.len());
    Ok(Report { data: table.data.source, split, learned, variational: vec![tv, elastica] })
}

#[allow(clippy::print_stderr, reason = "a sign of life in a long run")]
fn eprintln_progress(Row { method, training, .. }: &Row) {
    eprintln!(
        "{method}, seed {}: {} iterations, {:.0} s, Dice {}",
        training.seed, training.iterations, training.seconds, training.dice
    );
}

/// What a network finds in the reported images.
fn predicted(cases: &[Case], predictor: &Predictor) -> Result<Vec<Vec<bool>>, Box<dyn Error>> {
    let mask = |case: &Case| Ok(predictor.predict(&clicked(case, &case.marks(None, CLICKS))?, false)?.mask);
    cases.iter().map(mask).collect()
}

fn text(table: &Table, report: &Report<'_>) -> String {
    let row = |&(method, paper): &(&str, [f64; 4])| {
        let [dice, jaccard, by_seed] = figures(report, method);
        let theirs = |at: usize| format!("{:.3} ({:.3})", paper[at], paper[at + 1]);
        vec![method.to_owned(), dice, theirs(0), jaccard, theirs(2), by_seed]
    };
    let header = ["method", "Dice, ours", "Dice, paper", "Jaccard, ours", "Jaccard, paper", "mean Dice by seed"];
    let summary = markdown_table(&header, &table.paper.iter().map(row).collect::<Vec<_>>());
    let of = |row: &Row| {
        let Row { method, commit, training, .. } = row;
        let per_image = Spread::of(&training.rows.iter().map(|row| row.seconds).collect::<Vec<_>>()).mean;
        let (steps, seconds) = (training.iterations.to_string(), format!("{:.0}", training.seconds));
        vec![method.clone(), training.seed.to_string(), steps, seconds, format!("{per_image:.3}"), commit.clone()]
    };
    let times: Vec<Vec<String>> = report.learned.iter().map(of).collect();
    let times = markdown_table(&["method", "seed", "steps", "training s", "s an image", "commit"], &times);
    let chosen: Vec<String> =
        report.variational[0].chosen.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let Provenance { command, commit, cores } = Provenance::of("dip_tables");
    format!(
        "# {}\n\n{summary}\n\
         Mean (population sd) over the images; for the learned methods mean and sd of the first seed of training, with the means of all seeds beside \
         them. The seeds of TV and elastica are those of the clicks. The paper's own data is not available, so its row is of other images of the \
         same kind. The terms of the energy were designed after scores of reported images had been seen, so these figures are mildly \
         optimistic.\n\n\
         - data: {}\n- split: {}\n- clicks: simulated, 4 to 6 an image, seed {CLICKS}\n- seeds of training: {SEEDS:?}; DIP: 0\n\
         - terms of the energy: {}, as chosen for TV on the images learned from\n- other settings: the defaults, in full in the file of trainings\n\
         - command: `{command}`\n- commit: {commit}, {cores} cores\n\n{times}",
        table.title,
        report.data,
        report.split,
        chosen.join(", "),
    )
}

/// Dice, Jaccard and the means by seed of a method.
fn figures(report: &Report<'_>, method: &str) -> [String; 3] {
    let joined = |means: Vec<f64>| means.iter().map(|mean| format!("{mean:.4}")).collect::<Vec<_>>().join(", ");
    let of_method: Vec<&Training> =
        report.learned.iter().filter(|row| row.method == method).map(|row| &row.training).collect();
    if let Some(first) = of_method.first() {
        let means = of_method.iter().map(|training| training.dice.mean).collect();
        return [first.dice.to_string(), first.jaccard.to_string(), joined(means)];
    }
    let column = &report.variational[usize::from(method != "TV")];
    [column.dice.to_string(), column.jaccard.to_string(), joined(column.dice_by_seed.clone())]
}
