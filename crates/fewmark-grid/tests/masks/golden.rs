//! Against SciPy: `tests/golden/make_masks.py`.

use fewmark_grid::{Components, Connectivity, Grid, distance_to, fill_holes, surface};
use serde_json::Value;

fn bits(text: &Value) -> Vec<bool> {
    text.as_str().unwrap().chars().map(|c| c == '1').collect()
}

fn triple<T>(values: &Value, read: impl Fn(&Value) -> Option<T>) -> [T; 3] {
    std::array::from_fn(|axis| read(&values[axis]).unwrap())
}

#[test]
fn masks_give_what_scipy_gives() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../golden/masks.json")).unwrap();
    for case in &cases {
        let grid = Grid {
            size: triple(&case["size"], |n| n.as_u64().map(|n| n as usize)),
            spacing: triple(&case["spacing"], Value::as_f64),
        };
        let mask = bits(&case["mask"]);
        for (found, expected) in distance_to(&mask, &grid).iter().zip(case["distance"].as_array().unwrap()) {
            assert!((f64::from(*found) - expected.as_f64().unwrap()).abs() < 1e-6, "{found} instead of {expected}");
        }
        let connectivities =
            [("face", Connectivity::Face), ("edge", Connectivity::Edge), ("corner", Connectivity::Corner)];
        for (name, connectivity) in connectivities {
            let count = Components::of(&mask, &grid, connectivity).count();
            assert_eq!(case["components"][name], count, "{name}, {grid:?}");
            if let Some(filled) = case["filled"].get(name) {
                assert_eq!(fill_holes(&mask, &grid, connectivity), bits(filled), "{name}, {grid:?}");
            }
        }
        assert_eq!(surface(&mask, &grid), bits(&case["surface"]), "{grid:?}");
    }
}
