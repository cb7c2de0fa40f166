//! The selective variational methods: total variation and Euler's elastica.

use fewmark_classical::selective::{Outcome, Regulariser, SelectiveParams, Session};
use fewmark_image::{Image, LabelMap, SampleType, memory};
use serde::{Deserialize, Serialize};

use crate::method::{Method, Progress, Segmentation, SolverRun, Step, Trace};
use crate::registry::Entry;
use crate::{Error, Marks};

/// Total variation.
pub(crate) const TV: Entry = Entry::new(
    "tv",
    "the clicked object by total variation, a convex problem solved to a certified gap; 2-D and 3-D",
    &[("default", || table(&SelectiveParams::default())), ("paper", || table(&SelectiveParams::paper()))],
    |parameters| Ok(Box::new(Selective::new("tv", Regulariser::TotalVariation, parameters)?)),
);

/// Euler's elastica.
pub(crate) const ELASTICA: Entry = Entry::new(
    "elastica",
    "the clicked object by Euler's elastica, which also penalises the curvature of its outline; 2-D",
    &[("default", || table(&SelectiveParams::default())), ("paper", || table(&SelectiveParams::paper()))],
    |parameters| Ok(Box::new(Selective::new("elastica", Regulariser::Elastica, parameters)?)),
);

/// How samples become the `[0, 1]` of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Scaling {
    /// Lowest and highest sample of the range that becomes `[0, 1]`; empty for the quantiles below.
    window: Vec<f64>,
    /// Samples below this quantile and above its complement are cut off, so that a few bright voxels do not squeeze the rest.
    clip_quantile: f64,
}

/// All parameters of a selective method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parameters {
    #[serde(flatten)]
    scaling: Scaling,
    #[serde(flatten)]
    model: SelectiveParams,
}

fn table(model: &SelectiveParams) -> toml::Table {
    let scaling = Scaling { window: Vec::new(), clip_quantile: 0.001 };
    toml::Table::try_from(Parameters { scaling, model: model.clone() }).expect("parameters are plain numbers and names")
}

/// A selective method with its parameters.
struct Selective {
    name: &'static str,
    regulariser: Regulariser,
    parameters: Parameters,
    table: toml::Table,
}

impl Selective {
    fn new(name: &'static str, regulariser: Regulariser, table: toml::Table) -> Result<Self, Error> {
        let wrong = |message: String| Error::Config { method: name, message };
        let parameters: Parameters =
            table.clone().try_into().map_err(|e: toml::de::Error| wrong(e.message().to_owned()))?;
        parameters.model.check().map_err(|e| wrong(e.to_string()))?;
        let Scaling { window, clip_quantile } = &parameters.scaling;
        let ordered = matches!(window[..], [low, high] if low < high);
        if !(window.is_empty() || ordered) {
            return Err(wrong(format!("window = {window:?}: expected [low, high] with low < high, or []")));
        }
        if !(0.0..0.5).contains(clip_quantile) {
            return Err(wrong(format!("clip_quantile = {clip_quantile}: expected at least 0 and less than 0.5")));
        }
        Ok(Self { name, regulariser, parameters, table })
    }
}

impl Method for Selective {
    fn name(&self) -> &'static str {
        self.name
    }

    fn segment(&self, image: &Image, marks: &Marks, progress: &mut Progress<'_>) -> Result<Segmentation, Error> {
        let geometry = image.geometry();
        let marks = marks.in_voxels(geometry)?;
        memory::plan(format!("segmenting {} voxels", geometry.len()), Session::memory(geometry.len()))?;
        let f = scaled(image, &self.parameters.scaling)?;
        let mut session = Session::new(&f, &geometry.grid(), &self.parameters.model)?;
        let tolerance = self.parameters.model.tolerance;
        let outcome =
            session.segment(&marks.foreground, &marks.background, self.regulariser, &mut |solver, iteration| {
                // The residual falls about geometrically from 1 to the tolerance.
                let fraction = iteration.residual.max(tolerance).ln() / tolerance.ln();
                progress(&Step { stage: solver, fraction: Some(fraction.clamp(0.0, 1.0)) })
            });
        let Outcome { mask, u, derived, stages, runs } = outcome.map_err(|error| match error {
            fewmark_classical::Error::Stopped => Error::Stopped,
            error => error.into(),
        })?;
        Ok(Segmentation {
            labels: LabelMap::from_mask(&mask, geometry.clone())?,
            probability: Some(Image::new(u, 1, geometry.clone())?.with_stored(SampleType::F32)),
            trace: Trace {
                method: self.name,
                parameters: self.table.clone(),
                derived: derived.into_iter().collect(),
                stages,
                solvers: runs.into_iter().map(|run| SolverRun { solver: run.solver, report: run.report }).collect(),
            },
        })
    }
}

/// The mean of the channels, scaled to `[0, 1]`. Samples that are not finite become 0, the lowest value.
fn scaled(image: &Image, scaling: &Scaling) -> Result<Vec<f32>, Error> {
    let mut f = image.channel(0).to_vec();
    for channel in 1..image.channels() {
        f.iter_mut().zip(image.channel(channel)).for_each(|(f, &s)| *f += s);
    }
    let count = image.channels() as f32;
    f.iter_mut().for_each(|f| *f /= count);
    let (low, high) = match scaling.window[..] {
        [low, high] => (low as f32, high as f32),
        _ => range(&f, scaling.clip_quantile)?,
    };
    let per_range = 1.0 / (high - low);
    f.iter_mut().for_each(|f| *f = if f.is_finite() { ((*f - low) * per_range).clamp(0.0, 1.0) } else { 0.0 });
    Ok(f)
}

/// The finite samples' quantiles `q` and `1 - q`, or their minimum and maximum where those are the same.
fn range(f: &[f32], q: f64) -> Result<(f32, f32), Error> {
    let mut finite: Vec<f32> = f.iter().copied().filter(|f| f.is_finite()).collect();
    if finite.is_empty() {
        return Err(Error::NoContrast("no sample of the image is finite".into()));
    }
    let (min, max) = finite.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &f| (min.min(f), max.max(f)));
    if min == max {
        return Err(Error::NoContrast(format!("every sample of the image is {min}")));
    }
    let mut quantile = |q: f64| {
        let at = ((finite.len() - 1) as f64 * q).round() as usize;
        *finite.select_nth_unstable_by(at, f32::total_cmp).1
    };
    let (low, high) = (quantile(q), quantile(1.0 - q));
    Ok(if low < high { (low, high) } else { (min, max) })
}

#[cfg(test)]
mod tests {
    use fewmark_image::{Dimension, Geometry};

    use super::*;

    fn image(samples: Vec<f32>) -> Image {
        let geometry = Geometry::unit(Dimension::Two, [samples.len(), 1, 1]).unwrap();
        Image::new(samples, 1, geometry).unwrap()
    }

    fn scaling(window: &[f64], clip_quantile: f64) -> Scaling {
        Scaling { window: window.to_vec(), clip_quantile }
    }

    #[test]
    fn samples_are_scaled_to_the_unit_interval() {
        let image = image(vec![-1000.0, 0.0, f32::NAN, 1000.0]);
        assert_eq!(scaled(&image, &scaling(&[], 0.0)).unwrap(), [0.0, 0.5, 0.0, 1.0]);
        assert_eq!(scaled(&image, &scaling(&[0.0, 500.0], 0.0)).unwrap(), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn an_image_without_contrast_is_refused() {
        for samples in [vec![3.0; 5], vec![f32::NAN; 5]] {
            assert!(matches!(scaled(&image(samples), &scaling(&[], 0.01)), Err(Error::NoContrast(_))));
        }
    }
}
