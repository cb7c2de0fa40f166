//! `fewmark segment`: an image and a few clicks give a mask.

use std::collections::BTreeMap;
use std::path::Path;

use fewmark::image::{
    Format, embed_slice, expect_apart, expect_folder, expect_writable, slice, slice_labels, write_image, write_labels,
};
use fewmark::learn::model::file_of;
use fewmark::{Image, LabelMap, Marks, Method, Segmentation, Space, Step, learned, overlay, registry};
use serde::Serialize;

use crate::args::{ClickArgs, Common, Segment};
use crate::failure::Failure;
use crate::output::{note, print, print_json, read_image, read_text, write_json};
use crate::progress::ProgressLine;

const DEFAULT_METHOD: &str = "tv";

/// What the command prints as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    method: &'static str,
    voxels: usize,
    volume_mm3: f64,
    seconds: f64,
    derived: &'a BTreeMap<&'static str, f64>,
    output: Option<&'a Path>,
    overlay: Option<&'a Path>,
}

pub(crate) fn run(arguments: &Segment, common: &Common) -> Result<(), Failure> {
    if arguments.output.is_none() && arguments.overlay.is_none() && arguments.probability.is_none() && !common.json {
        return Err(
            Failure::call("nothing to write the result to").hint("add -o MASK.nii.gz, --overlay PICTURE.png or --json")
        );
    }
    check_outputs(arguments)?;
    let method = build_method(arguments)?;
    let marks = read_marks(&arguments.clicks)?;
    let volume = read_image(&arguments.image)?;
    let (image, marks) = match arguments.slice {
        Some(z) => (slice(&volume, 2, z)?, marks_in_slice(marks, &volume, z)?),
        None => (volume.clone(), marks),
    };
    let started = std::time::Instant::now();
    let result = {
        let line = ProgressLine::new(common);
        let mut shown = |step: &Step| line.show(step);
        match arguments.slice {
            // What needs no clicks sees the whole volume, as in `predict`: how it is turned and scaled does not depend on one slice.
            Some(z) if !method.needs_marks() => slice_of(method.segment(&volume, &marks, &mut shown)?, z)?,
            _ => method.segment(&image, &marks, &mut shown)?,
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    write_results(arguments, &volume, &image, &marks, &result)?;

    let voxels = result.labels.labels().iter().filter(|&&l| l != 0).count();
    if voxels == 0 {
        let advice = match (method.needs_marks(), &arguments.model) {
            (true, None) => "; click further inside the object, or try a smaller mu",
            (true, Some(_)) => "; click further inside the object",
            (false, _) => "",
        };
        note(common, format!("note: the mask is empty{advice}"));
    }
    let volume_mm3 = voxels as f64 * image.geometry().grid().voxel_volume();
    if common.json {
        return print_json(&Summary {
            method: method.name(),
            voxels,
            volume_mm3,
            seconds,
            derived: &result.trace.derived,
            output: arguments.output.as_deref(),
            overlay: arguments.overlay.as_deref(),
        });
    }
    print(format!("{}: {voxels} voxels, {:.2} ml, {seconds:.2} s", method.name(), volume_mm3 / 1000.0))
}

/// A result of a volume in one of its slices.
fn slice_of(result: Segmentation, z: usize) -> Result<Segmentation, Failure> {
    let labels = slice_labels(&result.labels, 2, z)?;
    let probability = result.probability.map(|probability| slice(&probability, 2, z)).transpose()?;
    Ok(Segmentation { labels, probability, ..result })
}

/// Refuses results that could not be written, before the work is done for them.
fn check_outputs(arguments: &Segment) -> Result<(), Failure> {
    let Segment { output, overlay, probability, trace, image, model, config, clicks, .. } = arguments;
    for path in [output, overlay, probability].into_iter().flatten() {
        expect_writable(path)?;
    }
    if let Some(path) = trace {
        expect_folder(path)?;
    }
    let model = model.as_deref().map(file_of);
    let outputs = [output, overlay, probability, trace].into_iter().flatten();
    expect_apart(outputs, image.iter().chain(&model).chain(config).chain(&clicks.marks))?;
    match &arguments.probability {
        Some(path) if Format::of_name(path) == Some(Format::Png) => {
            Err(Failure::call(format!("--probability {path:?}: PNG holds no fractions"))
                .hint("use .nii.gz, .nrrd, .mha, .tif or .npy"))
        }
        _ => Ok(()),
    }
}

fn write_results(
    arguments: &Segment,
    volume: &Image,
    image: &Image,
    marks: &Marks,
    result: &Segmentation,
) -> Result<(), Failure> {
    if let Some(path) = &arguments.output {
        match arguments.slice {
            // A mask of a slice keeps the scan's geometry: the other slices are background.
            Some(z) => {
                let geometry = volume.geometry();
                let mut labels = LabelMap::new(vec![0; geometry.len()], geometry.clone())?;
                embed_slice(&mut labels, &result.labels, 2, z)?;
                write_labels(path, &labels)?;
            }
            None => write_labels(path, &result.labels)?,
        }
    }
    if let Some(path) = &arguments.overlay {
        write_image(path, &overlay::render(image, &result.labels, &marks.drawn(image.geometry())?)?)?;
    }
    if let (Some(path), Some(probability)) = (&arguments.probability, &result.probability) {
        write_image(path, probability)?;
    }
    if let Some(path) = &arguments.trace {
        write_json(path, &result.trace)?;
    }
    Ok(())
}

/// The method of the model file, or the one that the options name, with its parameters from the file first and from `--set` then.
fn build_method(arguments: &Segment) -> Result<Box<dyn Method>, Failure> {
    if let Some(model) = &arguments.model {
        return Ok(learned::load(model, arguments.network.device.into(), arguments.network.refine)?);
    }
    let mut changes = Vec::new();
    let mut name = arguments.method.clone();
    if let Some(path) = &arguments.config {
        let mut table = read_config(path)?;
        match table.remove("method") {
            Some(toml::Value::String(from_file)) => {
                name.get_or_insert(from_file);
            }
            Some(other) => {
                return Err(Failure::call(format!("{path:?}: method = {other}: expected a name"))
                    .hint("`fewmark methods` lists them"));
            }
            None => {}
        }
        changes.push(table);
    }
    changes.extend(arguments.settings.iter().cloned());
    Ok(registry::find(name.as_deref().unwrap_or(DEFAULT_METHOD))?.build(&changes)?)
}

pub(super) fn read_config(path: &Path) -> Result<toml::Table, Failure> {
    let text = read_text(path)?;
    toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Failure::call(format!("{path:?}, line {line}: not TOML: {}", e.message()))
            .hint("write one KEY = VALUE a line, and names in quotes")
    })
}

fn read_marks(arguments: &ClickArgs) -> Result<Marks, Failure> {
    if let Some(path) = &arguments.marks {
        return Ok(Marks::read(path)?);
    }
    let list = |points: &[crate::args::Point]| points.iter().map(|p| p.0.clone()).collect();
    Ok(Marks {
        space: if arguments.world { Space::World } else { Space::Voxel },
        foreground: list(&arguments.foreground),
        background: list(&arguments.background),
    })
}

/// The clicks of a volume as clicks of one of its slices: those with a z must lie in it.
fn marks_in_slice(marks: Marks, volume: &Image, z: usize) -> Result<Marks, Failure> {
    let geometry = volume.geometry();
    let in_plane = |click: &Vec<f64>| {
        let voxel = match (marks.space, click.as_slice()) {
            (Space::Voxel, &[x, y]) => return Ok(vec![x, y]),
            (Space::Voxel, &[x, y, click_z]) => [x, y, click_z],
            (Space::World, &[x, y, click_z]) => geometry.world_to_voxel([x, y, click_z]),
            _ => return Err(Failure::call(format!("click {click:?}: expected x,y or x,y,z"))),
        };
        if voxel[2].round() == z as f64 {
            Ok(vec![voxel[0], voxel[1]])
        } else {
            Err(Failure::call(format!("click {click:?} does not lie in slice {z}"))
                .hint("give clicks of one slice with --slice, or leave --slice out to segment in 3-D"))
        }
    };
    let convert = |clicks: &[Vec<f64>]| clicks.iter().map(in_plane).collect::<Result<Vec<_>, _>>();
    Ok(Marks { space: Space::Voxel, foreground: convert(&marks.foreground)?, background: convert(&marks.background)? })
}
