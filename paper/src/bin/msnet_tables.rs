//! The tables of "An Explainable Multigrid Mumford-Shah Network": MSNet and its peers, trained on few labelled images.
//!
//! ```text
//! msnet_tables DATA [--networks NAME,..] [--recipe paper|recommended] [--set KEY=VALUE].. [--cases S,..] [--splits FROM..TO]
//!              [--development] [--print]
//! ```
//!
//! DATA is `wbc`, `drishti` or `hippocampus`. Each trained network is a line of `paper/results/msnet-DATA.jsonl`; what is there is not
//! trained again, so that the work can be stopped at any time and gone on with. The tables are written from these lines, also with
//! `--print`, which trains nothing. With `--development` everything happens on the cases on which recipes were chosen, none of which
//! is in the tables, and lines are printed only.

#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::path::Path;

use fewmark::learn::supervised::SupervisedConfig;
use fewmark::registry::parse_setting;
use fewmark::training;
use fewmark_paper::cases::data_folder;
use fewmark_paper::labelled::{DATA_SETS, DataSet};
use fewmark_paper::results::{Provenance, append_row, read_rows};
use fewmark_paper::supervised::{Row, trained};
use fewmark_paper::supervised_table::tables;
use fewmark_paper::usage;

/// Networks allocate large tensors again and again; this allocator keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What to run.
struct Plan {
    data: &'static DataSet,
    networks: Vec<String>,
    recipe: String,
    changes: Vec<(String, toml::Table)>,
    sizes: Vec<usize>,
    splits: std::ops::Range<u64>,
    development: bool,
    print: bool,
}

impl Plan {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let name = arguments.next().ok_or("name the data: wbc, drishti or hippocampus")?;
        let data = DATA_SETS.iter().find(|data| data.key == name).ok_or(format!("there is no data set {name:?}"))?;
        let mut plan = Self {
            data,
            networks: vec!["msnet".into()],
            recipe: "recommended".into(),
            changes: Vec::new(),
            sizes: data.sizes.to_vec(),
            splits: 0..3,
            development: false,
            print: false,
        };
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{flag} needs a value"));
            match flag.as_str() {
                "--networks" => plan.networks = value()?.split(',').map(str::to_owned).collect(),
                "--recipe" => plan.recipe = value()?,
                "--set" => {
                    let text = value()?;
                    plan.changes.push((text.clone(), parse_setting(&text)?));
                }
                "--cases" => plan.sizes = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--splits" => {
                    let text = value()?;
                    let (from, to) = text.split_once("..").ok_or("--splits needs FROM..TO")?;
                    plan.splits = from.parse()?..to.parse()?;
                }
                "--development" => plan.development = true,
                "--print" => plan.print = true,
                _ => return Err(format!("unknown option {flag}").into()),
            }
        }
        Ok(plan)
    }

    /// The settings of a network, and what to call them.
    fn config(&self, network: &str, seed: u64) -> Result<(SupervisedConfig, String), Box<dyn Error>> {
        let mut changes = vec![];
        if self.recipe == "paper" {
            changes.push(parse_setting("preset=paper")?);
        }
        changes.push(parse_setting("validation=0")?);
        changes.push(parse_setting(&format!("training.seed={seed}"))?);
        changes.push(parse_setting(&format!("scaling.window={:?}", self.data.window))?);
        changes.extend(self.changes.iter().map(|(_, change)| change.clone()));
        let table = training::settings(network, &changes)?;
        let names: String = self.changes.iter().map(|(text, _)| format!(" {text}")).collect();
        Ok((table.try_into()?, format!("{}{names}", self.recipe)))
    }
}

fn main() -> Result<(), String> {
    if usage::told(include_str!("msnet_tables.rs")) {
        return Ok(());
    }
    // On a thread of the pool, from which short pieces of work are shared at once.
    rayon::scope(|_| networks().map_err(|error| error.to_string()))
}

fn networks() -> Result<(), Box<dyn Error>> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let provenance = Provenance::of("msnet_tables");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("results/msnet-{}.jsonl", plan.data.key));
    let mut rows: Vec<Row> = read_rows(&path)?;
    if !plan.print {
        let cases = plan.data.load(&data_folder())?;
        for split in plan.splits.clone() {
            for &size in &plan.sizes {
                for network in &plan.networks {
                    let architecture = match (network.as_str(), plan.data.window.is_empty()) {
                        ("msnet", true) => "msnet-3d",
                        ("msnet", false) => "msnet-2d",
                        (name, _) => name,
                    };
                    let (config, recipe) = plan.config(architecture, split)?;
                    let row = Row {
                        data: plan.data.key.into(),
                        network: architecture.into(),
                        recipe,
                        cases: size,
                        split,
                        iterations: config.training.iterations,
                        seconds: 0.0,
                        parameters: 0,
                        labels: Vec::new(),
                        commit: provenance.commit.clone(),
                    };
                    if !plan.development && rows.iter().any(|other| other.is_of(&row)) {
                        continue;
                    }
                    let row = trained(&plan.data.split(&cases, size, split, plan.development), &config, row)?;
                    println!("{}", line(&row));
                    if !plan.development {
                        append_row(&path, &row)?;
                        rows.push(row);
                    }
                }
            }
        }
    }
    if !plan.development {
        // With those that other runs have added meanwhile.
        let rows: Vec<Row> = read_rows(&path)?;
        let text =
            format!("# MSNet and its peers: {}\n\n{}\n\n{}", plan.data.key, plan.data.source, tables(&rows, plan.data));
        fewmark::image::write_atomically(path.with_extension("md"), text.as_bytes())?;
    }
    Ok(())
}

fn line(row: &Row) -> String {
    format!(
        "{} {} S={} split {}: Acc {:.4} mIoU {:.4} Dice {:.4} ASD {:.3}, {} iterations, {:.0} s [{}]",
        row.data,
        row.network,
        row.cases,
        row.split,
        row.mean(|l| l.accuracy),
        row.mean(|l| l.iou),
        row.mean(|l| l.dice),
        row.mean(|l| l.assd),
        row.iterations,
        row.seconds,
        row.recipe
    )
}
