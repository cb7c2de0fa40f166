//! Label maps that cannot be scored, clicked or converted.

use fewmark::{Dimension, Geometry, Image};

use crate::files::{chest, labels, oblique, ramp};
use crate::lab::{Lab, Refusals};

/// A lab with the image `image.nii.gz` and its label map `truth.nii.gz`.
fn lab() -> Lab {
    let lab = Lab::new();
    let image = ramp([4, 4, 2]);
    lab.write_image("image.nii.gz", &image);
    lab.write_labels("truth.nii.gz", &labels(&image, |[x, ..]| x < 2));
    lab
}

#[test]
fn scores() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let other = |size| Image::new(vec![1.0; 32], 1, oblique(size)).unwrap();
    lab.write_image("size.nii.gz", &other([4, 2, 4]));
    refused.case("another size", &["evaluate", "size.nii.gz", "truth.nii.gz"]);
    refused.case("another size, geometry ignored", &["evaluate", "size.nii.gz", "truth.nii.gz", "--ignore-geometry"]);
    let geometry = Geometry::unit(Dimension::Three, [4, 4, 2]).unwrap();
    lab.write_image("place.nii.gz", &Image::new(vec![1.0; 32], 1, geometry).unwrap());
    refused.case("another place", &["evaluate", "place.nii.gz", "truth.nii.gz"]);
    refused.case("samples that are not whole", &["evaluate", "image.nii.gz", "truth.nii.gz"]);
    refused.case("a truth that is not whole", &["evaluate", "truth.nii.gz", "image.nii.gz"]);
    lab.write_image("below.nii.gz", &Image::new(vec![-1.0; 32], 1, oblique([4, 4, 2])).unwrap());
    refused.case("a negative label", &["evaluate", "below.nii.gz", "truth.nii.gz"]);
    lab.write_image(
        "colour.nii.gz",
        &Image::new((0..96).map(|i| (i / 32) as f32).collect(), 3, oblique([4, 4, 2])).unwrap(),
    );
    refused.case("a colour image", &["evaluate", "colour.nii.gz", "truth.nii.gz"]);
    refused.case("no segmentation", &["evaluate", "absent.nii.gz", "truth.nii.gz"]);
    refused.case("a negative tolerance", &["evaluate", "truth.nii.gz", "truth.nii.gz", "--tolerance=-1"]);
    refused.case("labels that are no numbers", &["evaluate", "truth.nii.gz", "truth.nii.gz", "--labels", "liver"]);
    refused.case("a rule that is none", &["evaluate", "truth.nii.gz", "truth.nii.gz", "--empty-distance", "ignore"]);
    refused.compare("scores");
}

#[test]
fn folders() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    for name in ["predicted/a.nii.gz", "predicted/b.nii.gz", "true/a.nii.gz", "twice/a.nii.gz", "twice/a.nii"] {
        lab.bring(&lab.path("truth.nii.gz"), name);
    }
    std::fs::create_dir(lab.path("empty")).unwrap();
    refused.case("a folder against a file", &["evaluate", "predicted", "truth.nii.gz"]);
    refused.case("a file against a folder", &["evaluate", "truth.nii.gz", "true"]);
    refused.case("a case without truth", &["evaluate", "predicted", "true"]);
    refused.case("no segmentation", &["evaluate", "empty", "true"]);
    refused.case("no truth", &["evaluate", "true", "empty"]);
    refused.case("two empty folders", &["evaluate", "empty", "empty"]);
    refused.case("two files of a case", &["evaluate", "twice", "true"]);
    refused.case("no such folder", &["evaluate", "absent", "true"]);
    refused.compare("folders");
}

#[test]
fn clicked_truths() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    lab.write_labels("lungs.nii.gz", &chest(1).truth);
    refused.case("an absent label", &["clicks", "lungs.nii.gz", "--label", "7"]);
    refused.case("a label out of range", &["clicks", "lungs.nii.gz", "--label", "70000"]);
    refused.case("no clicks at all", &["clicks", "lungs.nii.gz", "--count", "0"]);
    refused.case("an image", &["clicks", "image.nii.gz"]);
    lab.write_labels("nothing.nii.gz", &labels(&ramp([4, 4, 2]), |_| false));
    refused.case("a truth without an object", &["clicks", "nothing.nii.gz", "-o", "marks.json"]);
    refused.compare("clicked_truths");
}

#[test]
fn conversions() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, more: &[&str]| {
        refused.case(what, &[&["convert", "image.nii.gz", "-o", "out.nii.gz"], more].concat());
    };
    case("a spacing of 0", &["--spacing", "0,1,1"]);
    case("a negative spacing", &["--spacing=-1,1,1"]);
    case("a spacing of one number", &["--spacing", "2"]);
    case("a spacing that asks for 10^20 voxels", &["--spacing", "1e-7,1e-7,1e-7"]);
    case("a window that is none", &["--window", "lungs"]);
    case("a window upside down", &["--window", "100,-100"]);
    case("a window without width", &["--window", "5,5"]);
    case("a window of NaN", &["--window", "nan,5"]);
    case("a slice that is not there", &["--slice", "2"]);
    case("the grid of an image that is not there", &["--like", "absent.nii.gz"]);
    case("labels that are not whole", &["--labels"]);
    case("a spacing and a grid", &["--spacing", "1,1,1", "--like", "truth.nii.gz"]);
    case("labels through a window", &["--labels", "--window", "lung"]);
    refused.compare("conversions");
}
