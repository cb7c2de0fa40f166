//! Where an object lies in a slice, as far as its place in another scan tells.

use serde::{Deserialize, Serialize};

use super::augmentation::smooth;

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

    /// The cell of a grid of `cells` x `cells` in the rectangle in which a feature lies; none outside.
    pub(super) fn cell(&self, row: usize, column: usize, cells: usize) -> Option<usize> {
        let along = |at: usize, [first, last]: [f64; 2]| {
            let share = (at as f64 - first) / (last - first + 1.0);
            (0.0..1.0).contains(&share).then_some((share * cells as f64) as usize)
        };
        Some(along(row, self.rows)? * cells + along(column, self.columns)?)
    }

    /// The row and column in another body that correspond to those in this one.
    fn to(&self, other: &Self, [row, column]: [f64; 2]) -> [f64; 2] {
        let map = |at: f64, from: [f64; 2], to: [f64; 2]| {
            let length = (from[1] - from[0]).max(1.0);
            to[0] + (at - from[0]) * (to[1] - to[0]).max(1.0) / length
        };
        [map(row, self.rows, other.rows), map(column, self.columns, other.columns)]
    }
}

/// How an object is turned, enlarged and moved after two bodies were laid over each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pose {
    /// In radians, from rows to columns
    pub(super) angle: f64,
    /// How much larger it becomes
    pub(super) growth: f64,
    /// Along rows and columns
    pub(super) shift: [f64; 2],
}

impl Pose {
    pub(super) const REST: Self = Self { angle: 0.0, growth: 1.0, shift: [0.0; 2] };
}

/// How one scan's slices are laid over those of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Laying {
    /// Of the scan that is looked at
    body: Body,
    /// Of the scan that is laid over it
    other: Body,
    /// About which row and column of the other scan it is turned and enlarged
    centre: [f64; 2],
    pose: Pose,
}

impl Laying {
    /// The body of a scan that is looked at, and that of another, laid over each other; `centre` is the row and column of the other about which
    /// it will be turned.
    pub(super) fn new([body, other]: [Body; 2], centre: [f64; 2]) -> Self {
        Self { body, other, centre, pose: Pose::REST }
    }

    /// The same in another pose.
    pub(super) fn with(&self, pose: Pose) -> Self {
        Self { pose, ..*self }
    }

    /// The same in pixels, so many along each side of a feature.
    pub(super) fn in_pixels(&self, pixels: f64) -> Self {
        Self {
            body: self.body.in_pixels(pixels),
            other: self.other.in_pixels(pixels),
            centre: self.centre.map(|at| (at + 0.5) * pixels - 0.5),
            pose: Pose { shift: self.pose.shift.map(|shift| shift * pixels), ..self.pose },
        }
    }

    /// A plane of the other scan on this one; 0 outside.
    pub(super) fn lay(&self, plane: &[f32], size: [usize; 2]) -> Vec<f32> {
        // All steps along an axis are the same.
        let [first, below, beside] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]].map(|place| self.in_other(place));
        let along = |axis: usize, row: usize, column: usize| {
            first[axis] + row as f64 * (below[axis] - first[axis]) + column as f64 * (beside[axis] - first[axis])
        };
        let of_place = |row, column| at_place(plane, size, along(0, row, column), along(1, row, column));
        (0..size[0]).flat_map(|row| (0..size[1]).map(move |column| of_place(row, column))).collect()
    }

    /// The row and column of the other scan that come to lie on those of this one.
    pub(super) fn in_other(&self, [row, column]: [f64; 2]) -> [f64; 2] {
        let Pose { angle, growth, shift: [down, right] } = self.pose;
        let [row, column] = self.body.to(&self.other, [row - down, column - right]);
        let (row, column) = (row - self.centre[0], column - self.centre[1]);
        let (sin, cos) = angle.sin_cos();
        [self.centre[0] + (cos * row - sin * column) / growth, self.centre[1] + (sin * row + cos * column) / growth]
    }
}

/// A plane between its features, linear; 0 outside.
fn at_place(plane: &[f32], [rows, columns]: [usize; 2], row: f64, column: f64) -> f32 {
    if row <= -1.0 || column <= -1.0 || row >= rows as f64 || column >= columns as f64 {
        return 0.0;
    }
    if row >= 0.0 && column >= 0.0 && row < (rows - 1) as f64 && column < (columns - 1) as f64 {
        // All four lie inside, as most do.
        let (top, left) = (row as usize, column as usize);
        let (down, right) = ((row - top as f64) as f32, (column - left as f64) as f32);
        let [above, below] = [top, top + 1].map(|y| &plane[y * columns + left..][..2]);
        let across = |line: &[f32]| (1.0 - right) * line[0] + right * line[1];
        return (1.0 - down) * across(above) + down * across(below);
    }
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

/// A plane with lines of `columns` features, blurred by a Gaussian with a standard deviation in sides of the square; 0 leaves it as it is.
pub(super) fn blurred(plane: &[f32], columns: usize, blur: f64) -> Vec<f32> {
    let blur = blur * columns as f64;
    if blur > 0.0 { smooth(plane.to_vec(), columns, blur) } else { plane.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let laying = Laying::new([body([0.0, 2.0], [0.0, 7.0]), body([0.0, 4.0], [0.0, 7.0])], [0.0; 2]);
        let laid = laying.lay(&plane, [5, 8]);
        assert_eq!(laid.iter().step_by(8).copied().collect::<Vec<_>>(), [0.0, 2.0, 4.0, 0.0, 0.0]);
    }

    #[test]
    fn a_pose_turns_enlarges_and_moves_what_is_laid() {
        let body = Body { rows: [0.0, 8.0], columns: [0.0, 8.0] };
        let at_rest = Laying::new([body; 2], [4.0, 4.0]);
        let point = |row: usize, column: usize| {
            let mut plane = vec![0.0; 81];
            plane[row * 9 + column] = 1.0;
            plane
        };
        let laid = |pose| {
            at_rest.with(pose).lay(&point(2, 4), [9; 2]).iter().map(|x| (x * 1e3).round() / 1e3).collect::<Vec<_>>()
        };
        assert_eq!(laid(Pose::REST), point(2, 4));
        assert_eq!(laid(Pose { shift: [3.0, -1.0], ..Pose::REST }), point(5, 3));
        // A quarter of a turn about the middle, and there and back.
        assert_eq!(laid(Pose { angle: std::f64::consts::FRAC_PI_2, ..Pose::REST }), point(4, 6));
        assert_eq!(laid(Pose { angle: -std::f64::consts::FRAC_PI_2, ..Pose::REST }), point(4, 2));
        // Twice as far from the middle, and then moved: the body's own scale does not matter.
        let grown = Pose { growth: 2.0, shift: [1.0, 2.0], ..Pose::REST };
        assert_eq!(laid(grown).iter().position(|&x| x == 1.0), Some(9 + 6));
    }

    #[test]
    fn a_laying_in_pixels_is_the_same() {
        let bodies = [Body { rows: [1.0, 5.0], columns: [0.0, 6.0] }, Body { rows: [0.0, 4.0], columns: [1.0, 7.0] }];
        let pose = Pose { angle: 0.7, growth: 1.2, shift: [1.0, -2.0] };
        let laying = Laying::new(bodies, [2.0, 3.5]).with(pose);
        // The middle of a feature is the middle of its pixels.
        let [row, column] = laying.in_pixels(4.0).in_other([4.0 * 3.0 + 1.5, 4.0 * 2.0 + 1.5]);
        let of_features = laying.in_other([3.0, 2.0]).map(|at| 4.0 * at + 1.5);
        assert!((row - of_features[0]).hypot(column - of_features[1]) < 1e-9);
    }
}
