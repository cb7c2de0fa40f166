//! Order statistics of samples, by selection in linear time.
//!
//! Each function reorders the slice it is given. The order is that of [`f32::total_cmp`], so a NaN is the largest
//! value; the statistics of no samples are NaN.

/// The `q`-quantile, `0 <= q <= 1`, interpolated linearly between the two nearest samples (NumPy's `linear`, Hyndman
/// and Fan's type 7).
pub fn quantile(samples: &mut [f32], q: f64) -> f32 {
    let Some(last) = samples.len().checked_sub(1) else { return f32::NAN };
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = position as usize;
    let (_, &mut low, above) = samples.select_nth_unstable_by(below, f32::total_cmp);
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    let fraction = position - below as f64;
    if fraction == 0.0 { low } else { (f64::from(low) + fraction * (f64::from(high) - f64::from(low))) as f32 }
}

/// The median: the mean of the two middle samples when their number is even.
pub fn median(samples: &mut [f32]) -> f32 {
    quantile(samples, 0.5)
}

/// The median absolute deviation from `center`; times 1.4826 it estimates the standard deviation of normal samples.
///
/// The samples are replaced by their deviations.
pub fn median_absolute_deviation(samples: &mut [f32], center: f32) -> f32 {
    for sample in samples.iter_mut() {
        *sample = (*sample - center).abs();
    }
    median(samples)
}

/// Mean and (population) standard deviation.
pub fn mean_and_deviation(samples: &[f32]) -> (f64, f64) {
    let count = samples.len() as f64;
    let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / count;
    let variance = samples.iter().map(|&sample| (f64::from(sample) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([3, 1, 4, 1, 5], q)
        for (q, expected) in [(0.0, 1.0), (0.25, 1.0), (0.4, 2.2), (0.5, 3.0), (0.9, 4.6), (1.0, 5.0)] {
            assert_eq!(quantile(&mut [3.0, 1.0, 4.0, 1.0, 5.0], q), expected, "q = {q}");
        }
        assert!(quantile(&mut [], 0.5).is_nan());
    }

    #[test]
    fn an_even_number_of_samples_has_the_mean_of_the_middle_two_as_median() {
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median_absolute_deviation(&mut [4.0, 1.0, 2.0, 9.0], 3.0), 1.5);
    }

    #[test]
    fn the_deviation_is_that_of_the_population() {
        let (mean, deviation) = mean_and_deviation(&[1.0, 3.0]);
        assert_eq!((mean, deviation), (2.0, 1.0));
    }
}
