//! `fewmark train`: images with labels or marks give a model.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fewmark::learn::dataset::{self, Companion};
use fewmark::learn::{Event, Run};
use fewmark::training::{self, Training};

use super::segment::read_config;
use crate::args::{Common, Train};
use crate::failure::Failure;
use crate::output::{note, print, print_json};
use crate::progress::ProgressLine;

pub(crate) fn run(arguments: &Train, common: &Common) -> Result<(), Failure> {
    if let (true, Some(what)) = (arguments.show_settings, &arguments.what) {
        return print(training::defaults(what)?.to_string().trim_end());
    }
    let (training, mut run) = match &arguments.resume {
        Some(folder) => {
            let (run, table) = Run::resume(folder)?;
            (Training::from_table(table)?, Some(run))
        }
        None => (new_training(arguments)?, None),
    };
    // Everything is read before a folder is made for it.
    let cases = training.read()?;
    let run = match (&mut run, &arguments.output) {
        (Some(run), _) => run,
        (none, Some(folder)) => none.insert(Run::create(folder, &training.to_table()?)?),
        (None, None) => return Err(Failure::call("no folder to train in").hint("add -o FOLDER")),
    };
    let stop = stop_on_interrupt()?;
    let trained = {
        let line = ProgressLine::new(common);
        training.train(&cases, run, &mut |event| {
            if let Event::Step(step) = event {
                line.show_training(step);
            }
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?
    };
    let folder = run.path().display();
    if trained.model.is_none() {
        note(
            common,
            format!("stopped after {} iterations; go on with: fewmark train --resume {folder}", trained.iterations),
        );
    }
    if common.json {
        return print_json(&trained);
    }
    let model = trained.model.as_ref().map_or(String::new(), |path| format!(": {}", path.display()));
    print(format!("{} iterations, {:.1} s, loss {:.4}{model}", trained.iterations, trained.seconds, trained.loss))
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
    let from_file = arguments.config.as_deref().map(read_config).transpose()?;
    let changes: Vec<toml::Table> = from_file.into_iter().chain(arguments.settings.iter().cloned()).collect();
    Ok(Training::new(what, cases, &changes, arguments.device.into())?)
}

/// A flag that Ctrl-C and the system's request to end set; a second Ctrl-C ends the program at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|e| Failure::work(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}
