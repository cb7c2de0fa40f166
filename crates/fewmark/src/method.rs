//! The one idea: a method turns an image and a few marks into a segmentation.

use std::any::Any;
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

    /// Segments an image that was segmented before, with what was kept of it.
    ///
    /// `warm` belongs to this one image: it begins empty, and the method leaves in it what spares work when the same image is marked again.
    /// The answer is as good as that of [`segment`](Self::segment), but a solver that starts from the last solution may end at another
    /// point within its tolerance. When the work fails, what was kept may be lost.
    ///
    /// # Errors
    /// As [`segment`](Self::segment).
    fn segment_again(
        &self,
        image: &Image,
        marks: &Marks,
        warm: &mut Warm,
        progress: &mut Progress<'_>,
    ) -> Result<Segmentation, Error> {
        let _ = warm;
        self.segment(image, marks, progress)
    }
}

/// What a method keeps of one image from one segmentation to the next.
#[derive(Default)]
pub struct Warm(Option<Kept>);

/// What is kept, by the method that knows its type.
struct Kept {
    state: Box<dyn Any + Send>,
    bytes: u64,
}

impl Warm {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.bytes)
    }

    /// Takes out what was kept, if it is of that type.
    pub(crate) fn take<T: Any>(&mut self) -> Option<T> {
        self.0.take()?.state.downcast().ok().map(|state| *state)
    }

    /// Keeps something that takes so many bytes.
    pub(crate) fn keep(&mut self, state: impl Any + Send, bytes: u64) {
        self.0 = Some(Kept { state: Box::new(state), bytes });
    }
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
    /// Number of the iteration and value of the energy that is minimised, where there are such.
    pub energy: Option<(usize, f64)>,
}

impl Step {
    /// A step of a stage of which a share is done, without an energy.
    pub fn share(stage: &'static str, fraction: f64) -> Self {
        Self { stage, fraction: Some(fraction), energy: None }
    }
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
