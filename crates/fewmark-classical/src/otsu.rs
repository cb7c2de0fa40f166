//! Otsu's method for three classes.

use crate::Error;

/// Number of bins of the histogram.
const BINS: usize = 256;

/// The two thresholds that split samples into the three classes of greatest variance between them, by exhaustive
/// search over a histogram of 256 bins (Otsu 1979; Liao, Chen and Chung 2001).
///
/// Agrees with `skimage.filters.threshold_multiotsu(samples, classes=3)` for 32-bit samples, down to the arithmetic,
/// which is done in f32, and the moment of the first bin, which counts as if it were the second.
///
/// # Errors
///
/// [`Error::NotFinite`]; [`Error::Parameter`] when fewer than three bins are occupied.
pub fn multi_otsu(samples: &[f32]) -> Result<[f32; 2], Error> {
    let count = samples.iter().filter(|sample| !sample.is_finite()).count();
    if count > 0 {
        return Err(Error::NotFinite { what: "image", count });
    }
    let edges = bin_edges(samples);
    let counts = histogram(samples, &edges);
    let total = counts.iter().sum::<u64>() as f64;
    let probability = counts.map(|count| (count as f64 / total) as f32);
    let occupied: Vec<usize> = (0..BINS).filter(|&bin| counts[bin] > 0).collect();
    let bins = match occupied[..] {
        [low, middle, _] => [low, middle],
        [_, _, _, ..] => best_split(&probability),
        _ => {
            let found = occupied.len() as f64;
            return Err(Error::Parameter { name: "number of grey values", expected: "at least 3", found });
        }
    };
    Ok(bins.map(|bin| (edges[bin] + edges[bin + 1]) / 2.0))
}

/// Equally wide bins from the least to the greatest sample.
fn bin_edges(samples: &[f32]) -> [f32; BINS + 1] {
    let low = samples.iter().copied().fold(f32::INFINITY, f32::min);
    let high = samples.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let step = (high - low) / BINS as f32;
    std::array::from_fn(|edge| if edge == BINS { high } else { edge as f32 * step + low })
}

/// Counts samples, each bin without its upper edge, the last one with it.
fn histogram(samples: &[f32], edges: &[f32; BINS + 1]) -> [u64; BINS] {
    let (low, range) = (edges[0], edges[BINS] - edges[0]);
    let mut counts = [0; BINS];
    for &sample in samples {
        let mut bin = (((sample - low) / range * BINS as f32) as usize).min(BINS - 1);
        // The division may round across an edge.
        if sample < edges[bin] {
            bin -= 1;
        } else if bin + 1 < BINS && sample >= edges[bin + 1] {
            bin += 1;
        }
        counts[bin] += 1;
    }
    counts
}

/// The last bins of the lower two classes.
fn best_split(probability: &[f32; BINS]) -> [usize; 2] {
    let (mut zeroth, mut first) = ([probability[0]; BINS], [probability[0]; BINS]);
    for bin in 1..BINS {
        zeroth[bin] = zeroth[bin - 1] + probability[bin];
        first[bin] = first[bin - 1] + bin as f32 * probability[bin];
    }
    let variance = |begin: usize, end: usize| {
        let before = |moment: &[f32; BINS]| if begin == 0 { 0.0 } else { moment[begin - 1] };
        let (mass, moment) = (zeroth[end] - before(&zeroth), first[end] - before(&first));
        // The reference leaves the class that is the first bin alone out of its table.
        if mass > 0.0 && end > 0 { moment * moment / mass } else { 0.0 }
    };
    let mut best = ([0, 1], 0.0);
    for low in 0..BINS - 2 {
        for high in low + 1..BINS - 1 {
            let sum = variance(0, low) + variance(high + 1, BINS - 1) + variance(low + 1, high);
            if sum > best.1 {
                best = ([low, high], sum);
            }
        }
    }
    best.0
}
