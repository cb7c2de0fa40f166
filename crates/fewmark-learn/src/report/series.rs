//! What is done to the values of a curve before they are drawn.

/// A point of a curve, `[x, y]`.
pub(super) type Point = [f64; 2];

/// At most `limit` points (at least 3) that show the same curve: the first, the last, and between them the means of runs of neighbours
/// whose lengths differ by no more than 1.
pub(super) fn thinned(points: &[Point], limit: usize) -> Vec<Point> {
    let [first, inner @ .., last] = points else { return points.to_vec() };
    if points.len() <= limit {
        return points.to_vec();
    }
    let buckets = limit - 2;
    let bound = |bucket: usize| bucket * inner.len() / buckets;
    let means = (0..buckets).map(|bucket| mean(&inner[bound(bucket)..bound(bucket + 1)]));
    std::iter::once(*first).chain(means).chain([*last]).collect()
}

fn mean(points: &[Point]) -> Point {
    let sum = points.iter().fold([0.0; 2], |[x, y], point| [x + point[0], y + point[1]]);
    sum.map(|sum| sum / points.len() as f64)
}

/// How many values a smoothed curve is averaged over: about a fiftieth of them, an odd number.
pub(super) fn smoothing(values: usize) -> usize {
    values / 50 / 2 * 2 + 1
}

/// The centred moving mean over `width` values, an odd number; at the ends over those of them that there are.
pub(super) fn smoothed(points: &[Point], width: usize) -> Vec<Point> {
    let mut sums = vec![0.0];
    sums.extend(points.iter().scan(0.0, |sum, point| {
        *sum += point[1];
        Some(*sum)
    }));
    let half = width / 2;
    let mean = |(i, &[x, _]): (usize, &Point)| {
        let (begin, end) = (i.saturating_sub(half), (i + half + 1).min(points.len()));
        [x, (sums[end] - sums[begin]) / (end - begin) as f64]
    };
    points.iter().enumerate().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curve(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        values.into_iter().enumerate().map(|(i, y)| [i as f64, y]).collect()
    }

    #[test]
    fn short_curves_are_left_alone() {
        for length in 0..=10 {
            let points = curve((0..length).map(|i| f64::from(i * i)));
            assert_eq!(thinned(&points, 10), points);
        }
    }

    #[test]
    fn thinned_curves_keep_their_ends_and_means() {
        // 2 ends and 8 buckets of 12.
        let points = curve((0..98).map(|i| f64::from(i * 37 % 101)));
        let thin = thinned(&points, 10);
        assert_eq!((thin.len(), thin[0], thin[9]), (10, points[0], points[97]));
        let mean_y = |points: &[Point]| mean(&points[1..points.len() - 1])[1];
        assert!((mean_y(&thin) - mean_y(&points)).abs() < 1e-12);
        assert_eq!(thin[1], mean(&points[1..13]));
    }

    proptest! {
        #[test]
        fn thinned_curves_go_forward_within_their_bounds(
            values in prop::collection::vec(-1e3_f64..1e3, 0..400), limit in 3_usize..40,
        ) {
            let points = curve(values);
            let thin = thinned(&points, limit);
            prop_assert_eq!(thin.len(), points.len().min(limit));
            prop_assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
            prop_assert!(thin.is_sorted_by(|a, b| a[0] < b[0]));
            let bound = |points: &[Point], pick: fn(f64, f64) -> f64| points.iter().map(|p| p[1]).reduce(pick);
            prop_assert!(bound(&thin, f64::max) <= bound(&points, f64::max).map(|y| y + 1e-9));
            prop_assert!(bound(&thin, f64::min) >= bound(&points, f64::min).map(|y| y - 1e-9));
        }

        #[test]
        fn smoothing_leaves_straight_lines_alone(length in 0_usize..80, width in 0_usize..20) {
            let points = curve((0..length).map(|i| 3.0 - 0.5 * i as f64));
            let smooth = smoothed(&points, 2 * width + 1);
            prop_assert_eq!(smooth.len(), length);
            // Where the width does not reach over an end.
            for (smooth, point) in smooth.iter().zip(&points).take(length.saturating_sub(width)).skip(width) {
                prop_assert!((smooth[1] - point[1]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_smoothed_peak_is_spread_over_the_width() {
        let smooth = smoothed(&curve([0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]), 3);
        let expected = [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0];
        assert!(smooth.iter().zip(expected).all(|(point, y)| (point[1] - y).abs() < 1e-12), "{smooth:?}");
        assert_eq!(
            smoothed(&curve([1.0, 3.0, 5.0, 8.0]), 5),
            [[0.0, 3.0], [1.0, 4.25], [2.0, 4.25], [3.0, 16.0 / 3.0]]
        );
        assert_eq!([0, 49, 100, 150, 1000].map(smoothing), [1, 1, 3, 3, 21]);
    }
}
