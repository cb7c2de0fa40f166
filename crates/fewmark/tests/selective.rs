//! The selective methods from image and clicks to a mask, on phantoms with a known truth.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::ops::ControlFlow;

use fewmark::metrics::Confusion;
use fewmark::phantom::{self, LEFT_LUNG, Phantom};
use fewmark::simulate::Object;
use fewmark::{Dimension, Error, Geometry, Image, Marks, Segmentation, registry};

fn segment(method: &str, settings: &[&str], image: &Image, marks: &Marks) -> Result<Segmentation, Error> {
    let settings: Vec<_> = settings.iter().map(|s| registry::parse_setting(s).unwrap()).collect();
    registry::find(method)?.build(&settings)?.segment(image, marks, &mut |_| ControlFlow::Continue(()))
}

fn dice(result: &Segmentation, truth: &[bool]) -> f64 {
    Confusion::between(&result.labels.mask(1), truth).dice().unwrap()
}

/// The left lung of a phantom: its mask and simulated clicks.
fn left_lung(phantom: &Phantom, seed: u64) -> (Vec<bool>, Marks) {
    let object = Object::largest(&phantom.truth, LEFT_LUNG).unwrap();
    let marks = Marks::from_voxels(phantom.image.geometry(), &object.clicks(None, seed), &[]);
    (object.mask().to_vec(), marks)
}

/// Two bright squares joined by a bridge, in a dark surrounding.
fn bridged_squares() -> (Image, Vec<bool>, Vec<bool>) {
    let geometry = Geometry::unit(Dimension::Two, [120, 60, 1]).unwrap();
    let square = |left: usize| {
        let grid = geometry.grid();
        (0..geometry.len())
            .map(|i| {
                let [x, y, _] = grid.voxel(i);
                (left..left + 40).contains(&x) && (10..50).contains(&y)
            })
            .collect::<Vec<bool>>()
    };
    let (first, second) = (square(10), square(70));
    let bridge = |i: usize| (45..75).contains(&(i % 120)) && (20..40).contains(&(i / 120));
    let samples = (0..geometry.len()).map(|i| if first[i] || second[i] || bridge(i) { 100.0 } else { 20.0 }).collect();
    (Image::new(samples, 1, geometry).unwrap(), first, second)
}

#[test]
fn one_lung_is_found_in_a_slice_and_in_a_volume() {
    let slice = phantom::chest([160, 160, 1], 3).unwrap();
    let (truth, marks) = left_lung(&slice, 0);
    for method in ["tv", "elastica"] {
        let found = dice(&segment(method, &[], &slice.image, &marks).unwrap(), &truth);
        assert!(found > 0.97, "{method}: {found}");
    }
    let volume = phantom::chest([80, 80, 48], 3).unwrap();
    let (truth, marks) = left_lung(&volume, 0);
    let found = dice(&segment("tv", &[], &volume.image, &marks).unwrap(), &truth);
    assert!(found > 0.95, "volume: {found}");
}

#[test]
fn the_geodesic_term_tells_the_lungs_apart() {
    let phantom = phantom::chest([160, 160, 1], 3).unwrap();
    let (truth, marks) = left_lung(&phantom, 0);
    // As the paper has it: one minimiser, nothing selected from it afterwards.
    let with = |theta: &str| {
        let settings = ["keep=all", "neck=0", "compactness=0", theta];
        dice(&segment("tv", &settings, &phantom.image, &marks).unwrap(), &truth)
    };
    let (one, both) = (with("theta=1.25"), with("theta=0"));
    assert!(one > 0.95, "{one}");
    // Two lungs of about the same size: the Dice coefficient of both with one is about 2/3.
    assert!((0.5..0.75).contains(&both), "{both}");
}

#[test]
fn the_solvers_agree() {
    let phantom = phantom::chest([96, 96, 1], 5).unwrap();
    let (_, marks) = left_lung(&phantom, 1);
    let run = |solver| {
        let result = segment("tv", &[solver], &phantom.image, &marks).unwrap();
        (result.labels, result.trace.solvers[0].report.energy)
    };
    let (ours, admm) = (run("solver=primal_dual"), run("solver=admm"));
    assert!((ours.1 / admm.1 - 1.0).abs() < 1e-3, "{} {}", ours.1, admm.1);
    assert!(Confusion::between(&ours.0.mask(1), &admm.0.mask(1)).dice().unwrap() > 0.999);
}

#[test]
fn a_background_click_pushes_a_wrong_region_out() {
    let (image, first, second) = bridged_squares();
    let clicks = [[20, 20, 0], [40, 20, 0], [40, 40, 0], [20, 40, 0]];
    let settings = ["compactness=0", "neck=0"];
    let leaking = segment("tv", &settings, &image, &Marks::from_voxels(image.geometry(), &clicks, &[])).unwrap();
    let overlap =
        |result: &Segmentation, mask: &[bool]| Confusion::between(&result.labels.mask(1), mask).recall().unwrap();
    assert!(overlap(&leaking, &second) > 0.95, "without a background click both squares are one object");
    let marks = Marks::from_voxels(image.geometry(), &clicks, &[[90, 30, 0]]);
    let corrected = segment("tv", &settings, &image, &marks).unwrap();
    assert!(overlap(&corrected, &first) > 0.95 && overlap(&corrected, &second) < 0.05);
}

#[test]
fn a_corrective_click_pulls_a_missing_region_in() {
    let (image, _, second) = bridged_squares();
    let clicks = [[20, 20, 0], [40, 20, 0], [40, 40, 0], [20, 40, 0]];
    let recall = |clicks: &[[usize; 3]]| {
        let marks = Marks::from_voxels(image.geometry(), clicks, &[]);
        let result = segment("tv", &["compactness=1"], &image, &marks).unwrap();
        Confusion::between(&result.labels.mask(1), &second).recall().unwrap()
    };
    assert!(recall(&clicks) < 0.1);
    let one = recall(&[&clicks[..], &[[90, 30, 0]]].concat());
    let three = recall(&[&clicks[..], &[[90, 30, 0], [105, 15, 0], [105, 45, 0]]].concat());
    assert!(one > 0.4 && three > 0.7, "{one} {three}");
}

#[test]
fn the_mask_has_the_geometry_of_the_image() {
    let phantom = phantom::chest([48, 48, 8], 0).unwrap();
    let (_, marks) = left_lung(&phantom, 0);
    let result = segment("tv", &[], &phantom.image, &marks).unwrap();
    assert_eq!(result.labels.geometry(), phantom.image.geometry());
    assert_eq!(result.probability.unwrap().geometry(), phantom.image.geometry());
}

#[test]
fn objects_at_the_border_and_samples_that_are_not_finite_are_no_obstacle() {
    let geometry = Geometry::unit(Dimension::Two, [64, 64, 1]).unwrap();
    let inside = |i: usize| i % 64 < 30 && i / 64 < 30;
    let mut samples: Vec<f32> = (0..geometry.len()).map(|i| if inside(i) { 10.0 } else { 0.0 }).collect();
    (samples[64 * 50 + 50], samples[64 * 60 + 3], samples[64 * 10 + 10]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    let image = Image::new(samples, 1, geometry.clone()).unwrap();
    let truth: Vec<bool> = (0..geometry.len()).map(inside).collect();
    let marks = Marks::from_voxels(&geometry, &[[0, 0, 0], [25, 3, 0], [20, 22, 0], [2, 25, 0]], &[]);
    for method in ["tv", "elastica"] {
        let found = dice(&segment(method, &[], &image, &marks).unwrap(), &truth);
        // Corners are rounded by the regulariser.
        assert!(found > 0.95, "{method}: {found}");
    }
}

#[test]
fn one_and_two_clicks_are_enough_for_a_plain_object() {
    let (image, first, _) = bridged_squares();
    for clicks in [vec![[30, 30, 0]], vec![[20, 20, 0], [40, 40, 0]]] {
        let marks = Marks::from_voxels(image.geometry(), &clicks, &[[72, 30, 0]]);
        let found = dice(&segment("tv", &[], &image, &marks).unwrap(), &first);
        // Half of the bridge belongs to the nearer click.
        assert!(found > 0.85, "{} clicks: {found}", clicks.len());
    }
}

#[test]
fn images_of_any_shape_are_taken() {
    for size in [[1, 40, 1], [40, 1, 1], [2, 2, 1], [3, 40, 2]] {
        let dimension = if size[2] == 1 { Dimension::Two } else { Dimension::Three };
        let geometry = Geometry::unit(dimension, size).unwrap();
        let samples = (0..geometry.len()).map(|i| (i % 2) as f32).collect();
        let image = Image::new(samples, 1, geometry.clone()).unwrap();
        let marks = Marks::from_voxels(&geometry, &[[0, 0, 0]], &[]);
        assert!(segment("tv", &[], &image, &marks).is_ok(), "{size:?}");
    }
}

#[test]
fn elastica_of_a_volume_is_refused() {
    let phantom = phantom::chest([32, 32, 8], 0).unwrap();
    let (_, marks) = left_lung(&phantom, 0);
    let error = segment("elastica", &[], &phantom.image, &marks).unwrap_err();
    assert!(matches!(error, Error::Classical(fewmark::classical::Error::Dimension { .. })), "{error}");
}

#[test]
fn the_work_can_be_stopped() {
    let phantom = phantom::chest([64, 64, 1], 0).unwrap();
    let (_, marks) = left_lung(&phantom, 0);
    let method = registry::find("tv").unwrap().build(&[]).unwrap();
    let stopped = method.segment(&phantom.image, &marks, &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Stopped)));
}

#[test]
fn the_same_clicks_give_the_same_bits() {
    let phantom = phantom::chest([96, 96, 1], 0).unwrap();
    let (_, marks) = left_lung(&phantom, 0);
    let samples = || segment("elastica", &[], &phantom.image, &marks).unwrap().probability.unwrap().samples().to_vec();
    assert_eq!(samples(), samples());
}

#[test]
fn parameters_are_checked_by_name_kind_and_range() {
    let build = |setting: &str| {
        let table = registry::parse_setting(setting).unwrap();
        registry::find("tv").unwrap().build(&[table]).err().unwrap()
    };
    match build("compactnes=1") {
        Error::UnknownParameter { nearest, .. } => assert_eq!(nearest.as_deref(), Some("compactness")),
        other => panic!("{other}"),
    }
    for wrong in
        ["mu=wide", "mu=-1", "keep=none", "distance_quantile=0", "window=[2, 1]", "preset=mine", "tolerance=-1"]
    {
        assert!(matches!(build(wrong), Error::Config { .. }), "{wrong}");
    }
    for preset in registry::find("tv").unwrap().presets() {
        let table = registry::parse_setting(&format!("preset={preset}")).unwrap();
        assert!(registry::find("tv").unwrap().build(&[table]).is_ok());
    }
}
