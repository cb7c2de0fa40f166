//! `fewmark train`: images with labels or marks give a model.

use fewmark::learn::dataset::{self, Companion};
use fewmark::learn::{Event, Run};
use fewmark::training::{self, Best, Trained, Training};

use super::segment::read_config;
use crate::args::{Common, Train};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{note, print, print_json};
use crate::progress::ProgressLine;

pub(crate) fn run(arguments: &Train, common: &Common) -> Result<(), Failure> {
    if let (true, Some(what)) = (arguments.show_settings, &arguments.what) {
        return show_settings(what, arguments, common);
    }
    let (mut training, run) = match &arguments.resume {
        Some(folder) => {
            let (run, table) = Run::resume(folder)?;
            let training = Training::from_table(table)?;
            if let Some(what) = arguments.what.as_ref().filter(|&what| *what != training.train) {
                return Err(Failure::call(format!("{folder:?} is a training of {}, not of {what}", training.train)));
            }
            let training = match arguments.device {
                Some(device) => training.on(device.into())?,
                None => training,
            };
            (training, Some(run))
        }
        None => (new_training(arguments)?, None),
    };
    // Everything is read before a folder is made for it.
    let cases = training.read()?;
    if let Some(told) = training.told(&cases)? {
        note(common, told);
    }
    let mut run = match (run, &arguments.output) {
        (Some(run), _) => run,
        (None, Some(folder)) => Run::create(folder, &training.to_table()?)?,
        (None, None) => return Err(Failure::call("no folder to train in").hint("add -o FOLDER")),
    };
    let interrupt = Interrupt::listen()?;
    let line = ProgressLine::new(common);
    let mut began = arguments.resume.is_some();
    let trained = training.train(&cases, &mut run, &mut |event| {
        began = true;
        if let Event::Step(step) = event {
            line.show_training(step);
        }
        interrupt.flow()
    });
    drop(line);
    let trained = match trained {
        Ok(trained) => trained,
        Err(error) => {
            // A training that could not begin is in nobody's way; what kept it from that is told, whatever becomes of its folder.
            if !began {
                let _ = run.discard();
            }
            return Err(error.into());
        }
    };
    if common.json {
        print_json(&trained)?;
    } else {
        let best = trained.best.map_or(String::new(), |Best { score, iteration }| {
            format!(", best validation {score:.4} after {iteration}")
        });
        let model = trained.model.as_ref().map_or(String::new(), |path| format!(": {}", path.display()));
        let Trained { iterations, seconds, loss, .. } = trained;
        print(format!("{iterations} iterations, {seconds:.1} s, loss {loss:.4}{best}{model}"))?;
    }
    match trained.model {
        Some(_) => Ok(()),
        None => Err(Failure::interrupted(format!("stopped after {} iterations, without a model", trained.iterations))
            .hint(format!("go on with: fewmark train --resume {}", run.path().display()))),
    }
}

/// Prints what would be trained with.
fn show_settings(what: &str, arguments: &Train, common: &Common) -> Result<(), Failure> {
    let is_of_cases = !arguments.images.is_empty() || arguments.list.is_some();
    let settings = match is_of_cases {
        true => new_training(arguments)?.settings,
        false => training::settings(what, &changes(arguments)?)?,
    };
    if common.json {
        return print_json(&settings);
    }
    if !is_of_cases && what == training::MSNET {
        note(common, "for pictures; for volumes: fewmark train msnet-3d --show-settings");
    } else if !is_of_cases && training::is_flat(what) {
        note(common, "for pictures; for the slices of volumes add --images and --labels");
    }
    print(settings.to_string().trim_end())
}

/// The changes to the settings, those of the file first.
fn changes(arguments: &Train) -> Result<Vec<toml::Table>, Failure> {
    let from_file = arguments.config.as_deref().map(read_config).transpose()?;
    Ok(from_file.into_iter().chain(arguments.settings.iter().cloned()).collect())
}

fn new_training(arguments: &Train) -> Result<Training, Failure> {
    let what = arguments.what.as_deref().ok_or_else(|| Failure::call("nothing to train"))?;
    let (companion, needed) = training::companion(what);
    let (with, other, flag) = match companion {
        Companion::Marks => (&arguments.marks, &arguments.labels, "--marks"),
        Companion::Labels => (&arguments.labels, &arguments.marks, "--labels"),
    };
    let cases = match &arguments.list {
        Some(list) => dataset::list(list, companion)?,
        None if !other.is_empty() || (needed && with.is_empty()) => {
            return Err(Failure::call(format!("{what} learns from --images and {flag}"))
                .hint(format!("fewmark train {what} --images FOLDER {flag} FOLDER -o RUN")));
        }
        None if with.is_empty() => dataset::alone(&arguments.images)?,
        None => dataset::pair(&arguments.images, with, companion)?,
    };
    Ok(Training::new(what, cases, &changes(arguments)?, arguments.device.unwrap_or_default().into())?)
}
