//! What was found, and how it is told.

use fewmark::{Geometry, LabelMap, Trace};
use serde_json::{Map, Value, json};

use crate::datastore::{Legend, colour_of};
use crate::runs;

/// Points of an energy curve.
const CURVE: usize = 200;

/// The answer.
pub(crate) struct Answer {
    /// In the geometry of the whole image.
    pub(crate) labels: LabelMap,
    /// What the labels are called, where the method found more than the one object that was marked.
    pub(crate) legend: Legend,
    pub(crate) trace: Trace,
    pub(crate) seconds: f64,
    /// Whether the work went on from what was kept of the image.
    pub(crate) warm: bool,
    /// Whether it was found on a coarser grid, and the true answer follows.
    pub(crate) coarse: bool,
}

impl Answer {
    /// As our own interface tells it.
    pub(crate) fn to_json(&self) -> Value {
        let voxels = self.labels.labels().iter().filter(|label| **label != 0).count();
        let last = self.trace.solvers.last();
        let curve = last.map_or(&[][..], |run| &run.report.trace);
        let every = curve.len().div_ceil(CURVE).max(1);
        let trace: Vec<Value> = curve
            .iter()
            .rev()
            .step_by(every)
            .map(|point| json!({ "iteration": point.iteration, "energy": point.energy }))
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let stopped = last.map_or("done", |run| match run.report.stop {
            fewmark::classical::Stop::Converged => "converged",
            fewmark::classical::Stop::IterationLimit => "iteration limit",
        });
        let mut body = json!({
            "runs": runs::encode(self.labels.labels()),
            "voxels": voxels,
            "volume_ml": volume_ml(voxels, self.labels.geometry()),
            "seconds": self.seconds,
            "trace": trace,
            "stopped": stopped,
            "warm": self.warm,
            "coarse": self.coarse,
        });
        if !self.legend.is_empty() {
            let name = |(value, (name, colour)): (&u16, &(String, Option<String>))| {
                let colour = colour.clone().unwrap_or_else(|| colour_of(*value));
                (value.to_string(), json!({ "name": name, "colour": colour }))
            };
            body["labels"] = self.legend.iter().map(name).collect::<Map<_, _>>().into();
        }
        body
    }
}

/// The volume of so many voxels, in ml; that of a picture by its pixels of 1 mm depth.
pub(crate) fn volume_ml(voxels: usize, geometry: &Geometry) -> f64 {
    voxels as f64 * geometry.grid().voxel_volume() / 1000.0
}
