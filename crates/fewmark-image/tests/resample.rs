//! Resampling against SimpleITK (tests/golden/make_resample.py), and what must hold for any image.

mod support;

use fewmark_image::{
    Dimension, Error, Geometry, Image, Interpolation, LabelMap, SampleType, crop, crop_to_box, embed_slice, pad,
    resample_labels_to, resample_labels_to_spacing, resample_to, resample_to_spacing, resample_within, slice,
    slice_labels, window, window_labels,
};
use proptest::prelude::*;
use serde_json::Value;
use support::{assert_samples, load, numbers};

/// A geometry given in any world axes: those of the reference need no conversion where both sides use them.
fn geometry(value: &Value) -> Geometry {
    let triple = |v: &Value| <[f64; 3]>::try_from(numbers(v)).expect("three numbers");
    let size = triple(&value["size"]).map(|n| n as usize);
    let direction = std::array::from_fn(|r| triple(&value["direction"][r]));
    Geometry::from_parts(Dimension::Three, size, triple(&value["spacing"]), triple(&value["origin"]), direction)
        .expect("a geometry")
}

#[test]
fn the_samples_are_those_of_simpleitk() {
    let expected = load("resample.json");
    let source = &expected["source"];
    let samples = numbers(&source["samples"]).into_iter().map(|s| s as f32).collect();
    let image = Image::new(samples, 1, geometry(source)).unwrap();
    for (name, target) in expected["targets"].as_object().unwrap() {
        println!("{name}");
        let linear = resample_to(&image, &geometry(target), Interpolation::Linear, -77.0).unwrap();
        assert_samples(&linear, &target["linear"], 1e-3);
        let nearest = resample_to(&image, &geometry(target), Interpolation::Nearest, -77.0).unwrap();
        assert_samples(&nearest, &target["nearest"], 0.0);
    }
}

fn turned(size: [usize; 3], spacing: [f64; 3], angle: f64) -> Geometry {
    let (s, c) = angle.sin_cos();
    let direction = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, -1.0]];
    Geometry::from_parts(Dimension::Three, size, spacing, [12.5, -7.25, 100.0], direction).expect("a geometry")
}

/// An image whose value is a linear function of the world position.
fn ramp(geometry: Geometry) -> Image {
    let samples = (0..geometry.len()).map(|i| value_at(&geometry, i)).collect();
    Image::new(samples, 1, geometry).expect("as many samples as voxels")
}

fn value_at(geometry: &Geometry, index: usize) -> f32 {
    let [x, y, z] = geometry.voxel_to_world(geometry.grid().voxel(index).map(|v| v as f64));
    (2.0 * x - 3.0 * y + 0.5 * z + 7.0) as f32
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_linear_ramp_stays_one(
        spacing in [0.4f64..3.0, 0.4f64..3.0, 0.4f64..3.0], angle in -3.0f64..3.0, turn in -0.5f64..0.5,
    ) {
        let image = ramp(turned([9, 8, 7], [1.0, 1.5, 2.0], angle));
        let target = turned([6, 5, 4], spacing, angle + turn);
        let result = resample_to(&image, &target, Interpolation::Linear, f32::NAN).unwrap();
        for (i, &found) in result.samples().iter().enumerate() {
            let world = target.voxel_to_world(target.grid().voxel(i).map(|v| v as f64));
            let voxel = image.geometry().world_to_voxel(world);
            let inside = |slack: f64| voxel.iter().zip([8.0, 7.0, 6.0]).all(|(v, n)| (slack..n - slack).contains(v));
            if inside(1e-5) {
                prop_assert!((found - value_at(&target, i)).abs() < 1e-3, "{found} at {voxel:?}");
            } else if !inside(-0.5 - 1e-5) {
                prop_assert!(found.is_nan(), "{found} at {voxel:?}");
            }
        }
    }

    #[test]
    fn the_identity_is_exact(size in [1usize..6, 1usize..6, 1usize..6], angle in -3.0f64..3.0, seed in any::<u32>()) {
        let geometry = turned(size, [0.7, 0.9, 2.5], angle);
        let values = (0..2 * geometry.len()).map(|i| ((i as u32).wrapping_mul(2_654_435_761) ^ seed) as f32);
        let image = Image::new(values.collect(), 2, geometry.clone()).unwrap();
        // An affine that went through another representation: equal up to rounding.
        let affine = geometry.affine().map(|row| row.map(|v| v * (1.0 + 1e-15)));
        let same = Geometry::from_affine(Dimension::Three, size, affine).unwrap();
        for interpolation in [Interpolation::Linear, Interpolation::Nearest] {
            let result = resample_to(&image, &same, interpolation, 0.0).unwrap();
            prop_assert_eq!(result.samples(), image.samples());
            let again = resample_to_spacing(&image, [0.7, 0.9, 2.5], interpolation).unwrap();
            prop_assert_eq!(&again, &image);
        }
    }

    #[test]
    fn padding_and_cropping_undo_each_other(
        before in [0usize..4, 0usize..4, 0usize..4], after in [0usize..4, 0usize..4, 0usize..4],
    ) {
        let image = ramp(turned([4, 3, 5], [1.0, 2.0, 0.5], 0.3));
        let padded = pad(&image, before, after, -1.0).unwrap();
        let back = crop(&padded, before, after).unwrap();
        prop_assert_eq!(back.samples(), image.samples());
        prop_assert!(back.geometry().expect_same_space(image.geometry()).is_ok());
        let sum = |i: &Image| i.samples().iter().map(|&s| f64::from(s)).sum::<f64>();
        let added = (padded.geometry().len() - image.geometry().len()) as f64;
        prop_assert!((sum(&padded) + added - sum(&image)).abs() < 1e-6);
    }
}

#[test]
fn a_new_spacing_keeps_the_centre() {
    let image = ramp(turned([10, 9, 8], [1.0, 1.0, 2.0], 0.4));
    let result = resample_to_spacing(&image, [0.5, 2.0, 1.3], Interpolation::Linear).unwrap();
    assert_eq!(result.geometry().size(), [20, 5, 12]);
    assert_eq!(result.geometry().spacing(), [0.5, 2.0, 1.3]);
    let centre = |g: &Geometry| g.voxel_to_world(g.size().map(|n| (n as f64 - 1.0) / 2.0));
    let (a, b) = (centre(image.geometry()), centre(result.geometry()));
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} is not {b:?}");
    assert!(matches!(resample_to_spacing(&image, [0.0, 1.0, 1.0], Interpolation::Linear), Err(Error::Geometry(_))));
    assert!(matches!(resample_to_spacing(&image, [-1.0; 3], Interpolation::Linear), Err(Error::Geometry(_))));
    assert!(matches!(resample_to_spacing(&image, [f64::NAN; 3], Interpolation::Linear), Err(Error::Geometry(_))));
}

#[test]
fn what_is_not_finite_does_not_spread_over_whole_steps() {
    let geometry = Geometry::unit(Dimension::Three, [3, 1, 1]).unwrap();
    let image = Image::new(vec![1.0, f32::NAN, 3.0], 1, geometry.clone()).unwrap();
    let every_other = geometry.window([0; 3], [1, 1, 1]).unwrap();
    let result = resample_to(&image, &every_other, Interpolation::Linear, 0.0).unwrap();
    assert_eq!(result.samples(), [1.0]);
}

#[test]
fn labels_stay_labels() {
    let geometry = turned([6, 6, 6], [1.0; 3], 0.2);
    let labels = (0..216).map(|i| [0, 7, 300][i % 3]).collect();
    let map = LabelMap::new(labels, geometry.clone()).unwrap();
    let finer = resample_labels_to_spacing(&map, [0.5; 3]).unwrap();
    assert_eq!(finer.present(), [7, 300]);
    assert_eq!(map.slice(5), &map.labels()[180..]);
    let back = resample_labels_to(&finer, &geometry, 9).unwrap();
    // Centres of old voxels lie half way between new ones, all of which came from the old voxel.
    assert_eq!(back, map);
    let beyond = geometry.window([10, 0, 0], [2, 2, 2]).unwrap();
    assert_eq!(resample_labels_to(&map, &beyond, 9).unwrap().present(), [9]);
}

#[test]
fn beyond_an_image_its_outermost_value_may_go_on() {
    // A sixteenth of the size is 62.4 rows, so the 62 of the smaller grid reach less far than these.
    let large = Geometry::unit(Dimension::Two, [40, 999, 1]).unwrap();
    let image = Image::new(vec![1.0; large.len()], 1, large.clone()).unwrap();
    let small = resample_to_spacing(&image, [16.0, 16.0, 1.0], Interpolation::Linear).unwrap();
    let cut = resample_to(&small, &large, Interpolation::Linear, 0.0).unwrap();
    assert!(cut.samples().contains(&0.0), "the example shows nothing");
    let whole = resample_within(&small, &large, Interpolation::Linear).unwrap();
    assert!(whole.samples().iter().all(|&s| s == 1.0));
}

#[test]
fn labels_are_listed_by_slice() {
    let geometry = Geometry::unit(Dimension::Three, [2, 2, 3]).unwrap();
    let map = LabelMap::new(vec![0, 9, 4, 9, 0, 0, 0, 0, 9, 65535, 0, 0], geometry).unwrap();
    assert_eq!([0, 1, 2].map(|z| map.present_in(z)), [vec![4, 9], vec![], vec![9, 65535]]);
    assert_eq!(map.present(), [4, 9, 65535]);
}

#[test]
fn a_box_is_cut_where_it_was_asked() {
    let image = ramp(turned([6, 5, 4], [1.0, 2.0, 3.0], -0.2)).with_stored(SampleType::I16);
    let part = crop_to_box(&image, [1..4, 2..5, 0..1]).unwrap();
    for (i, &found) in part.samples().iter().enumerate() {
        assert!((found - value_at(part.geometry(), i)).abs() < 1e-4);
    }
    assert_eq!(part.stored(), SampleType::I16);
    for ranges in [[0..7, 0..1, 0..1], [2..2, 0..1, 0..1], [0..1, 5..6, 0..1]] {
        assert!(matches!(crop_to_box(&image, ranges), Err(Error::OutsideImage { .. })));
    }
    assert!(crop(&image, [6, 0, 0], [0; 3]).is_err());
    assert!(window(&image, [0; 3], [0, 1, 1], 0.0).is_err());
    assert!(pad(&image, [usize::MAX; 3], [1; 3], 0.0).is_err());
    let far = window(&image, [i64::MAX / 2, 0, 0], [2, 2, 2], 5.0).unwrap();
    assert_eq!(far.samples(), [5.0; 8]);
}

#[test]
fn a_slice_is_cut_and_put_back() {
    let image = ramp(turned([6, 5, 4], [1.0, 2.0, 3.0], 0.7));
    let labels: Vec<u16> = (0..120).collect();
    let map = LabelMap::new(labels, image.geometry().clone()).unwrap();
    for axis in 0..3 {
        let flat = slice(&image, axis, 2).unwrap();
        assert_eq!(flat.geometry().dimension(), Dimension::Two);
        for (i, &found) in flat.samples().iter().enumerate() {
            assert!((found - value_at(flat.geometry(), i)).abs() < 1e-4, "axis {axis}");
        }
        let cut = slice_labels(&map, axis, 2).unwrap();
        let mut volume = LabelMap::new(vec![0; 120], image.geometry().clone()).unwrap();
        embed_slice(&mut volume, &cut, axis, 2).unwrap();
        assert_eq!(slice_labels(&volume, axis, 2).unwrap(), cut);
        assert_eq!(volume.labels().iter().filter(|&&l| l != 0).count(), cut.labels().len());
        assert!(matches!(embed_slice(&mut volume, &cut, axis, 1), Err(Error::GeometryMismatch(_))));
    }
    assert!(matches!(slice(&image, 2, 4), Err(Error::OutsideImage { .. })));
    assert!(matches!(slice(&image, 3, 0), Err(Error::OutsideImage { .. })));
    assert_eq!(window_labels(&map, [0; 3], [6, 5, 4], 0).unwrap(), map);
}
