//! Intensities against numpy (tests/golden/make_resample.py), and closed forms.

mod support;

use fewmark_image::intensity::{Window, mean_and_deviation, min_max, percentile_clip, percentiles, z_score};
use support::{assert_close, load, numbers};

const GAPS: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

fn samples() -> Vec<f32> {
    numbers(&load("intensity.json")["samples"]).into_iter().map(|s| s as f32).collect()
}

#[test]
fn percentiles_are_those_of_numpy() {
    let expected = load("intensity.json");
    let mut with_gaps = samples();
    with_gaps.extend(GAPS);
    for pair in expected["percentiles"].as_array().unwrap() {
        let [rank, value] = numbers(pair)[..] else { panic!("not a pair") };
        let [found] = percentiles(&with_gaps, [rank]).unwrap();
        assert!((found - value).abs() < 1e-9 * value.abs().max(1.0), "{rank}: {found} is not {value}");
    }
    assert_eq!(percentiles(&GAPS, [50.0]), None);
    assert_eq!(percentiles(&[1.0], [101.0]), None);
    assert_eq!(percentiles(&[1.0], [f64::NAN]), None);
}

#[test]
fn clipping_leaves_what_is_between() {
    let mut values: Vec<f32> = (0..=100).map(|i| i as f32).collect();
    values.extend(GAPS);
    assert_eq!(percentile_clip(&mut values, 10.0, 95.0), Some([10.0, 95.0]));
    assert_eq!((values[0], values[50], values[100]), (10.0, 50.0, 95.0));
    assert!(values[101].is_nan() && values[102] == 95.0 && values[103] == 10.0);
    let before = values[..101].to_vec();
    assert_eq!(percentile_clip(&mut values[..101], 90.0, 10.0), None);
    assert_eq!(values[..101], before);
}

#[test]
fn the_z_score_has_mean_0_and_deviation_1() {
    let expected = load("intensity.json");
    let [mean, deviation] = mean_and_deviation(&samples()).unwrap();
    assert!((mean - expected["mean"].as_f64().unwrap()).abs() < 1e-9);
    assert!((deviation - expected["std"].as_f64().unwrap()).abs() < 1e-9);
    let mut values = samples();
    values.extend(GAPS);
    z_score(&mut values);
    assert_eq!(values[37..], [0.0; 3]);
    let [mean, deviation] = mean_and_deviation(&values[..37]).unwrap();
    assert!(mean.abs() < 1e-6 && (deviation - 1.0).abs() < 1e-6);
}

#[test]
fn windows_scale_to_0_and_1() {
    let mut values = vec![-2000.0, -1000.0, -300.0, 400.0, 3000.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    Window::LUNG.apply(&mut values);
    assert_close(&values, &[0.0, 0.0, 0.5, 1.0, 1.0, 0.0, 1.0, 0.0], 0.0);
    assert_eq!(Window::from_center_width(40.0, 80.0), Window::BRAIN);
    for (name, window) in Window::PRESETS {
        assert!(window.low < window.high, "{name}");
    }
    let mut reversed = [1.0, 2.0];
    Window { low: 3.0, high: -3.0 }.apply(&mut reversed);
    assert_eq!(reversed, [0.0; 2]);
}

#[test]
fn min_max_reaches_both_ends() {
    let mut values = vec![-5.0, 0.0, 15.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    min_max(&mut values);
    assert_close(&values, &[0.0, 0.25, 1.0, 0.0, 1.0, 0.0], 0.0);
}

#[test]
fn a_constant_image_becomes_0() {
    for scale in [z_score, min_max, |v: &mut [f32]| Window { low: 7.1, high: 7.1 }.apply(v)] {
        let mut values = vec![7.1; 100_003];
        scale(&mut values);
        assert!(values.iter().all(|&v| v == 0.0));
        scale(&mut []);
        let mut nothing = GAPS;
        scale(&mut nothing);
        assert_eq!(nothing, [0.0; 3]);
    }
}
