use fewmark_grid::Grid;
use fewmark_metrics::{Confusion, SurfaceDistances, SurfelDistances, Volumes};
use proptest::prelude::*;

/// A small grid, at times flat, and three masks of any density, an empty one at times.
fn any_masks() -> impl Strategy<Value = (Grid, [Vec<bool>; 3])> {
    let axis = || (1usize..8, 0.3..3.0f64);
    let density = || prop_oneof![1 => Just(0.0), 9 => 0.0..1.0f64];
    ([axis(), axis(), axis()], [density(), density(), density()]).prop_flat_map(|(axes, densities)| {
        let grid = Grid { size: axes.map(|(n, _)| n), spacing: axes.map(|(_, h)| h) };
        (Just(grid), densities.map(|density| prop::collection::vec(prop::bool::weighted(density), grid.len())))
    })
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-6 * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

proptest! {
    #[test]
    fn overlap_is_symmetric_and_dice_follows_from_iou((grid, [a, b, _]) in any_masks()) {
        let (ab, ba) = (Confusion::between(&a, &b), Confusion::between(&b, &a));
        prop_assert_eq!(ab.dice(), ba.dice());
        prop_assert_eq!(ab.iou(), ba.iou());
        prop_assert_eq!(ab.precision(), ba.recall());
        prop_assert!(close(ab.dice(), ab.iou().map(|iou| 2.0 * iou / (1.0 + iou))));
        let counts = [ab.true_positives, ab.false_positives, ab.false_negatives, ab.true_negatives];
        prop_assert_eq!(counts.iter().sum::<u64>(), grid.len() as u64);
        let both_empty = ab.prediction() + ab.truth() == 0;
        for score in [ab.dice(), ab.iou(), ab.precision(), ab.recall()] {
            prop_assert_eq!(score.is_none(), both_empty);
            prop_assert!(score.is_none_or(|score| (0.0..=1.0).contains(&score)));
        }
        prop_assert_eq!(Volumes::of(&ab, &grid).difference_ml(), -Volumes::of(&ba, &grid).difference_ml());
    }

    #[test]
    fn distances_are_symmetric_and_scale_with_the_spacing((grid, [a, b, _]) in any_masks(), factor in 0.1..10.0f64) {
        let (ab, ba) = (SurfaceDistances::between(&a, &b, &grid), SurfaceDistances::between(&b, &a, &grid));
        let wide = Grid { spacing: grid.spacing.map(|h| h * factor), ..grid };
        let scaled = SurfaceDistances::between(&a, &b, &wide);
        for score in [
            SurfaceDistances::assd,
            SurfaceDistances::hd,
            SurfaceDistances::hd95,
            SurfaceDistances::hd95_pooled,
        ] {
            prop_assert!(close(score(&ab), score(&ba)));
            prop_assert!(close(score(&ab).map(|d| d * factor), score(&scaled)));
        }
        prop_assert_eq!(ab.asd_to_truth(), ba.asd_to_prediction());
        let dice = |grid, tolerance| SurfelDistances::between(&a, &b, grid).surface_dice(tolerance);
        prop_assert!(close(dice(&grid, 1.1), dice(&wide, 1.1 * factor)));
    }

    #[test]
    fn the_scores_of_a_pair_keep_their_order((grid, [a, b, _]) in any_masks()) {
        let distances = SurfaceDistances::between(&a, &b, &grid);
        // A mean of equal distances is rounded, at times up.
        let most = distances.hd().map(|hd| hd * (1.0 + 1e-12));
        prop_assert!(distances.assd() <= most);
        prop_assert!(distances.hd95_pooled() <= most);
        prop_assert!(distances.hd95() <= most);
        prop_assert_eq!(distances.hd95(), distances.hd_percentile(95.0));
    }

    #[test]
    fn the_hausdorff_distance_keeps_the_triangle_inequality((grid, [a, b, c]) in any_masks()) {
        let hd = |a, b| SurfaceDistances::between(a, b, &grid).hd();
        if let (Some(direct), Some(first), Some(second)) = (hd(&a, &c), hd(&a, &b), hd(&b, &c)) {
            prop_assert!(direct <= (first + second) * (1.0 + 1e-6));
        }
    }

    #[test]
    fn moving_both_masks_changes_nothing(
        (grid, [a, b, _]) in any_masks(),
        before in prop::array::uniform3(0usize..3),
        after in prop::array::uniform3(0usize..3),
    ) {
        // An axis of size 1 takes no part and must stay so.
        let pad = |axis: usize, n: usize| if grid.size[axis] > 1 { n } else { 0 };
        let start = [0, 1, 2].map(|axis| pad(axis, before[axis]));
        let wide = Grid { size: [0, 1, 2].map(|a| grid.size[a] + start[a] + pad(a, after[a])), ..grid };
        let moved = |mask: &[bool]| {
            let mut moved = vec![false; wide.len()];
            for (i, &set) in mask.iter().enumerate() {
                let voxel = grid.voxel(i);
                moved[wide.index([0, 1, 2].map(|axis| voxel[axis] + start[axis]))] = set;
            }
            moved
        };
        let (moved_a, moved_b) = (moved(&a), moved(&b));
        prop_assert_eq!(
            SurfaceDistances::between(&a, &b, &grid),
            SurfaceDistances::between(&moved_a, &moved_b, &wide)
        );
        prop_assert_eq!(
            SurfelDistances::between(&a, &b, &grid),
            SurfelDistances::between(&moved_a, &moved_b, &wide)
        );
    }
}

#[test]
fn shifted_squares_have_their_closed_forms() {
    let grid = Grid { size: [30, 30, 1], spacing: [0.5, 0.5, 1.0] };
    let square = |left: usize| -> Vec<bool> {
        let inside = |i| {
            let [x, y, _] = grid.voxel(i);
            (left..left + 10).contains(&x) && (8..18).contains(&y)
        };
        (0..grid.len()).map(inside).collect()
    };
    let (a, b) = (square(5), square(8));
    assert_eq!(Confusion::between(&a, &b).dice(), Some(0.7));
    let distances = SurfaceDistances::between(&a, &b, &grid);
    assert_eq!(distances.hd(), Some(1.5));
    // By symmetry both directed lists are alike: one of them, by search.
    let expected: f64 = {
        let surface = |left: usize| {
            (0..100)
                .map(move |i| [left + i % 10, 8 + i / 10])
                .filter(move |&[x, y]| x == left || x == left + 9 || y == 8 || y == 17)
        };
        let nearest = |[x, y]: [usize; 2]| {
            surface(8).map(|[u, v]| (x.abs_diff(u) as f64).hypot(y.abs_diff(v) as f64)).fold(f64::INFINITY, f64::min)
        };
        surface(5).map(nearest).sum::<f64>() / 36.0 * 0.5
    };
    assert!(close(distances.assd(), Some(expected)));
}

#[test]
fn a_distance_equal_to_the_tolerance_is_within_it() {
    // In f64, 3 * 0.1 is more than 0.3.
    let grid = Grid { size: [20, 1, 1], spacing: [0.1, 1.0, 1.0] };
    let line = |start: usize| -> Vec<bool> { (0..20).map(|x| (start..start + 6).contains(&x)).collect() };
    let surfels = SurfelDistances::between(&line(4), &line(7), &grid);
    assert_eq!(surfels.surface_dice(0.3), Some(1.0));
    assert_eq!(surfels.surface_dice(0.29), Some(0.0));
}
