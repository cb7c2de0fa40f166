//! Superpixels: against scikit-image, and what holds for every image.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::HashMap;

use fewmark_classical::superpixels::{FelzenszwalbParams, SlicParams, felzenszwalb, slic};
use fewmark_classical::{Error, Grid};
use fewmark_grid::{Components, Connectivity};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Golden {
    size: [usize; 3],
    scale: f64,
    sigma: f64,
    min_size: usize,
    image: Vec<f32>,
    labels: Vec<u32>,
}

/// Pairs of voxels on which two partitions agree, over what chance would give (Hubert and Arabie 1985).
fn adjusted_rand_index(a: &[u32], b: &[u32]) -> f64 {
    let pairs =
        |counts: &HashMap<(u32, u32), u64>| counts.values().map(|&n| (n * n.saturating_sub(1) / 2) as f64).sum::<f64>();
    let count = |key: &dyn Fn(u32, u32) -> (u32, u32)| {
        let mut counts = HashMap::new();
        a.iter().zip(b).for_each(|(&a, &b)| *counts.entry(key(a, b)).or_insert(0) += 1);
        pairs(&counts)
    };
    let (both, of_a, of_b) = (count(&|a, b| (a, b)), count(&|a, _| (a, 0)), count(&|_, b| (0, b)));
    let all = a.len() as f64 * (a.len() as f64 - 1.0) / 2.0;
    let chance = of_a * of_b / all;
    // Two partitions into a single part agree.
    if chance == all { 1.0 } else { (both - chance) / ((of_a + of_b) / 2.0 - chance) }
}

#[test]
fn partitions_are_those_of_scikit_image() {
    let cases: Vec<Golden> = serde_json::from_str(include_str!("golden/superpixels.json")).unwrap();
    for (i, case) in cases.iter().enumerate() {
        let params = FelzenszwalbParams { scale: case.scale, sigma: case.sigma, min_size: case.min_size };
        let found = felzenszwalb(&case.image, &Grid::unit(case.size), &params).unwrap();
        let index = adjusted_rand_index(&found, &case.labels);
        // Where costs are equal, which flat areas make them, scikit-image's sort decides.
        let least = if case.sigma == 0.0 { 0.99 } else { 1.0 };
        assert!(index >= least, "case {i}: adjusted Rand index {index}");
        if least == 1.0 {
            assert!(found == case.labels, "case {i}: the numbers are in another order");
        }
    }
}

#[test]
fn a_step_is_where_two_regions_meet() {
    let grid = Grid::unit([20, 12, 1]);
    let image: Vec<f32> = (0..240).map(|i| if i % 20 < 9 { 10.0 } else { 200.0 }).collect();
    let params = FelzenszwalbParams { sigma: 0.0, min_size: 20, ..FelzenszwalbParams::default() };
    let found = felzenszwalb(&image, &grid, &params).unwrap();
    let expected: Vec<u32> = (0..240).map(|i| u32::from(i % 20 >= 9)).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_is_refused() {
    let grid = Grid::unit([4, 3, 1]);
    let run = |image: &[f32], params| felzenszwalb(image, &grid, &params).unwrap_err();
    let plain = FelzenszwalbParams::default;
    assert!(matches!(run(&[0.0; 11], plain()), Error::Length { .. }));
    let mut image = [0.0; 12];
    image[3] = f32::NAN;
    assert!(matches!(run(&image, plain()), Error::NotFinite { count: 1, .. }));
    for sigma in [-1.0, 1e10, f64::NAN] {
        assert!(matches!(run(&[0.0; 12], FelzenszwalbParams { sigma, ..plain() }), Error::Parameter { .. }));
    }
}

#[test]
fn clusters_of_a_constant_image_are_boxes_of_equal_sides_in_mm() {
    // 24 x 12 voxels of 1 x 2 mm: 24 x 24 mm.
    let grid = Grid { size: [24, 12, 1], spacing: [1.0, 2.0, 1.0] };
    let params = SlicParams { segments: 9, ..SlicParams::default() };
    let found = slic(&[5.0; 288], &grid, &params).unwrap();
    let expected: Vec<u32> = (0..288).map(|i| (i / 24 / 4 * 3 + i % 24 / 8) as u32).collect();
    assert_eq!(found, expected);
}

#[test]
fn clusters_end_at_a_step() {
    let grid = Grid::unit([30, 20, 6]);
    let bright = |i: usize| (i % 30) as f32 + (i / 30 % 20) as f32 * 0.7 < 17.0;
    let image: Vec<f32> = (0..3600).map(|i| if bright(i) { 100.0 } else { 10.0 }).collect();
    let params = SlicParams { segments: 30, compactness: 5.0, ..SlicParams::default() };
    let found = slic(&image, &grid, &params).unwrap();
    let count = found.iter().max().unwrap() + 1;
    assert!((15..=60).contains(&count), "{count} superpixels");
    for label in 0..count {
        let inside: Vec<bool> = (0..3600).filter(|&i| found[i] == label).map(bright).collect();
        assert!(inside.iter().all(|&b| b == inside[0]), "superpixel {label} crosses the step");
    }
}

/// Samples from 0 on that look random, of `bits` bits.
fn noise(grid: &Grid, seed: u64, bits: u32) -> Vec<f32> {
    let sample = |i: u64| ((i ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)) as f32;
    (0..grid.len() as u64).map(sample).collect()
}

/// The mask of each superpixel, once it is sure that they are numbered in the order of their first voxels.
fn masks_in_order(found: &[u32]) -> Vec<Vec<bool>> {
    let mut next = 0;
    for &label in found {
        assert!(label <= next, "superpixel {label} comes before {next}");
        next = next.max(label + 1);
    }
    (0..next).map(|label| found.iter().map(|&l| l == label).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn superpixels_are_connected_large_enough_and_numbered_in_order(
        size in (1usize..14, 1usize..12, 1usize..5).prop_map(|(x, y, z)| [x, y, z]),
        min_size in 1usize..40,
        scale in 0.0f64..1e5,
        seed: u64,
    ) {
        let grid = Grid::unit(size);
        let image = noise(&grid, seed, 14);
        let params = FelzenszwalbParams { scale, min_size, ..FelzenszwalbParams::default() };
        let found = felzenszwalb(&image, &grid, &params).unwrap();
        for mask in masks_in_order(&found) {
            prop_assert!(mask.iter().filter(|&&m| m).count() >= min_size.min(grid.len()));
            prop_assert_eq!(Components::of(&mask, &grid, Connectivity::Corner).count(), 1);
        }
    }

    #[test]
    fn clusters_are_connected_and_numbered_in_order(
        size in (1usize..14, 1usize..12, 1usize..5).prop_map(|(x, y, z)| [x, y, z]),
        segments in 1usize..30,
        compactness in 0.1f64..100.0,
        seed: u64,
    ) {
        let grid = Grid { size, spacing: [1.0, 0.7, 2.5] };
        let image = noise(&grid, seed, 8);
        let params = SlicParams { segments, compactness, iterations: 3, ..SlicParams::default() };
        let found = slic(&image, &grid, &params).unwrap();
        for mask in masks_in_order(&found) {
            prop_assert_eq!(Components::of(&mask, &grid, Connectivity::Face).count(), 1);
        }
    }
}
