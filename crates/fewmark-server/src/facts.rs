//! What a viewer wants to know of an image before it shows it.

use fewmark::Image;
use fewmark::image::intensity::percentiles;
use serde::Serialize;

/// Bars of a histogram.
const BARS: usize = 64;
/// The window that is suggested leaves this share of the samples, in percent, black and as many white.
const CLIPPED: f64 = 0.5;

/// Range, window and histogram of an image.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    range: [f32; 2],
    window: [f32; 2],
    histogram: Histogram,
}

#[derive(Clone, Debug, Serialize)]
struct Histogram {
    edges: Vec<f32>,
    counts: Vec<u64>,
}

impl Facts {
    /// Of the finite samples of all channels.
    pub(crate) fn of(image: &Image) -> Self {
        let finite = image.samples().iter().copied().filter(|s| s.is_finite());
        let (low, high) = finite.clone().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
        let width = if high > low { (high - low) / BARS as f32 } else { 1.0 };
        let mut counts = vec![0; BARS];
        for sample in finite {
            counts[(((sample - low) / width) as usize).min(BARS - 1)] += 1;
        }
        let edges = (0..=BARS).map(|i| if i == BARS && high > low { high } else { low + width * i as f32 }).collect();
        Self { range: [low, high], window: window(image), histogram: Histogram { edges, counts } }
    }
}

/// The window that shows most of an image.
pub(crate) fn window(image: &Image) -> [f32; 2] {
    let [low, high] = percentiles(image.samples(), [CLIPPED, 100.0 - CLIPPED]).unwrap_or([0.0, 1.0]).map(|p| p as f32);
    // Nearly all of a mask or of a picture on black may be one value.
    if high > low {
        return [low, high];
    }
    match percentiles(image.samples(), [0.0, 100.0]) {
        Some([low, high]) if high > low => [low as f32, high as f32],
        _ => [low - 0.5, low + 0.5],
    }
}

#[cfg(test)]
mod tests {
    use fewmark::{Dimension, Geometry};

    use super::*;

    fn facts(samples: &[f32]) -> Facts {
        let geometry = Geometry::unit(Dimension::Two, [samples.len(), 1, 1]).unwrap();
        Facts::of(&Image::new(samples.to_vec(), 1, geometry).unwrap())
    }

    #[test]
    fn every_finite_sample_is_counted_once() {
        let samples: Vec<f32> = (0..1000).map(|i| i as f32).chain([f32::NAN, f32::INFINITY]).collect();
        let facts = facts(&samples);
        assert_eq!(facts.range, [0.0, 999.0]);
        assert_eq!(facts.histogram.counts.iter().sum::<u64>(), 1000);
        assert_eq!(facts.histogram.edges.len(), facts.histogram.counts.len() + 1);
        assert!(facts.histogram.counts.iter().all(|&n| (15..=16).contains(&n)));
    }

    #[test]
    fn images_without_contrast_have_a_window() {
        for samples in [vec![3.0; 5], vec![f32::NAN; 5]] {
            let Facts { window: [low, high], .. } = facts(&samples);
            assert!(low < high, "{samples:?}");
        }
        let mut mask = vec![0.0; 10_000];
        mask[7] = 1.0;
        assert_eq!(facts(&mask).window, [0.0, 1.0]);
    }
}
