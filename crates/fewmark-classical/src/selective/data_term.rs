//! The data term `r`: negative where the object is likely.

use fewmark_grid::{Grid, distance_to};
use rayon::prelude::*;

use super::params::{DistanceKind, FittingBandKind, LengthUnit, NormalisationKind, SelectiveParams};
use crate::Error;
use crate::fitting::FittingBand;
use crate::geodesic::Normalisation;

/// Weight of the triangle in `Phi` (Roberts and Spencer 2019).
const LAMBDA3: f64 = 1.0;
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
    match params.fitting_band {
        FittingBandKind::Contrast => FittingBand::contrast(f, &sampled, &marker.window()),
        FittingBandKind::Robust => FittingBand::robust(f, &sampled),
        FittingBandKind::Otsu => FittingBand::otsu(f, &sampled, params.gamma_floor_sd),
    }
}

/// The data term
///
/// ```text
/// r = lambda Phi + theta D + compactness clip(d_E / R - 1/2, 0, 3) + background B
/// ```
///
/// with `D` the normalised distance from the marker, `d_E` the Euclidean one, `R` the marker's radius, and
/// `B = max(0, D_f - D_b) / (D_f + D_b)` how much nearer the background clicks are than the marker. Within the marker `r`
/// is at most `-lambda`, the value of the best fitting sample, if `marker_reward` is set; on the background clicks it is
/// at least `lambda`.
pub(super) fn data_term(
    f: &[f32],
    band: &FittingBand,
    marker: &Marker,
    foreground: Vec<f32>,
    background: Option<&Background>,
    params: &SelectiveParams,
) -> Result<Vec<f32>, Error> {
    let push = params.background as f32;
    let nearer = |i: usize| {
        let (d_f, d_b) = background.map_or((0.0, 0.0), |b| (foreground[i], b.distance[i]));
        if d_f > d_b { push * (d_f - d_b) / (d_f + d_b) } else { 0.0 }
    };
    let mut r = band.phi(f, LAMBDA3);
    let lambda = params.lambda as f32;
    r.par_iter_mut().enumerate().for_each(|(i, r)| *r = lambda * *r + nearer(i));

    let mut distance = match params.distance {
        DistanceKind::Geodesic => foreground,
        DistanceKind::Euclidean => marker.euclidean.clone(),
    };
    normalisation(params).apply(&mut distance)?;
    let (theta, compactness) = (params.theta as f32, marker.compactness(params));
    let per_radius = 1.0 / marker.radius as f32;
    r.par_iter_mut().enumerate().for_each(|(i, r)| {
        let far = (marker.euclidean[i] * per_radius - COMPACT_FREE).clamp(0.0, COMPACT_MOST);
        *r += theta * distance[i] + compactness * far;
        if background.is_some_and(|b| b.mask[i]) {
            *r = r.max(lambda);
        } else if params.marker_reward && marker.mask[i] {
            *r = r.min(-lambda);
        }
    });
    Ok(r)
}

/// The background clicks: their voxels, and the geodesic distance from them.
pub(super) struct Background {
    pub(super) mask: Vec<bool>,
    pub(super) distance: Vec<f32>,
}

impl Marker {
    fn compactness(&self, params: &SelectiveParams) -> f32 {
        if self.spans { params.compactness as f32 } else { 0.0 }
    }
}

fn normalisation(params: &SelectiveParams) -> Normalisation {
    match params.distance_normalisation {
        NormalisationKind::Quantile => {
            Normalisation::Quantile { q: params.distance_quantile, cap: params.distance_cap }
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
