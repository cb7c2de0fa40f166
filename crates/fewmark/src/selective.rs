//! The selective variational methods: total variation and Euler's elastica.

use fewmark_classical::selective::{Outcome, Regulariser, SelectiveParams, Session};
use fewmark_image::{Image, LabelMap, SampleType, Scaling, memory};
use serde::{Deserialize, Serialize};

use crate::method::{Method, Progress, Segmentation, SolverRun, Step, Trace, Warm};
use crate::registry::{self, Entry};
use crate::{Error, Marks};

/// Total variation.
pub(crate) const TV: Entry = Entry::new(
    "tv",
    "the clicked object by total variation, a convex problem solved to a certified gap; 2-D and 3-D",
    true,
    &[("default", || table(&SelectiveParams::default())), ("paper", || table(&SelectiveParams::paper()))],
    |parameters| Ok(Box::new(Selective::new("tv", Regulariser::TotalVariation, parameters)?)),
);

/// Euler's elastica.
pub(crate) const ELASTICA: Entry = Entry::new(
    "elastica",
    "the clicked object by Euler's elastica, which also penalises the curvature of its outline; 2-D",
    false,
    &[("default", || table(&SelectiveParams::default())), ("paper", || table(&SelectiveParams::paper()))],
    |parameters| Ok(Box::new(Selective::new("elastica", Regulariser::Elastica, parameters)?)),
);

/// All parameters of a selective method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parameters {
    #[serde(flatten)]
    scaling: Scaling,
    #[serde(flatten)]
    model: SelectiveParams,
}

fn table(model: &SelectiveParams) -> toml::Table {
    toml::Table::try_from(Parameters { scaling: Scaling::default(), model: model.clone() })
        .expect("parameters are plain numbers and names")
}

/// What is kept of an image that is clicked again and again.
struct Kept {
    parameters: Parameters,
    session: Session,
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
        let parameters: Parameters = registry::typed(&table).map_err(wrong)?;
        parameters.model.check().map_err(|e| wrong(e.to_string()))?;
        parameters.scaling.check().map_err(wrong)?;
        Ok(Self { name, regulariser, parameters, table })
    }
}

impl Method for Selective {
    fn name(&self) -> &'static str {
        self.name
    }

    fn segment(&self, image: &Image, marks: &Marks, progress: &mut Progress<'_>) -> Result<Segmentation, Error> {
        self.segment_again(image, marks, &mut Warm::default(), progress)
    }

    fn segment_again(
        &self,
        image: &Image,
        marks: &Marks,
        warm: &mut Warm,
        progress: &mut Progress<'_>,
    ) -> Result<Segmentation, Error> {
        let geometry = image.geometry();
        let marks = marks.in_voxels(geometry)?;
        memory::plan(format!("segmenting {} voxels", geometry.len()), Session::memory(geometry.len()))?;
        let kept = warm.take::<Kept>().filter(|kept| kept.parameters == self.parameters);
        let mut session = match kept {
            Some(kept) => kept.session,
            None => {
                let f = self.parameters.scaling.apply(image)?;
                Session::new(&f, &geometry.grid(), &self.parameters.model)?
            }
        };
        let tolerance = self.parameters.model.tolerance;
        let outcome =
            session.segment(&marks.foreground, &marks.background, self.regulariser, &mut |solver, iteration| {
                // The residual falls about geometrically from 1 to the tolerance.
                let fraction = iteration.residual.max(tolerance).ln() / tolerance.ln();
                let energy = Some((iteration.iteration, iteration.energy));
                progress(&Step { stage: solver, fraction: Some(fraction.clamp(0.0, 1.0)), energy })
            });
        // A session is as good after it was stopped as before.
        warm.keep(Kept { parameters: self.parameters.clone(), session }, Session::kept(geometry.len()));
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
