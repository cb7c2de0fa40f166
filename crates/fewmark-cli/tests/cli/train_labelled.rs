//! `fewmark train NETWORK`, `predict` and `networks`: from labelled images to a model and its label maps.

use fewmark::image::SampleType;
use fewmark::{Dimension, Geometry, Image, LabelMap};

use crate::files::flat;
use crate::lab::{Lab, Refusals};

/// A network that is trained in seconds.
const SMALL: [&str; 8] = [
    "--set",
    "network.channels=8",
    "--set",
    "network.grids=3",
    "--set",
    "training.learning_rate=1e-2",
    "--set",
    "augmentation.elastic=0",
];

/// A lab with three pictures of a disc with a core, `images/N.png`, and their labels, `labels/N.png`: 128 the disc, 255 its core.
fn lab() -> Lab {
    let lab = Lab::new();
    for folder in ["images", "labels"] {
        std::fs::create_dir(lab.path(folder)).expect("a folder can be made");
    }
    for n in 0..3 {
        let code = |x: usize, y: usize| {
            let apart = (x as f32 - 18.0 - 3.0 * n as f32).hypot(y as f32 - 16.0);
            if apart < 5.0 {
                255.0
            } else if apart < 11.0 {
                128.0
            } else {
                0.0
            }
        };
        let texture = |x: usize, y: usize| ((x * 7 + y * 13 + n) % 5) as f32;
        let sample = |x: usize, y: usize| 40.0 + (0.7f32 * code(x, y)).floor() + texture(x, y);
        lab.write_image(&format!("images/{n}.png"), &flat(40, 32, sample).with_stored(SampleType::U8));
        lab.write_image(&format!("labels/{n}.png"), &flat(40, 32, code).with_stored(SampleType::U8));
    }
    lab
}

/// `fewmark train msnet` on the first two pictures.
fn train<'a>(run: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let files = ["--images", "images/0.png", "images/1.png", "--labels", "labels/0.png", "labels/1.png"];
    [&["train", "msnet", "-o", run][..], &files, &SMALL, more].concat()
}

#[test]
fn two_labelled_images_make_a_model_that_labels_a_third() {
    let lab = lab();
    let report = lab.json(&train("run", &["--set", "training.iterations=250", "--json"]));
    assert_eq!(report["iterations"], 250);
    let page = lab.text("run/report.html");
    assert!(page.contains("Dice of 255") && page.contains("parameters") && !page.contains("http://"));

    lab.ok(&["predict", "run/model.safetensors", "images", "-o", "masks", "--overlays"]);
    let scores = lab.json(&["evaluate", "masks/2.png", "labels/2.png", "--overlap-only", "--json"]);
    let dice = |code: u64| {
        let labels = scores["cases"]["2"]["labels"].as_array().expect("labels were scored");
        let label = labels.iter().find(|l| l["label"] == code).expect("the label was scored");
        label["scores"]["dice"].as_f64().expect("a number")
    };
    assert!(dice(128) > 0.85 && dice(255) > 0.85, "{scores}");
    assert!(lab.path("masks/2-overlay.png").exists());

    lab.ok(&["segment", "images/2.png", "--model", "run/model.safetensors", "-o", "again.png"]);
    assert_eq!(lab.read("again.png"), lab.read("masks/2.png"));
}

/// A volume with an oblique place in the world.
fn volume(n: usize) -> (Image, LabelMap) {
    let size = [12, 10, 6];
    let labels: Vec<u16> =
        (0..720usize).map(|i| if (i % 12).abs_diff(5 + n) < 3 && i / 12 % 10 > 3 { 4 } else { 0 }).collect();
    let (sin, cos) = 0.3f64.sin_cos();
    let direction = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
    let geometry = Geometry::from_parts(Dimension::Three, size, [1.0, 1.5, 3.0], [-4.0, 5.0, 6.0], direction)
        .expect("a geometry that can be");
    let samples = labels.iter().enumerate().map(|(i, &l)| f32::from(l) * 30.0 + (i % 7) as f32).collect();
    let image = Image::new(samples, 1, geometry.clone()).expect("as many samples as voxels");
    (image.with_stored(SampleType::I16), LabelMap::new(labels, geometry).expect("as many labels as voxels"))
}

#[test]
fn volumes_are_learned_in_3d_or_slice_by_slice_with_their_geometry_kept() {
    let lab = Lab::new();
    for n in 0..2 {
        let (image, labels) = volume(n);
        lab.write_image(&format!("images-{n}.nii.gz"), &image);
        lab.write_labels(&format!("labels-{n}.nii.gz"), &labels);
    }
    lab.write("list.csv", "image,labels\nimages-0.nii.gz,labels-0.nii.gz\nimages-1.nii.gz,labels-1.nii.gz\n");
    for (what, network) in [("msnet", "msnet-3d"), ("msnet-2d", "msnet-2d")] {
        let settings = ["--set", "training.iterations=2", "--set", "network.channels=4"];
        lab.ok(&[&["train", what, "--list", "list.csv", "-o", what][..], &settings].concat());
        let config: toml::Table = toml::from_str(&lab.text(&format!("{what}/config.toml"))).expect("TOML");
        let settings_of_run = &config["settings"];
        assert_eq!(settings_of_run["network"]["name"].as_str(), Some(network));
        // The left of a slice of a volume is not its right.
        let mirrored = [&settings_of_run["augmentation"]["mirror"], &settings_of_run["mirrored_predictions"]];
        assert_eq!(mirrored.map(toml::Value::as_bool), [Some(false); 2]);
        lab.ok(&["predict", &format!("{what}/model.safetensors"), "images-0.nii.gz", "-o", "masks"]);
        // So it is learned from when one of the volumes is stored along other axes, and answered alike when it is.
        let stored = lab.image("images-0.nii.gz");
        let turned = [[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
        let orientation = fewmark::image::Orientation::towards(stored.geometry(), &turned);
        lab.write_image("turned.nii.gz", &orientation.image(&stored).expect("a volume"));
        lab.ok(&["predict", what, "turned.nii.gz", "-o", "masks"]);
        let expected = lab.labels("masks/images-0.nii.gz");
        let expected = orientation.labels(&expected).expect("a volume");
        assert_eq!(lab.labels("masks/turned.nii.gz").labels(), expected.labels());
        // A slice of it is what the whole has there.
        lab.ok(&["segment", "turned.nii.gz", "--model", what, "--slice", "4", "-o", "slice.nii.gz"]);
        assert_eq!(lab.labels("slice.nii.gz").slice(4), lab.labels("masks/turned.nii.gz").slice(4));
        assert!(lab.labels("slice.nii.gz").slice(3).iter().all(|&label| label == 0));
        lab.write_image("images-2.nii.gz", &orientation.image(&lab.image("images-1.nii.gz")).expect("a volume"));
        lab.write_labels("labels-2.nii.gz", &orientation.labels(&lab.labels("labels-1.nii.gz")).expect("a volume"));
        lab.write("turned.csv", "image,labels\nimages-0.nii.gz,labels-0.nii.gz\nimages-2.nii.gz,labels-2.nii.gz\n");
        lab.ok(&[&["train", what, "--list", "turned.csv", "-o", "again"][..], &settings].concat());
        lab.ok(&["predict", "again", "images-0.nii.gz", "-o", "masks-again"]);
        assert_eq!(lab.labels("masks-again/images-0.nii.gz"), lab.labels("masks/images-0.nii.gz"));
        std::fs::remove_dir_all(lab.path("again")).expect("it is there");
        assert_eq!(
            lab.labels("masks/images-0.nii.gz").geometry().affine(),
            lab.image("images-0.nii.gz").geometry().affine()
        );
    }
}

#[test]
fn what_is_held_out_is_told_and_the_best_network_is_the_model() {
    let lab = lab();
    let settings = ["training.iterations=3", "training.validate_every=2", "validation=0.5", "validation_from=2"];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", *setting]).collect();
    let outcome = lab.run(&train("run", &[&settings[..], &["--json"]].concat()));
    assert!(outcome.stderr.contains("cases: 2; labels: 128 (in 2), 255 (in 2)"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("held out and scored during training: 1"), "{}", outcome.stderr);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    // The last iteration is validated like every second one.
    assert!([2, 3].map(Some).contains(&report["best"]["iteration"].as_u64()), "{report}");
    assert_eq!(lab.text("run/metrics.jsonl").matches("validation").count(), 2);

    let outcome = lab.run(&train("all", &["--set", "training.iterations=1"]));
    assert!(outcome.stderr.contains("validation_from = 20"), "{}", outcome.stderr);
}

#[test]
fn a_training_does_not_go_on_with_labels_that_it_did_not_begin_with() {
    let lab = lab();
    lab.ok(&train("run", &["--set", "training.iterations=1"]));
    lab.write_image("labels/1.png", &flat(40, 32, |x, _| if x < 9 { 7.0 } else { 128.0 }).with_stored(SampleType::U8));
    let outcome = lab.run(&["train", "--resume", "run"]);
    assert_eq!(outcome.code, 1);
    let told = ["labels/1.png", "the label 7 (288 voxels) is none of [128, 255]"];
    assert!(told.iter().all(|part| outcome.stderr.contains(part)), "{}", outcome.stderr);
}

#[test]
fn one_image_that_does_not_fit_keeps_no_other_from_its_mask() {
    let lab = lab();
    lab.ok(&train("run", &["--set", "training.iterations=1"]));
    lab.write_image("images/1.png", &flat(40, 32, |_, _| 3.0).with_stored(SampleType::U8));
    let outcome = lab.run(&["predict", "run", "images", "-o", "masks"]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stderr.contains("1 of 3 images failed") && outcome.stderr.contains("images/1.png"),
        "{}",
        outcome.stderr
    );
    assert!(lab.path("masks/0.png").exists() && lab.path("masks/2.png").exists() && !lab.path("masks/1.png").exists());
}

#[test]
fn images_smaller_than_a_network_sees_are_learned_and_labelled() {
    let lab = Lab::new();
    lab.write_image("tiny.png", &flat(9, 20, |x, _| x as f32).with_stored(SampleType::U8));
    lab.write_image("labels.png", &flat(9, 20, |x, _| (x / 5) as f32).with_stored(SampleType::U8));
    let settings =
        ["--set", "training.iterations=150", "--set", "network.base_width=4", "--set", "training.learning_rate=1e-2"];
    let files = ["--images", "tiny.png", "--labels", "labels.png", "--set", "augmentation.mirror=false"];
    let more = ["--set", "mirrored_predictions=false", "--set", "augmentation.quarter_turns=false"];
    lab.ok(&[&["train", "unet", "-o", "run"][..], &files, &settings, &more].concat());
    lab.ok(&["predict", "run", "tiny.png", "-o", "masks"]);
    let (found, truth) = (lab.labels("masks/tiny.png"), lab.labels("labels.png"));
    let right = found.labels().iter().zip(truth.labels()).filter(|(a, b)| a == b).count();
    assert!(right > 160, "{right} of 180");
}

#[test]
fn settings_are_shown_as_they_would_be() {
    let lab = Lab::new();
    let settings =
        lab.json(&["train", "msnet-3d", "--show-settings", "--set", "preset=paper", "--set", "batch=3", "--json"]);
    assert_eq!(settings["network"]["name"], "msnet-3d");
    assert_eq!([&settings["batch"], &settings["training"]["iterations"]], [3, 4000]);
    assert!(lab.run(&["train", "msnet", "--show-settings"]).stderr.contains("msnet-3d"));
    assert!(lab.run(&["train", "unet", "--show-settings"]).stderr.contains("slices"));
    // Of what is learned from: slices of volumes are not mirrored.
    let phantom = crate::files::chest(3);
    lab.write_image("chest.nii.gz", &phantom.image);
    lab.write_labels("lungs.nii.gz", &phantom.truth);
    let call = ["train", "unet", "--show-settings", "--images", "chest.nii.gz", "--labels", "lungs.nii.gz", "--json"];
    let settings = lab.json(&call);
    assert_eq!([&settings["augmentation"]["mirror"], &settings["mirrored_predictions"]], [false, false]);
}

#[test]
fn networks_are_listed_with_their_parameters() {
    let lab = Lab::new();
    let list = lab.json(&["networks", "--json"]);
    let of = |name: &str| {
        let found = list.as_array().expect("a list").iter().find(|n| n["name"] == name).expect("the network");
        found["parameters"].as_u64().expect("a count")
    };
    let expected = [
        ("msnet-2d", 111_456),
        ("msnet-3d", 333_936),
        ("unet", 31_037_763),
        ("deeplabv3plus", 5_813_523),
        ("r2unet", 39_091_523),
        ("unet3d", 445_548),
        ("med3d", 17_340_480),
        ("densevoxnet", 1_783_280),
    ];
    assert_eq!(expected.map(|(name, _)| of(name)), expected.map(|(_, parameters)| parameters));
    assert!(lab.ok(&["networks"]).contains("31037763"));
}

#[test]
fn the_settings_of_the_paper_are_a_preset() {
    let lab = lab();
    lab.ok(&train("run", &["--set", "preset=paper", "--set", "training.iterations=1"]));
    let config: toml::Table = toml::from_str(&lab.text("run/config.toml")).expect("TOML");
    let training = &config["settings"]["training"];
    assert_eq!(training["schedule"].as_str(), Some("step"));
    assert_eq!([&training["learning_rate"], &training["step_factor"]].map(|x| x.as_float()), [Some(1e-2), Some(0.8)]);
    assert_eq!(config["settings"]["augmentation"]["mirror"].as_bool(), Some(false));
    assert_eq!(config["settings"]["loss"]["cross_entropy"].as_float(), Some(0.0));
}

#[test]
fn refused() {
    let lab = lab();
    lab.ok(&train("run", &["--set", "training.iterations=1"]));
    let (image, labels) = volume(0);
    lab.write_image("volume.nii.gz", &image);
    lab.write_labels("labels/volume.nii.gz", &labels);
    lab.write_image("small.png", &flat(39, 32, |_, _| 128.0).with_stored(SampleType::U8));
    lab.write_image("many.png", &flat(20, 15, |x, _| x as f32).with_stored(SampleType::U8));
    lab.write_image("many-labels.png", &flat(20, 15, |x, y| (x + 20 * y) as f32).with_stored(SampleType::U16));
    let grey = flat(40, 32, |x, y| (x + y) as f32);
    let colours = Image::new(grey.samples().repeat(3), 3, grey.geometry().clone()).expect("three channels");
    lab.write_image("colours.png", &colours.with_stored(SampleType::U8));
    lab.write_image("empty.png", &flat(40, 32, |_, _| 0.0).with_stored(SampleType::U8));
    std::fs::create_dir(lab.path("masks-of-nothing")).expect("a folder can be made");
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, arguments: &[&str]| refused.case(what, arguments);
    let one = |labels: &'static str, more: &[&'static str]| {
        [&["train", "msnet", "-o", "new", "--images", "images/0.png", "--labels", labels], more].concat()
    };
    case("nothing of that name", &["train", "msnt", "-o", "new", "--images", "images", "--labels", "labels"]);
    case("clicks for labels", &["train", "msnet", "-o", "new", "--images", "images", "--marks", "labels"]);
    case("labels for clicks", &["train", "dip", "-o", "new", "--images", "images", "--labels", "labels"]);
    case("labels of another size", &one("small.png", &[]));
    case("nothing labelled", &one("empty.png", &[]));
    case("a label that is not named", &one("labels/0.png", &["--set", "labels=[128]"]));
    case("a named label that is not there", &one("labels/0.png", &["--set", "labels=[128, 255, 3]"]));
    case(
        "a picture for a network for volumes",
        &["train", "med3d", "-o", "new", "--images", "images/0.png", "--labels", "labels/0.png"],
    );
    case(
        "a volume among pictures",
        &[
            "train",
            "msnet",
            "-o",
            "new",
            "--images",
            "images/0.png",
            "volume.nii.gz",
            "--labels",
            "labels/0.png",
            "labels/volume.nii.gz",
        ],
    );
    case("images as their own labels", &["train", "msnet", "-o", "new", "--images", "images", "--labels", "images"]);
    case(
        "a picture as labels",
        &["train", "msnet", "-o", "new", "--images", "many.png", "--labels", "many-labels.png"],
    );
    case(
        "an image without contrast",
        &["train", "msnet", "-o", "new", "--images", "empty.png", "--labels", "labels/0.png"],
    );
    case("another network in the settings", &one("labels/0.png", &["--set", "network.name=msnet-3d"]));
    case("a patch that is too small", &{
        let files = ["--images", "images/0.png", "--labels", "labels/0.png", "--set", "patch=[8, 8]"];
        [&["train", "unet", "-o", "new"][..], &files].concat()
    });
    case("a patch beyond all memory", &one("labels/0.png", &["--set", "patch=[9999999999999, 9999999999999]"]));
    case("another preset", &one("labels/0.png", &["--set", "preset=fast"]));
    case("a patch of too few axes", &one("labels/0.png", &["--set", "patch=[64]"]));
    case("no batch", &one("labels/0.png", &["--set", "batch=0"]));
    case("no loss", &one("labels/0.png", &["--set", "loss.dice=0", "--set", "loss.cross_entropy=0"]));
    case("a network that cannot be", &one("labels/0.png", &["--set", "network.channels=0"]));
    case("colours for a model of grey pictures", &["predict", "run/model.safetensors", "colours.png", "-o", "masks"]);
    case("a folder without images", &["predict", "run", "masks-of-nothing", "-o", "masks"]);
    case("clicks for a model that takes none", &["predict", "run", "images", "--marks", "labels", "-o", "masks"]);
    case("masks in the place of images", &["predict", "run", "images", "-o", "images"]);
    case("a page in the place of the model", &["explain", "run", "images/0.png", "-o", "run/model.safetensors"]);
    case("a checkpoint as a model", &["predict", "run/checkpoints/latest.safetensors", "images", "-o", "masks"]);
    refused.compare("training-on-labels");
    assert!(!lab.path("new").exists(), "no folder is made for a training that cannot be");
}
