//! One image that is clicked again and again.

use std::ops::ControlFlow;
use std::time::Instant;

use fewmark_grid::Grid;

use super::data_term::{DataTerm, Marker, data_term, derived, fitting_band, fitting_term};
use super::distances::Distances;
use super::params::{SelectiveParams, Solver};
use super::part::Part;
use super::selection::select;
use crate::convex::{ConvexProblem, Warm, admm, minimise};
use crate::edge::{EdgeDetector, gaussian};
use crate::elastica::{ElasticaProblem, elastica};
use crate::markers::marker_region;
use crate::{Error, Iteration, Report};

/// Elastica is computed in a box that reaches this many pixels beyond the solution with total variation.
const BOX_MARGIN: f64 = 16.0;
/// Elastica needs some weight.
const LEAST_MU: f64 = 1e-3;

/// Which regulariser a segmentation is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regulariser {
    /// Total variation.
    TotalVariation,
    /// Euler's elastica, started from the solution with total variation; 2-D.
    Elastica,
}

/// A run of one solver within a segmentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// "primal_dual", "admm" or "elastica".
    pub solver: &'static str,
    /// How it went.
    pub report: Report,
}

/// What a segmentation gives.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The object.
    pub mask: Vec<bool>,
    /// The relaxed solution, 0 to 1.
    pub u: Vec<f32>,
    /// Quantities derived from image and clicks, by name.
    pub derived: Vec<(&'static str, f64)>,
    /// Time of each stage in seconds, in order.
    pub stages: Vec<(&'static str, f64)>,
    /// The solvers' runs, in order.
    pub runs: Vec<Run>,
}

/// The terms of the energy `mu |Du| g + <r, u>` for one image and its clicks, a value a voxel each.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The region that the clicks mark.
    pub marker: Vec<bool>,
    /// `D`, the distance from the marker, normalised; 0 on it and at most [`SelectiveParams::distance_cap`].
    pub distance: Vec<f32>,
    /// `r`, the data term with all its weights: negative where the object is likely.
    pub data: Vec<f32>,
    /// `g`, the edge detector, where [`SelectiveParams::edge_weight`] asks for it.
    pub edge: Option<Vec<f32>>,
    /// `mu`, the weight of the regulariser in pixels.
    pub mu: f64,
    /// Quantities derived from image and clicks, by name.
    pub derived: Vec<(&'static str, f64)>,
    background: Option<Vec<bool>>,
}

/// An image, what is computed from it once, and the last solution.
pub struct Session {
    params: SelectiveParams,
    /// The grid with lengths in pixels along x.
    grid: Grid,
    f: Vec<f32>,
    edge: Option<Vec<f32>>,
    distances: Distances,
    warm: Warm,
}

impl Session {
    /// Prepares an image whose samples are finite and scaled to `[0, 1]`.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NotFinite`], or [`Error::Parameter`].
    pub fn new(f: &[f32], grid: &Grid, params: &SelectiveParams) -> Result<Self, Error> {
        params.check()?;
        Error::check_length("image", grid, f.len())?;
        let count = f.iter().filter(|f| !f.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "image", count });
        }
        let grid = in_pixels(grid);
        let detector = EdgeDetector { iota: params.iota, sigma: params.edge_sigma };
        let edge = params.edge_weight.then(|| detector.apply(f, &grid)).transpose()?;
        let f = gaussian(f, &grid, params.presmooth_sigma)?;
        Ok(Self { params: params.clone(), grid, f, edge, distances: Distances::default(), warm: Warm::default() })
    }

    /// The most memory that a session and a segmentation with total variation take at a time, in bytes, for so many voxels.
    pub fn memory(voxels: usize) -> u64 {
        // Measured as the growth of the peak with the volume, rounded up, and the means of a solver that takes long.
        136 * voxels as u64
    }

    /// About the memory that a session takes between two segmentations, in bytes, for so many voxels.
    pub fn kept(voxels: usize) -> u64 {
        // Image and edges 8, two distances 26, the last solution 16.
        50 * voxels as u64
    }

    /// Segments the object that holds the foreground clicks and none of the background clicks.
    ///
    /// `on_iteration` is called with the solver's name and state; breaking ends the work with [`Error::Stopped`].
    ///
    /// # Errors
    /// [`Error::NoClick`], [`Error::Outside`], [`Error::Dimension`] for elastica in 3-D, and [`Error::Stopped`].
    pub fn segment(
        &mut self,
        foreground: &[[usize; 3]],
        background: &[[usize; 3]],
        regulariser: Regulariser,
        on_iteration: &mut dyn FnMut(&'static str, &Iteration) -> ControlFlow<()>,
    ) -> Result<Outcome, Error> {
        if regulariser == Regulariser::Elastica && self.grid.size[2] > 1 {
            return Err(Error::Dimension { method: "elastica", size: self.grid.size });
        }
        let mut clock = Clock::new();
        let terms = self.terms_in(foreground, background, &mut clock)?;
        let (u, runs) = self.solve(&terms.data, terms.mu, regulariser, on_iteration)?;
        clock.lap("solve");
        let clicks: Vec<usize> = foreground.iter().map(|&click| self.grid.index(click)).collect();
        let mask = select(&u, &terms.marker, &clicks, terms.background.as_deref(), &self.grid, &self.params);
        clock.lap("selection");
        Ok(Outcome { mask, u, derived: terms.derived, stages: clock.laps, runs })
    }

    /// The terms of the energy for some clicks, which are constants of the image: what a network is trained with.
    ///
    /// # Errors
    /// As [`Session::segment`].
    pub fn terms(&mut self, foreground: &[[usize; 3]], background: &[[usize; 3]]) -> Result<Terms, Error> {
        self.terms_in(foreground, background, &mut Clock::new())
    }

    fn terms_in(
        &mut self,
        foreground: &[[usize; 3]],
        background: &[[usize; 3]],
        clock: &mut Clock,
    ) -> Result<Terms, Error> {
        let (marker, background) = mark(foreground, background, &self.grid, &self.params)?;
        clock.lap("markers");
        let band = fitting_band(&self.f, &marker, &self.params)?;
        let phi = fitting_term(&self.f, &band);
        clock.lap("fitting term");
        let (distance, background) =
            self.distances.solve(&self.f, &phi, &self.grid, &marker.mask, background, &self.params)?;
        clock.lap("distance");
        let DataTerm { r, distance } =
            data_term(phi, &self.grid, &marker, distance, background.as_ref(), &self.params)?;
        clock.lap("data term");
        let mu = marker.mu(&self.params);
        Ok(Terms {
            derived: derived(&band, &marker, mu, &r),
            marker: marker.mask,
            background: background.map(|b| b.mask),
            distance,
            edge: self.edge.clone(),
            data: r,
            mu,
        })
    }

    fn solve(
        &mut self,
        r: &[f32],
        mu: f64,
        regulariser: Regulariser,
        on_iteration: &mut dyn FnMut(&'static str, &Iteration) -> ControlFlow<()>,
    ) -> Result<(Vec<f32>, Vec<Run>), Error> {
        let problem = ConvexProblem { grid: &self.grid, data: r, weight: self.edge.as_deref(), mu };
        let (solver, (u, report)) = match self.params.solver {
            Solver::PrimalDual => {
                let params = self.params.primal_dual();
                ("primal_dual", minimise(&problem, &params, &mut self.warm, &mut |i| on_iteration("primal_dual", i))?)
            }
            Solver::Admm => ("admm", admm(&problem, &self.params.admm(), None, &mut |i| on_iteration("admm", i))?),
        };
        let mut runs = vec![Run { solver, report }];
        if regulariser == Regulariser::TotalVariation {
            return Ok((u, runs));
        }
        let (u, report) = self.bend(r, mu, &u, &mut |i| on_iteration("elastica", i))?;
        runs.push(Run { solver: "elastica", report });
        Ok((u, runs))
    }
}

impl Session {
    /// Minimises with elastica, starting from the solution with total variation, in a box around its object: elsewhere `u`
    /// is 0 and stays so.
    fn bend(
        &self,
        r: &[f32],
        mu: f64,
        u: &[f32],
        on_iteration: &mut dyn FnMut(&Iteration) -> ControlFlow<()>,
    ) -> Result<(Vec<f32>, Report), Error> {
        let part = Part::around(u, &self.grid, BOX_MARGIN).within(&self.grid);
        // Divided by mu, so that alpha and beta are relative to it and the penalties see data of about the same size.
        let data: Vec<f32> =
            part.cut(r, &self.grid).iter().map(|&r| (f64::from(r) / mu.max(LEAST_MU)) as f32).collect();
        let start = part.cut(u, &self.grid);
        let (alpha, beta) = (self.params.alpha, self.params.beta);
        let problem = ElasticaProblem { grid: &part.grid, data: &data, alpha, beta };
        let (bent, report) = elastica(&problem, &self.params.elastica(), Some(&start), on_iteration)?;
        Ok((part.paste(&bent, u.to_vec(), &self.grid), report))
    }
}

/// The clicked object in a relaxed solution that was found elsewhere, by a network for one: what `params` say is kept of `u > 1/2`.
///
/// # Errors
/// [`Error::Length`], [`Error::NoClick`], [`Error::Outside`].
pub fn clicked_object(
    u: &[f32],
    grid: &Grid,
    foreground: &[[usize; 3]],
    background: &[[usize; 3]],
    params: &SelectiveParams,
) -> Result<Vec<bool>, Error> {
    Error::check_length("relaxed solution", grid, u.len())?;
    let grid = in_pixels(grid);
    let (marker, background) = mark(foreground, background, &grid, params)?;
    let clicks: Vec<usize> = foreground.iter().map(|&click| grid.index(click)).collect();
    Ok(select(u, &marker.mask, &clicks, background.as_deref(), &grid, params))
}

/// The grid with lengths in pixels along x.
fn in_pixels(grid: &Grid) -> Grid {
    Grid { spacing: grid.spacing.map(|s| s / grid.spacing[0]), ..*grid }
}

/// The marker and the voxels of the background clicks, which do not overlap.
fn mark(
    foreground: &[[usize; 3]],
    background: &[[usize; 3]],
    grid: &Grid,
    params: &SelectiveParams,
) -> Result<(Marker, Option<Vec<bool>>), Error> {
    let mut mask = marker_region(grid, foreground, params.marker_shape)?;
    let mut outside = vec![false; mask.len()];
    for &click in background {
        let block = marker_region(grid, &[click], params.marker_shape)?;
        outside.iter_mut().zip(block).for_each(|(o, b)| *o |= b);
    }
    for &click in foreground {
        outside[grid.index(click)] = false;
    }
    mask.iter_mut().zip(&outside).for_each(|(m, o)| *m &= !o);
    let marker = Marker::new(mask, foreground.len(), grid);
    Ok((marker, (!background.is_empty()).then_some(outside)))
}

/// Times of the stages of a work.
struct Clock {
    last: Instant,
    laps: Vec<(&'static str, f64)>,
}

impl Clock {
    fn new() -> Self {
        Self { last: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, stage: &'static str) {
        self.laps.push((stage, self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }
}
