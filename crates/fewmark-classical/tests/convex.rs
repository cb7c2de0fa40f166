//! The convex solvers against closed forms, against each other, and against any other set.

use std::ops::ControlFlow;

use fewmark_classical::convex::{AdmmParams, ConvexProblem, PrimalDualParams, Warm, admm, minimise};
use fewmark_classical::{Error, Grid, Iteration, Report, Stop};
use proptest::prelude::*;

fn go_on(_: &Iteration) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn problem<'a>(grid: &'a Grid, data: &'a [f32], mu: f64) -> ConvexProblem<'a> {
    ConvexProblem { grid, data, weight: None, mu }
}

fn solve(problem: &ConvexProblem) -> (Vec<f32>, Report) {
    minimise(problem, &PrimalDualParams::default(), &mut Warm::default(), &mut go_on).expect("a valid problem")
}

fn solve_admm(problem: &ConvexProblem) -> (Vec<f32>, Report) {
    let params = AdmmParams { tolerance: 2e-5, max_iterations: 4000, ..AdmmParams::default() };
    admm(problem, &params, None, &mut go_on).expect("a valid problem")
}

/// Uniform noise in [-1, 1] from a linear congruential generator.
fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Negative in a ball about the centre, positive outside, with noise.
fn ball(grid: &Grid, radius: f64, depth: f32, amplitude: f32, seed: u64) -> Vec<f32> {
    let inside = |i: usize| {
        let voxel = grid.voxel(i);
        let square = |a: usize| ((voxel[a] as f64 - (grid.size[a] as f64 - 1.0) / 2.0) * grid.spacing[a]).powi(2);
        (0..3).map(square).sum::<f64>() < radius * radius
    };
    let noise = noise(grid.len(), seed);
    (0..grid.len()).map(|i| if inside(i) { -depth } else { depth } + amplitude * noise[i]).collect()
}

fn above(u: &[f32], level: f32) -> Vec<f32> {
    u.iter().map(|&u| f32::from(u > level)).collect()
}

fn area(u: &[f32]) -> usize {
    u.iter().filter(|&&u| u > 0.5).count()
}

fn assert_near(a: f64, b: f64, relative: f64) {
    assert!((a - b).abs() <= relative * a.abs().max(b.abs()), "{a} and {b} differ by more than {relative}");
}

#[test]
fn without_length_the_data_decide_alone() {
    let grid = Grid::unit([17, 9, 1]);
    let data = noise(grid.len(), 3);
    let expected: Vec<f32> = data.iter().map(|&r| f32::from(r < 0.0)).collect();
    let (u, report) = solve(&problem(&grid, &data, 0.0));
    assert_eq!(u, expected);
    assert_near(report.energy, data.iter().map(|&r| f64::from(r.min(0.0))).sum(), 1e-6);
    assert_eq!(above(&solve_admm(&problem(&grid, &data, 0.0)).0, 0.5), expected);
    let weight = vec![0.0; grid.len()];
    let weightless = ConvexProblem { weight: Some(&weight), ..problem(&grid, &data, 1.0) };
    assert_eq!(solve(&weightless).0, expected);
}

/// A disc of radius R and depth a gains a pi R^2 and costs 2 pi R mu.
#[test]
fn a_disc_survives_when_its_depth_pays_for_its_boundary() {
    let (grid, radius) = (Grid::unit([64, 64, 1]), 20.0);
    let disc: Vec<bool> = ball(&grid, radius, 1.0, 0.0, 0).iter().map(|&r| r < 0.0).collect();
    let whole = disc.iter().filter(|&&inside| inside).count();
    for (product, lowest, highest) in [(1.8, 0.0, 0.0), (2.2, 0.9, 1.01)] {
        let depth = product as f32 / radius as f32;
        let data: Vec<f32> = disc.iter().map(|&inside| if inside { -depth } else { 5.0 }).collect();
        for (u, _) in [solve(&problem(&grid, &data, 1.0)), solve_admm(&problem(&grid, &data, 1.0))] {
            let share = area(&u) as f64 / whole as f64;
            assert!((lowest..=highest).contains(&share), "a R = {product}: {share}");
        }
    }
}

#[test]
fn the_relaxation_is_binary_and_its_levels_are_equally_good() {
    let grid = Grid::unit([96, 80, 1]);
    let data = ball(&grid, 25.0, 0.6, 1.5, 1);
    let problem = problem(&grid, &data, 1.0);
    for (u, _) in [solve(&problem), solve_admm(&problem)] {
        let binary = u.iter().filter(|&&u| !(0.02..=0.98).contains(&u)).count();
        assert!(binary as f64 > 0.98 * u.len() as f64, "{binary} of {}", u.len());
        let energies = [0.3, 0.5, 0.7].map(|level| problem.energy(&above(&u, level)).unwrap());
        assert_near(energies[0], energies[1], 0.01);
        assert_near(energies[2], energies[1], 0.01);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The certificate: no function has less energy than the gap allows, that of the other solver included.
    #[test]
    fn the_gap_bounds_every_energy_from_below(
        size in [1usize..40, 1usize..40, 1usize..5],
        thickness in 0.5f64..4.0, mu in 0.05f64..2.0, radius in 1.0f64..12.0, seed: u64,
    ) {
        let grid = Grid { size, spacing: [1.0, 1.0, thickness] };
        let data = ball(&grid, radius, 0.5, 1.0, seed);
        let weight: Vec<f32> = noise(grid.len(), !seed).iter().map(|g| 0.55 + 0.45 * g).collect();
        let problem = ConvexProblem { weight: Some(&weight), ..problem(&grid, &data, mu) };
        // The certificate holds wherever the solver ends: a problem whose object is about to vanish may use up all iterations.
        let (u, report) = solve(&problem);
        prop_assert!(u.iter().all(|u| (0.0..=1.0).contains(u)));
        let rounding = 1e-6 * data.iter().map(|&r| f64::from(r.abs())).sum::<f64>();
        prop_assert!((problem.energy(&u).unwrap() - report.energy).abs() <= rounding);
        let deepest: f64 = data.iter().map(|&r| f64::from(r.min(0.0))).sum();
        let bound = report.energy - report.residual * report.energy.abs().max(-0.01 * deepest) - rounding;
        let others = (0..8).map(|k| ball(&grid, 2.0 * f64::from(k), 0.5, 0.1 * k as f32, seed).iter()
            .map(|&r| f32::from(r < 0.0)).collect());
        let others: Vec<Vec<f32>> = others.chain([noise(grid.len(), seed ^ 5).iter().map(|x| 0.5 + 0.5 * x).collect(),
            data.iter().map(|&r| f32::from(r < 0.0)).collect(), above(&u, 0.5), solve_admm(&problem).0]).collect();
        for other in others {
            let energy = problem.energy(&other).unwrap();
            prop_assert!(energy >= bound, "{} < {}", energy, bound);
        }
    }
}

#[derive(serde::Deserialize)]
struct Cut {
    size: [usize; 3],
    mu: f64,
    data: Vec<f32>,
    set: String,
}

/// A maximum flow finds the best set for another length of outlines, so it can be no better for ours.
#[test]
fn no_minimal_cut_has_less_energy() {
    let cuts: Vec<Cut> = serde_json::from_str(include_str!("golden/cuts.json")).expect("the golden file");
    for cut in &cuts {
        let grid = Grid::unit(cut.size);
        let problem = problem(&grid, &cut.data, cut.mu);
        let set: Vec<f32> = cut.set.bytes().map(|inside| f32::from(inside == b'1')).collect();
        let of_cut = problem.energy(&set).expect("a value for each voxel");
        assert!(of_cut < 0.0, "the cut is a set worth having");
        for (u, report) in [solve(&problem), solve_admm(&problem)] {
            assert!(report.energy <= of_cut, "{} > {of_cut}", report.energy);
            let same = above(&u, 0.5).iter().zip(&set).filter(|(a, b)| a == b).count();
            assert!(same as f64 >= 0.9 * set.len() as f64, "{same} of {} voxels alike", set.len());
        }
    }
}

#[test]
fn both_solvers_reach_the_same_energy() {
    let cases =
        [([70, 50, 1], [1.0; 3], 0.3), ([64, 64, 1], [1.0, 2.0, 1.0], 1.0), ([24, 20, 12], [1.0, 1.0, 2.5], 0.7)];
    for (seed, (size, spacing, mu)) in cases.into_iter().enumerate() {
        let grid = Grid { size, spacing };
        let data = ball(&grid, 9.0, 0.7, 1.2, seed as u64);
        let weight: Vec<f32> = noise(grid.len(), 77).iter().map(|g| 0.6 + 0.4 * g).collect();
        for weight in [None, Some(&weight[..])] {
            let problem = ConvexProblem { weight, ..problem(&grid, &data, mu) };
            let (fast, reference) = (solve(&problem).1, solve_admm(&problem).1);
            assert_eq!((fast.stop, reference.stop), (Stop::Converged, Stop::Converged));
            assert_near(fast.energy, reference.energy, 1e-3);
        }
    }
}

#[test]
fn transposing_and_mirroring_change_little() {
    let grid = Grid::unit([48, 48, 1]);
    let data = ball(&grid, 13.0, 0.5, 1.0, 9);
    let energy = |data: &[f32]| solve(&problem(&grid, data, 1.0)).1.energy;
    let turned = |source: fn([usize; 3]) -> [usize; 3]| -> Vec<f32> {
        (0..grid.len()).map(|i| data[grid.index(source(grid.voxel(i)))]).collect()
    };
    // The stencil is symmetric in x and y, but looks forward: a mirror image costs a little more or less.
    assert_near(energy(&data), energy(&turned(|[x, y, z]| [y, x, z])), 1e-3);
    assert_near(energy(&data), energy(&turned(|[x, y, z]| [47 - x, y, z])), 2e-2);
}

#[test]
fn a_volume_of_equal_slices_is_its_slice() {
    let (slice, volume) = (Grid::unit([40, 36, 1]), Grid { size: [40, 36, 6], spacing: [1.0, 1.0, 3.0] });
    let data = ball(&slice, 11.0, 0.5, 1.0, 4);
    let energy = solve(&problem(&slice, &data, 0.8)).1.energy;
    assert_near(6.0 * energy, solve(&problem(&volume, &data.repeat(6), 0.8)).1.energy, 1e-3);
}

#[test]
fn lengths_are_in_units_of_the_spacing_along_x() {
    let thick = Grid { size: [6, 5, 4], spacing: [0.5, 0.5, 2.0] };
    let zeros = vec![0.0; thick.len()];
    let half: Vec<f32> = (0..thick.len()).map(|i| f32::from(thick.voxel(i)[2] < 2)).collect();
    assert_near(problem(&thick, &zeros, 3.0).energy(&half).unwrap(), 3.0 * 30.0 * 0.25, 1e-6);
    let (fine, coarse) = (Grid::unit([30, 30, 1]), Grid { size: [30, 30, 1], spacing: [2.0; 3] });
    let data = ball(&fine, 8.0, 0.5, 1.0, 2);
    assert_eq!(solve(&problem(&fine, &data, 1.0)).0, solve(&problem(&coarse, &data, 1.0)).0);
}

#[test]
fn a_weight_of_one_is_no_weight() {
    let grid = Grid::unit([50, 41, 1]);
    let data = ball(&grid, 12.0, 0.5, 1.0, 6);
    let ones = vec![1.0; grid.len()];
    let weighted = ConvexProblem { weight: Some(&ones), ..problem(&grid, &data, 1.0) };
    assert_eq!(solve(&weighted).0, solve(&problem(&grid, &data, 1.0)).0);
    assert_eq!(solve_admm(&weighted).0, solve_admm(&problem(&grid, &data, 1.0)).0);
}

#[test]
fn thin_grids_and_constant_data_work() {
    for size in [[1, 1, 1], [40, 1, 1], [1, 40, 1], [1, 1, 40], [1, 12, 9], [12, 1, 9], [2, 2, 2], [5000, 3, 1]] {
        let grid = Grid::unit(size);
        for (constant, expected) in [(-0.5, 1.0), (0.5, 0.0), (0.0, 0.0)] {
            let data = vec![constant; grid.len()];
            let (u, report) = solve(&problem(&grid, &data, 1.0));
            assert!(u.iter().all(|u| (u - expected).abs() < 1e-3), "{size:?} {constant}");
            assert_eq!(report.stop, Stop::Converged, "{size:?} {constant}");
        }
        // Along one axis the two halves part where the data change sign: one jump.
        let data: Vec<f32> = (0..grid.len()).map(|i| if 2 * i < grid.len() { -1.0 } else { 1.0 }).collect();
        let (fast, reference) = (solve(&problem(&grid, &data, 0.5)).1, solve_admm(&problem(&grid, &data, 0.5)).1);
        assert!((fast.energy - reference.energy).abs() <= 1e-3 * reference.energy.abs().max(0.1), "{size:?}");
    }
}

#[test]
fn the_limit_is_reported_with_true_numbers() {
    let grid = Grid::unit([64, 64, 1]);
    let data = ball(&grid, 18.0, 0.3, 1.0, 8);
    let problem = problem(&grid, &data, 2.0);
    let mut last = None;
    let mut keep = |state: &Iteration| {
        last = Some(*state);
        ControlFlow::Continue(())
    };
    let params = PrimalDualParams { max_iterations: 3, tolerance: 1e-9, ..PrimalDualParams::default() };
    let (u, report) = minimise(&problem, &params, &mut Warm::default(), &mut keep).unwrap();
    assert_eq!((report.stop, report.iterations), (Stop::IterationLimit, 3));
    assert!(report.residual > 1e-9);
    assert_near(report.energy, problem.energy(&u).unwrap(), 1e-5);
    assert_eq!(report.trace.last(), last.as_ref());
    let params = AdmmParams { max_iterations: 3, ..AdmmParams::default() };
    let (u, report) = admm(&problem, &params, None, &mut go_on).unwrap();
    assert_eq!((report.stop, report.iterations), (Stop::IterationLimit, 3));
    assert_near(report.energy, problem.energy(&u).unwrap(), 1e-12);
    assert!(report.residual > 1e-4);
}

#[test]
fn a_run_can_be_stopped_and_taken_up() {
    let grid = Grid::unit([64, 64, 1]);
    let data = ball(&grid, 18.0, 0.3, 1.0, 8);
    let problem = problem(&grid, &data, 2.0);
    let mut stop = |state: &Iteration| if state.iteration > 0 { ControlFlow::Break(()) } else { go_on(state) };
    let mut warm = Warm::default();
    let params = PrimalDualParams::default();
    assert_eq!(minimise(&problem, &params, &mut warm, &mut stop).unwrap_err(), Error::Stopped);
    let (_, report) = minimise(&problem, &params, &mut warm, &mut go_on).unwrap();
    assert_near(report.energy, solve(&problem).1.energy, 1e-3);
    let refuse = &mut |_: &Iteration| ControlFlow::Break(());
    assert_eq!(minimise(&problem, &params, &mut Warm::default(), refuse).unwrap_err(), Error::Stopped);
    assert_eq!(admm(&problem, &AdmmParams::default(), None, refuse).unwrap_err(), Error::Stopped);
}

#[test]
fn a_warm_start_is_as_good_and_begins_where_the_last_run_ended() {
    let (grid, other) = (Grid::unit([80, 64, 1]), Grid::unit([64, 80, 1]));
    let data = ball(&grid, 20.0, 0.5, 1.0, 1);
    let mut warm = Warm::default();
    let params = PrimalDualParams::default();
    let cold = minimise(&problem(&grid, &data, 1.0), &params, &mut warm, &mut go_on).unwrap().1;
    let again = minimise(&problem(&grid, &data, 1.0), &params, &mut warm, &mut go_on).unwrap().1;
    assert!(again.iterations <= 16, "{} after {}", again.iterations, cold.iterations);
    for change in [0.02, 3.0] {
        let moved: Vec<f32> = data.iter().zip(noise(data.len(), 2)).map(|(r, x)| r + change * x).collect();
        let report = minimise(&problem(&grid, &moved, 1.0), &params, &mut warm.clone(), &mut go_on).unwrap().1;
        assert_near(report.energy, solve(&problem(&grid, &moved, 1.0)).1.energy, 1e-3);
    }
    let elsewhere = minimise(&problem(&other, &data, 1.0), &params, &mut warm, &mut go_on).unwrap();
    assert_eq!(elsewhere.0, solve(&problem(&other, &data, 1.0)).0);
}

#[test]
fn the_number_of_threads_does_not_show() {
    for size in [[300, 170, 1], [5000, 9, 1], [48, 40, 22]] {
        let grid = Grid { size, spacing: [1.0, 1.0, 1.5] };
        let data = ball(&grid, 30.0, 0.4, 1.0, 5);
        let problem = problem(&grid, &data, 1.0);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let limited = AdmmParams { max_iterations: 20, ..AdmmParams::default() };
            pool.install(|| (solve(&problem).0, admm(&problem, &limited, None, &mut go_on).unwrap().0))
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3), "{size:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let grid = Grid::unit([4, 4, 1]);
    let (data, short) = (vec![0.5; 16], vec![0.5; 15]);
    let refused = |problem: ConvexProblem| {
        let fast = minimise(&problem, &PrimalDualParams::default(), &mut Warm::default(), &mut go_on).unwrap_err();
        assert_eq!(fast, admm(&problem, &AdmmParams::default(), None, &mut go_on).unwrap_err());
        assert_eq!(fast, problem.energy(&data).unwrap_err());
        fast
    };
    let good = problem(&grid, &data, 1.0);
    let mut bad = data.clone();
    (bad[3], bad[7]) = (f32::NAN, f32::INFINITY);
    assert_eq!(refused(ConvexProblem { data: &bad, ..good }), Error::NotFinite { what: "data", count: 2 });
    let expected = Error::Length { what: "data", expected: 16, found: 15 };
    assert_eq!(refused(ConvexProblem { data: &short, ..good }), expected);
    assert!(matches!(refused(ConvexProblem { mu: -1.0, ..good }), Error::Parameter { name: "mu", .. }));
    assert!(matches!(refused(ConvexProblem { mu: f64::INFINITY, ..good }), Error::Parameter { name: "mu", .. }));
    let weight = vec![-0.5; 16];
    let negative = ConvexProblem { weight: Some(&weight), ..good };
    assert!(matches!(refused(negative), Error::Parameter { name: "weight", found: -0.5, .. }));
    let flat = Grid { spacing: [1.0, 0.0, 1.0], ..grid };
    assert!(matches!(refused(ConvexProblem { grid: &flat, ..good }), Error::Parameter { name: "spacing", .. }));
    let params = PrimalDualParams { relaxation: 2.0, ..PrimalDualParams::default() };
    let error = minimise(&good, &params, &mut Warm::default(), &mut go_on).unwrap_err();
    assert!(matches!(error, Error::Parameter { name: "relaxation", .. }));
}

#[test]
fn parameters_are_written_and_read() {
    let params: PrimalDualParams = serde_json::from_str(r#"{"tolerance": 1e-3}"#).unwrap();
    assert_eq!(params, PrimalDualParams { tolerance: 1e-3, ..PrimalDualParams::default() });
    assert!(serde_json::from_str::<PrimalDualParams>(r#"{"tolerence": 1e-3}"#).is_err());
    let text = serde_json::to_string(&AdmmParams::default()).unwrap();
    assert_eq!(serde_json::from_str::<AdmmParams>(&text).unwrap(), AdmmParams::default());
}
