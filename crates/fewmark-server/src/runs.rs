//! Label maps as runs: `[value, count, value, count, ...]`, x fastest.

use crate::error::Problem;

/// The runs of a label map.
pub(crate) fn encode(labels: &[u16]) -> Vec<u64> {
    let mut runs: Vec<u64> = Vec::new();
    for chunk in labels.chunk_by(|a, b| a == b) {
        runs.extend([u64::from(chunk[0]), chunk.len() as u64]);
    }
    runs
}

/// The labels of runs that fill a grid of `voxels`.
///
/// # Errors
/// 422 when they do not.
pub(crate) fn decode(runs: &[u64], voxels: usize) -> Result<Vec<u16>, Problem> {
    let (pairs, rest) = runs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Problem::wrong("runs: expected pairs of a value and a count, found an odd number of numbers"));
    }
    let total = pairs.iter().try_fold(0u64, |sum, [_, count]| sum.checked_add(*count));
    if total != Some(voxels as u64) {
        let found = total.map_or("more".into(), |total| total.to_string());
        return Err(Problem::wrong(format!("runs: the image has {voxels} voxels, the counts sum to {found}")));
    }
    let mut labels = Vec::with_capacity(voxels);
    for &[value, count] in pairs {
        let value = u16::try_from(value)
            .map_err(|_| Problem::wrong(format!("runs: {value} is no label: expected 0 to 65535")))?;
        labels.resize(labels.len() + count as usize, value);
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_survive_the_way_there_and_back() {
        let labels = [0, 0, 3, 3, 3, 0, 65_535];
        let runs = encode(&labels);
        assert_eq!(runs, [0, 2, 3, 3, 0, 1, 65_535, 1]);
        assert_eq!(decode(&runs, 7).unwrap(), labels);
    }

    #[test]
    fn runs_that_do_not_fill_the_image_are_refused() {
        for runs in [&[0, 6][..], &[0, 8], &[0], &[0, u64::MAX, 1, 8], &[70_000, 7], &[]] {
            assert!(decode(runs, 7).is_err(), "{runs:?}");
        }
    }
}
