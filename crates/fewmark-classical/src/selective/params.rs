//! Every knob of the selective model, its default and where it comes from.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::convex::{AdmmParams, PrimalDualParams};
use crate::elastica::ElasticaParams;
use crate::geodesic::CostParams;
use crate::markers::MarkerShape;

/// Parameters of the selective model.
///
/// The defaults were chosen on phantoms, organs in MR and two slices each of lung CT and of liver CT, and revised after
/// scores of the other slices had been seen; where they leave
/// the letter of Burrows, Chen and Torella, [`SelectiveParams::paper`] keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelectiveParams {
    /// Weight of the regulariser, in the unit that `mu_unit` names. Paper: 1 pixel.
    pub mu: f64,
    /// Unit of `mu`.
    pub mu_unit: LengthUnit,
    /// `lambda`: weight of the fitting term `Phi`.
    pub lambda: f64,
    /// `theta`: weight of the normalised distance from the marker.
    pub theta: f64,
    /// Weight of a penalty on what lies far from the marker in comparison with its radius, when there are three clicks or
    /// more. 1 suits objects of about the shape of the clicks, such as lesions and kidneys; 0 objects of any shape, such as
    /// lungs. Not in the paper.
    pub compactness: f64,
    /// Which samples fit the object.
    pub fitting_band: FittingBandKind,
    /// `gamma1`: half-width of that band below its centre, for images scaled to `[0, 1]`; 0 measures it.
    pub gamma1: f64,
    /// `gamma2`: half-width above the centre, likewise.
    pub gamma2: f64,
    /// Floor of the band of `otsu`, in standard deviations of the marker; 0 as in the published code.
    pub gamma_floor_sd: f64,
    /// Standard deviation in pixels of the Gaussian that smooths the image before anything is computed from it; 0 for
    /// none, as in the paper.
    pub presmooth_sigma: f64,
    /// Which distance from the marker is penalised.
    pub distance: DistanceKind,
    /// `beta_G`: weight of the squared gradient in the cost `eps_D + beta_G |grad f|^2` that the geodesic distance integrates
    /// (published code).
    pub beta_g: f64,
    /// Who pays for crossing an edge.
    pub edge_side: EdgeSide,
    /// `eps_D`: the cost of a flat step (published code).
    pub eps_d: f64,
    /// `theta_G`: weight of the Euclidean distance in the cost; 0 in the published code, 0.1 in the theory.
    pub theta_g: f64,
    /// What distances are divided by.
    pub distance_normalisation: NormalisationKind,
    /// The quantile that `distance_normalisation = "quantile"` divides by.
    pub distance_quantile: f64,
    /// Largest normalised distance with that normalisation. Above 1, so that a far region of the object's grey value is
    /// not indifferent.
    pub distance_cap: f64,
    /// The distance of a voxel that fits is the least one within so many pixels of it along each axis: smoothing and the width of
    /// an edge leave a rest of the price on its inner side. 0 in the paper.
    pub distance_slack: f64,
    /// How clicks become a region.
    pub marker_shape: MarkerShape,
    /// Whether the marker region is rewarded as the best fitting grey value is, whatever its samples are. Not in the paper.
    pub marker_reward: bool,
    /// Whether the total variation is weighted by the edge detector `g` (eq. 1 of the paper) or not (its TV-model, eq. 4).
    pub edge_weight: bool,
    /// `iota` of the edge detector `1 / (1 + iota |grad f|^2)`: 1 in the paper, 10 in the published code.
    pub iota: f64,
    /// Standard deviation in pixels of the Gaussian before the gradient of the edge detector.
    pub edge_sigma: f64,
    /// Weight of the penalty where a background click is nearer, by geodesic distance, than the marker. Not in the paper.
    pub background: f64,
    /// Which parts of the result are kept. Not in the paper.
    pub keep: Keep,
    /// Parts that hang on the clicked one by a neck thinner than this share of its largest inscribed radius are cut off;
    /// 0 keeps them. Not in the paper.
    pub neck: f64,
    /// Bays and clefts of the outline are closed by a disc or ball of this share of the object's largest inscribed radius: what
    /// a clicked object half encloses, such as a vessel at the hilum of a lung, counts to it. 0 closes nothing. Not in the paper.
    pub close: f64,
    /// Holes up to this share of the object's size are filled; 0 fills none. Not in the paper.
    pub fill_holes: f64,
    /// Which solver minimises the convex energy.
    pub solver: Solver,
    /// Largest duality gap of the primal-dual solver, relative to the energy.
    pub tolerance: f64,
    /// Iterations of the convex solver at the most.
    pub max_iterations: usize,
    /// `alpha` of Euler's elastica: weight of the length, relative to `mu`.
    pub alpha: f64,
    /// `beta` of Euler's elastica: weight of the squared curvature, relative to `mu`, in pixels squared.
    pub beta: f64,
    /// Iterations of the elastica solver at the most.
    pub elastica_iterations: usize,
}

/// Unit of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// The radius of the disc or ball that is as large as the marker, so that the same value serves small and large objects.
    Radius,
    /// The pixel along x.
    Pixel,
}

/// Which samples fit the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittingBandKind {
    /// Half-widths by the contrast to what surrounds the marker, on each side.
    Contrast,
    /// Half-width by the spread of the samples in the marker.
    Robust,
    /// Half-widths to the next thresholds of the whole image (Roberts and Spencer 2019).
    Otsu,
}

/// Which distance from the marker is penalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistanceKind {
    /// Geodesic: crossing edges is far.
    Geodesic,
    /// Euclidean.
    Euclidean,
}

/// Who pays for crossing an edge in the geodesic distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeSide {
    /// What does not fit the object, beyond the edge; see [`CostParams::outer_cost`]. Not in the paper. Chosen among some twenty forms on
    /// the organs of 20 MR scans, on phantoms of two lungs with walls of 3 to 6 pixels, and on four tuning images.
    Outer,
    /// Both sides alike, as in the paper; see [`CostParams::cost`].
    Both,
}

/// What distances are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalisationKind {
    /// A quantile, with larger distances cut off.
    Quantile,
    /// The maximum, as in the paper.
    Max,
}

/// Which parts of the result are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Connected components that hold a foreground click.
    Clicked,
    /// Everything.
    All,
}

/// Which solver minimises the convex energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// Primal-dual, coarse to fine, ended by its duality gap.
    PrimalDual,
    /// The alternating direction method of multipliers, as in the paper.
    Admm,
}

impl Default for SelectiveParams {
    fn default() -> Self {
        Self {
            mu: 0.06,
            mu_unit: LengthUnit::Radius,
            lambda: 1.0,
            theta: 1.25,
            compactness: 0.5,
            fitting_band: FittingBandKind::Contrast,
            gamma1: 0.0,
            gamma2: 0.0,
            gamma_floor_sd: 3.0,
            presmooth_sigma: 1.0,
            distance: DistanceKind::Geodesic,
            beta_g: 1000.0,
            edge_side: EdgeSide::Outer,
            eps_d: 1e-3,
            theta_g: 0.0,
            distance_normalisation: NormalisationKind::Quantile,
            distance_quantile: 0.75,
            distance_cap: 2.0,
            distance_slack: 1.0,
            marker_shape: MarkerShape::ConvexHull,
            marker_reward: true,
            edge_weight: false,
            iota: 10.0,
            edge_sigma: 1.0,
            background: 10.0,
            keep: Keep::Clicked,
            neck: 0.15,
            close: 0.2,
            fill_holes: 0.25,
            solver: Solver::PrimalDual,
            tolerance: 5e-4,
            max_iterations: 5000,
            alpha: 1.0,
            beta: 1.0,
            elastica_iterations: 600,
        }
    }
}

impl SelectiveParams {
    /// The paper's letter: Otsu thresholds, the distance over its maximum, weights of one pixel, ADMM, and the thresholded
    /// minimiser as it is.
    pub fn paper() -> Self {
        Self {
            mu: 1.0,
            mu_unit: LengthUnit::Pixel,
            lambda: 1.0,
            theta: 3.0,
            compactness: 0.0,
            fitting_band: FittingBandKind::Otsu,
            gamma_floor_sd: 0.0,
            presmooth_sigma: 0.0,
            edge_side: EdgeSide::Both,
            distance_normalisation: NormalisationKind::Max,
            distance_slack: 0.0,
            marker_reward: false,
            keep: Keep::All,
            neck: 0.0,
            close: 0.0,
            fill_holes: 0.0,
            solver: Solver::Admm,
            max_iterations: 1000,
            ..Self::default()
        }
    }

    /// Whether every number is one that its parameter can have.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        let at_least_0 = [
            ("mu", self.mu),
            ("lambda", self.lambda),
            ("theta", self.theta),
            ("compactness", self.compactness),
            ("gamma1", self.gamma1),
            ("gamma2", self.gamma2),
            ("gamma_floor_sd", self.gamma_floor_sd),
            ("presmooth_sigma", self.presmooth_sigma),
            ("beta_g", self.beta_g),
            ("theta_g", self.theta_g),
            ("iota", self.iota),
            ("edge_sigma", self.edge_sigma),
            ("background", self.background),
            ("distance_slack", self.distance_slack),
            ("neck", self.neck),
            ("close", self.close),
            ("fill_holes", self.fill_holes),
            ("tolerance", self.tolerance),
            ("beta", self.beta),
        ];
        let counts = [("max_iterations", self.max_iterations), ("elastica_iterations", self.elastica_iterations)];
        let positive = [("eps_d", self.eps_d), ("distance_cap", self.distance_cap), ("alpha", self.alpha)];
        let failed = |(name, found): (&'static str, f64), expected| Err(Error::Parameter { name, expected, found });
        if let Some(&bad) = at_least_0.iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            return failed(bad, "a number of at least 0");
        }
        if let Some(&bad) = positive.iter().find(|(_, x)| !(x.is_finite() && *x > 0.0)) {
            return failed(bad, "a positive number");
        }
        if let Some(&(name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return failed((name, 0.0), "a whole number of at least 1");
        }
        if !(self.distance_quantile > 0.0 && self.distance_quantile <= 1.0) {
            return failed(("distance_quantile", self.distance_quantile), "a number above 0 and at most 1");
        }
        Ok(())
    }

    pub(super) fn cost_params(&self) -> CostParams {
        CostParams { flat: self.eps_d, edge: self.beta_g, step: crate::edge::GradientStep::Spacing }
    }

    pub(super) fn primal_dual(&self) -> PrimalDualParams {
        PrimalDualParams {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
            ..PrimalDualParams::default()
        }
    }

    pub(super) fn admm(&self) -> AdmmParams {
        AdmmParams { max_iterations: self.max_iterations, ..AdmmParams::default() }
    }

    pub(super) fn elastica(&self) -> ElasticaParams {
        ElasticaParams { max_iterations: self.elastica_iterations, ..ElasticaParams::default() }
    }
}
