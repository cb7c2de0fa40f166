//! `fewmark convert` and `fewmark info`.

use fewmark::Image;
use fewmark::image::SampleType;

use crate::files::{chest, flat, golden, labels, ramp};
use crate::lab::Lab;

#[test]
fn formats_keep_samples_and_places() {
    let lab = Lab::new();
    lab.write_image("a.nii.gz", &ramp([5, 4, 3]));
    for (from, to) in [("a.nii.gz", "b.nrrd"), ("b.nrrd", "c.mha"), ("c.mha", "d.nii"), ("d.nii", "e.nii.gz")] {
        lab.ok(&["convert", from, "-o", to]);
    }
    let first = lab.image("a.nii.gz");
    for name in ["b.nrrd", "c.mha", "d.nii", "e.nii.gz"] {
        let image = lab.image(name);
        assert_eq!(image.samples(), first.samples(), "{name}");
        assert_eq!(image.geometry().size(), first.geometry().size(), "{name}");
        for corner in [[0.0; 3], [4.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 2.0], [4.0, 3.0, 2.0]] {
            let (found, expected) = (image.geometry().voxel_to_world(corner), first.geometry().voxel_to_world(corner));
            assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-4), "{name}: {found:?}, {expected:?}");
        }
    }
}

#[test]
fn pictures_keep_their_samples() {
    let lab = Lab::new();
    let picture = flat(7, 5, |x, y| (x * 30 + y) as f32).with_stored(fewmark::image::SampleType::U8);
    lab.write_image("a.png", &picture);
    for (from, to) in [("a.png", "b.tif"), ("b.tif", "c.npy"), ("c.npy", "d.png")] {
        lab.ok(&["convert", from, "-o", to]);
    }
    assert_eq!(lab.read("d.png"), lab.read("a.png"));
}

#[test]
fn a_window_fills_the_grey_levels_of_a_picture() {
    let lab = Lab::new();
    lab.write_image("scan.nii.gz", &flat(5, 1, |x, _| x as f32 * 100.0 - 100.0));
    lab.ok(&["convert", "scan.nii.gz", "-o", "slice.png", "--window", "0,200"]);
    assert_eq!(lab.image("slice.png").samples(), [0.0, 0.0, 128.0, 255.0, 255.0]);
    lab.ok(&["convert", "scan.nii.gz", "-o", "slice.npy", "--window", "0,200"]);
    assert_eq!(lab.image("slice.npy").samples(), [0.0, 0.0, 0.5, 1.0, 1.0]);
}

#[test]
fn a_grey_picture_saved_in_colour_is_a_label_map() {
    let lab = Lab::new();
    let grey = flat(4, 3, |x, _| if x > 1 { 255.0 } else { 0.0 });
    let colour = Image::new(grey.samples().repeat(3), 3, grey.geometry().clone()).unwrap().with_stored(SampleType::U8);
    lab.write_image("truth.png", &colour);
    lab.ok(&["convert", "truth.png", "-o", "truth.nii.gz", "--labels"]);
    assert_eq!(lab.labels("truth.nii.gz").present(), [255]);
}

#[test]
fn a_dicom_folder_becomes_a_volume() {
    let lab = Lab::new();
    lab.bring(&golden("dicom/oblique"), "series");
    lab.ok(&["convert", "series", "-o", "volume.nii.gz"]);
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(golden("dicom/expected.json")).unwrap()).unwrap();
    let expected = &expected["oblique"];
    let volume = lab.image("volume.nii.gz");
    let samples = expected["samples"].as_array().unwrap();
    assert_eq!(volume.samples().len(), samples.len());
    assert!(volume.samples().iter().zip(samples).all(|(s, e)| (f64::from(*s) - e.as_f64().unwrap()).abs() < 1e-3));
    for pair in expected["world"].as_array().unwrap() {
        let numbers =
            |i: usize| -> Vec<f64> { pair[i].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect() };
        let (voxel, lps) = (numbers(0), numbers(1));
        let world = volume.geometry().voxel_to_world([voxel[0], voxel[1], voxel[2]]);
        assert!(world.iter().zip([-lps[0], -lps[1], lps[2]]).all(|(w, e)| (w - e).abs() < 1e-4), "{world:?}, {lps:?}");
    }
    // Files one by one, in another order, are the same series.
    let files: Vec<String> = "fedcba".chars().map(|c| format!("series/{c}.dcm")).collect();
    let call: Vec<&str> =
        ["convert"].into_iter().chain(files.iter().map(String::as_str)).chain(["-o", "b.nii.gz"]).collect();
    lab.ok(&call);
    assert_eq!(lab.read("b.nii.gz"), lab.read("volume.nii.gz"));
}

#[test]
fn spacing_grid_slice_and_window_are_changed() {
    let lab = Lab::new();
    let phantom = chest(6);
    lab.write_image("chest.nii.gz", &phantom.image);
    lab.write_labels("truth.nii.gz", &phantom.truth);

    lab.ok(&["convert", "chest.nii.gz", "-o", "coarse.nii.gz", "--spacing", "11.25,11.25"]);
    let coarse = lab.image("coarse.nii.gz");
    assert_eq!(coarse.geometry().size(), [32, 32, 6]);
    lab.ok(&["convert", "truth.nii.gz", "-o", "labels.nii.gz", "--labels", "--like", "coarse.nii.gz"]);
    assert_eq!(lab.labels("labels.nii.gz").geometry().size(), [32, 32, 6]);
    assert_eq!(lab.labels("labels.nii.gz").present(), [1, 2]);

    lab.ok(&["convert", "chest.nii.gz", "-o", "slice.nii.gz", "--slice", "3", "--window", "lung"]);
    let slice = lab.image("slice.nii.gz");
    assert_eq!(slice.geometry().size(), [64, 64, 1]);
    assert!(slice.samples().iter().all(|s| (0.0..=1.0).contains(s)));
    assert!(slice.samples().contains(&0.0) && slice.samples().contains(&1.0));
}

#[test]
fn info_tells_what_is_in_a_file() {
    let lab = Lab::new();
    let image = ramp([5, 4, 3]);
    lab.write_image("image.nii.gz", &image);
    lab.write_labels("labels.nrrd", &labels(&image, |[x, ..]| x == 0));
    let told = lab.json(&["info", "image.nii.gz", "--json"]);
    assert_eq!(told["file"], "image.nii.gz");
    assert_eq!(told["dimensions"], 3);
    assert_eq!(told["size"], serde_json::json!([5, 4, 3]));
    assert_eq!(told["channels"], 1);
    assert_eq!(told["stored"], "f32");
    assert_eq!(told["axes"], "LPS");
    assert_eq!(told["intensity"]["min"], 0.5);
    assert_eq!(told["intensity"]["max"], 59.5);
    assert_eq!(told["intensity"]["mean"], 30.0);
    assert_eq!(told["intensity"]["not_finite"], 0);
    assert!(told["labels"].is_null());
    let spacing = told["spacing_mm"].as_array().unwrap();
    assert!(spacing.iter().zip([0.7, 0.8, 2.5]).all(|(s, e)| (s.as_f64().unwrap() - e).abs() < 1e-6));

    assert_eq!(lab.json(&["info", "labels.nrrd", "--json"])["labels"], serde_json::json!({ "0": 48, "1": 12 }));
    let printed = lab.ok(&["info", "image.nii.gz", "labels.nrrd"]);
    assert!(printed.contains("5 x 4 x 3, 1 channel(s) of f32") && printed.contains("1 (12 voxels)"), "{printed}");
    lab.write_image("nan.nii.gz", &flat(3, 3, |x, _| if x == 0 { f32::NAN } else { 1.0 }));
    assert!(lab.ok(&["info", "nan.nii.gz"]).contains("3 samples are not finite"));
}
