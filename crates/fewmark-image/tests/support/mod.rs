//! What the tests of files share.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;

use fewmark_image::Image;
use serde_json::Value;

/// A file or folder beside the tests.
pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub(crate) fn load(name: &str) -> Value {
    let bytes = std::fs::read(golden(name)).expect("the golden file is there");
    serde_json::from_slice(&bytes).expect("the golden file is JSON")
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array of numbers").iter().map(|v| v.as_f64().expect("a number")).collect()
}

pub(crate) fn assert_samples(image: &Image, expected: &Value, tolerance: f64) {
    assert_close(image.samples(), &numbers(expected), tolerance);
}

pub(crate) fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        // The reader of JSON may be off by a unit in the last place of f64, never in that of f32.
        let difference = f64::from(found) - f64::from(expected as f32);
        assert!(difference.abs() <= tolerance, "sample {i} is {found}, expected {expected}");
    }
}

/// Calls `decode` with every beginning of the file, with every byte of it damaged in several ways, and with a few bytes
/// at scattered places damaged together.
pub(crate) fn damage(bytes: &[u8], decode: impl Fn(&[u8])) {
    for length in 0..bytes.len() {
        decode(&bytes[..length]);
    }
    let mut damaged = bytes.to_vec();
    for at in 0..bytes.len() {
        for value in [0x00, 0xff, 0x7f, bytes[at] ^ 0x01, bytes[at] ^ 0x80] {
            damaged[at] = value;
            decode(&damaged);
        }
        damaged[at] = bytes[at];
    }
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..2000 {
        damaged.copy_from_slice(bytes);
        for _ in 0..2 + random(4) {
            damaged[random(bytes.len())] = random(256) as u8;
        }
        decode(&damaged);
    }
}
