//! `fewmark explain`: a page that shows what an MSNet does with an image.

use fewmark::Image;
use fewmark::image::SampleType;

use crate::files::{flat, labels, ramp};
use crate::lab::{Lab, Refusals};

/// A lab with two pictures of a bright disc, `images/N.png`, their label maps `labels/N.png`, and a model `run/model.safetensors` of a
/// network that was hardly trained on them.
fn lab(network: &str, settings: &[&str]) -> Lab {
    let lab = Lab::new();
    for folder in ["images", "labels"] {
        std::fs::create_dir(lab.path(folder)).expect("a folder can be made");
    }
    for n in 0..2 {
        let image = disc(n);
        lab.write_image(&format!("images/{n}.png"), &image);
        lab.write_labels(&format!("labels/{n}.png"), &labels(&image, |[x, y, _]| inside(n, x, y)));
    }
    let files = ["train", network, "--images", "images", "--labels", "labels", "-o", "run"];
    lab.ok(&[&files[..], &["--set", "training.iterations=2"], settings].concat());
    lab
}

/// An MSNet that is trained in a second.
fn msnet() -> Lab {
    lab("msnet", &["--set", "network.grids=3", "--set", "network.channels=4"])
}

fn inside(n: usize, x: usize, y: usize) -> bool {
    (x as f32 - 12.0 - 3.0 * n as f32).hypot(y as f32 - 10.0) < 6.0
}

fn disc(n: usize) -> Image {
    flat(28, 21, |x, y| if inside(n, x, y) { 150.0 } else { 30.0 + (x * 7 + y * 5) as f32 % 9.0 })
        .with_stored(SampleType::U8)
}

#[test]
fn the_page_shows_every_visit() {
    let lab = msnet();
    let call = ["explain", "run/model.safetensors", "images/0.png", "-o", "page.html"];
    let told = lab.ok(&call);
    assert!(told.contains("grid 3, down") && told.contains("page.html"), "{told}");
    let page = lab.text("page.html");
    for row in ["1: grid 1, down", "3: grid 3, down", "5: grid 1, up", "28 x 21", "7 x 6", "channel 4", "label 1"] {
        assert!(page.contains(row), "{row}");
    }
    // The contours and two probabilities; u and its mean, the channels of v and their share in 5 visits; u and v of 4 channels.
    assert_eq!(page.matches("<img").count(), 3 + 5 * 6 + 2 * 4);
    assert!(!page.contains("http://") && !page.contains("https://"), "it asks no other host for anything");

    let told = lab.json(&[&call[..], &["--json"]].concat());
    let visits = told["visits"].as_array().expect("a list");
    assert_eq!(visits.len(), 5);
    assert_eq!((&visits[2]["grid"], &visits[2]["size"]), (&3.into(), &serde_json::json!([7, 6, 1])));
    for visit in visits {
        let total = |energy: &str| {
            let terms = visit[energy].as_object().expect("its terms");
            terms.values().map(|term| term.as_f64().expect("a number")).sum::<f64>()
        };
        assert!(total("after_v") <= total("after_u") + 1e-9, "{visit}");
        assert!((0.25..=1.0).contains(&visit["leading_share"].as_f64().expect("a number")), "{visit}");
    }
    assert_eq!(lab.text("page.html"), page, "the same call makes the same page");
}

#[test]
fn a_slice_of_a_volume_is_shown() {
    let lab = msnet();
    lab.write_image("volume.nii.gz", &ramp([20, 16, 5]));
    let call = ["explain", "run/model.safetensors", "volume.nii.gz", "-o", "page.html", "--json"];
    assert_eq!(lab.json(&call)["slice"], 2);
    assert_eq!(lab.json(&[&call[..], &["--slice", "4"]].concat())["slice"], 4);
    assert!(lab.text("page.html").contains("volume.nii.gz, slice 4"));
}

#[test]
fn refused() {
    let lab = msnet();
    let colours = Image::new((0..3).flat_map(|_| disc(0).samples().to_vec()).collect(), 3, disc(0).geometry().clone());
    lab.write_image("colours.png", &colours.expect("three channels").with_stored(SampleType::U8));
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, arguments: &[&str]| refused.case(what, &[&["explain"], arguments].concat());
    let model = "run/model.safetensors";
    case("no page", &[model, "images/0.png"]);
    case("a page in no folder", &[model, "images/0.png", "-o", "nowhere/page.html"]);
    case("a folder for a page", &[model, "images/0.png", "-o", "images"]);
    case("no model", &["nothing.safetensors", "images/0.png", "-o", "page.html"]);
    case("a picture for a model", &["images/1.png", "images/0.png", "-o", "page.html"]);
    case("no image", &[model, "nothing.png", "-o", "page.html"]);
    case("an image of other channels", &[model, "colours.png", "-o", "page.html"]);
    case("a slice that is not there", &[model, "images/0.png", "-o", "page.html", "--slice", "1"]);
    refused.compare("explaining");
}

#[test]
fn other_networks_are_refused() {
    let lab = lab("unet", &["--set", "network.base_width=2"]);
    let mut refused = Refusals::new(&lab);
    refused.case("another network", &["explain", "run/model.safetensors", "images/0.png", "-o", "page.html"]);
    refused.compare("explaining_another_network");
}
