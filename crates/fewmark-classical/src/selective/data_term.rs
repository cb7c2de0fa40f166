//! The data term `r`: negative where the object is likely.

use fewmark_grid::{Grid, distance_to};
use rayon::prelude::*;

use super::distances::Background;
use super::params::{DistanceKind, FittingBandKind, LengthUnit, NormalisationKind, SelectiveParams};
use crate::Error;
use crate::fitting::FittingBand;
use crate::geodesic::Normalisation;

/// What surrounds the marker: everything within this many radii of it, and at least [`LEAST_WINDOW`].
const WINDOW: f64 = 1.5;
const LEAST_WINDOW: f64 = 10.0;
/// The compactness penalty begins half a radius outside the marker and grows no further three radii later.
const COMPACT_FREE: f32 = 0.5;
const COMPACT_MOST: f32 = 3.0;
/// One or two clicks tell nothing of the object's size; their marker counts as one of this radius in pixels.
const LEAST_RADIUS: f64 = 5.0;
/// Markers with fewer voxels are grown by [`GROWTH`] pixels before samples are taken from them.
const FEW_SAMPLES: usize = 25;
const GROWTH: f32 = 2.0;

/// The region that the clicks mark, and what is measured from it. Lengths are in pixels along x.
pub(super) struct Marker {
    pub(super) mask: Vec<bool>,
    /// Euclidean distance to the mask.
    pub(super) euclidean: Vec<f32>,
    /// Radius of the disc or ball that is as large as the mask, but at least [`LEAST_RADIUS`].
    pub(super) radius: f64,
    /// Whether the clicks span an area, and so tell the object's size.
    spans: bool,
}

impl Marker {
    pub(super) fn new(mask: Vec<bool>, clicks: usize, grid: &Grid) -> Self {
        let size = mask.iter().filter(|m| **m).count() as f64 * grid.voxel_volume();
        let solid = grid.axes().count() == 3;
        let radius =
            if solid { (0.75 * size / std::f64::consts::PI).cbrt() } else { (size / std::f64::consts::PI).sqrt() };
        Self {
            euclidean: distance_to(&mask, grid),
            mask,
            radius: radius.max(LEAST_RADIUS),
            spans: clicks > 2 && radius > LEAST_RADIUS,
        }
    }

    /// The weight of the regulariser in pixels.
    pub(super) fn mu(&self, params: &SelectiveParams) -> f64 {
        match params.mu_unit {
            LengthUnit::Pixel => params.mu,
            LengthUnit::Radius => params.mu * self.radius,
        }
    }

    /// The voxels whose samples stand for the object.
    fn sampled(&self) -> Vec<bool> {
        if self.mask.iter().filter(|m| **m).count() >= FEW_SAMPLES {
            return self.mask.clone();
        }
        self.euclidean.iter().map(|&d| d <= GROWTH).collect()
    }

    fn window(&self) -> Vec<bool> {
        let reach = (WINDOW * self.radius).max(LEAST_WINDOW) as f32;
        self.euclidean.iter().map(|&d| d <= reach).collect()
    }
}

/// The samples that fit the object.
pub(super) fn fitting_band(f: &[f32], marker: &Marker, params: &SelectiveParams) -> Result<FittingBand, Error> {
    let sampled = marker.sampled();
    let measured = match params.fitting_band {
        FittingBandKind::Contrast => FittingBand::contrast(f, &sampled, &marker.window()),
        FittingBandKind::Robust => FittingBand::robust(f, &sampled),
        FittingBandKind::Otsu => FittingBand::otsu(f, &sampled, params.gamma_floor_sd),
    }?;
    let given = |width: f64, measured: f64| if width > 0.0 { width } else { measured };
    FittingBand::new(measured.center, given(params.gamma1, measured.lower), given(params.gamma2, measured.upper))
}

/// `Phi` with the published weight of its triangle (Roberts and Spencer 2019).
pub(super) fn fitting_term(f: &[f32], band: &FittingBand) -> Vec<f32> {
    const LAMBDA3: f64 = 1.0;
    band.phi(f, LAMBDA3)
}

/// `r`, and the normalised distance in it.
pub(super) struct DataTerm {
    pub(super) r: Vec<f32>,
    pub(super) distance: Vec<f32>,
}

/// The data term of a fitting term `phi` and a distance from the marker, `foreground`:
///
/// ```text
/// r = lambda Phi + theta D + compactness clip(d_E / R - 1/2, 0, 3) + background B
/// ```
///
/// with `D` the normalised distance from the marker, `d_E` the Euclidean one, `R` the marker's radius, and
/// `B = max(0, D_f - D_b) / L` how much nearer the background clicks are than the marker, in units of the least distance `L`
/// between the two. Within the marker `r`
/// is at most `-lambda`, the value of the best fitting sample, if `marker_reward` is set; on the background clicks it is
/// at least `lambda`.
pub(super) fn data_term(
    phi: Vec<f32>,
    grid: &Grid,
    marker: &Marker,
    foreground: Vec<f32>,
    background: Option<&Background>,
    params: &SelectiveParams,
) -> Result<DataTerm, Error> {
    let apart = background.map_or(1.0, |b| least_within(&foreground, &b.mask)).max(f32::MIN_POSITIVE);
    let push = params.background as f32 / apart;
    let nearer = |i: usize| background.map_or(0.0, |b| (push * (foreground[i] - b.distance[i])).max(0.0));
    let mut r = phi;
    let lambda = params.lambda as f32;
    r.par_iter_mut().enumerate().for_each(|(i, r)| *r = lambda * *r + nearer(i));

    let mut distance = match params.distance {
        DistanceKind::Geodesic => foreground,
        DistanceKind::Euclidean => marker.euclidean.clone(),
    };
    normalisation(params, grid).apply(&mut distance)?;
    let slackened = slackened(&distance, grid, params.distance_slack);
    let (theta, compactness) = (params.theta as f32, marker.compactness(params));
    let per_radius = 1.0 / marker.radius as f32;
    r.par_iter_mut().enumerate().for_each(|(i, r)| {
        let far = (marker.euclidean[i] * per_radius - COMPACT_FREE).clamp(0.0, COMPACT_MOST);
        let distance = if *r < 0.0 { slackened[i] } else { distance[i] };
        *r += theta * distance + compactness * far;
        if background.is_some_and(|b| b.mask[i]) {
            *r = r.max(lambda);
        } else if params.marker_reward && marker.mask[i] {
            *r = r.min(-lambda);
        }
    });
    Ok(DataTerm { r, distance })
}

/// The least value of a field within a mask.
fn least_within(field: &[f32], mask: &[bool]) -> f32 {
    field.iter().zip(mask).filter(|(_, m)| **m).map(|(&value, _)| value).fold(f32::INFINITY, f32::min)
}

impl Marker {
    fn compactness(&self, params: &SelectiveParams) -> f32 {
        if self.spans { params.compactness as f32 } else { 0.0 }
    }
}

/// The least distance within `slack` of each voxel along each axis.
fn slackened(distance: &[f32], grid: &Grid, slack: f64) -> Vec<f32> {
    let mut least = distance.to_vec();
    for axis in grid.axes() {
        for _ in 0..(slack / grid.spacing[axis]) as usize {
            least = lowest_of_neighbours(&least, grid, axis);
        }
    }
    least
}

/// The least of each voxel and its two neighbours along an axis.
fn lowest_of_neighbours(field: &[f32], grid: &Grid, axis: usize) -> Vec<f32> {
    let (n, stride) = (grid.size[axis], grid.strides()[axis]);
    let lowest = |i: usize| {
        let at = grid.voxel(i)[axis];
        let before = if at > 0 { field[i - stride] } else { f32::INFINITY };
        let after = if at + 1 < n { field[i + stride] } else { f32::INFINITY };
        field[i].min(before).min(after)
    };
    (0..field.len()).into_par_iter().map(lowest).collect()
}

/// What distances are divided by: never by less than the cost of crossing the image where it is flat, because in an image without
/// edges nothing is far.
fn normalisation(params: &SelectiveParams, grid: &Grid) -> Normalisation {
    let diagonal = grid.axes().map(|a| (grid.size[a] as f64 * grid.spacing[a]).powi(2)).sum::<f64>().sqrt();
    let floor = match params.distance {
        DistanceKind::Geodesic => params.eps_d * diagonal,
        DistanceKind::Euclidean => 0.0,
    };
    match params.distance_normalisation {
        NormalisationKind::Quantile => {
            Normalisation::Quantile { q: params.distance_quantile, cap: params.distance_cap, floor }
        }
        NormalisationKind::Max => Normalisation::Maximum,
    }
}

/// Quantities worth showing: what the clicks say about the object.
pub(super) fn derived(band: &FittingBand, marker: &Marker, mu: f64, r: &[f32]) -> Vec<(&'static str, f64)> {
    let negative = r.iter().filter(|r| **r < 0.0).count();
    vec![
        ("c1", band.center),
        ("gamma1", band.lower),
        ("gamma2", band.upper),
        ("marker_voxels", marker.mask.iter().filter(|m| **m).count() as f64),
        ("marker_radius", marker.radius),
        ("mu_pixels", mu),
        ("pointwise_voxels", negative as f64),
    ]
}
