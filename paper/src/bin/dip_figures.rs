//! Beyond the tables of Burrows, Chen and Torella: how the networks learned from clicks depend on the number of images that they learn
//! from, and on the number of clicks an image has, in training and in use.
//!
//! ```text
//! dip_figures lungs|liver-lesions [--methods m1|m2|m3|m4,..] [--seeds FROM..TO] [--print]
//! ```
//!
//! All networks are scored on the same images, those after the first eight by name. Each trained network is a line of
//! `paper/results/dip-figures-DATA.jsonl`; what is there is not trained again. The tables are written from these lines, the figures to
//! `target/paper/dip-figures-DATA.html`; also with `--print`, which trains nothing. Total variation stands beside them, with the same
//! clicks and the parameters that it was given on the first two images.

#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use fewmark::learn::dip::DipConfig;
use fewmark::learn::report::{Chart, Page, Section};
use fewmark::metrics::Confusion;
use fewmark::{image::write_atomically, registry, training};
use fewmark_paper::cases::{Case, DataSet, LIVER_LESIONS, LUNGS, data_folder};
use fewmark_paper::learned::trained;
use fewmark_paper::results::{Provenance, Spread, append_row, markdown_table, read_rows};
use fewmark_paper::selective::{TV_AXES, chosen};
use fewmark_paper::usage;
use serde::{Deserialize, Serialize};

/// Networks allocate large tensors again and again; this allocator keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Numbers of images that are learned from, with 4 to 6 clicks each.
const IMAGES: [usize; 4] = [1, 2, 4, 8];
/// Numbers of clicks an image, with two images to learn from.
const CLICKS: [usize; 3] = [1, 3, 6];
/// Images that are not scored.
const KEPT: usize = 8;
/// The seed of all clicks.
const SEED: u64 = 0;
/// The row of total variation.
const TV: &str = "tv";

/// What a network scores.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    method: String,
    /// Images that it learned from
    images: usize,
    /// Clicks an image; 4 to 6 where there is no number
    clicks: Option<usize>,
    seed: u64,
    iterations: u64,
    seconds: f64,
    /// Of each scored image
    dice: Vec<f64>,
    commit: String,
}

impl Row {
    fn is_of(&self, other: &Self) -> bool {
        (&self.method, self.images, self.clicks, self.seed, self.iterations)
            == (&other.method, other.images, other.clicks, other.seed, other.iterations)
    }
}

struct Plan {
    data: &'static DataSet,
    methods: Vec<String>,
    seeds: Range<u64>,
    print: bool,
}

impl Plan {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let name = arguments.next().ok_or("name the data: lungs or liver-lesions")?;
        let data = [&LUNGS, &LIVER_LESIONS].into_iter().find(|data| data.key == name);
        let data = data.ok_or(format!("there is no data set {name:?}"))?;
        let mut plan = Self { data, methods: vec!["m2".into(), "m4".into()], seeds: 0..1, print: false };
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{flag} needs a value"));
            match flag.as_str() {
                "--methods" => plan.methods = value()?.split(',').map(str::to_owned).collect(),
                "--seeds" => {
                    let text = value()?;
                    let (from, to) = text.split_once("..").ok_or("--seeds needs FROM..TO")?;
                    plan.seeds = from.parse()?..to.parse()?;
                }
                "--print" => plan.print = true,
                _ => return Err(format!("unknown option {flag}").into()),
            }
        }
        Ok(plan)
    }
}

fn main() -> Result<(), String> {
    if usage::told(include_str!("dip_figures.rs")) {
        return Ok(());
    }
    // On a thread of the pool, from which short pieces of work are shared at once.
    rayon::scope(|_| figures().map_err(|error| error.to_string()))
}

fn figures() -> Result<(), Box<dyn Error>> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = format!("dip-figures-{}", plan.data.key);
    let path = folder.join("results").join(format!("{name}.jsonl"));
    let mut rows: Vec<Row> = read_rows(&path)?;
    if !plan.print {
        let cases = (plan.data.load)(&data_folder())?;
        let (kept, scored) = cases.split_at(KEPT.min(cases.len()));
        let model = chosen(TV, &cases, &toml::Table::new(), &TV_AXES)?.0;
        let settings = IMAGES.map(|images| (images, None)).into_iter().chain(CLICKS.map(|clicks| (2, Some(clicks))));
        for (images, clicks) in settings {
            for method in std::iter::once(TV).chain(plan.methods.iter().map(String::as_str)) {
                // Total variation learns nothing, so that it has no seeds, and the number of images is nothing to it.
                let seeds = if method == TV { 0..u64::from(images == 2) } else { plan.seeds.clone() };
                for seed in seeds {
                    let config = config(method, &model, seed)?;
                    let iterations = config.as_ref().map_or(0, |config| config.training.iterations);
                    let row = Row {
                        method: method.into(),
                        images,
                        clicks,
                        seed,
                        iterations,
                        seconds: 0.0,
                        dice: Vec::new(),
                        commit: Provenance::of("dip_figures").commit,
                    };
                    if rows.iter().any(|other| other.is_of(&row)) {
                        continue;
                    }
                    let row = match config {
                        Some(config) => learned(row, &kept[..images], scored, &config)?,
                        None => Row { dice: variational(scored, clicks, &model)?, ..row },
                    };
                    println!("{}", line(&row));
                    append_row(&path, &row)?;
                    rows.push(row);
                }
            }
        }
    }
    let Provenance { command, .. } = Provenance::of("dip_figures");
    let text = format!(
        "# Learning from more images, and from more clicks: {}\n\n{}\n\nDice of the images after the first {KEPT} by name: mean \
         (population sd) over them, of the mean over the seeds. Clicks are those of seed {SEED}, in training and in use. The parameters \
         of the energy are those chosen for `tv` on the first two images.\n\nImages learned from, with 4 to 6 clicks each:\n\n{}\nClicks an \
         image, two images learned from:\n\n{}\ncommand: `{command}`; the commit of each training is in the file beside this one\n",
        plan.data.key,
        plan.data.source,
        table(&rows, &IMAGES.map(|images| (images, None)), |(images, _)| images),
        table(&rows, &CLICKS.map(|clicks| (2, Some(clicks))), |(_, clicks)| clicks.unwrap_or(0)),
    );
    write_atomically(path.with_extension("md"), text.as_bytes())?;
    let page: PathBuf = folder.join("../target/paper").join(format!("{name}.html"));
    std::fs::create_dir_all(folder.join("../target/paper"))?;
    let charts = [
        chart(&rows, "Images to learn from", &IMAGES.map(|images| (images, None)), |(images, _)| images),
        chart(&rows, "Clicks an image", &CLICKS.map(|clicks| (2, Some(clicks))), |(_, clicks)| clicks.unwrap_or(0)),
    ];
    Page::new(format!("Learning from clicks: {}", plan.data.key))
        .sections([Section::new("Dice").charts(charts)])
        .write(&page)?;
    println!("{text}\nfigures: {}", page.display());
    Ok(())
}

/// The settings of a network with a seed; none for total variation.
fn config(method: &str, model: &toml::Table, seed: u64) -> Result<Option<DipConfig>, Box<dyn Error>> {
    if method == TV {
        return Ok(None);
    }
    let mut table = training::settings("dip", &[registry::parse_setting(&format!("variant={method}"))?])?;
    if let Some(settings) = table.get_mut("model").and_then(toml::Value::as_table_mut) {
        settings.extend(model.clone());
    }
    let mut config: DipConfig = table.try_into()?;
    config.training.seed = seed;
    Ok(Some(config))
}

fn learned(row: Row, images: &[Case], scored: &[Case], config: &DipConfig) -> Result<Row, Box<dyn Error>> {
    let marks = |case: &Case| case.marks(row.clicks, SEED);
    let done = trained(images, scored, &marks, config, &[config.training.iterations])?;
    let (training, _) = done.into_iter().next().ok_or("a training that did not end")?;
    let dice = training.rows.iter().map(|row| row.dice).collect();
    Ok(Row { seconds: training.seconds, dice, ..row })
}

fn variational(scored: &[Case], clicks: Option<usize>, model: &toml::Table) -> Result<Vec<f64>, Box<dyn Error>> {
    let method = registry::find(TV)?.build(std::slice::from_ref(model))?;
    let dice = |case: &Case| {
        let marks = case.marks(clicks, SEED);
        let result = method.segment(&case.image, &marks, &mut |_| ControlFlow::Continue(()))?;
        Ok(Confusion::between(&result.labels.mask(1), case.object.mask()).dice().unwrap_or(0.0))
    };
    scored.iter().map(dice).collect()
}

fn line(row: &Row) -> String {
    let clicks = row.clicks.map_or("4 to 6".into(), |clicks| clicks.to_string());
    let dice = Spread::of(&row.dice);
    format!(
        "{}, {} images, {clicks} clicks, seed {}: Dice {dice}, {:.0} s",
        row.method, row.images, row.seed, row.seconds
    )
}

/// What is varied: images that are learned from, and clicks an image.
type Setting = (usize, Option<usize>);

/// Mean Dice of each image over the seeds; none where nothing was trained.
fn scores(rows: &[Row], method: &str, (images, clicks): Setting) -> Vec<f64> {
    // Total variation is the same for any number of images.
    let images = if method == TV { 2 } else { images };
    let of: Vec<&Row> =
        rows.iter().filter(|row| row.method == method && (row.images, row.clicks) == (images, clicks)).collect();
    let images = of.iter().map(|row| row.dice.len()).min().unwrap_or(0);
    (0..images).map(|i| of.iter().map(|row| row.dice[i]).sum::<f64>() / of.len() as f64).collect()
}

fn methods(rows: &[Row]) -> Vec<&str> {
    let mut methods: Vec<&str> = rows.iter().map(|row| row.method.as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

fn table(rows: &[Row], settings: &[Setting], value: impl Fn(Setting) -> usize) -> String {
    let names: Vec<String> = settings.iter().map(|&setting| value(setting).to_string()).collect();
    let header: Vec<&str> = std::iter::once("method").chain(names.iter().map(String::as_str)).collect();
    let cell = |method: &str, setting| {
        let scores = scores(rows, method, setting);
        if scores.is_empty() { "–".into() } else { Spread::of(&scores).to_string() }
    };
    let row = |method: &&str| {
        std::iter::once((*method).to_owned()).chain(settings.iter().map(|&setting| cell(method, setting))).collect()
    };
    markdown_table(&header, &methods(rows).iter().map(row).collect::<Vec<Vec<String>>>())
}

fn chart(rows: &[Row], title: &str, settings: &[Setting], value: impl Fn(Setting) -> usize) -> Chart {
    methods(rows).iter().fold(Chart::new(title, title, "mean Dice"), |chart, method| {
        let point = |&setting: &Setting| [value(setting) as f64, Spread::of(&scores(rows, method, setting)).mean];
        chart.line(*method, settings.iter().map(point).collect::<Vec<_>>())
    })
}
