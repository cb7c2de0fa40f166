//! The Deep-Image-Prior methods: the model for a single image, and networks that were trained on a few.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fewmark_classical::selective::SelectiveParams;
use fewmark_image::{Dimension, Image, LabelMap, SampleType, Scaling, slice};
use fewmark_learn::Compute;
use fewmark_learn::dip::{self, Case, Prediction, SingleConfig};
use serde::{Deserialize, Serialize};

use crate::method::{Method, Progress, Segmentation, Step, Trace};
use crate::registry::{self, Entry};
use crate::{Error, Marks, VoxelMarks};

/// The name of the single-image model, in the registry and in traces.
const NAME: &str = "dip";

/// The model for a single image.
pub(crate) const DIP: Entry = Entry::new(
    NAME,
    "the clicked object as a Deep Image Prior, a network trained on this image alone; 2-D, takes a minute",
    false,
    &[
        ("default", || table(&Parameters::default())),
        ("paper", || {
            table(&Parameters { network: Profile::Paper, model: SelectiveParams::paper(), ..Parameters::default() })
        }),
    ],
    |parameters| Ok(Box::new(SingleImage::new(parameters)?)),
);

/// A size of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Profile {
    /// Five scales of 128 channels.
    Paper,
    /// Five scales of 16 to 128 channels.
    Light,
    /// Four scales of 16 to 64 channels.
    #[default]
    Lighter,
}

/// All parameters of the single-image model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Parameters {
    #[serde(flatten)]
    scaling: Scaling,
    #[serde(flatten)]
    model: SelectiveParams,
    #[serde(flatten)]
    single: SingleConfig,
    network: Profile,
}

fn table(parameters: &Parameters) -> toml::Table {
    toml::Table::try_from(parameters).expect("parameters are plain numbers and names")
}

struct SingleImage {
    parameters: Parameters,
    table: toml::Table,
}

impl SingleImage {
    fn new(table: toml::Table) -> Result<Self, Error> {
        let wrong = |message: String| Error::Config { method: NAME, message };
        let parameters: Parameters = registry::typed(&table).map_err(wrong)?;
        parameters.model.check().map_err(|e| wrong(e.to_string()))?;
        parameters.scaling.check().map_err(wrong)?;
        Ok(Self { parameters, table })
    }
}

impl Method for SingleImage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn segment(&self, image: &Image, marks: &Marks, progress: &mut Progress<'_>) -> Result<Segmentation, Error> {
        let Parameters { scaling, model, single, network } = &self.parameters;
        let network = match network {
            Profile::Paper => fewmark_nets::DipNetConfig::paper(),
            Profile::Light => fewmark_nets::DipNetConfig::light(),
            Profile::Lighter => fewmark_nets::DipNetConfig::lighter(),
        };
        let case = case(image, marks)?;
        let begun = std::time::Instant::now();
        let device = Compute::Cpu.device()?;
        let found = dip::segment(&case, single, &network, scaling, model, &device, &mut |step| {
            progress(&Step::share("train", step.iteration as f64 / step.of as f64))
        })
        .map_err(crate::learned::stopped)?;
        let mut result = segmentation(NAME, found.prediction, image)?;
        result.trace.parameters = self.table.clone();
        result.trace.stages = vec![("train", begun.elapsed().as_secs_f64())];
        result.trace.derived.extend([("iterations", found.iterations as f64), ("loss", f64::from(found.loss))]);
        Ok(result)
    }
}

/// An image with its clicks as voxels.
fn case(image: &Image, marks: &Marks) -> Result<Case, Error> {
    let marks = marks.in_voxels(image.geometry())?;
    let (foreground, background) = (marks.foreground, marks.background);
    Ok(Case { name: "image".into(), image: image.clone(), foreground, background })
}

fn segmentation(method: &'static str, found: Prediction, image: &Image) -> Result<Segmentation, Error> {
    let geometry = image.geometry().clone();
    Ok(Segmentation {
        labels: LabelMap::from_mask(&found.mask, geometry.clone())?,
        probability: Some(Image::new(found.u, 1, geometry)?.with_stored(SampleType::F32)),
        trace: Trace { method, derived: found.derived.into_iter().collect(), ..Trace::default() },
    })
}

/// A network that was trained on a few images.
pub(crate) struct Trained {
    predictor: dip::Predictor,
    table: toml::Table,
    refine: bool,
}

impl Trained {
    /// The method of a model; with `refine`, its answers are refined by total variation.
    pub(crate) fn new(predictor: dip::Predictor, refine: bool) -> Self {
        let table = toml::Table::try_from(predictor.config()).expect("settings are plain numbers and names");
        Self { predictor, table, refine }
    }

    /// Walks through a volume, slice by slice from the clicked ones, until the object ends.
    ///
    /// A slice without clicks takes those of the nearest clicked slice that lie in the object of the slice before. Background clicks of its own count
    /// besides.
    fn walk(&self, volume: &Image, marks: &VoxelMarks, progress: &mut Progress<'_>) -> Result<Segmentation, Error> {
        let geometry = volume.geometry();
        let clicked: BTreeSet<usize> = marks.foreground.iter().map(|click| click[2]).collect();
        let mut mask = vec![false; geometry.len()];
        let mut u = vec![0.0; geometry.len()];
        let area = geometry.size()[0] * geometry.size()[1];
        let mut done = 0;
        for &start in &clicked {
            // Up to half way to the next clicked slice.
            let below = clicked.range(..start).next_back().map_or(0, |&other| start.midpoint(other) + 1);
            let above =
                clicked.range(start + 1..).next().map_or(geometry.size()[2] - 1, |&other| start.midpoint(other));
            let downwards: Vec<usize> = (below..start).rev().collect();
            let upwards: Vec<usize> = (start + 1..=above).collect();
            for way in [&[vec![start], upwards].concat(), &downwards] {
                let mut before: Option<Vec<bool>> =
                    way.first().filter(|&&z| z != start).map(|_| mask[start * area..(start + 1) * area].to_vec());
                for &z in way {
                    done += 1;
                    let share = done as f64 / geometry.size()[2] as f64;
                    if progress(&Step::share("predict", share)) == ControlFlow::Break(()) {
                        return Err(Error::Stopped);
                    }
                    let of_slice = |clicks: &[[usize; 3]], slice: usize| -> Vec<[usize; 3]> {
                        clicks.iter().filter(|click| click[2] == slice).map(|&[x, y, _]| [x, y, 0]).collect()
                    };
                    let mut foreground = of_slice(&marks.foreground, start);
                    let mut background = of_slice(&marks.background, start);
                    if z != start {
                        let own = of_slice(&marks.background, z);
                        foreground.retain(|click| !own.contains(click));
                        background.extend(own);
                    }
                    if let Some(before) = &before {
                        foreground.retain(|&[x, y, _]| before[x + y * geometry.size()[0]]);
                    }
                    if foreground.is_empty() {
                        break;
                    }
                    let case = Case { name: format!("slice {z}"), image: slice(volume, 2, z)?, foreground, background };
                    let found = self.predictor.predict(&case, self.refine)?;
                    let meets = before.is_none_or(|before| before.iter().zip(&found.mask).any(|(b, m)| *b && *m));
                    if !meets {
                        break;
                    }
                    mask[z * area..(z + 1) * area].copy_from_slice(&found.mask);
                    u[z * area..(z + 1) * area].copy_from_slice(&found.u);
                    before = Some(found.mask);
                }
            }
        }
        segmentation(NAME, Prediction { mask, u, derived: Vec::new() }, volume)
    }
}

impl Method for Trained {
    fn name(&self) -> &'static str {
        NAME
    }

    fn segment(&self, image: &Image, marks: &Marks, progress: &mut Progress<'_>) -> Result<Segmentation, Error> {
        let begun = std::time::Instant::now();
        let mut result = if image.geometry().dimension() == Dimension::Three {
            self.walk(image, &marks.in_voxels(image.geometry())?, progress)?
        } else {
            segmentation(NAME, self.predictor.predict(&case(image, marks)?, self.refine)?, image)?
        };
        result.trace.parameters = self.table.clone();
        result.trace.stages = vec![("predict", begun.elapsed().as_secs_f64())];
        Ok(result)
    }
}
