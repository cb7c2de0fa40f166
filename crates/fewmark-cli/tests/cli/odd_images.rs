//! Images at the edge of what an image is: each gives a mask.

use fewmark::{Geometry, Image};

use crate::files::{chest, flat, golden, labels};
use crate::lab::Lab;

/// A bright disc.
fn disc(x: usize, y: usize, center: [f64; 2], radius: f64) -> bool {
    (x as f64 - center[0]).hypot(y as f64 - center[1]) <= radius
}

/// Segments an image of a bright disc by three clicks and compares the mask with the disc.
fn assert_disc(image: &Image, center: [f64; 2], radius: f64, clicks: [&str; 3]) {
    let lab = Lab::new();
    lab.write_image("image.nii.gz", image);
    lab.write_labels("truth.nii.gz", &labels(image, |[x, y, _]| disc(x, y, center, radius)));
    let [a, b, c] = clicks;
    lab.ok(&["segment", "image.nii.gz", "-c", a, "-c", b, "-c", c, "-o", "mask.nii.gz"]);
    let dice = lab.dice("mask.nii.gz", "truth.nii.gz");
    assert!(dice > 0.9, "{dice}");
}

#[test]
fn a_few_samples_may_be_nan() {
    let center = [24.0, 24.0];
    let image = flat(48, 48, |x, y| match (x, y) {
        (3, 4) | (40, 41) => f32::NAN,
        (44, 2) => f32::INFINITY,
        _ => 50.0 + if disc(x, y, center, 12.0) { 100.0 } else { 0.0 },
    });
    assert_disc(&image, center, 12.0, ["24,24", "20,20", "28,26"]);
}

#[test]
fn an_object_may_touch_the_border() {
    let center = [0.0, 20.0];
    let image = flat(48, 40, |x, y| if disc(x, y, center, 14.0) { 9.0 } else { 1.0 + (x % 3) as f32 * 0.1 });
    assert_disc(&image, center, 14.0, ["0,20", "5,14", "6,26"]);
}

#[test]
fn an_object_may_fill_all_but_a_corner() {
    let lab = Lab::new();
    let image = flat(32, 32, |x, y| if x < 4 && y < 4 { 1.0 } else { 9.0 });
    lab.write_image("image.nii.gz", &image);
    lab.write_labels("truth.nii.gz", &labels(&image, |[x, y, _]| x >= 4 || y >= 4));
    lab.ok(&["segment", "image.nii.gz", "-c", "16,16", "-c", "28,28", "-c", "28,5", "-c", "5,28", "-o", "mask.nii.gz"]);
    let mask = lab.labels("mask.nii.gz");
    assert!((0..4).all(|y| (0..4).all(|x| mask.labels()[x + 32 * y] == 0)), "the corner does not belong to it");
    // What lies far from the clicks in comparison with the rest of the image may be missed, although it looks alike.
    assert!(lab.dice("mask.nii.gz", "truth.nii.gz") > 0.8);
}

/// Lines of pixels, and volumes that are one: whatever the mask, it has the image's geometry and holds the click.
#[test]
fn lines_of_pixels_are_segmented() {
    let lab = Lab::new();
    let line =
        |width: usize, height: usize| flat(width, height, |x, y| if (8..20).contains(&(x + y)) { 5.0 } else { 1.0 });
    for (image, click) in [(line(30, 1), "12,0"), (line(1, 30), "0,12"), (line(2, 1), "0,0")] {
        lab.write_image("line.nii.gz", &image);
        if image.geometry().len() == 2 {
            lab.write_image("line.nii.gz", &flat(2, 1, |x, _| x as f32));
        }
        lab.ok(&["segment", "line.nii.gz", "-c", click, "-o", "mask.nii.gz", "-q"]);
        assert_eq!(lab.labels("mask.nii.gz").geometry().affine(), image.geometry().affine());
    }
    let size = [1, 1, 30];
    let samples = (0..30).map(|z| if (8..20).contains(&z) { 5.0 } else { 1.0 }).collect();
    let geometry = Geometry::unit(fewmark::Dimension::Three, size).unwrap();
    lab.write_image("needle.nii.gz", &Image::new(samples, 1, geometry).unwrap());
    lab.ok(&["segment", "needle.nii.gz", "-c", "0,0,12", "-o", "mask.nii.gz", "-q"]);
    assert_eq!(lab.labels("mask.nii.gz").geometry().size(), size);
}

#[test]
fn a_colour_picture_is_segmented() {
    let lab = Lab::new();
    let center = [20.0, 18.0];
    let geometry = Geometry::unit(fewmark::Dimension::Two, [40, 36, 1]).unwrap();
    let channel = |inside: f32, outside: f32| {
        (0..40 * 36).map(move |i| if disc(i % 40, i / 40, center, 10.0) { inside } else { outside })
    };
    let samples = channel(200.0, 30.0).chain(channel(90.0, 60.0)).chain(channel(40.0, 50.0)).collect();
    let picture = Image::new(samples, 3, geometry).unwrap().with_stored(fewmark::image::SampleType::U8);
    lab.write_image("picture.png", &picture);
    lab.write_labels("truth.png", &labels(&picture, |[x, y, _]| disc(x, y, center, 10.0)));
    lab.ok(&[
        "segment",
        "picture.png",
        "-c",
        "20,18",
        "-c",
        "15,15",
        "-c",
        "25,20",
        "-o",
        "mask.png",
        "--overlay",
        "o.png",
    ]);
    assert!(lab.dice("mask.png", "truth.png") > 0.9);
    // A mask as a picture: its labels are whole numbers, not colours.
    assert_eq!(lab.labels("mask.png").present(), [1]);
}

#[test]
fn a_dicom_series_gives_a_mask_in_its_place() {
    let lab = Lab::new();
    lab.bring(&golden("dicom/oblique"), "series");
    lab.ok(&["segment", "series", "-c", "3,3,2", "-o", "mask.nii.gz", "-q"]);
    let (mask, scan) = (lab.labels("mask.nii.gz"), lab.image("series"));
    assert_eq!(mask.geometry().size(), scan.geometry().size());
    // NIfTI-1 stores 32-bit floats.
    for (mask, scan) in mask.geometry().affine().as_flattened().iter().zip(scan.geometry().affine().as_flattened()) {
        assert!((mask - scan).abs() <= 1e-5 * scan.abs().max(1.0), "{mask} is not {scan}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_may_be_no_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let lab = Lab::new();
    lab.write_image("chest.nii.gz", &chest(1).image);
    let name = OsStr::from_bytes(b"s\xe9gment");
    std::fs::rename(lab.path("chest.nii.gz"), lab.path("").join(name)).unwrap();
    lab.ok(&[OsStr::new("info"), name]);
}
