//! Against MedPy, SciPy, scikit-image and surface-distance: `tests/golden/make_scores.py`.

use fewmark_grid::Grid;
use fewmark_metrics::{Confusion, SurfaceDistances, SurfelDistances};
use serde_json::Value;

/// Tolerance of the surface Dice in the script.
const TOLERANCE: f64 = 1.3;

fn mask(runs: &Value, len: usize) -> Vec<bool> {
    let runs = runs.as_array().unwrap().iter().enumerate();
    let mask: Vec<bool> = runs.flat_map(|(i, n)| vec![i % 2 == 1; n.as_u64().unwrap() as usize]).collect();
    assert_eq!(mask.len(), len);
    mask
}

/// Compares with all the values that the fixture has of a group.
fn assert_scores(case: &Value, group: &str, found: &[(&str, Option<f64>)]) {
    for (name, expected) in case[group].as_object().unwrap() {
        let found = found.iter().find(|(known, _)| known == name).unwrap().1;
        let same = match (found, expected) {
            (None, Value::Null) => true,
            (Some(found), Value::String(text)) => text == "inf" && found == f64::INFINITY,
            (Some(found), Value::Number(expected)) => (found - expected.as_f64().unwrap()).abs() < 1e-6,
            _ => false,
        };
        assert!(same, "{}, {name}: {found:?} instead of {expected}", case["name"]);
    }
}

#[test]
fn pairs_of_masks_get_the_scores_of_the_fields_packages() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../golden/scores.json")).unwrap();
    assert_eq!(cases.len(), 12);
    for case in &cases {
        let grid = Grid {
            size: std::array::from_fn(|axis| case["size"][axis].as_u64().unwrap() as usize),
            spacing: std::array::from_fn(|axis| case["spacing"][axis].as_f64().unwrap()),
        };
        let [prediction, truth] = ["prediction", "truth"].map(|name| mask(&case[name], grid.len()));
        let overlap = Confusion::between(&prediction, &truth);
        let found = [
            ("dice", overlap.dice()),
            ("iou", overlap.iou()),
            ("precision", overlap.precision()),
            ("recall", overlap.recall()),
        ];
        assert_scores(case, "overlap", &found);
        let surface = SurfaceDistances::between(&prediction, &truth, &grid);
        let found = [
            ("assd", surface.assd()),
            ("hd", surface.hd()),
            ("hd95", surface.hd95()),
            ("hd95_pooled", surface.hd95_pooled()),
            ("asd_to_truth", surface.asd_to_truth()),
            ("asd_to_prediction", surface.asd_to_prediction()),
        ];
        assert_scores(case, "surface", &found);
        let surfels = SurfelDistances::between(&prediction, &truth, &grid);
        let found = [
            ("surface_dice", surfels.surface_dice(TOLERANCE)),
            ("average_to_truth", surfels.average_to_truth()),
            ("average_to_prediction", surfels.average_to_prediction()),
        ];
        assert_scores(case, "surfels", &found);
    }
}
