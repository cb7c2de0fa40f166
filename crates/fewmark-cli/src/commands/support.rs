//! `fewmark support build`: labelled scans give a model that looks for what they show.

use std::collections::BTreeMap;

use fewmark::fewshot::{carry, encoder, known};
use fewmark::image::{LabelMap, expect_folder, read_image, read_labels};
use fewmark::learn::dataset;
use fewmark::learn::fewshot::Known;
use fewmark::learn::model::Summary;
use fewmark::{Image, Step};
use serde::Serialize;

use crate::args::{Common, SupportArgs, SupportBuild};
use crate::failure::Failure;
use crate::output::{note, print, print_json};
use crate::progress::ProgressLine;

#[derive(Serialize)]
struct Report<'a> {
    model: &'a std::path::Path,
    labels: Vec<u16>,
}

pub(crate) fn build(arguments: &SupportBuild, common: &Common) -> Result<(), Failure> {
    let path = arguments.output.as_path();
    expect_folder(path)?;
    let labelled = labelled(&arguments.support)?;
    let known = of(&arguments.support, &labelled, common)?;
    let cases = arguments.support.supports.iter().map(|scan| scan.display().to_string()).collect();
    known.save(path, Summary { cases, ..Summary::default() })?;
    let labels = known.codes();
    if common.json {
        return print_json(&Report { model: path, labels });
    }
    print(format!("looks for the labels {labels:?}: {}", path.display()))
}

/// The labelled scans of a call, with the labels that are looked for.
pub(super) fn labelled(arguments: &SupportArgs) -> Result<Vec<(Image, LabelMap)>, Failure> {
    let (scans, labels) = (arguments.supports.len(), arguments.labels.len());
    if scans != labels {
        return Err(Failure::call(format!("{scans} scans with --support, {labels} with --support-label"))
            .hint("give each scan its labels, in the same order"));
    }
    let pair = |(scan, path): (&std::path::PathBuf, &std::path::PathBuf)| {
        let mut labels = read_labels(path)?;
        let present = labels.present();
        if let Some(missing) = arguments.codes.iter().find(|code| !present.contains(code)) {
            return Err(Failure::call(format!("{path:?} has no label {missing}; it has {present:?}")));
        }
        if !arguments.codes.is_empty() {
            labels.labels_mut().iter_mut().filter(|l| !arguments.codes.contains(l)).for_each(|l| *l = 0);
        }
        Ok((read_image(scan)?, labels))
    };
    arguments.supports.iter().zip(&arguments.labels).map(pair).collect()
}

/// The encoder of a call, shown its labelled scans and, by them, those without labels.
pub(super) fn of(arguments: &SupportArgs, labelled: &[(Image, LabelMap)], common: &Common) -> Result<Known, Failure> {
    let unlabelled = match arguments.unlabelled.as_slice() {
        [] => BTreeMap::new(),
        paths => dataset::files(paths, dataset::image_name)?,
    };
    let mut known = known(encoder(arguments.model.as_deref(), arguments.device.into())?, labelled)?;
    let line = ProgressLine::new(common);
    let mut empty = Vec::new();
    for (done, (case, path)) in unlabelled.iter().enumerate() {
        let found = carry(&mut known, &read_image(path)?, &mut |step| {
            let share = (done as f64 + step.fraction.unwrap_or(0.0)) / unlabelled.len() as f64;
            line.show(&Step { fraction: Some(share), ..*step })
        })?;
        if !found {
            empty.push(case.as_str());
        }
    }
    drop(line);
    if !empty.is_empty() {
        note(common, format!("nothing was found in {}: left out", empty.join(", ")));
    }
    Ok(known)
}
