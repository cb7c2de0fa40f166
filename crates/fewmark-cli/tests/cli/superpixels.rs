//! `fewmark superpixels`: scans in, label maps of small regions out.

use fewmark::image::SampleType;
use fewmark::{Image, LabelMap};

use crate::files::{flat, ramp};
use crate::lab::{Lab, Refusals};

#[test]
fn superpixels_keep_the_geometry_and_are_not_made_twice() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("scans")).expect("a folder can be made");
    for name in ["a", "b"] {
        lab.write_image(&format!("scans/{name}.nii.gz"), &ramp([20, 16, 3]));
    }
    let arguments = ["superpixels", "scans", "-o", "parts", "--min-size", "30", "--json"];
    let made = lab.json(&arguments);
    let name = "parts/a-felzenszwalb-scale1-sigma1-min30.nii.gz";
    assert_eq!((&made[0]["labels"], &made[0]["kept"]), (&name.into(), &false.into()));
    let (image, labels): (Image, LabelMap) = (lab.image("scans/a.nii.gz"), lab.labels(name));
    assert_eq!(labels.geometry().affine(), image.geometry().affine());
    // Every slice has its own, each of at least 30 voxels.
    for slice in labels.labels().chunks_exact(320) {
        let most = *slice.iter().max().expect("labels");
        assert!(most > 1, "one superpixel only");
        assert!((1..=most).all(|part| slice.iter().filter(|&&l| l == part).count() >= 30));
    }

    let before = lab.read(name);
    std::fs::remove_file(lab.path("parts/b-felzenszwalb-scale1-sigma1-min30.nii.gz")).expect("it is there");
    let again = lab.json(&arguments);
    assert_eq!([&again[0]["kept"], &again[1]["kept"]], [&true.into(), &serde_json::Value::from(false)]);
    assert_eq!(lab.read(name), before);
}

#[test]
fn superpixels_of_equal_size_reach_through_slices() {
    let lab = Lab::new();
    lab.write_image("scan.nii.gz", &ramp([20, 16, 6]));
    lab.ok(&["superpixels", "scan.nii.gz", "-o", "parts", "--slic", "12", "--in-3d"]);
    let labels = lab.labels("parts/scan-slic12-compactness10-sigma1-iterations10-3d.nii.gz");
    let most = usize::from(*labels.labels().iter().max().expect("labels"));
    assert!((4..=30).contains(&most) && !labels.labels().contains(&0), "{most} superpixels");
}

#[test]
fn refused() {
    let lab = Lab::new();
    lab.write_image("grey.png", &flat(20, 16, |x, y| (x * y) as f32).with_stored(SampleType::U16));
    lab.write_image("holes.nii.gz", &flat(20, 16, |x, _| if x == 3 { f32::NAN } else { x as f32 }));
    std::fs::create_dir(lab.path("parts")).expect("a folder can be made");
    let mut refused = Refusals::new(&lab);
    refused.case("samples that are no numbers", &["superpixels", "holes.nii.gz", "-o", "parts"]);
    refused.case("a deviation that cannot be", &["superpixels", "grey.png", "-o", "parts", "--sigma", "nan"]);
    refused.case("no superpixels", &["superpixels", "grey.png", "-o", "parts", "--slic", "0"]);
    refused.case("two algorithms", &["superpixels", "grey.png", "-o", "parts", "--slic", "9", "--min-size", "9"]);
    refused.case("no scan", &["superpixels", "nothing.nii.gz", "-o", "parts"]);
    refused.compare("superpixels");
}
