//! The one idea: a method turns an image and a few marks into a segmentation.

use std::ops::ControlFlow;

use fewmark_image::{Image, LabelMap};
use serde::Serialize;

use crate::{Error, Marks};

/// Turns an image and a few marks into a segmentation.
pub trait Method: Send + Sync {
    /// Name in the registry.
    fn name(&self) -> &'static str;

    /// Whether it segments what marks point at; others know from training what they look for.
    fn needs_marks(&self) -> bool {
        true
    }

    /// Segments what the marks point at.
    ///
    /// The label map has the image's geometry to the bit; the object has label 1, or what was learned its codes. `progress` is called now and then;
    /// when it breaks, the work ends with [`Error::Stopped`].
    ///
    /// # Errors
    /// [`Error::Click`] and its kin for marks that do not fit the image, [`NoContrast`](fewmark_image::Error::NoContrast) for an image that
    /// cannot be segmented, [`Error::Stopped`].
    fn segment(&self, image: &Image, marks: &Marks, progress: &mut Progress<'_>) -> Result<Segmentation, Error>;
}

/// Receives the state of the work; breaking stops it.
pub type Progress<'a> = dyn FnMut(&Step) -> ControlFlow<()> + 'a;

/// What a method is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The stage of the work, "solve".
    pub stage: &'static str,
    /// Share of the whole work that is done, 0 to 1, where it can be told.
    pub fraction: Option<f64>,
}

/// The result of a [`Method`].
#[derive(Clone, Debug)]
pub struct Segmentation {
    /// The labels, in the geometry of the image.
    pub labels: LabelMap,
    /// The relaxed solution, or the probability of anything but the background, in `[0, 1]`, `[1, z, y, x]`, where the method has one.
    pub probability: Option<Image>,
    /// How the work went.
    pub trace: Trace,
}

/// How the work went: what was decided from the marks, and each solver's run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trace {
    /// The method.
    pub method: &'static str,
    /// Every parameter that was used.
    pub parameters: toml::Table,
    /// Quantities derived from image and marks, by name.
    pub derived: std::collections::BTreeMap<&'static str, f64>,
    /// Time of each stage in seconds, in order.
    pub stages: Vec<(&'static str, f64)>,
    /// The solvers' runs, in order.
    pub solvers: Vec<SolverRun>,
}

/// One run of a solver.
#[derive(Clone, Debug, Serialize)]
pub struct SolverRun {
    /// Name of the solver.
    pub solver: &'static str,
    /// Its report.
    #[serde(flatten)]
    pub report: fewmark_classical::Report,
}
