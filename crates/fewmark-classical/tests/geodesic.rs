//! Geodesic distance: against scikit-fmm, closed forms, and what holds for every cost.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use fewmark_classical::edge::{GradientStep, steepest_gradient_squared};
use fewmark_classical::geodesic::{
    CostParams, Eikonal, Normalisation, add_euclidean_term, euclidean_distance, geodesic_distance,
};
use fewmark_classical::{Error, Grid};
use proptest::prelude::*;

fn solve(cost: &[f32], grid: &Grid, sources: &[bool]) -> Vec<f64> {
    let mut eikonal = Eikonal::new(cost, grid).unwrap();
    eikonal.solve(sources).unwrap();
    eikonal.distance().collect()
}

fn sources_at(grid: &Grid, voxels: &[[usize; 3]]) -> Vec<bool> {
    let mut sources = vec![false; grid.len()];
    voxels.iter().for_each(|&voxel| sources[grid.index(voxel)] = true);
    sources
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "voxel {i}: {a}, expected {b}");
    }
}

#[derive(serde::Deserialize)]
struct Golden {
    size: [usize; 3],
    spacing: [f64; 3],
    sources: Vec<[usize; 3]>,
    cost: Vec<f32>,
    distance: Vec<f64>,
}

#[test]
fn agrees_with_scikit_fmm() {
    let cases: Vec<Golden> = serde_json::from_str(include_str!("golden/geodesic.json")).unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let grid = Grid { size: case.size, spacing: case.spacing };
        let found = solve(&case.cost, &grid, &sources_at(&grid, &case.sources));
        for (i, (a, b)) in found.iter().zip(&case.distance).enumerate() {
            assert!((a - b).abs() <= 1e-11 * b, "{:?}, voxel {i}: {a}, expected {b}", grid.size);
        }
    }
}

#[test]
fn a_constant_cost_is_exact_along_the_axes_and_3_6_percent_off_on_the_diagonal_at_20_pixels() {
    let grid = Grid::unit([41, 41, 1]);
    let distance = solve(&vec![0.5; grid.len()], &grid, &sources_at(&grid, &[[20, 20, 0]]));
    assert_eq!(distance[grid.index([40, 20, 0])], 10.0);
    assert_eq!(distance[grid.index([20, 3, 0])], 8.5);
    let diagonal = distance[grid.index([40, 40, 0])];
    let error = diagonal / (0.5 * 800_f64.sqrt()) - 1.0;
    assert!((error - 0.036).abs() < 0.001, "{error}");
}

#[test]
fn a_line_is_a_cumulative_sum_along_whichever_axis_it_lies() {
    let cost = [3.0, 1.0, 0.25, 8.0, 0.5];
    for axis in 0..3 {
        let mut grid = Grid { size: [1; 3], spacing: [7.0; 3] };
        grid.size[axis] = 5;
        grid.spacing[axis] = 2.0;
        let distance = solve(&cost, &grid, &[false, true, false, false, false]);
        assert_close(&distance, &[6.0, 0.0, 0.5, 16.5, 17.5], 1e-15);
    }
}

#[test]
fn a_column_of_sources_through_a_repeated_slice_repeats_the_distance_of_the_slice() {
    let slice = Grid { size: [9, 8, 1], spacing: [1.0, 1.3, 1.0] };
    let volume = Grid { size: [9, 8, 4], spacing: [1.0, 1.3, 2.0] };
    let cost: Vec<f32> = (0..slice.len()).map(|i| 0.1 + (i * 37 % 23) as f32).collect();
    let expected = solve(&cost, &slice, &sources_at(&slice, &[[3, 4, 0]]));
    let column: Vec<[usize; 3]> = (0..4).map(|z| [3, 4, z]).collect();
    let found = solve(&cost.repeat(4), &volume, &sources_at(&volume, &column));
    assert_close(&found, &expected.repeat(4), 1e-13);
}

#[test]
fn the_cost_of_a_constant_image_is_the_flat_cost_and_of_a_ramp_that_of_its_slope() {
    let grid = Grid::unit([6, 4, 1]);
    let flat = CostParams::default().cost(&[0.3; 24], &grid).unwrap();
    assert_eq!(flat, [1e-3; 24]);
    let ramp: Vec<f32> = (0..24).map(|i| (i % 6) as f32 * 0.125).collect();
    let cost = CostParams::default().cost(&ramp, &grid).unwrap();
    assert!(cost.iter().all(|cost| (cost - 15.626).abs() < 1e-5), "{cost:?}");
    assert!(CostParams { flat: 0.0, ..CostParams::default() }.cost(&ramp, &grid).is_err());
}

#[test]
fn an_edge_is_paid_for_beyond_it_and_so_is_a_wall_of_one_voxel() {
    let grid = Grid { size: [7, 1, 1], spacing: [2.0, 1.0, 1.0] };
    let params = CostParams { step: GradientStep::Spacing, ..CostParams::default() };
    // Inside at 0, a wall of one voxel, and the inside of another object.
    let wall = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let steepest = steepest_gradient_squared(&wall, &grid, GradientStep::Spacing).unwrap();
    assert_eq!(steepest, [0.0, 0.0, 0.25, 0.25, 0.25, 0.0, 0.0]);
    let fits = wall.map(|f| f - 1.0);
    let cost = params.outer_cost(&wall, &fits, &grid).unwrap();
    assert_eq!(cost, [1e-3, 1e-3, 1e-3, 250.001, 1e-3, 1e-3, 1e-3]);
    // A misfit of 1/16 pays half, one above 1 no more than all.
    let half = params.outer_cost(&wall, &[-15.0 / 16.0; 7], &grid).unwrap();
    assert!((half[3] - 125.001).abs() < 1e-4, "{half:?}");
    assert_eq!(params.outer_cost(&wall, &[3.0; 7], &grid).unwrap()[2], 250.001);
    assert!(matches!(params.outer_cost(&wall, &fits[1..], &grid), Err(Error::Length { .. })));
}

#[test]
fn the_euclidean_term_grows_to_its_weight() {
    let grid = Grid { size: [5, 1, 1], spacing: [2.0, 1.0, 1.0] };
    let marker = sources_at(&grid, &[[0, 0, 0]]);
    assert_eq!(euclidean_distance(&grid, &marker).unwrap(), [0.0, 2.0, 4.0, 6.0, 8.0]);
    let mut cost = vec![1.0; 5];
    add_euclidean_term(&mut cost, &grid, &marker, 0.5).unwrap();
    assert_eq!(cost, [1.0, 1.125, 1.25, 1.375, 1.5]);
    assert_eq!(add_euclidean_term(&mut cost, &grid, &[false; 5], 0.5), Err(Error::NoClick));
}

#[test]
fn normalisation_ends_at_one() {
    let mut distance = vec![0.0, 0.0, 1.0, 2.0, 3.0, 8.0];
    Normalisation::Maximum.apply(&mut distance).unwrap();
    assert_eq!(distance, [0.0, 0.0, 0.125, 0.25, 0.375, 1.0]);
    // numpy.quantile([0.125, 0.25, 0.375, 1], 0.5) = 0.3125
    Normalisation::Quantile { q: 0.5, cap: 1.0, floor: 0.0 }.apply(&mut distance).unwrap();
    assert_eq!(distance, [0.0, 0.0, 0.4, 0.8, 1.0, 1.0]);
    let mut nothing = vec![0.0; 3];
    Normalisation::Quantile { q: 0.5, cap: 1.0, floor: 0.0 }.apply(&mut nothing).unwrap();
    assert_eq!(nothing, [0.0; 3]);
    assert!(matches!(
        Normalisation::Quantile { q: 0.0, cap: 1.0, floor: 0.0 }.apply(&mut nothing),
        Err(Error::Parameter { .. })
    ));
    assert!(Normalisation::Maximum.apply(&mut [f32::INFINITY]).is_err());
}

#[test]
fn bad_input_is_an_error() {
    let grid = Grid::unit([2, 2, 1]);
    let ok = [1.0; 4];
    assert!(matches!(geodesic_distance(&ok[..3], &grid, &[true; 4]), Err(Error::Length { .. })));
    assert!(matches!(geodesic_distance(&ok, &grid, &[true; 3]), Err(Error::Length { .. })));
    assert_eq!(geodesic_distance(&ok, &grid, &[false; 4]), Err(Error::NoClick));
    let not_finite = Error::NotFinite { what: "cost", count: 2 };
    assert_eq!(geodesic_distance(&[1.0, f32::NAN, f32::INFINITY, 1.0], &grid, &[true; 4]), Err(not_finite));
    assert!(matches!(geodesic_distance(&[1.0, 0.0, 1.0, 1.0], &grid, &[true; 4]), Err(Error::Parameter { .. })));
    let flat = Grid { spacing: [1.0, 0.0, 1.0], ..grid };
    assert!(matches!(geodesic_distance(&ok, &flat, &[true; 4]), Err(Error::Parameter { .. })));
    let empty = Grid::unit([0, 2, 1]);
    assert!(matches!(geodesic_distance(&[], &empty, &[]), Err(Error::Parameter { .. })));
}

#[test]
fn a_new_cost_forgets_the_old_one() {
    let grid = Grid::unit([4, 1, 1]);
    let sources = [true, false, false, false];
    let mut eikonal = Eikonal::new(&[1.0; 4], &grid).unwrap();
    eikonal.solve(&sources).unwrap();
    eikonal.set_cost(&[2.0; 4]).unwrap();
    assert!(eikonal.distance().all(f64::is_infinite));
    eikonal.solve(&sources).unwrap();
    assert_close(&eikonal.distance().collect::<Vec<_>>(), &[0.0, 2.0, 4.0, 6.0], 0.0);
}

/// A grid of up to three axes, costs over `decades` powers of ten to either side of 1, and sources.
fn problem(decades: f64) -> impl Strategy<Value = (Grid, Vec<f32>, Vec<bool>)> {
    let size = (1..9_usize, 1..9_usize, 1..5_usize);
    let spacing = (0.3..3.0, 0.3..3.0, 0.3..3.0);
    (size, spacing).prop_flat_map(move |((nx, ny, nz), (hx, hy, hz))| {
        let grid = Grid { size: [nx, ny, nz], spacing: [hx, hy, hz] };
        let cost = (-decades..decades).prop_map(|exponent| 10_f64.powf(exponent) as f32);
        let sources = prop::collection::vec(prop::bool::weighted(0.1), grid.len());
        (Just(grid), prop::collection::vec(cost, grid.len()), sources, 0..grid.len()).prop_map(
            |(grid, cost, mut sources, one)| {
                sources[one] = true;
                (grid, cost, sources)
            },
        )
    })
}

/// The field with its axes in another order: axis `k` of the result is axis `order[k]`.
fn permute<T: Copy>(field: &[T], grid: &Grid, order: [usize; 3]) -> (Vec<T>, Grid) {
    let to = Grid { size: order.map(|axis| grid.size[axis]), spacing: order.map(|axis| grid.spacing[axis]) };
    let sample = |i| {
        let (mut from, voxel) = ([0; 3], to.voxel(i));
        (0..3).for_each(|k| from[order[k]] = voxel[k]);
        field[grid.index(from)]
    };
    ((0..to.len()).map(sample).collect(), to)
}

proptest! {
    #[test]
    fn zero_on_the_sources_and_there_only((grid, cost, sources) in problem(3.0)) {
        let distance = solve(&cost, &grid, &sources);
        for (distance, source) in distance.iter().zip(&sources) {
            prop_assert_eq!(*distance == 0.0, *source);
            prop_assert!(distance.is_finite());
        }
    }

    #[test]
    fn every_voxel_solves_the_discrete_equation((grid, cost, sources) in problem(3.0)) {
        let distance = solve(&cost, &grid, &sources);
        for i in (0..grid.len()).filter(|&i| !sources[i]) {
            let voxel = grid.voxel(i);
            let slope_squared: f64 = grid.axes().map(|axis| {
                let neighbour = |step: usize| distance[i + step * grid.strides()[axis] - grid.strides()[axis]];
                let low = if voxel[axis] > 0 { neighbour(0) } else { f64::INFINITY };
                let high = if voxel[axis] + 1 < grid.size[axis] { neighbour(2) } else { f64::INFINITY };
                ((distance[i] - low.min(high)).max(0.0) / grid.spacing[axis]).powi(2)
            }).sum();
            let cost = f64::from(cost[i]);
            // Differences of distances lose what is beyond the digits of the distances.
            let tolerance = cost * 1e-9 + distance[i] * 1e-11;
            prop_assert!((slope_squared.sqrt() - cost).abs() <= tolerance, "{} against {cost}", slope_squared.sqrt());
        }
    }

    #[test]
    fn a_greater_cost_is_nowhere_nearer(
        (grid, cost, sources) in problem(2.0), dearer in 0.0..5.0_f32, at in 0..400_usize,
    ) {
        let distance = solve(&cost, &grid, &sources);
        let mut raised = cost;
        let at = at % raised.len();
        raised[at] += dearer;
        for (before, after) in distance.iter().zip(solve(&raised, &grid, &sources)) {
            prop_assert!(after >= before * (1.0 - 1e-12));
        }
    }

    #[test]
    fn axes_are_alike((grid, cost, sources) in problem(2.0)) {
        let distance = solve(&cost, &grid, &sources);
        for order in [[1, 0, 2], [2, 1, 0], [1, 2, 0]] {
            let (cost, turned) = permute(&cost, &grid, order);
            let (sources, _) = permute(&sources, &grid, order);
            let (expected, _) = permute(&distance, &grid, order);
            assert_close(&solve(&cost, &turned, &sources), &expected, 1e-12);
        }
    }

    #[test]
    fn extending_is_solving_with_all_sources((grid, cost, sources) in problem(3.0), more in 0..400_usize) {
        let mut eikonal = Eikonal::new(&cost, &grid).unwrap();
        eikonal.solve(&sources).unwrap();
        let mut all = sources;
        let mut new = vec![false; all.len()];
        new[more % all.len()] = true;
        all[more % new.len()] = true;
        eikonal.extend(&new).unwrap();
        assert_close(&eikonal.distance().collect::<Vec<_>>(), &solve(&cost, &grid, &all), 1e-12);
    }
}
