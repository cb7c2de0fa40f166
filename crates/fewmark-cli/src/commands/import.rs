//! `fewmark import`: a checkpoint of PyTorch becomes an encoder for few-shot segmentation.

use std::path::Path;

use fewmark::image::{expect_apart, expect_folder};
use fewmark::learn::model::Summary;
use fewmark::{fewshot, learn::Compute};
use serde::Serialize;

use crate::args::{Common, Import};
use crate::failure::Failure;
use crate::output::{print, print_json};

#[derive(Serialize)]
struct Report<'a> {
    model: &'a Path,
    /// Tensors of the checkpoint that the encoder has
    taken: usize,
    ignored: Vec<String>,
    missing: Vec<String>,
}

pub(crate) fn run(arguments: &Import, common: &Common) -> Result<(), Failure> {
    let path = arguments.output.as_path();
    expect_folder(path)?;
    expect_apart([path], [&arguments.checkpoint])?;
    let found = fewshot::import(&arguments.checkpoint, Compute::Cpu)?;
    let cases = vec![arguments.checkpoint.display().to_string()];
    found.encoder.save(path, Summary { cases, ..Summary::default() })?;
    let report = Report { model: path, taken: found.taken, ignored: found.ignored, missing: found.missing };
    if common.json {
        return print_json(&report);
    }
    let listed = |what: &str, names: &[String]| match names {
        [] => Ok(()),
        names => print(format!("{what}: {}", names.join(", "))),
    };
    listed("ignored", &report.ignored)?;
    listed("not in the checkpoint, so random", &report.missing)?;
    print(format!("{} tensors taken: {}", report.taken, path.display()))
}
