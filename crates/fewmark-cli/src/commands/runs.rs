//! `fewmark runs`: the trainings that are kept in a folder.

use fewmark::image::Error;
use fewmark::learn::{Run, RunState};

use crate::args::{Common, Runs};
use crate::failure::Failure;
use crate::output::{note, print, print_json, table};

pub(crate) fn run(arguments: &Runs, common: &Common) -> Result<(), Failure> {
    let folder = &arguments.folder;
    let unreadable = |source| Error::Io { action: "list", path: folder.clone(), source };
    let mut folders = vec![folder.clone()];
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        folders.push(entry.map_err(unreadable)?.path());
    }
    folders.sort();
    let states: Vec<RunState> = folders
        .into_iter()
        .filter(|folder| folder.join("config.toml").is_file() && folder.join("metrics.jsonl").is_file())
        .map(Run::state)
        .collect::<Result<_, _>>()?;
    if common.json {
        return print_json(&states);
    }
    if states.is_empty() {
        note(common, format!("no training is kept in {}", folder.display()));
        return Ok(());
    }
    let row = |run: &RunState| {
        let step = |text: &dyn Fn(&fewmark::learn::Step) -> String| run.step.as_ref().map_or("-".into(), text);
        vec![
            run.path.display().to_string(),
            run.state.to_owned(),
            run.method.clone(),
            step(&|s| format!("{} of {}", s.iteration, s.of)),
            step(&|s| format!("{:.4}", s.loss)),
            step(&|s| format!("{:.0}", s.seconds)),
        ]
    };
    let rows: Vec<_> = states.iter().map(row).collect();
    print(table(&["run", "state", "trains", "iteration", "loss", "seconds"], &rows))
}
