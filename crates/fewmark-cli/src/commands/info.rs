//! `fewmark info`: size, geometry, intensities and labels of files.

use std::collections::BTreeMap;
use std::path::Path;

use fewmark::{Image, LabelMap};
use serde::Serialize;

use crate::args::{Common, Info};
use crate::failure::Failure;
use crate::output::{print, print_json, read_image};

/// A file with more distinct whole numbers than this is taken for an image, not a label map.
const MOST_LABELS: usize = 64;

#[derive(Serialize)]
struct Facts<'a> {
    file: &'a Path,
    dimensions: usize,
    size: &'a [usize],
    channels: usize,
    stored: fewmark::image::SampleType,
    spacing_mm: &'a [f64],
    origin_mm: [f64; 3],
    affine: [[f64; 4]; 3],
    axes: String,
    intensity: Option<Intensity>,
    /// Voxels of each label, for a file that holds few whole numbers.
    labels: Option<BTreeMap<u16, usize>>,
}

#[derive(Serialize)]
struct Intensity {
    min: f32,
    max: f32,
    mean: f64,
    not_finite: usize,
}

pub(crate) fn run(arguments: &Info, common: &Common) -> Result<(), Failure> {
    for (i, path) in arguments.files.iter().enumerate() {
        let image = read_image(std::slice::from_ref(path))?;
        let geometry = image.geometry();
        let (size, spacing) = (geometry.size(), geometry.spacing());
        let count = geometry.dimension().count();
        let facts = Facts {
            file: path,
            dimensions: count,
            size: &size[..count],
            channels: image.channels(),
            stored: image.stored(),
            spacing_mm: &spacing[..count],
            origin_mm: geometry.origin(),
            affine: geometry.affine(),
            axes: axis_codes(&geometry.direction())[..count].concat(),
            intensity: intensity(image.samples()),
            labels: labels(&image),
        };
        if common.json {
            print_json(&facts)?;
        } else {
            print(if i == 0 { facts.text() } else { format!("\n{}", facts.text()) })?;
        }
    }
    Ok(())
}

impl Facts<'_> {
    fn text(&self) -> String {
        let join = |v: &[f64]| v.iter().map(|x| format!("{}", (x * 1e4).round() / 1e4)).collect::<Vec<_>>().join(" x ");
        let size = self.size.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        let rows = self.affine.map(|row| row.map(|x| format!("{x:>10.4}")).join(" "));
        let mut lines = vec![
            format!("{}", self.file.display()),
            format!("  size       {size}, {} channel(s) of {}", self.channels, self.stored.name()),
            format!("  spacing    {} mm, axes {}", join(self.spacing_mm), self.axes),
            format!("  affine     {}\n             {}\n             {}", rows[0], rows[1], rows[2]),
        ];
        if let Some(i) = &self.intensity {
            lines.push(format!("  intensity  {} to {}, mean {:.2}", i.min, i.max, i.mean));
            if i.not_finite > 0 {
                lines.push(format!("  warning    {} samples are not finite", i.not_finite));
            }
        }
        if let Some(labels) = &self.labels {
            let each = labels.iter().map(|(label, voxels)| format!("{label} ({voxels} voxels)"));
            lines.push(format!("  labels     {}", each.collect::<Vec<_>>().join(", ")));
        }
        lines.join("\n")
    }
}

/// The world direction that each voxel axis runs closest to: R, L, A, P, S or I.
fn axis_codes(direction: &[[f64; 3]; 3]) -> [&'static str; 3] {
    std::array::from_fn(|axis| {
        let codes = [["L", "R"], ["P", "A"], ["I", "S"]];
        let world = (0..3).max_by(|&a, &b| direction[a][axis].abs().total_cmp(&direction[b][axis].abs())).unwrap_or(0);
        codes[world][usize::from(direction[world][axis] > 0.0)]
    })
}

fn intensity(samples: &[f32]) -> Option<Intensity> {
    let finite = samples.iter().copied().filter(|s| s.is_finite());
    let (count, sum, min, max) = finite
        .fold((0usize, 0.0, f32::INFINITY, f32::NEG_INFINITY), |(n, sum, min, max), s| {
            (n + 1, sum + f64::from(s), min.min(s), max.max(s))
        });
    (count > 0).then(|| Intensity { min, max, mean: sum / count as f64, not_finite: samples.len() - count })
}

fn labels(image: &Image) -> Option<BTreeMap<u16, usize>> {
    let map = LabelMap::from_image(image).ok()?;
    let mut counts = vec![0usize; usize::from(u16::MAX) + 1];
    for &label in map.labels() {
        counts[usize::from(label)] += 1;
    }
    let present: BTreeMap<u16, usize> = (0..=u16::MAX).zip(counts).filter(|(_, n)| *n > 0).collect();
    (present.len() <= MOST_LABELS).then_some(present)
}
