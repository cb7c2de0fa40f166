//! `fewmark segment`: masks of clicked objects, in the geometry of their images.

use fewmark::Image;
use serde_json::json;

use crate::files::{chest, field, flat, gunzip, labels};
use crate::lab::Lab;

/// A lab with a chest volume and the mask of its left lung: `chest.nii.gz` and `lung.nii.gz`, and clicks: `marks.json`.
fn clicked_chest(slices: usize) -> Lab {
    let lab = Lab::new();
    let phantom = chest(slices);
    lab.write_image("chest.nii.gz", &phantom.image);
    lab.write_labels("truth.nii.gz", &phantom.truth);
    lab.ok(&["clicks", "truth.nii.gz", "-o", "marks.json", "--object", "lung.nii.gz"]);
    lab
}

/// Two squares joined by a bridge of the same grey.
fn dumbbell() -> Image {
    flat(80, 40, |x, y| {
        let square = (10..30).contains(&y) && ((10..30).contains(&x) || (50..70).contains(&x));
        let bridge = (19..21).contains(&y) && (30..50).contains(&x);
        // A little texture, as no scan is without.
        let texture = ((x * 7 + y * 13) % 5) as f32;
        if square || bridge { 100.0 + texture } else { texture }
    })
}

#[test]
fn a_mask_has_the_geometry_of_its_image_in_every_format() {
    let lab = clicked_chest(8);
    let image = lab.image("chest.nii.gz");
    for ending in ["nii.gz", "nii", "nrrd", "mha"] {
        let (scan, mask) = (format!("scan.{ending}"), format!("mask.{ending}"));
        lab.write_image(&scan, &image);
        lab.ok(&["segment", &scan, "--marks", "marks.json", "-o", &mask]);
        let (scan, mask) = (lab.image(&scan), lab.image(&mask));
        assert_eq!(mask.geometry().affine(), scan.geometry().affine(), "{ending}");
        assert_eq!(mask.geometry().size(), scan.geometry().size(), "{ending}");
        assert_eq!(mask.stored().name(), "u8", "{ending}");
        assert!(lab.dice(&format!("mask.{ending}"), "lung.nii.gz") > 0.9, "{ending}");
    }
    let header = |name: &str| gunzip(&lab.read(name))[..field::SAMPLES].to_vec();
    let (scan, mask) = (header("scan.nii.gz"), header("mask.nii.gz"));
    assert_eq!(mask[field::DIM..field::DATATYPE], scan[field::DIM..field::DATATYPE]);
    assert_eq!(mask[field::PIXDIM..field::VOX_OFFSET], scan[field::PIXDIM..field::VOX_OFFSET]);
    assert_eq!(mask[field::QFORM_CODE..field::INTENT_NAME], scan[field::QFORM_CODE..field::INTENT_NAME]);
}

/// A quaternion and rows that disagree, codes of their own, a spacing that no double gives back: all is kept.
#[test]
fn an_odd_header_is_repeated_to_the_bit() {
    let lab = clicked_chest(4);
    lab.write_image("chest.nii", &lab.image("chest.nii.gz"));
    let mut bytes = lab.read("chest.nii");
    crate::files::put_f32(&mut bytes, field::PIXDIM, &[-1.0, 0.7, 0.712_345_6, 3.3]);
    crate::files::put_i16(&mut bytes, field::QFORM_CODE, &[1, 4]);
    crate::files::put_f32(&mut bytes, field::QUATERN_B, &[0.1, 0.9, -0.2, 7.0, 8.0, 9.5]);
    lab.write("odd.nii", bytes);
    lab.ok(&["segment", "odd.nii", "--marks", "marks.json", "-o", "mask.nii"]);
    let (scan, mask) = (lab.read("odd.nii"), lab.read("mask.nii"));
    assert_eq!(mask[field::PIXDIM..field::VOX_OFFSET], scan[field::PIXDIM..field::VOX_OFFSET]);
    assert_eq!(mask[field::QFORM_CODE..field::INTENT_NAME], scan[field::QFORM_CODE..field::INTENT_NAME]);
}

#[test]
fn a_slice_of_a_volume_is_segmented_in_place() {
    let lab = clicked_chest(8);
    lab.ok(&[
        "segment",
        "chest.nii.gz",
        "-c",
        "45,30",
        "-c",
        "45,40",
        "-c",
        "42,24",
        "--slice",
        "4",
        "-o",
        "mask.nii.gz",
    ]);
    let (mask, lung) = (lab.labels("mask.nii.gz"), lab.labels("lung.nii.gz"));
    assert_eq!(mask.geometry().affine(), lung.geometry().affine());
    let plane = 64 * 64;
    let count = |labels: &[u16]| labels.iter().filter(|&&l| l != 0).count();
    let inside = |z: usize| &mask.labels()[z * plane..(z + 1) * plane];
    assert!((0..8).filter(|&z| z != 4).all(|z| count(inside(z)) == 0));
    let truth = &lung.labels()[4 * plane..5 * plane];
    let both = inside(4).iter().zip(truth).filter(|(a, b)| **a != 0 && **b != 0).count();
    let dice = 2.0 * both as f64 / (count(inside(4)) + count(truth)) as f64;
    assert!(dice > 0.9, "{dice}");
}

#[test]
fn world_clicks_are_the_same_clicks() {
    let lab = clicked_chest(4);
    let geometry = lab.image("chest.nii.gz").geometry().clone();
    let voxel = "45,30,2";
    let world = geometry.voxel_to_world([45.0, 30.0, 2.0]).map(|mm| mm.to_string()).join(",");
    lab.ok(&["segment", "chest.nii.gz", "-c", voxel, "-o", "voxel.nii.gz"]);
    lab.ok(&["segment", "chest.nii.gz", "--world", "-c", &world, "-o", "world.nii.gz"]);
    assert_eq!(lab.read("voxel.nii.gz"), lab.read("world.nii.gz"));
}

#[test]
fn a_background_click_pushes_a_wrong_region_out() {
    let lab = Lab::new();
    let image = dumbbell();
    lab.write_image("dumbbell.nii.gz", &image);
    let square = |from: usize| labels(&image, move |[x, y, _]| (10..30).contains(&y) && (from..from + 20).contains(&x));
    lab.write_labels("left.nii.gz", &square(10));
    lab.write_labels("right.nii.gz", &square(50));
    // Neither the distance from the clicks nor the thin bridge parts the squares.
    let clicked = ["segment", "dumbbell.nii.gz", "-c", "20,20", "-c", "15,15", "-c", "25,25"];
    let call = |more: &[&'static str]| [&clicked[..], &["--set", "neck=0", "--set", "theta=0"], more].concat();
    lab.ok(&call(&["-o", "both.nii.gz"]));
    assert!(lab.dice("both.nii.gz", "right.nii.gz") > 0.5, "without a background click the other square belongs to it");
    lab.ok(&call(&["-b", "60,20", "-o", "one.nii.gz"]));
    let (left, right) = (lab.dice("one.nii.gz", "left.nii.gz"), lab.dice("one.nii.gz", "right.nii.gz"));
    assert!(left > 0.95 && right == 0.0, "Dice {left} of the clicked square, {right} of the other");
}

#[test]
fn results_are_told_as_json_and_in_a_trace() {
    let lab = clicked_chest(1);
    let told = lab.json(&[
        "segment",
        "chest.nii.gz",
        "--marks",
        "marks.json",
        "-o",
        "mask.nii.gz",
        "--overlay",
        "picture.png",
        "--trace",
        "trace.json",
        "--probability",
        "u.nii.gz",
        "--set",
        "mu=0.05",
        "--json",
    ]);
    let voxels = lab.labels("mask.nii.gz").labels().iter().filter(|&&l| l == 1).count();
    assert_eq!(told["method"], "tv");
    assert_eq!(told["voxels"], voxels);
    let volume = voxels as f64 * lab.image("chest.nii.gz").geometry().grid().voxel_volume();
    assert!((told["volume_mm3"].as_f64().unwrap() - volume).abs() < 1e-6 * volume);
    assert!(told["seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(told["output"], "mask.nii.gz");
    assert_eq!(told["overlay"], "picture.png");
    assert!(told["derived"].as_object().is_some_and(|d| !d.is_empty()));

    let trace: serde_json::Value = serde_json::from_slice(&lab.read("trace.json")).unwrap();
    assert_eq!(trace["method"], "tv");
    assert_eq!(trace["parameters"]["mu"], json!(0.05));
    let solver = &trace["solvers"][0];
    assert!(solver["solver"].is_string(), "{solver}");
    let energies: Vec<f64> =
        solver["trace"].as_array().unwrap().iter().map(|i| i["energy"].as_f64().unwrap()).collect();
    assert!(energies.last() <= energies.first(), "the energy falls: {energies:?}");
    assert_eq!(solver["energy"].as_f64(), energies.last().copied());

    let probability = lab.image("u.nii.gz");
    assert!(probability.samples().iter().all(|u| (0.0..=1.0).contains(u)));
    assert_eq!(lab.image("picture.png").channels(), 3);
}

#[test]
fn half_widths_of_the_band_are_measured_unless_given() {
    let lab = clicked_chest(1);
    let derived = |settings: &[&str]| {
        let call = ["segment", "chest.nii.gz", "--marks", "marks.json", "-o", "mask.nii.gz", "--json"];
        let told = lab.json(&[&call, settings].concat());
        ["gamma1", "gamma2"].map(|name| told["derived"][name].as_f64().unwrap())
    };
    let [_, above] = derived(&[]);
    assert_eq!(derived(&["--set", "gamma1=0.25"]), [0.25, above]);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let lab = clicked_chest(6);
    for threads in ["1", "2", "3"] {
        let mask = format!("{threads}.nii.gz");
        lab.ok(&["segment", "chest.nii.gz", "--marks", "marks.json", "-o", &mask, "--threads", threads]);
    }
    assert_eq!(lab.read("1.nii.gz"), lab.read("2.nii.gz"));
    assert_eq!(lab.read("1.nii.gz"), lab.read("3.nii.gz"));
}

#[test]
fn the_program_is_quiet_when_asked() {
    let lab = clicked_chest(1);
    let marks = ["segment", "chest.nii.gz", "--marks", "marks.json", "-o", "mask.nii.gz"];
    assert_eq!(lab.run(&[&marks[..], &["--quiet"]].concat()).stderr, "");
    assert_eq!(lab.run(&marks).stderr, "", "no progress where there is no terminal");
    let convert = ["convert", "mask.nii.gz", "-o", "mask.nrrd"];
    assert!(lab.run(&convert).stderr.starts_with("mask.nrrd: "));
    assert_eq!(lab.run(&[&convert[..], &["-q"]].concat()).stderr, "");
}
