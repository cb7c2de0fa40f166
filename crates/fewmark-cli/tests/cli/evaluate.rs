//! `fewmark evaluate` and `fewmark clicks`.

use fewmark::{Dimension, Geometry, Image, LabelMap, Marks};

use crate::files::{chest, labels};
use crate::lab::Lab;

/// A volume of 20 x 10 x 4 voxels of 1 x 1 x 2 mm; what its samples are does not matter.
fn volume() -> Image {
    let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let geometry =
        Geometry::from_parts(Dimension::Three, [20, 10, 4], [1.0, 1.0, 2.0], [0.0; 3], identity).expect("a geometry");
    Image::new(vec![0.0; 800], 1, geometry).expect("a sample for each voxel")
}

/// A lab with a box of 8 x 6 x 2 voxels, `truth.nii.gz`, and the box two voxels further, `shifted.nii.gz`.
fn boxes() -> Lab {
    let lab = Lab::new();
    let at = |from: usize| {
        labels(&volume(), move |[x, y, z]| (from..from + 8).contains(&x) && (2..8).contains(&y) && (1..3).contains(&z))
    };
    lab.write_labels("truth.nii.gz", &at(4));
    lab.write_labels("shifted.nii.gz", &at(6));
    lab
}

#[test]
fn the_same_mask_scores_1() {
    let lab = boxes();
    let told = lab.json(&["evaluate", "truth.nii.gz", "truth.nii.gz", "--json"]);
    let scores = &told["cases"]["truth"]["labels"][0]["scores"];
    for (metric, expected) in [("dice", 1.0), ("iou", 1.0), ("assd", 0.0), ("hd95", 0.0), ("surface_dice", 1.0)] {
        assert_eq!(scores[metric], expected, "{metric} of {scores}");
    }
}

/// Two of eight columns are missed, and two too many found: Dice is 12/16 and IoU 6/10.
#[test]
fn a_shifted_mask_scores_what_is_counted_by_hand() {
    let lab = boxes();
    let printed = lab.ok(&["evaluate", "shifted.nii.gz", "truth.nii.gz", "--csv", "scores.csv"]);
    assert!(printed.contains("0.7500"), "{printed}");
    let csv = lab.text("scores.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    let row: std::collections::HashMap<&str, &str> = lines[0].split(',').zip(lines[1].split(',')).collect();
    let number = |column: &str| row[column].parse::<f64>().unwrap();
    assert_eq!((row["case"], row["label"]), ("shifted", "1"));
    assert_eq!(number("dice"), 0.75);
    assert_eq!(number("iou"), 0.6);
    assert_eq!((row["tp"], row["fp"], row["fn"]), ("72", "24", "24"));
    assert_eq!((number("precision"), number("recall")), (0.75, 0.75));
    // 96 voxels of 2 mm3.
    assert_eq!((number("volume_prediction_ml"), number("volume_truth_ml")), (0.192, 0.192));
    assert_eq!(number("hd95_mm"), 2.0);
}

#[test]
fn folders_are_matched_by_name_and_summed_up() {
    let lab = boxes();
    for (from, to) in [("truth", "predicted/a"), ("shifted", "predicted/b"), ("truth", "true/a"), ("truth", "true/b")] {
        lab.bring(&lab.path(&format!("{from}.nii.gz")), &format!("{to}.nii.gz"));
    }
    lab.write("true/notes.txt", "not a case");
    lab.bring(&lab.path("truth.nii.gz"), "true/unpredicted.nii.gz");
    let told = lab.json(&["evaluate", "predicted", "true", "--overlap-only", "--json"]);
    assert_eq!(told["cases"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(told["summary"]["labels"][0]["metrics"]["dice"]["mean"], 0.875);
    assert_eq!(told["without_segmentation"], serde_json::json!(["unpredicted"]));
    assert!(lab.run(&["evaluate", "predicted", "true"]).stderr.contains("unpredicted"));
    let printed = lab.ok(&["evaluate", "predicted", "true"]);
    assert!(printed.contains("2 case(s)") && printed.contains("0.8750"), "{printed}");
}

#[test]
fn an_empty_segmentation_is_scored() {
    let lab = boxes();
    lab.write_labels("empty.nii.gz", &labels(&volume(), |_| false));
    let told = lab.json(&["evaluate", "empty.nii.gz", "truth.nii.gz", "--json"]);
    assert_eq!(told["cases"]["empty"]["labels"][0]["scores"]["dice"], 0.0);
    let printed = lab.ok(&["evaluate", "empty.nii.gz", "truth.nii.gz"]);
    assert!(printed.contains("inf") && printed.contains("a mean leaves out"), "{printed}");
    assert!(!printed.contains("-0"), "{printed}");
    let counted = lab.ok(&["evaluate", "empty.nii.gz", "truth.nii.gz", "--empty-distance", "7"]);
    assert!(counted.contains("infinite distances count as --empty-distance"), "{counted}");
    lab.ok(&["evaluate", "empty.nii.gz", "empty.nii.gz"]);
}

#[test]
fn an_image_is_no_segmentation() {
    let lab = boxes();
    let shades = LabelMap::new((0..800).map(|i| i % 300).collect(), volume().geometry().clone());
    lab.write_labels("image.nii.gz", &shades.expect("as many labels"));
    let outcome = lab.run(&["evaluate", "truth.nii.gz", "image.nii.gz"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("299 different labels"), "{}", outcome.stderr);
    lab.ok(&["evaluate", "truth.nii.gz", "image.nii.gz", "--labels", "1"]);
}

#[test]
fn geometry_is_ignored_on_demand() {
    let lab = boxes();
    let moved = Geometry::unit(Dimension::Three, [20, 10, 4]).unwrap();
    let truth = lab.labels("truth.nii.gz");
    lab.write_labels("moved.nii.gz", &fewmark::LabelMap::new(truth.labels().to_vec(), moved).unwrap());
    let told = lab.json(&["evaluate", "moved.nii.gz", "truth.nii.gz", "--ignore-geometry", "--json"]);
    assert_eq!(told["cases"]["moved"]["labels"][0]["scores"]["dice"], 1.0);
}

#[test]
fn clicks_lie_in_the_object_and_follow_from_the_seed() {
    let lab = Lab::new();
    lab.write_labels("truth.nii.gz", &chest(8).truth);
    let clicks = |seed: &str| lab.ok(&["clicks", "truth.nii.gz", "--seed", seed, "--label", "2"]);
    assert_eq!(clicks("5"), clicks("5"));
    assert_ne!(clicks("5"), clicks("6"));
    let marks: Marks = serde_json::from_str(&clicks("5")).unwrap();
    let truth = lab.labels("truth.nii.gz");
    let voxels = marks.in_voxels(truth.geometry()).unwrap().foreground;
    assert!(voxels.len() >= 4);
    assert!(voxels.iter().all(|&v| truth.labels()[truth.geometry().grid().index(v)] == 2), "{voxels:?}");

    let nine = lab.json(&["clicks", "truth.nii.gz", "--count", "9", "-o", "marks.json", "--json"]);
    let stored: serde_json::Value = serde_json::from_slice(&lab.read("marks.json")).unwrap();
    assert_eq!(nine, stored);
}

#[test]
fn the_clicked_object_is_written() {
    let lab = Lab::new();
    let image = volume();
    // Two boxes of one label, the second larger.
    let two = labels(&image, |[x, y, _]| (2..8).contains(&y) && (x < 5 || (8..18).contains(&x)));
    lab.write_labels("two.nii.gz", &two);
    lab.write_labels("larger.nii.gz", &labels(&image, |[x, y, _]| (2..8).contains(&y) && (8..18).contains(&x)));
    lab.ok(&["clicks", "two.nii.gz", "--object", "largest.nii.gz"]);
    lab.ok(&["clicks", "two.nii.gz", "--object", "all.nii.gz", "--component", "all"]);
    assert_eq!(lab.dice("largest.nii.gz", "larger.nii.gz"), 1.0);
    assert_eq!(lab.dice("all.nii.gz", "two.nii.gz"), 1.0);
}
