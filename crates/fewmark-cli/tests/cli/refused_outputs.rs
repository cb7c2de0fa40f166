//! Results that cannot be written where they should go.

use crate::files::{chest, ramp};
use crate::lab::{Lab, Refusals};

/// A lab with a volume, a slice and a truth.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_image("volume.nii.gz", &ramp([8, 8, 2]));
    let phantom = chest(1);
    lab.write_image("slice.nii.gz", &phantom.image);
    lab.write_labels("truth.nii.gz", &phantom.truth);
    lab
}

#[test]
fn names() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, image: &str, output: &str| {
        refused.case(what, &["convert", image, "-o", output]);
    };
    case("an unknown ending", "slice.nii.gz", "out.xyz");
    case("no ending", "slice.nii.gz", "out");
    case("only an ending", "slice.nii.gz", "nii.gz");
    case("a format that is only read", "slice.nii.gz", "out.dcm");
    case("a header without its data file", "slice.nii.gz", "out.mhd");
    case("a volume as a picture", "volume.nii.gz", "out.png");
    case("samples that a picture cannot hold", "slice.nii.gz", "out.png");
    case("a folder that is not there", "slice.nii.gz", "absent/out.nii.gz");
    case("a folder that is a file", "slice.nii.gz", "truth.nii.gz/out.nii.gz");
    std::fs::create_dir(lab.path("folder.nii.gz")).unwrap();
    case("a file that is a folder", "slice.nii.gz", "folder.nii.gz");
    case("the image itself", "slice.nii.gz", "slice.nii.gz");
    refused.compare("names");
}

#[test]
fn masks() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, more: &[&str]| {
        refused.case(what, &[&["segment", "slice.nii.gz", "-c", "46,30"], more].concat());
    };
    case("a mask as JPEG", &["-o", "mask.jpg"]);
    case("a mask of unknown format", &["-o", "mask.xyz"]);
    case("a mask in a folder that is not there", &["-o", "absent/mask.nii.gz"]);
    case("a mask in a folder that is a file", &["-o", "truth.nii.gz/mask.nii.gz"]);
    case("a picture of unknown format", &["-o", "mask.nii.gz", "--overlay", "picture.xyz"]);
    case("a picture in a folder that is not there", &["-o", "mask.nii.gz", "--overlay", "absent/picture.png"]);
    case("probabilities as a picture", &["-o", "mask.nii.gz", "--probability", "probability.png"]);
    case("a trace in a folder that is not there", &["-o", "mask.nii.gz", "--trace", "absent/trace.json"]);
    case("a mask in the place of the image", &["-o", "./slice.nii.gz"]);
    case("two results in one place", &["-o", "mask.nii.gz", "--probability", "./mask.nii.gz"]);
    refused.case("a mask of a volume as a picture", &["segment", "volume.nii.gz", "-c", "3,3,0", "-o", "mask.png"]);
    refused.compare("masks");
}

#[test]
fn other_results() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    refused.case("clicks", &["clicks", "truth.nii.gz", "-o", "absent/marks.json"]);
    refused.case("the clicked object", &["clicks", "truth.nii.gz", "-o", "marks.json", "--object", "object.xyz"]);
    refused.case("clicks in the place of the truth", &["clicks", "truth.nii.gz", "-o", "truth.nii.gz"]);
    refused.case("a table", &["evaluate", "truth.nii.gz", "truth.nii.gz", "--csv", "absent/scores.csv"]);
    refused.case(
        "a table in the place of the truth",
        &["evaluate", "truth.nii.gz", "truth.nii.gz", "--csv", "truth.nii.gz"],
    );
    refused.case("the demonstration", &["demo", "-o", "truth.nii.gz/demo"]);
    refused.compare("other_results");
}

/// `/dev/full` is a disk that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let clicked = ["segment", "slice.nii.gz", "-c", "46,30"];
    let mut case = |what: &str, more: &[&str]| refused.case(what, &[&clicked, more].concat());
    // The name of a device tells no format: it is reached by a link that does.
    for name in ["full.nii.gz", "full.png"] {
        std::os::unix::fs::symlink("/dev/full", lab.path(name)).unwrap();
    }
    case("a mask", &["-o", "full.nii.gz"]);
    case("a picture", &["--overlay", "full.png"]);
    refused.case("a table", &["evaluate", "truth.nii.gz", "truth.nii.gz", "--csv", "/dev/full"]);
    refused.case("clicks", &["clicks", "truth.nii.gz", "-o", "/dev/full"]);
    refused.case("an image", &["convert", "slice.nii.gz", "-o", "full.nii.gz"]);
    refused.compare("a_full_disk");
}
