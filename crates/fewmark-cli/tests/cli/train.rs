//! `fewmark train`, `predict` and `runs`: from images with clicks to a model and its masks.

use fewmark::Image;
use fewmark::image::SampleType;

use crate::files::flat;
#[cfg(unix)]
use crate::lab::interrupted;
use crate::lab::{Lab, Refusals};

/// Small networks that are trained in a second.
const SMALL: [&str; 12] = [
    "--set",
    "size=0",
    "--set",
    "network.base_width=4",
    "--set",
    "prior.down=[8, 16]",
    "--set",
    "prior.up=[8, 16]",
    "--set",
    "prior.in_channels=8",
    "--set",
    "training.checkpoint_every=2",
];

/// A lab with three pictures of a bright disc, `images/N.png`, their clicks `marks/N.json` and true masks `truths/N.png`.
fn lab() -> Lab {
    let lab = Lab::new();
    for folder in ["images", "marks", "truths"] {
        std::fs::create_dir(lab.path(folder)).expect("a folder can be made");
    }
    for n in 0..3 {
        let inside = |x: usize, y: usize| (x as f32 - 20.0 - 3.0 * n as f32).hypot(y as f32 - 18.0) < 10.0;
        let texture = |x: usize, y: usize| ((x * 7 + y * 13 + n) % 5) as f32;
        lab.write_image(
            &format!("images/{n}.png"),
            &picture(|x, y| if inside(x, y) { 150.0 + texture(x, y) } else { 30.0 + texture(x, y) }),
        );
        lab.write_image(&format!("truths/{n}.png"), &picture(|x, y| f32::from(u8::from(inside(x, y)))));
        lab.ok(&["clicks", &format!("truths/{n}.png"), "-o", &format!("marks/{n}.json")]);
    }
    lab
}

/// A small picture of whole numbers.
fn picture(sample: impl Fn(usize, usize) -> f32) -> Image {
    flat(44, 36, sample).with_stored(SampleType::U8)
}

/// `fewmark train dip` on the first two pictures.
fn train<'a>(run: &'a str, iterations: &'a str) -> Vec<&'a str> {
    let files = ["--images", "images/0.png", "images/1.png", "--marks", "marks/0.json", "marks/1.json"];
    [&["train", "dip", "-o", run, "--set", iterations][..], &files, &SMALL].concat()
}

/// The weights of a model file: what follows the header, whose length is in the first eight bytes.
fn weights(lab: &Lab, run: &str) -> Vec<u8> {
    let bytes = lab.read(&format!("{run}/model.safetensors"));
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    bytes[8 + header as usize..].to_vec()
}

#[test]
fn two_clicked_images_make_a_model_that_segments_a_third() {
    let lab = lab();
    let more = ["--set", "training.snapshots=2"];
    let report = lab.json(&[&train("run", "training.iterations=200")[..], &more, &["--json"]].concat());
    assert_eq!(report["iterations"], 200);
    assert_eq!(report["model"], "run/model.safetensors");
    let page = lab.text("run/report.html");
    assert!(
        page.contains("coupling") && page.contains("variant") && !page.contains("http://"),
        "the report shows the run"
    );

    lab.ok(&["predict", "run/model.safetensors", "images", "--marks", "marks", "-o", "masks", "--overlays"]);
    for n in 0..3 {
        let score = lab.dice(&format!("masks/{n}.png"), &format!("truths/{n}.png"));
        assert!(score > 0.9, "image {n}: Dice {score}");
    }
    lab.ok(&[
        "segment",
        "images/2.png",
        "--marks",
        "marks/2.json",
        "--model",
        "run/model.safetensors",
        "-o",
        "one.png",
    ]);
    assert_eq!(lab.read("one.png"), lab.read("masks/2.png"));
    lab.ok(&[
        "predict",
        "run/model.safetensors",
        "images/2.png",
        "--marks",
        "marks/2.json",
        "--refine",
        "-o",
        "refined",
    ]);
    assert!(lab.dice("refined/2.png", "truths/2.png") > 0.9);

    let runs = lab.json(&["runs", "--json"]);
    assert_eq!((&runs[0]["state"], &runs[0]["method"]), (&"finished".into(), &"dip".into()));
    assert_eq!(runs[0]["step"]["iteration"], 200);
}

#[test]
fn a_volume_is_walked_slice_by_slice_with_its_geometry_kept() {
    let lab = lab();
    lab.ok(&train("run", "training.iterations=80"));
    let phantom = crate::files::chest(6);
    lab.write_image("chest.nii.gz", &phantom.image);
    lab.write_labels("truth.nii.gz", &phantom.truth);
    lab.ok(&["clicks", "truth.nii.gz", "-o", "chest.json"]);
    lab.ok(&["predict", "run/model.safetensors", "chest.nii.gz", "--marks", "chest.json", "-o", "masks"]);
    let (scan, mask) = (lab.image("chest.nii.gz"), lab.image("masks/chest.nii.gz"));
    assert_eq!(mask.geometry().affine(), scan.geometry().affine());
    assert_eq!(mask.geometry().size(), scan.geometry().size());
}

/// A killed training leaves whole files, and ends as if it had not been killed.
#[cfg(unix)]
#[test]
fn a_training_that_is_killed_ends_as_if_it_had_not_been() {
    let lab = lab();
    lab.ok(&train("whole", "training.iterations=60"));
    let mut child = lab.start(&train("killed", "training.iterations=60"));
    lab.wait_for("killed/checkpoints/latest.safetensors");
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
    assert!(!lab.path("killed/model.safetensors").exists(), "it was killed in time");
    lab.ok(&["train", "--resume", "killed"]);
    assert_eq!(weights(&lab, "killed"), weights(&lab, "whole"));
    let log = lab.text("killed/metrics.jsonl");
    assert_eq!(log.lines().count(), 60);
}

/// Ctrl-C ends a training after a checkpoint, and says how to go on.
#[cfg(unix)]
#[test]
fn an_interrupted_training_can_be_gone_on_with() {
    let lab = lab();
    let mut child = lab.start(&train("run", "training.iterations=100000"));
    lab.wait_for("run/checkpoints/latest.safetensors");
    assert_eq!(interrupted(&mut child), Some(130), "nothing that needs the model goes on");
    let state = lab.json(&["runs", "run", "--json"]);
    assert_eq!(state[0]["state"], "stopped");
    let done = state[0]["step"]["iteration"].as_u64().expect("a number");
    let log = lab.text("run/metrics.jsonl");
    assert_eq!(log.lines().count() as u64, done);
    let outcome = lab.run(&["predict", "run", "images/0.png", "--marks", "marks/0.json", "-o", "masks"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("has not ended"), "{}", outcome.stderr);
}

#[test]
fn refused() {
    let lab = lab();
    lab.ok(&train("run", "training.iterations=1"));
    lab.write("broken.json", "{");
    lab.write("outside.json", r#"{"foreground": [[400, 3]]}"#);
    lab.write("list.csv", "image,clicks\nimages/0.png,marks/0.json\n");
    lab.write("cut.safetensors", &lab.read("run/model.safetensors")[..5000]);
    lab.write("config.toml", "[training]\niteration = 3\n");
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, arguments: &[&str]| refused.case(what, arguments);
    let one = ["train", "dip", "-o", "new", "--images", "images/0.png"];
    let with = |more: &[&'static str]| [&one[..], &["--marks", "marks/0.json"], more].concat();
    case("a folder that holds a run", &train("run", "training.iterations=1"));
    case("nothing to go on with", &["train", "--resume", "images"]);
    case("another network to go on with", &["train", "msnet", "--resume", "run"]);
    case("no clicks", &one);
    case("no images", &["train", "dip", "-o", "new"]);
    case("an image without clicks", &["train", "dip", "-o", "new", "--images", "images", "--marks", "marks/0.json"]);
    case("clicks cut short", &[&one[..], &["--marks", "broken.json"]].concat());
    case("a click outside", &[&one[..], &["--marks", "outside.json"]].concat());
    case("a list without clicks", &["train", "dip", "-o", "new", "--list", "list.csv"]);
    case("an unknown setting", &with(&["--set", "training.iteration=3"]));
    case("an unknown setting in a file", &with(&["--config", "config.toml"]));
    case("a setting of the wrong kind", &with(&["--set", "training.iterations=many"]));
    case("a setting that cannot be", &with(&["--set", "training.learning_rate=-1"]));
    case("an unknown method", &with(&["--set", "variant=m5"]));
    case("a network that cannot be", &with(&["--set", "network.base_width=0"]));
    case("no graphics card", &with(&["--device", "gpu"]));
    case("no graphics card to go on with", &["train", "--resume", "run", "--device", "gpu"]);
    let predict = |model: &'static str| ["predict", model, "images/0.png", "--marks", "marks/0.json", "-o", "masks"];
    case("no model", &predict("nothing.safetensors"));
    case("a model cut short", &predict("cut.safetensors"));
    case("a picture for a model", &predict("images/0.png"));
    case("a checkpoint for a model", &predict("run/checkpoints/latest.safetensors"));
    refused.compare("training");
}
