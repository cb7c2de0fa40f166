//! `fewmark fewshot`, `support build` and `train fewshot`: from one labelled scan to the labels of others.

use fewmark::{Dimension, Geometry, Image, LabelMap};

use crate::files::golden;
#[cfg(unix)]
use crate::lab::interrupted;
use crate::lab::{Lab, Refusals};

const SIZE: [usize; 3] = [40, 36, 5];

/// A body with two bright organs, moved by `n` pixels, in a flipped geometry.
fn body(n: usize) -> (Image, LabelMap) {
    let [width, height, depth] = SIZE;
    let near = |i: usize, x: f32, y: f32, radius: f32| {
        (i % width) as f32 - x < radius
            && ((i % width) as f32 - x).hypot((i / width % height) as f32 - y) < radius
            && (1..depth - 1).contains(&(i / (width * height)))
    };
    let direction = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let geometry = Geometry::from_parts(Dimension::Three, SIZE, [1.5, 1.5, 7.5], [4.0, -5.0, 6.0], direction)
        .expect("a geometry that can be");
    let code = |i: usize| {
        if near(i, 12.0 + n as f32, 18.0, 6.0) {
            1
        } else if near(i, 28.0 + n as f32, 20.0, 5.0) {
            3
        } else {
            0
        }
    };
    let labels: Vec<u16> = (0..geometry.len()).map(code).collect();
    let sample = |(i, &label): (usize, &u16)| {
        let inside = ((i % width) as f32 - 20.0).hypot((i / width % height) as f32 - 18.0) < 17.0;
        let organ = [0.0, 160.0, 0.0, 90.0][usize::from(label)];
        if inside { 70.0 + organ + (i * 7919 % 13) as f32 } else { (i % 5) as f32 }
    };
    let samples = labels.iter().enumerate().map(sample).collect();
    let image = Image::new(samples, 1, geometry.clone()).expect("a sample for each voxel");
    (image, LabelMap::new(labels, geometry).expect("a label for each voxel"))
}

/// A lab with three scans, `N.nii.gz`, and their labels, `N-labels.nii.gz`; `scans` has the last two.
fn lab() -> Lab {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("scans")).expect("a folder can be made");
    for n in 0..3 {
        let (image, labels) = body(n);
        lab.write_image(&format!("{n}.nii.gz"), &image);
        lab.write_labels(&format!("{n}-labels.nii.gz"), &labels);
        if n > 0 {
            lab.write_image(&format!("scans/{n}.nii.gz"), &image);
        }
    }
    lab
}

const SUPPORT: [&str; 4] = ["--support", "0.nii.gz", "--support-label", "0-labels.nii.gz"];

#[test]
fn a_labelled_scan_is_enough_to_segment_others() {
    let lab = lab();
    let rows = lab.json(&[&["fewshot", "--query", "scans", "-o", "found", "--json"][..], &SUPPORT].concat());
    assert_eq!(rows.as_array().map(Vec::len), Some(2));
    for n in [1, 2] {
        let (found, truth) = (format!("found/{n}.nii.gz"), format!("{n}-labels.nii.gz"));
        assert_eq!(lab.labels(&found).present(), [1, 3]);
        assert_eq!(lab.labels(&found).geometry().affine(), lab.image(&format!("{n}.nii.gz")).geometry().affine());
        assert!(lab.dice(&found, &truth) > 0.6, "{}", lab.dice(&found, &truth));
    }
    assert!(lab.text("found/report.html").contains("data:image/png"));

    // What was shown can be kept, and answers the same.
    lab.ok(&[&["support", "build", "-o", "organs.safetensors"][..], &SUPPORT].concat());
    lab.ok(&["predict", "organs.safetensors", "scans", "-o", "predicted"]);
    assert_eq!(lab.labels("predicted/1.nii.gz").labels(), lab.labels("found/1.nii.gz").labels());

    // Over a scan without labels, at once and kept.
    let over = [&["--unlabelled", "1.nii.gz"][..], &SUPPORT].concat();
    lab.ok(&[&["fewshot", "--query", "2.nii.gz", "-o", "carried"][..], &over].concat());
    let carried = lab.dice("carried/2.nii.gz", "2-labels.nii.gz");
    assert!(carried > 0.6, "{carried}");
    lab.ok(&[&["support", "build", "-o", "more.safetensors"][..], &over].concat());
    lab.ok(&["predict", "more.safetensors", "2.nii.gz", "-o", "again"]);
    assert_eq!(lab.labels("again/2.nii.gz").labels(), lab.labels("carried/2.nii.gz").labels());

    // One of the labels alone.
    lab.ok(&[&["fewshot", "--query", "1.nii.gz", "-o", "one", "--labels", "3"][..], &SUPPORT].concat());
    assert_eq!(lab.labels("one/1.nii.gz").present(), [3]);
}

#[test]
fn scans_that_are_stored_along_other_axes_are_answered_alike() {
    let lab = lab();
    let plain = lab.image("1.nii.gz");
    let onto = |direction: &[[f64; 3]; 3]| fewmark::image::Orientation::towards(plain.geometry(), direction);
    let stored = [
        ("reversed", onto(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])),
        ("sagittal", onto(&[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])),
    ];
    for (name, orientation) in &stored {
        lab.write_image(&format!("{name}.nii.gz"), &orientation.image(&plain).expect("a volume"));
    }
    let queries = ["--query", "1.nii.gz", "reversed.nii.gz", "sagittal.nii.gz"];
    lab.ok(&[&["fewshot", "-o", "found"][..], &queries, &SUPPORT].concat());
    lab.ok(&[&["support", "build", "-o", "organs.safetensors"][..], &SUPPORT].concat());
    lab.ok(&["predict", "organs.safetensors", "sagittal.nii.gz", "-o", "predicted"]);
    let expected = lab.labels("found/1.nii.gz");
    assert_eq!(expected.present(), [1, 3]);
    for (name, orientation) in &stored {
        let found = lab.labels(&format!("found/{name}.nii.gz"));
        assert_eq!(found.geometry().affine(), lab.image(&format!("{name}.nii.gz")).geometry().affine());
        assert_eq!(found.labels(), orientation.labels(&expected).expect("a volume").labels(), "{name}");
    }
    assert_eq!(lab.labels("predicted/sagittal.nii.gz").labels(), lab.labels("found/sagittal.nii.gz").labels());
}

#[test]
fn scans_whose_pixels_have_another_shape_are_not_squeezed() {
    let lab = lab();
    // Every third row: pixels three times as high as wide, as in slices across those that a scanner took.
    let (image, labels) = body(1);
    let [width, height, depth] = SIZE;
    let first = image.geometry().voxel_to_world([0.0, 1.0, 0.0]);
    let size = [width, height / 3, depth];
    let geometry =
        Geometry::from_parts(Dimension::Three, size, [1.5, 4.5, 7.5], first, image.geometry().direction()).unwrap();
    let voxels: Vec<usize> = (0..image.geometry().len()).filter(|i| i / width % 3 == 1).collect();
    let samples = voxels.iter().map(|&i| image.samples()[i]).collect();
    lab.write_image("high.nii.gz", &Image::new(samples, 1, geometry.clone()).unwrap());
    let codes = voxels.iter().map(|&i| labels.labels()[i]).collect();
    lab.write_labels("high-labels.nii.gz", &LabelMap::new(codes, geometry).unwrap());
    lab.ok(&[&["fewshot", "--query", "high.nii.gz", "-o", "found"][..], &SUPPORT].concat());
    let dice = lab.dice("found/high.nii.gz", "high-labels.nii.gz");
    assert!(dice > 0.9, "{dice}");
}

#[test]
fn folders_with_a_series_are_scans() {
    let lab = lab();
    let [one, other] = ["both/a", "both/b"].map(|folder| {
        lab.bring(&golden("dicom/oblique"), folder);
        folder
    });
    lab.write_labels("labels.nii.gz", &{
        let scan = lab.image(one);
        let code = |i: usize| u16::from(i % 7 < 3);
        LabelMap::new((0..scan.geometry().len()).map(code).collect(), scan.geometry().clone()).unwrap()
    });
    let call = ["fewshot", "--support", one, "--support-label", "labels.nii.gz", "-o", "found"];
    for queries in [other, "both"] {
        let rows = lab.json(&[&call[..], &["--query", queries, "--json"]].concat());
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "the labelled series is left out: {rows}");
        assert_eq!(lab.labels("found/b.nii.gz").geometry().size(), lab.image(other).geometry().size());
    }
}

#[test]
fn how_scans_are_compared_can_be_set_and_the_report_says_what_was_shown() {
    let lab = lab();
    let calls = [("outlined", vec![]), ("plain", vec!["--set", "inference.smoothing=0"])];
    for (folder, more) in &calls {
        let call = ["fewshot", "--query", "1.nii.gz", "-o", folder];
        lab.ok(&[&call[..], &SUPPORT, more].concat());
    }
    assert_ne!(lab.labels("outlined/1.nii.gz").labels(), lab.labels("plain/1.nii.gz").labels());
    let page = lab.text("plain/report.html");
    assert!(["0.nii.gz with 0-labels.nii.gz", "label 3", "voxels of 3", "smoothing"].iter().all(|t| page.contains(t)));
    // A labelled scan among the others is left out.
    let outcome = lab.run(&[&["fewshot", "--query", "0.nii.gz", "1.nii.gz", "-o", "others"][..], &SUPPORT].concat());
    assert!(outcome.code == 0 && outcome.stderr.contains("0.nii.gz") && !lab.path("others/0.nii.gz").exists());
    // Two scans, one of which cannot be read once the work has begun, would be told at once.
    lab.write("scans/broken.nii.gz", b"no scan");
    let outcome = lab.run(&[&["fewshot", "--query", "scans", "-o", "none"][..], &SUPPORT].concat());
    assert!(outcome.code == 1 && outcome.stderr.contains("broken.nii.gz") && !lab.path("none").exists());
}

/// Ctrl-C keeps what is done, and shows it.
#[cfg(unix)]
#[test]
fn what_is_found_before_an_interrupt_is_shown() {
    let lab = lab();
    for n in 0..200 {
        lab.bring(&lab.path("1.nii.gz"), &format!("many/{n:03}.nii.gz"));
    }
    let mut child = lab.start(&[&["fewshot", "--query", "many", "-o", "found"][..], &SUPPORT].concat());
    lab.wait_for("found/000.nii.gz");
    assert_eq!(interrupted(&mut child), Some(130));
    assert!(lab.text("found/report.html").contains("found: 000"));
    assert!(!lab.path("found/199.nii.gz").exists(), "it was interrupted in time");
}

#[test]
fn another_encoder_or_algorithm_brings_its_own_settings() {
    let lab = lab();
    let shown = |more: &[&str]| lab.json(&[&["train", "fewshot", "--show-settings", "--json"][..], more].concat());
    let settings = shown(&["--set", "encoder.depth=18", "--set", "encoder.name=resnet"]);
    assert_eq!([&settings["encoder"]["depth"], &settings["encoder"]["features"]], [18, 256]);
    let settings = shown(&["--set", "episodes.superpixels.partition.algorithm=slic"]);
    assert!(settings["episodes"]["superpixels"]["partition"]["segments"].is_number());
    // A checkpoint brings the encoder that it is of.
    let checkpoint = concat!(env!("CARGO_MANIFEST_DIR"), "/../fewmark-learn/tests/golden/resnet18.pth");
    lab.ok(&["import", checkpoint, "-o", "encoder.safetensors"]);
    let small = ["--set", "training.iterations=1", "--set", "size=32", "--set", "episodes.least_pixels=20"];
    lab.ok(&[
        &["train", "fewshot", "--images", "scans", "-o", "run", "--set", "start=encoder.safetensors"][..],
        &small,
    ]
    .concat());
    assert!(lab.text("run/config.toml").contains("depth = 18"));
}

#[test]
fn a_training_that_cannot_begin_leaves_its_folder_free() {
    let lab = lab();
    let call = ["train", "fewshot", "--images", "scans", "-o", "run", "--set", "training.iterations=1"];
    let small = ["--set", "size=48", "--set", "start=random", "--set", "encoder.width=4"];
    let outcome = lab.run(&[&call[..], &small, &["--set", "episodes.least_pixels=100000"]].concat());
    assert!(outcome.code == 1 && !lab.path("run").exists(), "{}", outcome.stderr);
    lab.ok(&[&call[..], &small, &["--set", "episodes.least_pixels=20"]].concat());
}

#[test]
fn an_encoder_is_trained_on_scans_without_labels() {
    let lab = lab();
    let small = [
        "--set",
        "training.iterations=2",
        "--set",
        "size=48",
        "--set",
        "episodes.least_pixels=20",
        "--set",
        "start=random",
    ];
    lab.ok(&[&["train", "fewshot", "--images", "scans", "-o", "run", "--set", "encoder.width=4"][..], &small].concat());
    assert!(lab.path("run/report.html").exists());
    let call = ["fewshot", "--model", "run/model.safetensors", "--query", "1.nii.gz", "-o", "found"];
    lab.ok(&[&call[..], &SUPPORT].concat());
    // From the encoder inside the program, and of nothing but made-up anatomies.
    lab.ok(&["train", "fewshot", "--images", "scans", "-o", "on", "--set", "training.iterations=1"]);
    let made_up = ["--set", "episodes.source=synthetic", "--set", "encoder.width=4"];
    lab.ok(&[&["train", "fewshot", "-o", "made-up"][..], &made_up, &small].concat());
}

#[test]
fn what_cannot_be_shown_is_refused_before_any_work() {
    let lab = lab();
    let (_, labels) = body(0);
    let empty = LabelMap::new(vec![0; labels.labels().len()], labels.geometry().clone()).expect("as many labels");
    lab.write_labels("empty.nii.gz", &empty);
    lab.write_image("flat.nii.gz", &empty.to_image());
    let moved = labels.geometry().window([1, 0, 0], SIZE).expect("a geometry that can be");
    lab.write_labels("moved.nii.gz", &LabelMap::new(labels.labels().to_vec(), moved).expect("as many labels"));
    lab.ok(&[&["support", "build", "-o", "organs.safetensors"][..], &SUPPORT].concat());
    let query = ["--query", "1.nii.gz", "-o", "found"];
    let mut refusals = Refusals::new(&lab);
    let mut of = |what: &str, label: &str, more: &[&str]| {
        let support = ["fewshot", "--support", "0.nii.gz", "--support-label", label];
        refusals.case(what, &[&support[..], &query, more].concat());
    };
    of("nothing is labelled", "empty.nii.gz", &[]);
    of(
        "a second scan without contrast",
        "0-labels.nii.gz",
        &["--support", "flat.nii.gz", "--support-label", "0-labels.nii.gz"],
    );
    of("labels of another place", "moved.nii.gz", &[]);
    of("a label that does not occur", "0-labels.nii.gz", &["--labels", "2"]);
    of("two scans, the labels of one", "0-labels.nii.gz", &["--support", "1.nii.gz"]);
    of("settings of trainings", "0-labels.nii.gz", &["--set", "training.iterations=3"]);
    of("a model that was shown something already", "0-labels.nii.gz", &["--model", "organs.safetensors"]);
    of("a scan for a model", "0-labels.nii.gz", &["--model", "0.nii.gz"]);
    let call = ["fewshot", "--query", "1.nii.gz", "-o", "2.nii.gz/found"];
    refusals.case("a folder that is a file", &[&call[..], &SUPPORT].concat());
    let call = ["fewshot", "--query", "./0.nii.gz", "-o", "found"];
    refusals.case("the labelled scan itself", &[&call[..], &SUPPORT].concat());
    let mut of = |what: &str, more: &[&str]| {
        refusals.case(what, &[&["train", "fewshot", "-o", "run"][..], more].concat());
    };
    of("no scan", &[]);
    of("labels are to be learned from, and there are none", &["--images", "scans", "--set", "episodes.source=labels"]);
    of("a size that the encoder does not have", &["--images", "scans", "--set", "size=50"]);
    of("another encoder than that of the program", &["--images", "scans", "--set", "encoder.width=8"]);
    of("a start that is not there", &["--images", "scans", "--set", "start=nowhere.safetensors"]);
    refusals.compare("fewshot");
    assert!(!lab.path("found").exists());
}

#[test]
fn a_checkpoint_of_torchvision_becomes_an_encoder() {
    let lab = lab();
    let checkpoint = concat!(env!("CARGO_MANIFEST_DIR"), "/../fewmark-learn/tests/golden/resnet18.pth");
    let found = lab.json(&["import", checkpoint, "-o", "encoder.safetensors", "--json"]);
    assert_eq!(found["taken"], 100);
    assert_eq!(found["ignored"], serde_json::json!(["fc.bias", "fc.weight"]));
    assert_eq!(found["missing"], serde_json::json!(["localconv.weight"]));
    let call = ["fewshot", "--model", "encoder.safetensors", "--query", "1.nii.gz", "-o", "found", "--json"];
    assert_eq!(lab.json(&[&call[..], &SUPPORT].concat())[0]["case"], "1");
}
