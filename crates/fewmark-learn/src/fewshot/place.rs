//! Where an object lies in a slice, as far as its place in another scan tells.

use fewmark_nets::FeatureMask;
use serde::{Deserialize, Serialize};

use super::augmentation::smooth;

/// Odds count no more than this, so that a few certain features do not decide where an object lies.
const CLEAREST: f32 = 4.0;

/// What a shift by the side of the square would cost, in mean odds under the object's place; half as far costs a quarter.
const SHIFT_COST: f32 = 20.0;

/// The rectangle that the body fills in the slices of a scan: first and last row, first and last column, in features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    rows: [f64; 2],
    columns: [f64; 2],
}

impl Body {
    /// The rectangle from the 2nd to the 98th percentile of the rows and columns of what is not background.
    pub(super) fn of(foreground: &[Vec<f32>], size: [usize; 2]) -> Self {
        let mut sums = [vec![0.0; size[0]], vec![0.0; size[1]]];
        for plane in foreground {
            for (i, share) in plane.iter().enumerate() {
                sums[0][i / size[1]] += f64::from(*share);
                sums[1][i % size[1]] += f64::from(*share);
            }
        }
        let [rows, columns] = sums.map(|sums| {
            let all: f64 = sums.iter().sum();
            let reached = |share: f64| {
                let mut sum = 0.0;
                let at = sums.iter().position(|x| {
                    sum += x;
                    sum >= share * all
                });
                at.unwrap_or(0) as f64
            };
            if all > 0.0 { [reached(0.02), reached(0.98)] } else { [0.0, (sums.len() - 1) as f64] }
        });
        Self { rows, columns }
    }

    /// The rectangle in pixels, so many along each side of a feature.
    pub(super) fn in_pixels(&self, pixels: f64) -> Self {
        let scaled = |ends: [f64; 2]| ends.map(|at| (at + 0.5) * pixels - 0.5);
        Self { rows: scaled(self.rows), columns: scaled(self.columns) }
    }

    /// The same rectangle further down and to the right.
    pub(super) fn shifted(&self, [down, right]: [f64; 2]) -> Self {
        Self { rows: self.rows.map(|row| row + down), columns: self.columns.map(|column| column + right) }
    }

    /// The cell of a grid of `cells` x `cells` in the rectangle in which a feature lies; none outside.
    pub(super) fn cell(&self, row: usize, column: usize, cells: usize) -> Option<usize> {
        let along = |at: usize, [first, last]: [f64; 2]| {
            let share = (at as f64 - first) / (last - first + 1.0);
            (0.0..1.0).contains(&share).then_some((share * cells as f64) as usize)
        };
        Some(along(row, self.rows)? * cells + along(column, self.columns)?)
    }

    /// A plane of another body's features on the features of this one, the two rectangles laid over each other; 0 outside.
    pub(super) fn lay(&self, other: &Self, plane: &[f32], size: [usize; 2]) -> Vec<f32> {
        let features = (0..size[0]).flat_map(|row| (0..size[1]).map(move |column| [row as f64, column as f64]));
        features
            .map(|feature| {
                let [row, column] = self.to(other, feature);
                at_place(plane, size, row, column)
            })
            .collect()
    }

    /// The row and column in another body that correspond to those in this one.
    pub(super) fn to(&self, other: &Self, [row, column]: [f64; 2]) -> [f64; 2] {
        let map = |at: f64, from: [f64; 2], to: [f64; 2]| {
            let length = (from[1] - from[0]).max(1.0);
            to[0] + (at - from[0]) * (to[1] - to[0]).max(1.0) / length
        };
        [map(row, self.rows, other.rows), map(column, self.columns, other.columns)]
    }
}

/// A plane between its features, linear; 0 outside.
fn at_place(plane: &[f32], [rows, columns]: [usize; 2], row: f64, column: f64) -> f32 {
    let (top, left) = (row.floor(), column.floor());
    let (down, right) = ((row - top) as f32, (column - left) as f32);
    let mut sum = 0.0;
    for (y, wy) in [(top, 1.0 - down), (top + 1.0, down)] {
        for (x, wx) in [(left, 1.0 - right), (left + 1.0, right)] {
            if (0.0..rows as f64).contains(&y) && (0.0..columns as f64).contains(&x) {
                sum += wy * wx * plane[y as usize * columns + x as usize];
            }
        }
    }
    sum
}

/// A mask on the grid of the features, blurred by a Gaussian with a standard deviation in sides of the square; 0 leaves it as it is.
pub(super) fn blurred(FeatureMask { share, size: [_, columns] }: &FeatureMask, blur: f64) -> Vec<f32> {
    let blur = blur * *columns as f64;
    if blur > 0.0 { smooth(share.clone(), *columns, blur) } else { share.clone() }
}

/// The shifts along rows and columns by which a place may be moved: no more than `reach` sides of the square along each.
pub(super) fn shifts(size: [usize; 2], reach: f64) -> Vec<[isize; 2]> {
    let reach = (reach * size[0] as f64).round() as isize;
    (-reach..=reach).flat_map(|down| (-reach..=reach).map(move |right| [down, right])).collect()
}

/// By which of some shifts the places of an object in some slices, of `size` rows and columns of features each, are moved together: by that where
/// the odds of the features under them, and what speaks for the shift besides, are best.
pub(super) fn best_shift(
    places: &[Vec<f32>],
    odds: &[Vec<f32>],
    size: [usize; 2],
    shifts: impl Iterator<Item = ([isize; 2], f32)>,
) -> [isize; 2] {
    let sum: f32 = places.iter().flatten().sum();
    let side = size[0] as f32;
    let scored = shifts.map(|(shift, besides)| {
        let of_slice = |(place, odds): (&Vec<f32>, &Vec<f32>)| {
            let under = |(share, odds): (f32, &f32)| share * odds.clamp(-CLEAREST, CLEAREST);
            shifted(place, size, shift).zip(odds).map(under).sum::<f32>()
        };
        let found: f32 = places.iter().zip(odds).map(of_slice).sum();
        let [down, right] = shift.map(|s| (s as f32 / side).powi(2));
        (found / sum.max(1.0) + besides - SHIFT_COST * (down + right), shift)
    });
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map_or([0, 0], |(_, shift)| shift)
}

/// A plane moved down and to the right; 0 where nothing was.
pub(super) fn shifted(plane: &[f32], [rows, columns]: [usize; 2], shift: [isize; 2]) -> impl Iterator<Item = f32> {
    let at = move |row: usize, column: usize| {
        let row = row.checked_add_signed(-shift[0]).filter(|&row| row < rows)?;
        let column = column.checked_add_signed(-shift[1]).filter(|&column| column < columns)?;
        Some(plane[row * columns + column])
    };
    (0..rows).flat_map(move |row| (0..columns).map(move |column| at(row, column).unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_follows_the_odds_as_far_as_it_reaches() {
        let size = [6, 7];
        let at = |row: usize, column: usize| {
            let mut plane = vec![0.0; 42];
            plane[row * 7 + column] = 1.0;
            plane
        };
        let odds = |row, column| at(row, column).into_iter().map(|x| 8.0 * x - 1.0).collect::<Vec<f32>>();
        let places = [at(2, 3), at(3, 3)];
        let reaching = |reach: f64| shifts(size, reach).into_iter().map(|shift| (shift, 0.0));
        assert_eq!(best_shift(&places, &[odds(4, 1), odds(5, 1)], size, reaching(0.5)), [2, -2]);
        assert_eq!(shifted(&at(2, 3), size, [2, -2]).collect::<Vec<_>>(), at(4, 1));
        // Out of reach: the place stays where it costs nothing.
        assert_eq!(best_shift(&places, &[odds(4, 1), odds(5, 1)], size, reaching(0.17)), [0, 0]);
        // Odds that say nothing, and a place that is nowhere.
        assert_eq!(best_shift(&places, &[vec![0.0; 42], vec![0.0; 42]], size, reaching(0.5)), [0, 0]);
        assert_eq!(best_shift(&[vec![0.0; 42]], &[odds(0, 0)], size, reaching(0.5)), [0, 0]);
        // Odds that say nothing, where something else speaks for a shift.
        let besides = shifts(size, 0.5).into_iter().map(|shift| (shift, if shift == [1, -2] { 9.0 } else { 0.0 }));
        assert_eq!(best_shift(&places, &[vec![0.0; 42], vec![0.0; 42]], size, besides), [1, -2]);
    }

    #[test]
    fn cells_part_the_rectangle_of_a_body() {
        let body = Body { rows: [1.0, 6.0], columns: [2.0, 4.0] };
        let cells: Vec<Vec<Option<usize>>> =
            (0..8).map(|row| (1..6).map(|column| body.cell(row, column, 3)).collect()).collect();
        let row = |first: usize| vec![None, Some(first), Some(first + 1), Some(first + 2), None];
        assert_eq!(cells, [vec![None; 5], row(0), row(0), row(3), row(3), row(6), row(6), vec![None; 5]]);
    }

    #[test]
    fn bodies_are_laid_over_each_other() {
        let body = |rows: [f64; 2], columns: [f64; 2]| Body { rows, columns };
        let plane: Vec<f32> = (0..40).map(|i| (i / 8) as f32).collect();
        // Two rows of the one body are four of the other.
        let laid = body([0.0, 2.0], [0.0, 7.0]).lay(&body([0.0, 4.0], [0.0, 7.0]), &plane, [5, 8]);
        assert_eq!(laid.iter().step_by(8).copied().collect::<Vec<_>>(), [0.0, 2.0, 4.0, 0.0, 0.0]);
    }

    #[test]
    fn a_body_that_is_moved_moves_what_is_laid_on_it_and_in_pixels_it_is_the_same() {
        let (own, other) =
            (Body { rows: [1.0, 5.0], columns: [0.0, 6.0] }, Body { rows: [0.0, 4.0], columns: [1.0, 7.0] });
        let plane: Vec<f32> = (0..64).map(|i| (i * i % 23) as f32).collect();
        let laid = own.lay(&other, &plane, [8; 2]);
        let moved = own.shifted([2.0, -1.0]).lay(&other, &plane, [8; 2]);
        let expected: Vec<f32> = shifted(&laid, [8; 2], [2, -1]).collect();
        // But for the first two rows and the last column, of which the shifted plane knows nothing.
        for (moved, expected) in moved.chunks_exact(8).zip(expected.chunks_exact(8)).skip(2) {
            assert_eq!(moved[..7], expected[..7]);
        }
        // The middle of a feature is the middle of its pixels.
        let [row, column] = own.in_pixels(4.0).to(&other.in_pixels(4.0), [4.0 * 3.0 + 1.5, 4.0 * 2.0 + 1.5]);
        let of_features = own.to(&other, [3.0, 2.0]).map(|at| 4.0 * at + 1.5);
        assert!((row - of_features[0]).hypot(column - of_features[1]) < 1e-9);
    }
}
