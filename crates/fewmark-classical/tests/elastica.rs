//! The elastica solver against the convex one and against what bending must do.

use std::ops::ControlFlow;

use fewmark_classical::convex::{ConvexProblem, PrimalDualParams, Warm, minimise};
use fewmark_classical::elastica::{ElasticaParams, ElasticaProblem, elastica};
use fewmark_classical::{Error, Grid, Iteration, Report, Stop};

fn go_on(_: &Iteration) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn solve(problem: &ElasticaProblem) -> (Vec<f32>, Report) {
    elastica(problem, &ElasticaParams::default(), None, &mut go_on).expect("a valid problem")
}

fn area(u: &[f32]) -> f64 {
    u.iter().filter(|&&u| u > 0.5).count() as f64
}

/// An ellipse and a bar with a pattern of disturbances.
fn shapes(grid: &Grid) -> Vec<f32> {
    let inside = |x: f64, y: f64| (x / 18.0).powi(2) + (y / 11.0).powi(2) < 1.0 || (x.abs() < 3.0 && y.abs() < 24.0);
    let value = |i: usize| {
        let [x, y, _] = grid.voxel(i);
        let (cx, cy) = ((grid.size[0] - 1) as f64 / 2.0, (grid.size[1] - 1) as f64 / 2.0);
        let side = if inside(x as f64 - cx, y as f64 - cy) { -0.8 } else { 0.8 };
        side + ((i * 7919 % 1009) as f32 / 504.5 - 1.0)
    };
    (0..grid.len()).map(value).collect()
}

#[test]
fn without_bending_it_is_total_variation() {
    let grid = Grid::unit([64, 64, 1]);
    let data = shapes(&grid);
    let convex = ConvexProblem { grid: &grid, data: &data, weight: None, mu: 1.0 };
    let minimum = minimise(&convex, &PrimalDualParams::default(), &mut Warm::default(), &mut go_on).unwrap().1.energy;
    let (u, report) = solve(&ElasticaProblem { grid: &grid, data: &data, alpha: 1.0, beta: 0.0 });
    assert_eq!(report.stop, Stop::Converged);
    let found = convex.energy(&u).unwrap();
    assert!((found - minimum).abs() < 5e-3 * minimum.abs(), "{found} {minimum}");
    assert!((report.energy - found).abs() < 1e-5 * found.abs(), "{} {found}", report.energy);
}

#[test]
fn turning_the_image_changes_little() {
    let grid = Grid::unit([64, 64, 1]);
    let data = shapes(&grid);
    let turned: Vec<f32> = (0..grid.len())
        .map(|i| {
            let [x, y, z] = grid.voxel(i);
            data[grid.index([y, 63 - x, z])]
        })
        .collect();
    let area = |data: &[f32]| area(&solve(&ElasticaProblem { grid: &grid, data, alpha: 1.0, beta: 1.0 }).0);
    let (one, other) = (area(&data), area(&turned));
    assert!(one > 500.0 && (one - other).abs() < 0.01 * one, "{one} {other}");
}

/// A disc of radius R and depth a gains a pi R^2 and costs 2 pi R (alpha + beta / R^2).
#[test]
fn bending_makes_a_small_disc_too_dear() {
    let grid = Grid::unit([48, 48, 1]);
    let inside = |i: usize| {
        let [x, y, _] = grid.voxel(i);
        (x as f64 - 23.5).powi(2) + (y as f64 - 23.5).powi(2) < 64.0
    };
    let data: Vec<f32> = (0..grid.len()).map(|i| if inside(i) { -0.4 } else { 5.0 }).collect();
    let share = |beta| area(&solve(&ElasticaProblem { grid: &grid, data: &data, alpha: 1.0, beta }).0) / 201.0;
    let (cheap, dear) = (share(0.0), share(100.0));
    assert!(cheap > 0.85 && dear < 0.15, "{cheap} {dear}");
}

#[test]
fn a_converged_run_fulfils_its_constraints() {
    let grid = Grid::unit([64, 64, 1]);
    let data = shapes(&grid);
    for beta in [0.5, 5.0] {
        let (u, report) = solve(&ElasticaProblem { grid: &grid, data: &data, alpha: 1.0, beta });
        assert_eq!(report.stop, Stop::Converged, "{beta}");
        assert!(report.residual < 1e-2 && u.iter().all(|u| (0.0..=1.0).contains(u)));
        let binary = u.iter().filter(|&&u| !(0.02..=0.98).contains(&u)).count();
        assert!(binary as f64 > 0.9 * u.len() as f64, "{beta}: {binary}");
    }
}

#[test]
fn thin_grids_work_and_volumes_are_refused() {
    for size in [[1, 1, 1], [30, 1, 1], [1, 30, 1]] {
        let grid = Grid::unit(size);
        let data: Vec<f32> = (0..grid.len()).map(|i| if 2 * i < grid.len() { -1.0 } else { 1.0 }).collect();
        let (u, _) = solve(&ElasticaProblem { grid: &grid, data: &data, alpha: 0.2, beta: 0.5 });
        let expected: Vec<bool> = data.iter().map(|&r| r < 0.0).collect();
        assert_eq!(u.iter().map(|&u| u > 0.5).collect::<Vec<_>>(), expected, "{size:?}");
    }
    let grid = Grid::unit([4, 4, 2]);
    let problem = ElasticaProblem { grid: &grid, data: &[0.0; 32], alpha: 1.0, beta: 1.0 };
    let error = elastica(&problem, &ElasticaParams::default(), None, &mut go_on).unwrap_err();
    assert_eq!(error, Error::Dimension { method: "elastica", size: [4, 4, 2] });
}

#[test]
fn limits_stops_and_bad_input_are_told() {
    let grid = Grid::unit([32, 32, 1]);
    let data = shapes(&grid);
    let problem = ElasticaProblem { grid: &grid, data: &data, alpha: 1.0, beta: 1.0 };
    let params = ElasticaParams { max_iterations: 4, ..ElasticaParams::default() };
    let mut last = None;
    let mut keep = |state: &Iteration| {
        last = Some(*state);
        ControlFlow::Continue(())
    };
    let (_, report) = elastica(&problem, &params, None, &mut keep).unwrap();
    assert_eq!((report.stop, report.iterations), (Stop::IterationLimit, 4));
    assert_eq!(report.trace.last(), last.as_ref());
    for stop_at in [0, 10] {
        let stop = &mut |state: &Iteration| match state.iteration {
            k if k >= stop_at => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        assert_eq!(elastica(&problem, &ElasticaParams::default(), None, stop).unwrap_err(), Error::Stopped);
    }
    let nan = vec![f32::NAN; data.len()];
    let error = elastica(&ElasticaProblem { data: &nan, ..problem }, &params, None, &mut go_on).unwrap_err();
    assert_eq!(error, Error::NotFinite { what: "data", count: 1024 });
    let error = elastica(&ElasticaProblem { beta: -1.0, ..problem }, &params, None, &mut go_on).unwrap_err();
    assert!(matches!(error, Error::Parameter { name: "beta", .. }));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let grid = Grid::unit([150, 90, 1]);
    let data = shapes(&grid);
    let problem = ElasticaProblem { grid: &grid, data: &data, alpha: 1.0, beta: 1.0 };
    let params = ElasticaParams { max_iterations: 12, ..ElasticaParams::default() };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| elastica(&problem, &params, None, &mut go_on).unwrap().0)
    };
    assert!(run(1) == run(2));
}
