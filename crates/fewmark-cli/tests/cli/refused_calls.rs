//! Wrong clicks, methods and parameters.

use crate::files::{chest, flat};
use crate::lab::{Lab, Refusals};

/// A lab with a slice `slice.nii.gz` of 64 x 64 pixels and a volume `volume.nii.gz` of 64 x 64 x 4 voxels.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_image("slice.nii.gz", &chest(1).image);
    lab.write_image("volume.nii.gz", &chest(4).image);
    lab
}

/// `fewmark segment IMAGE -o mask.nii.gz` and more arguments.
fn segment<'a>(image: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["segment", image, "-o", "mask.nii.gz"], more].concat()
}

#[test]
fn clicks() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, image: &str, more: &[&str]| refused.case(what, &segment(image, more));
    case("no click", "slice.nii.gz", &[]);
    case("a background click only", "slice.nii.gz", &["-b", "3,3"]);
    case("a click outside a slice", "slice.nii.gz", &["-c", "64,3"]);
    case("a click outside a volume", "volume.nii.gz", &["-c", "20,30,4"]);
    case("a negative click", "slice.nii.gz", &["-c", "-1,3"]);
    case("a click outside in mm", "volume.nii.gz", &["--world", "-c", "9000,0,0"]);
    case("a background click outside", "slice.nii.gz", &["-c", "20,30", "-b", "20,99"]);
    case("two coordinates for a volume", "volume.nii.gz", &["-c", "20,30"]);
    case("three coordinates for a slice", "slice.nii.gz", &["-c", "20,30,0"]);
    case("one coordinate", "slice.nii.gz", &["-c", "20"]);
    case("coordinates that are no numbers", "slice.nii.gz", &["-c", "left,lung"]);
    case("a coordinate that is not finite", "slice.nii.gz", &["-c", "20,inf"]);
    case("object and background at once", "slice.nii.gz", &["-c", "20,30", "-b", "20,30"]);
    case("a slice that the volume does not have", "volume.nii.gz", &["-c", "20,30", "--slice", "4"]);
    case("a click in another slice", "volume.nii.gz", &["-c", "20,30,1", "--slice", "2"]);
    case("clicks and a file with clicks", "slice.nii.gz", &["-c", "20,30", "--marks", "marks.json"]);
    refused.compare("clicks");
}

#[test]
fn marks() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let mut case = |what: &str, json: &[u8]| {
        lab.write("marks.json", json);
        refused.case(what, &segment("slice.nii.gz", &["--marks", "marks.json"]));
    };
    case("no JSON", b"20, 30");
    case("JSON cut short", b"{ \"foreground\": [[20, 30]");
    case("an unknown field", b"{ \"foreground\": [[20, 30]], \"backgruond\": [[3, 3]] }");
    case("an unknown space", b"{ \"space\": \"pixel\", \"foreground\": [[20, 30]] }");
    case("no foreground", b"{ \"background\": [[3, 3]] }");
    case("an empty foreground", b"{ \"foreground\": [] }");
    case("a click that is no list", b"{ \"foreground\": [20, 30] }");
    case("a click of four coordinates", b"{ \"foreground\": [[1, 2, 3, 4]] }");
    case("a coordinate that is null", b"{ \"foreground\": [[20, null]] }");
    case("a file that is no text", b"\xff\xfe\x00{");
    case("an empty file", b"");
    refused.case("no such file", &segment("slice.nii.gz", &["--marks", "absent.json"]));
    refused.case("a folder", &segment("slice.nii.gz", &["--marks", "."]));
    refused.compare("marks");
}

#[test]
fn methods_and_parameters() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let clicked = |more: &[&'static str]| segment("slice.nii.gz", &[&["-c", "20,30"], more].concat());
    let mut case = |what: &str, more: &[&'static str]| refused.case(what, &clicked(more));
    case("an unknown method", &["-m", "elastca"]);
    case("a method unlike any other", &["-m", "watershed"]);
    case("an unknown parameter", &["--set", "lamda=2"]);
    case("a parameter unlike any other", &["--set", "zzz=2"]);
    case("text for a number", &["--set", "mu=large"]);
    case("a number for a name", &["--set", "solver=3"]);
    case("an unknown name", &["--set", "solver=newton"]);
    case("a negative weight", &["--set", "mu=-1"]);
    case("a weight that is not finite", &["--set", "lambda=nan"]);
    case("a quantile above 1", &["--set", "distance_quantile=1.5"]);
    case("a quantile of one half", &["--set", "clip_quantile=0.5"]);
    case("a window upside down", &["--set", "window=[5, 1]"]);
    case("a window of one number", &["--set", "window=[5]"]);
    case("an unknown preset", &["--set", "preset=papier"]);
    case("no value", &["--set", "mu"]);
    case("no name", &["--set", "=3"]);
    case("a negative tolerance", &["--set", "tolerance=-1"]);
    case("a negative number of iterations", &["--set", "max_iterations=-5"]);
    case("no iterations", &["--set", "max_iterations=0"]);
    case("no iterations of elastica", &["-m", "elastica", "--set", "elastica_iterations=0"]);
    refused.case("elastica for a volume", &segment("volume.nii.gz", &["-c", "20,30,1", "-m", "elastica"]));
    refused.case("parameters of an unknown method", &["methods", "tvv"]);
    refused.compare("methods_and_parameters");
}

#[test]
fn config_files() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    let call = segment("slice.nii.gz", &["-c", "20,30", "--config", "method.toml"]);
    let mut case = |what: &str, toml: &[u8]| {
        lab.write("method.toml", toml);
        refused.case(what, &call);
    };
    case("no TOML", b"mu: 3");
    case("a string that does not end", b"mu_unit = \"pixel");
    case("a key twice", b"mu = 1\nmu = 2\n");
    case("an unknown method", b"method = \"tvv\"");
    case("a method that is no name", b"method = 3");
    case("an unknown parameter", b"my = 1");
    case("a wrong type", b"max_iterations = 2.5");
    case("a section", b"[tv]\nmu = 3\n");
    case("a file that is no text", b"\xff\xfe\x00");
    refused.case("no such file", &segment("slice.nii.gz", &["-c", "20,30", "--config", "absent.toml"]));
    refused.compare("config_files");
}

#[test]
fn options() {
    let lab = lab();
    let mut refused = Refusals::new(&lab);
    refused.case("nothing to write to", &["segment", "slice.nii.gz", "-c", "20,30"]);
    refused.case("a trace only", &["segment", "slice.nii.gz", "-c", "20,30", "--trace", "trace.json"]);
    refused.case("no image", &["segment", "-c", "20,30", "-o", "mask.nii.gz"]);
    refused.case("no threads", &segment("slice.nii.gz", &["-c", "20,30", "--threads", "0"]));
    refused.case("an option misspelt", &segment("slice.nii.gz", &["--clik", "20,30"]));
    refused.case("a command misspelt", &["segmnt", "slice.nii.gz"]);
    refused.case("a negative slice", &segment("slice.nii.gz", &["-c", "20,30", "--slice", "-1"]));
    refused.case("a negative seed", &["clicks", "slice.nii.gz", "--seed", "-1"]);
    refused.case("no shell", &["completions", "klingon"]);
    refused.compare("options");
}

#[test]
fn images_without_contrast() {
    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let call = segment("flat.nii.gz", &["-c", "2,3"]);
    lab.write_image("flat.nii.gz", &flat(8, 8, |_, _| 7.0));
    refused.case("a constant image", &call);
    lab.write_image("flat.nii.gz", &flat(8, 8, |_, _| f32::NAN));
    refused.case("an image of NaN", &call);
    lab.write_image("flat.nii.gz", &flat(1, 1, |_, _| 7.0));
    refused.case("a single pixel", &segment("flat.nii.gz", &["-c", "0,0"]));
    refused.compare("images_without_contrast");
}

/// A name that is no UTF-8 is as good as any other.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let lab = Lab::new();
    let mut refused = Refusals::new(&lab);
    let name = OsStr::from_bytes(b"s\xe9gmentation.nii.gz");
    refused.case("no such file", &[OsStr::new("info"), name]);
    refused.compare("names_that_are_no_utf_8");
}
