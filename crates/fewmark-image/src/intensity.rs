//! Intensities brought to a common range, in place.
//!
//! Statistics are taken over the finite samples only. A constant image, which has no contrast to scale, becomes zero.

use rayon::prelude::*;

/// Samples that are summed in one go: a fixed length makes sums independent of the number of threads.
const CHUNK: usize = 1 << 16;

/// A range of values that is shown, or fed to a network, as 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The value that becomes 0.
    pub low: f32,
    /// The value that becomes 1.
    pub high: f32,
}

impl Window {
    /// Lung parenchyma with its surroundings, -1000 to 400 HU.
    pub const LUNG: Self = Self { low: -1000.0, high: 400.0 };
    /// Liver, -100 to 200 HU.
    pub const LIVER: Self = Self { low: -100.0, high: 200.0 };
    /// Brain, 0 to 80 HU (centre 40, width 80).
    pub const BRAIN: Self = Self { low: 0.0, high: 80.0 };
    /// Bone, -500 to 1300 HU (centre 400, width 1800).
    pub const BONE: Self = Self { low: -500.0, high: 1300.0 };
    /// Soft tissue of the abdomen, -160 to 240 HU (centre 40, width 400).
    pub const SOFT_TISSUE: Self = Self { low: -160.0, high: 240.0 };

    /// The windows for CT by name.
    pub const PRESETS: [(&'static str, Self); 5] = [
        ("lung", Self::LUNG),
        ("liver", Self::LIVER),
        ("brain", Self::BRAIN),
        ("bone", Self::BONE),
        ("soft-tissue", Self::SOFT_TISSUE),
    ];

    /// A window from its centre and width, as DICOM and viewers name it.
    pub fn from_center_width(center: f32, width: f32) -> Self {
        Self { low: center - width / 2.0, high: center + width / 2.0 }
    }

    /// Scales the window to 0 to 1 and clips what lies outside; NaN becomes 0.
    ///
    /// A window that is empty or reversed makes every sample 0.
    pub fn apply(self, samples: &mut [f32]) {
        let width = f64::from(self.high) - f64::from(self.low);
        if width.is_nan() || width <= 0.0 {
            samples.fill(0.0);
            return;
        }
        samples.par_iter_mut().with_min_len(CHUNK).for_each(|sample| {
            let scaled = ((f64::from(*sample) - f64::from(self.low)) / width) as f32;
            *sample = if scaled.is_nan() { 0.0 } else { scaled.clamp(0.0, 1.0) };
        });
    }
}

/// The percentiles of the finite samples, each from 0 to 100: numpy's definition `linear`, which interpolates between
/// the two ranks around `percentile / 100 * (n - 1)`.
///
/// `None` when no sample is finite, or a percentile is outside its range.
pub fn percentiles<const N: usize>(samples: &[f32], percentiles: [f64; N]) -> Option<[f64; N]> {
    let mut finite: Vec<f32> = samples.iter().copied().filter(|s| s.is_finite()).collect();
    if finite.is_empty() || !percentiles.iter().all(|p| (0.0..=100.0).contains(p)) {
        return None;
    }
    Some(percentiles.map(|percentile| {
        let rank = percentile / 100.0 * (finite.len() - 1) as f64;
        let (_, &mut low, above) = finite.select_nth_unstable_by(rank as usize, f32::total_cmp);
        let next = above.iter().copied().min_by(f32::total_cmp);
        let (low, high) = (f64::from(low), f64::from(next.unwrap_or(low)));
        low + (high - low) * rank.fract()
    }))
}

/// Clips the samples to two percentiles (see [`percentiles`]) and returns the values clipped to; infinite samples are
/// clipped as well, NaN stays.
///
/// `None`, and nothing is changed, when no sample is finite, or the percentiles are outside 0 to 100 or reversed.
pub fn percentile_clip(samples: &mut [f32], low: f64, high: f64) -> Option<[f32; 2]> {
    let bounds = percentiles(samples, [low, high])?.map(|bound| bound as f32);
    let [low, high] = bounds;
    if low > high {
        return None;
    }
    samples.par_iter_mut().with_min_len(CHUNK).for_each(|sample| *sample = sample.clamp(low, high));
    Some(bounds)
}

/// Mean and standard deviation (that of the population, divided by `n`) of the finite samples; `None` when there are
/// none.
pub fn mean_and_deviation(samples: &[f32]) -> Option<[f64; 2]> {
    let sum = |term: &(dyn Fn(f64) -> f64 + Sync)| -> f64 {
        let partial = |chunk: &[f32]| chunk.iter().filter(|s| s.is_finite()).map(|&s| term(f64::from(s))).sum::<f64>();
        samples.par_chunks(CHUNK).map(partial).collect::<Vec<_>>().into_iter().sum()
    };
    let count = sum(&|_| 1.0);
    if count == 0.0 {
        return None;
    }
    let mean = sum(&|s| s) / count;
    let variance = sum(&|s| (s - mean).powi(2)) / count;
    Some([mean, variance.sqrt()])
}

/// Shifts and scales the samples to mean 0 and standard deviation 1; samples that are not finite become 0, the mean.
pub fn z_score(samples: &mut [f32]) {
    let (mean, deviation) = match mean_and_deviation(samples) {
        // The rounding error of a mean must not be blown up to contrast.
        Some([mean, deviation]) if deviation > f64::from(f32::EPSILON) * mean.abs() => (mean, deviation),
        _ => return samples.fill(0.0),
    };
    samples.par_iter_mut().with_min_len(CHUNK).for_each(|sample| {
        *sample = if sample.is_finite() { ((f64::from(*sample) - mean) / deviation) as f32 } else { 0.0 };
    });
}

/// Scales the range of the finite samples to 0 to 1; infinite samples become 0 or 1 by their sign, NaN becomes 0.
pub fn min_max(samples: &mut [f32]) {
    let finite = samples.iter().copied().filter(|s| s.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
    Window { low, high }.apply(samples);
}
