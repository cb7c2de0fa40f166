//! The tables of "Self-supervision with Superpixels" (SSL-ALPNet): few-shot segmentation in five folds.
//!
//! ```text
//! fewshot_tables DATA [--method NAME] [--setting 1|2-any|2-all] [--published] [--unlabelled N] [--set KEY=VALUE]..
//!                [--folds FROM..TO] [--seed N] [--models FOLDER] [--development] [--print]
//! ```
//!
//! DATA is `abd-mri` or `card-mri`. Methods are `ssl-alpnet`, `ssl-panet` (superpixels), `alpnet`, `panet`, `se-net` (labels of the classes that
//! are not tested), `default` (the encoder inside the program, which has seen no scan) and `init` (random weights). Trainings start from the encoder
//! inside the program unless `--set start=random`. With `--published` scans are segmented as the paper does, by features alone. With `--unlabelled`
//! labels are first carried to so many of the scans that are learned from, and from these as well as from the labelled one to the others; in
//! setting 1, as in setting 2 these scans must not show what is tested. Each trained model is a line of `paper/results/fewshot-DATA.jsonl`; what is
//! there is not trained again. The table is written from these lines, also with `--print`, which trains nothing. With `--development` everything
//! happens on the scans that a fold leaves to learn from, and lines are printed only. `--models` keeps the models in a folder, and takes from there
//! those that it holds; a training that was stopped then goes on from its last checkpoint.

#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fewmark::fewshot::{encoder, start};
use fewmark::learn::fewshot::{
    FewShotConfig, InferenceConfig, Outcome, Predictor, se_net_paper, train_on, train_se_net,
};
use fewmark::learn::model::{self, Summary};
use fewmark::learn::{Compute, Event, Observer, Run};
use fewmark::nets::SeNetConfig;
use fewmark::registry::parse_setting;
use fewmark::training;
use fewmark_paper::cases::data_folder;
use fewmark_paper::fewshot::{DATA_SETS, DataSet, Part, Setting, tested, tested_se_net};
use fewmark_paper::fewshot_table::{PUBLISHED, Row, SE_NET, tables};
use fewmark_paper::results::{Provenance, Spread, append_row, read_rows};
use fewmark_paper::usage;

/// Networks allocate large tensors again and again; this allocator keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Plan {
    data: &'static DataSet,
    method: String,
    setting: Setting,
    published: bool,
    unlabelled: usize,
    changes: Vec<String>,
    folds: std::ops::Range<usize>,
    seed: u64,
    development: bool,
    print: bool,
    models: Option<PathBuf>,
}

impl Plan {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let name = arguments.next().ok_or("name the data: abd-mri or card-mri")?;
        let data = DATA_SETS.iter().find(|data| data.key == name).ok_or(format!("there is no data set {name:?}"))?;
        let mut plan = Self {
            data,
            method: "ssl-alpnet".into(),
            setting: Setting::One,
            published: false,
            unlabelled: 0,
            changes: Vec::new(),
            folds: 0..5,
            seed: 0,
            development: false,
            print: false,
            models: None,
        };
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{flag} needs a value"));
            match flag.as_str() {
                "--method" => plan.method = value()?,
                "--setting" => {
                    let name = value()?;
                    plan.setting = Setting::of(&name).ok_or(format!("there is no setting {name:?}"))?;
                }
                "--published" => plan.published = true,
                "--unlabelled" => plan.unlabelled = value()?.parse()?,
                "--set" => plan.changes.push(value()?),
                "--folds" => {
                    let text = value()?;
                    let (from, to) = text.split_once("..").ok_or("--folds needs FROM..TO")?;
                    plan.folds = from.parse()?..to.parse()?;
                }
                "--seed" => plan.seed = value()?.parse()?,
                "--development" => plan.development = true,
                "--models" => plan.models = Some(value()?.into()),
                "--print" => plan.print = true,
                _ => return Err(format!("unknown option {flag}").into()),
            }
        }
        if plan.unlabelled > 0 && (plan.setting != Setting::One || plan.method == SE_NET) {
            return Err("--unlabelled is for setting 1, and not for se-net".into());
        }
        Ok(plan)
    }

    /// Whether the method learns from labels.
    fn is_annotated(&self) -> bool {
        matches!(self.method.as_str(), "alpnet" | "panet" | "se-net")
    }

    fn config(&self) -> Result<FewShotConfig, Box<dyn Error>> {
        const LABELS: [&str; 2] = ["episodes.source=labels", "episodes.least_pixels=25"];
        const MEANS: [&str; 2] = ["head.foreground=mask", "head.background=mask"];
        let of_method = match self.method.as_str() {
            "ssl-alpnet" | "init" | "default" | SE_NET => vec![],
            "ssl-panet" => MEANS.to_vec(),
            "alpnet" => LABELS.to_vec(),
            "panet" => [&LABELS[..], &MEANS, &["pooling=image"]].concat(),
            name => return Err(format!("there is no method {name:?}").into()),
        };
        let seed = format!("training.seed={}", self.seed);
        let changes = of_method.into_iter().chain(self.changes.iter().map(String::as_str)).chain([seed.as_str()]);
        let mut changes = changes.map(parse_setting).collect::<Result<Vec<_>, _>>()?;
        if self.published {
            changes.insert(0, inference(&InferenceConfig::paper())?);
        }
        if self.method == SE_NET {
            changes.insert(0, toml::Table::try_from(se_net_paper())?);
        }
        Ok(training::settings("fewshot", &changes)?.try_into()?)
    }

    /// What sets the settings apart from those recommended.
    fn recipe(&self) -> String {
        let published = self.published.then(|| PUBLISHED.to_owned());
        let unlabelled = (self.unlabelled > 0).then(|| format!("unlabelled={}", self.unlabelled));
        published.into_iter().chain(unlabelled).chain(self.changes.iter().cloned()).collect::<Vec<_>>().join(" ")
    }
}

/// The setting of how scans are segmented.
fn inference(config: &InferenceConfig) -> Result<toml::Table, toml::ser::Error> {
    Ok(toml::Table::from_iter([("inference".to_owned(), toml::Value::try_from(config)?)]))
}

fn main() -> Result<(), String> {
    if usage::told(include_str!("fewshot_tables.rs")) {
        return Ok(());
    }
    // On a thread of the pool, from which short pieces of work are shared at once.
    rayon::scope(|_| methods().map_err(|error| error.to_string()))
}

fn methods() -> Result<(), Box<dyn Error>> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("results/fewshot-{}.jsonl", plan.data.key));
    let mut rows: Vec<Row> = read_rows(&path)?;
    let mut told = |event: &Event| {
        if let Event::Step(step) = event
            && step.iteration.is_multiple_of(500)
        {
            println!("  {} loss {:.4}, {:.0} s", step.iteration, step.loss, step.seconds);
        }
        ControlFlow::Continue(())
    };
    if !plan.print {
        // A folder that cannot be made is told before the training whose model would be lost.
        plan.models.as_ref().map_or(Ok(()), std::fs::create_dir_all)?;
        let scans = plan.data.load(&data_folder())?;
        let config = plan.config()?;
        for fold in plan.folds.clone() {
            let untrained = matches!(plan.method.as_str(), "init" | "default");
            let row = Row {
                data: plan.data.key.into(),
                method: plan.method.clone(),
                recipe: plan.recipe(),
                setting: plan.setting,
                fold,
                seed: plan.seed,
                iterations: if untrained { 0 } else { config.training.iterations },
                seconds: 0.0,
                classes: Vec::new(),
                commit: Provenance::of("fewshot_tables").commit,
            };
            if !plan.development && rows.iter().any(|other| other.is_of(&row)) {
                continue;
            }
            let scans = plan.data.fold(&scans, fold, plan.development);
            let mut row = row;
            for part in plan.data.parts(&scans, plan.setting, plan.is_annotated()) {
                let device = Compute::Cpu.device()?;
                if plan.method == SE_NET {
                    let network = SeNetConfig::default();
                    let found = train_se_net(&part.scans, &config, &network, &device, None, &mut told)?;
                    row.seconds += found.seconds;
                    row.classes.extend(tested_se_net(&found, &scans, &part.tested)?);
                    continue;
                }
                let kept = plan.models.as_ref().map(|folder| folder.join(model_name(&plan, &row, &part)));
                let predictor = if plan.method == "init" {
                    Predictor::untrained(config.clone(), device)?
                } else if plan.method == "default" {
                    encoder(None, Compute::Cpu)?.with_inference_of(&config)
                } else if let Some(kept) = kept.as_ref().filter(|kept| kept.exists()) {
                    let model = model::read(kept)?;
                    row.seconds += model.header.training.seconds;
                    let predictor = Predictor::load(model, device)?.with_inference_of(&config);
                    if predictor.config() != &config {
                        return Err(format!("{kept:?} is of a training with other settings: remove it").into());
                    }
                    predictor
                } else {
                    let (predictor, seconds) = trained(&part, &config, kept.as_deref(), &mut told)?;
                    row.seconds += seconds;
                    predictor
                };
                row.classes.extend(tested(&predictor, &scans, &part.tested, plan.unlabelled)?);
            }
            row.classes.sort_by_key(|class| class.label);
            println!("{}", line(&row));
            if !plan.development {
                append_row(&path, &row)?;
                rows.push(row);
            }
        }
    }
    if !plan.development {
        // With those that other runs have added meanwhile.
        let rows: Vec<Row> = read_rows(&path)?;
        fewmark::image::write_atomically(path.with_extension("md"), tables(&rows, plan.data).as_bytes())?;
    }
    Ok(())
}

/// An encoder trained on the scans of a part, and the seconds that it took. Where the model is `kept` a training that was stopped goes on.
fn trained(
    part: &Part,
    config: &FewShotConfig,
    kept: Option<&Path>,
    told: &mut Observer<'_>,
) -> Result<(Predictor, f64), Box<dyn Error>> {
    let table = toml::Table::try_from(config)?;
    let folder = kept.map(|kept| kept.with_extension("run"));
    let mut run = match &folder {
        Some(folder) if folder.exists() => {
            let (run, begun) = Run::resume(folder)?;
            if begun != table {
                return Err(format!("{folder:?} is of a training with other settings: remove it").into());
            }
            Some(run)
        }
        Some(folder) => Some(Run::create(folder, &table)?),
        None => None,
    };
    let from = start(config, Compute::Cpu)?;
    let Outcome { predictor, iterations, seconds, loss, .. } =
        train_on(&part.scans, config, from, &Compute::Cpu.device()?, run.as_mut(), told)?;
    if let (Some(kept), Some(folder)) = (kept, folder) {
        let cases = part.scans.iter().map(|scan| scan.name.clone()).collect();
        predictor.save(kept, Summary { cases, iterations, seconds, loss, seed: config.training.seed })?;
        drop(run);
        std::fs::remove_dir_all(folder)?;
    }
    Ok((predictor, seconds))
}

/// What sets the training of a model apart from others.
fn model_name(plan: &Plan, row: &Row, part: &Part) -> String {
    let setting = serde_json::to_string(&row.setting).unwrap_or_default();
    let scans = if plan.development { "-development" } else { "" };
    let of_training = plan
        .changes
        .iter()
        .filter(|change| !change.starts_with("inference") && !change.starts_with("windows.inference"));
    let parts =
        [plan.data.key, &row.method, &setting, scans, &format!("fold{}-seed{}-{:?}", row.fold, row.seed, part.tested)];
    let name: String = parts.into_iter().map(str::to_owned).chain(of_training.cloned()).collect::<Vec<_>>().join("-");
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-=._".contains(c) { Some(c) } else { None };
    name.chars().filter_map(plain).collect::<String>() + ".safetensors"
}

fn line(row: &Row) -> String {
    let classes: Vec<String> =
        row.classes.iter().map(|class| format!("{} {:.1}", class.label, Spread::of(&class.dice).mean)).collect();
    format!(
        "{} {} {:?} fold {} seed {}: mean {:.2} ({}), largest component {:.2}, whole scans {:.2}, {} iterations, {:.0} s [{}]",
        row.data,
        row.method,
        row.setting,
        row.fold,
        row.seed,
        row.mean(|c| &c.dice),
        classes.join(", "),
        row.mean(|c| &c.largest),
        row.mean(|c| &c.whole),
        row.iterations,
        row.seconds,
        row.recipe
    )
}
