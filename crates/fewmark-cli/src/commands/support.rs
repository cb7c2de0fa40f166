//! `fewmark support build`: labelled scans give a model that looks for what they show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fewmark::fewshot::{carry, encoder, known, with_inference};
use fewmark::image::{LabelMap, expect_apart, expect_folder, read_image, read_labels, same_file};
use fewmark::learn::dataset;
use fewmark::learn::fewshot::{Known, Predictor, Support};
use fewmark::learn::model::{Summary, file_of};
use fewmark::{Image, Step};
use serde::Serialize;

use crate::args::{Common, SupportArgs, SupportBuild};
use crate::failure::Failure;
use crate::output::{expect_label_map, note, print, print_json};
use crate::progress::ProgressLine;

/// A map with more labels may be a mask with soft edges, or the image.
const MANY_LABELS: usize = 64;

#[derive(Serialize)]
struct Report<'a> {
    model: &'a Path,
    labels: Vec<u16>,
}

pub(crate) fn build(arguments: &SupportBuild, common: &Common) -> Result<(), Failure> {
    let path = arguments.output.as_path();
    expect_folder(path)?;
    let unlabelled = unlabelled(&arguments.support)?;
    expect_apart([path], inputs(&arguments.support, &unlabelled))?;
    let labelled = labelled(&arguments.support, common)?;
    let known = of(encoder_of(&arguments.support)?, &arguments.support, &labelled, &unlabelled, common)?;
    let cases = arguments.support.supports.iter().map(|scan| scan.display().to_string()).collect();
    known.save(path, Summary { cases, ..Summary::default() })?;
    let labels = known.codes();
    if common.json {
        return print_json(&Report { model: path, labels });
    }
    print(format!("looks for the labels {labels:?}: {}", path.display()))
}

/// The labelled scans of a call, with the labels that are looked for.
pub(super) fn labelled(arguments: &SupportArgs, common: &Common) -> Result<Vec<(Image, LabelMap)>, Failure> {
    let (scans, labels) = (arguments.supports.len(), arguments.labels.len());
    if scans != labels {
        return Err(Failure::call(format!("{scans} scans with --support, {labels} with --support-label"))
            .hint("give each scan its labels, in the same order"));
    }
    let mut maps = arguments.labels.iter().map(read_labels).collect::<Result<Vec<_>, _>>()?;
    let occurring: BTreeSet<u16> = maps.iter().flat_map(LabelMap::present).collect();
    if let Some(missing) = arguments.codes.iter().find(|code| !occurring.contains(code)) {
        let paths: Vec<String> = arguments.labels.iter().map(|path| format!("{path:?}")).collect();
        return Err(Failure::call(format!("no label {missing} in {}; there are {occurring:?}", paths.join(", "))));
    }
    for (map, path) in maps.iter_mut().zip(&arguments.labels) {
        if !arguments.codes.is_empty() {
            map.labels_mut().iter_mut().filter(|label| !arguments.codes.contains(label)).for_each(|label| *label = 0);
        }
        let count = map.present().len();
        if count == 0 && !arguments.codes.is_empty() {
            return Err(Failure::call(format!("{path:?} has none of the labels {:?}", arguments.codes))
                .hint("leave out that scan, or name other labels with --labels"));
        }
        expect_label_map(map, path)?;
        if count > MANY_LABELS {
            let told =
                "a mask with soft edges, or the image, has one for each shade: name those that are meant with --labels";
            note(common, format!("{path:?} has {count} labels; {told}"));
        }
    }
    let mut found = Vec::new();
    for (map, (scan, path)) in maps.into_iter().zip(arguments.supports.iter().zip(&arguments.labels)) {
        let image = read_image(scan)?;
        Support::check(image.geometry(), &map).map_err(|error| Failure::from(error).of(path))?;
        found.push((image, map));
    }
    Ok(found)
}

/// The files that a call reads.
pub(super) fn inputs(arguments: &SupportArgs, unlabelled: &BTreeMap<String, PathBuf>) -> Vec<PathBuf> {
    let SupportArgs { model, supports, labels, .. } = arguments;
    let model = model.as_deref().map(file_of);
    supports.iter().chain(labels).chain(unlabelled.values()).cloned().chain(model).collect()
}

/// The scans without labels, by their names.
pub(super) fn unlabelled(arguments: &SupportArgs) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut scans = dataset::images(&arguments.unlabelled)?;
    scans.retain(|_, scan| !arguments.supports.iter().any(|support| same_file(support, &*scan)));
    Ok(scans)
}

/// The encoder of a call.
pub(super) fn encoder_of(arguments: &SupportArgs) -> Result<Predictor, Failure> {
    let encoder = encoder(arguments.model.as_deref(), arguments.device.into())?;
    Ok(with_inference(encoder, &arguments.settings)?)
}

/// The encoder of a call, shown its labelled scans and, by them, those without labels.
pub(super) fn of(
    encoder: Predictor,
    arguments: &SupportArgs,
    labelled: &[(Image, LabelMap)],
    unlabelled: &BTreeMap<String, PathBuf>,
    common: &Common,
) -> Result<Known, Failure> {
    for ((image, _), path) in labelled.iter().zip(&arguments.supports) {
        encoder.expect_fitting(image, 1).map_err(|e| Failure::from(e).of(path))?;
    }
    expect_fitting(&encoder, unlabelled.values(), labelled.len())?;
    let line = ProgressLine::new(common);
    let mut known = known(encoder, labelled, &mut |step| line.show(step))?;
    let mut empty = Vec::new();
    for (done, (case, path)) in unlabelled.iter().enumerate() {
        let found = carry(&mut known, &read_image(path)?, &mut |step| {
            let share = (done as f64 + step.fraction.unwrap_or(0.0)) / unlabelled.len() as f64;
            line.show(&Step { fraction: Some(share), ..*step })
        })
        .map_err(|e| Failure::from(e).of(path))?;
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

/// Refuses scans in which nothing could be looked for by so many others, before the work begins.
pub(super) fn expect_fitting<'a>(
    encoder: &Predictor,
    scans: impl Iterator<Item = &'a PathBuf>,
    supports: usize,
) -> Result<(), Failure> {
    for path in scans {
        encoder.expect_fitting(&read_image(path)?, supports).map_err(|e| Failure::from(e).of(path))?;
    }
    Ok(())
}
