//! The fitting term, Otsu's thresholds, gradients and smoothing.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use fewmark_classical::edge::{EdgeDetector, GradientStep, gaussian, gradient_magnitude_squared};
use fewmark_classical::fitting::FittingBand;
use fewmark_classical::otsu::multi_otsu;
use fewmark_classical::{Error, Grid};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Golden {
    otsu: Vec<Otsu>,
    fields: Fields,
}

#[derive(serde::Deserialize)]
struct Otsu {
    samples: Vec<f32>,
    thresholds: [f32; 2],
}

#[derive(serde::Deserialize)]
struct Fields {
    size: [usize; 3],
    spacing: [f64; 3],
    image: Vec<f32>,
    gradient: Vec<f32>,
    gradient_spacing: Vec<f32>,
    smooth: Vec<Smooth>,
}

#[derive(serde::Deserialize)]
struct Smooth {
    sigma: f64,
    values: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/fitting.json")).unwrap()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "sample {i}: {a}, expected {b}");
    }
}

#[test]
fn otsu_thresholds_are_those_of_scikit_image() {
    let cases = golden().otsu;
    assert_eq!(cases.len(), 13);
    for (number, case) in cases.iter().enumerate() {
        assert_eq!(multi_otsu(&case.samples).unwrap(), case.thresholds, "case {number}");
    }
}

#[test]
fn otsu_needs_three_grey_values() {
    for samples in [&[][..], &[0.5; 9], &[0.0, 1.0, 1.0]] {
        assert!(matches!(multi_otsu(samples), Err(Error::Parameter { .. })));
    }
    assert!(matches!(multi_otsu(&[0.0, f32::NAN, 1.0]), Err(Error::NotFinite { .. })));
}

#[test]
fn gradients_are_those_of_numpy() {
    let fields = golden().fields;
    let grid = Grid { size: fields.size, spacing: fields.spacing };
    let found = |step| gradient_magnitude_squared(&fields.image, &grid, step).unwrap();
    assert_close(&found(GradientStep::Voxel), &fields.gradient, 1e-6);
    assert_close(&found(GradientStep::Spacing), &fields.gradient_spacing, 4e-6);
}

#[test]
fn smoothing_is_that_of_scipy() {
    let fields = golden().fields;
    let grid = Grid::unit(fields.size);
    for smooth in fields.smooth {
        assert_close(&gaussian(&fields.image, &grid, smooth.sigma).unwrap(), &smooth.values, 1e-6);
    }
    assert_eq!(gaussian(&fields.image, &grid, 0.0).unwrap(), fields.image);
    assert!(gaussian(&fields.image, &grid, -1.0).is_err());
}

#[test]
fn the_edge_detector_is_one_where_flat_and_small_on_an_edge() {
    let grid = Grid::unit([8, 3, 1]);
    let step: Vec<f32> = (0..24).map(|i| if i % 8 < 4 { 0.0 } else { 1.0 }).collect();
    let g = EdgeDetector { iota: 1.0, sigma: 0.0 }.apply(&step, &grid).unwrap();
    assert_eq!(g[..8], [1.0, 1.0, 1.0, 0.8, 0.8, 1.0, 1.0, 1.0]);
    let g = EdgeDetector::default().apply(&step, &grid).unwrap();
    assert!(g[3] < 0.5 && g[0] > 0.95, "{g:?}");
    assert!(EdgeDetector { iota: -1.0, sigma: 0.0 }.apply(&step, &grid).is_err());
}

#[test]
fn the_published_band_reaches_to_the_neighbouring_thresholds() {
    // Three grey values: the thresholds are the centres of the bins of the lower two.
    let f = [0.0, 0.0, 0.5, 0.5, 0.5, 1.0];
    let marker = [false, false, true, true, true, false];
    let [low, high] = multi_otsu(&f).unwrap().map(f64::from);
    let band = FittingBand::otsu(&f, &marker, 0.0).unwrap();
    assert!(low < 0.5 && high > 0.5);
    assert_eq!((band.center, band.lower, band.upper), (0.5, 0.5 - low, 1e-3_f64.max(high - 0.5)));
    // With the floor the upper end, next to the threshold, moves out.
    assert_eq!(FittingBand::otsu(&f, &marker, 3.0).unwrap().upper, 0.02);
    // An image of two values has no thresholds.
    let band = FittingBand::otsu(&[0.0, 1.0, 1.0], &[false, true, true], 0.0).unwrap();
    assert_eq!((band.center, band.lower, band.upper), (1.0, 1.0, 1e-3));
}

#[test]
fn the_robust_band_does_not_see_an_outlier() {
    let f = [0.2, 0.21, 0.22, 0.24, 0.25, 0.95, 0.0];
    let marker = [true, true, true, true, true, true, false];
    let band = FittingBand::robust(&f, &marker).unwrap();
    assert!((band.center - 0.23).abs() < 1e-6 && (band.lower - 3.0 * 1.4826 * 0.02).abs() < 1e-6, "{band:?}");
    assert_eq!(band.lower, band.upper);
    assert_eq!(FittingBand::robust(&[0.5; 4], &[true; 4]).unwrap().lower, 0.05);
}

#[test]
fn a_band_needs_a_marker_and_positive_widths() {
    assert_eq!(FittingBand::robust(&[0.5; 4], &[false; 4]), Err(Error::NoClick));
    assert!(matches!(FittingBand::robust(&[0.5; 4], &[true; 3]), Err(Error::Length { .. })));
    assert!(matches!(FittingBand::robust(&[f32::NAN; 4], &[true; 4]), Err(Error::Parameter { .. })));
    assert!(matches!(FittingBand::otsu(&[0.5, f32::NAN], &[true; 2], 3.0), Err(Error::NotFinite { .. })));
    assert!(matches!(FittingBand::new(0.5, 0.0, 0.1), Err(Error::Parameter { .. })));
    assert!(matches!(FittingBand::otsu(&[0.5; 4], &[true; 4], f64::NAN), Err(Error::Parameter { .. })));
}

proptest! {
    #[test]
    fn phi_is_deepest_at_the_centre_and_continuous_at_the_ends(
        center in 0.1..0.9_f64, lower in 0.02..0.5_f64, upper in 0.02..0.5_f64, lambda3 in 0.1..3.0_f64,
    ) {
        let band = FittingBand::new(center, lower, upper).unwrap();
        let tiny = 1e-5;
        let at = [center, center - lower - tiny, center - lower + tiny, center + upper - tiny, center + upper + tiny];
        let phi = band.phi(&at.map(|f| f as f32), lambda3);
        prop_assert_eq!(phi[0], -lambda3 as f32);
        for (k, end) in [(1, lower), (2, lower), (3, upper), (4, upper)] {
            // Across the end the value is the squared distance, up to the slope of the triangle.
            let error = (f64::from(phi[k]) - end * end).abs();
            prop_assert!(error < tiny * (lambda3 / end + 2.0) + 1e-4, "{k}: {}", phi[k]);
        }
        prop_assert!(phi[1] >= 0.0 && phi[4] >= 0.0);
    }
}
