//! Slices of any size on the square grid of an encoder, and back.

/// How a slice lies in the square that an encoder sees: scaled by its longer side, in the middle. Sides are lengths, not numbers of pixels, so
/// that nothing is squeezed whose pixels are higher than wide, as in slices across those that a scanner took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Rows and columns of the slice
    slice: [usize; 2],
    /// Pixels along each side of the square
    side: usize,
    /// Rows and columns of the scaled slice
    scaled: [usize; 2],
    /// Rows above it and columns before it
    before: [usize; 2],
}

impl Frame {
    /// The frame of slices of `size` rows and columns in a square with sides of `side` pixels. `height` is that of their pixels by their width.
    pub(super) fn new(size: [usize; 2], height: f64, side: usize) -> Self {
        let [rows, columns] = [size[0] as f64 * height, size[1] as f64];
        let scaled = [rows, columns].map(|n| (n * side as f64 / rows.max(columns)).round().max(1.0) as usize);
        Self { slice: size, side, scaled, before: scaled.map(|n| (side - n) / 2) }
    }

    /// Pixels along each side of the square.
    pub(super) fn side(&self) -> usize {
        self.side
    }

    /// A slice in the square, `outside` around it.
    pub(super) fn put(&self, slice: &[f32], outside: f32) -> Vec<f32> {
        let scaled = resize(slice, self.slice, self.scaled);
        let mut square = vec![outside; self.side * self.side];
        for (row, line) in scaled.chunks_exact(self.scaled[1]).enumerate() {
            let first = (row + self.before[0]) * self.side + self.before[1];
            square[first..first + line.len()].copy_from_slice(line);
        }
        square
    }

    /// The slice that lies in a square.
    pub(super) fn take(&self, square: &[f32]) -> Vec<f32> {
        let row = |row: usize| {
            let first = (row + self.before[0]) * self.side + self.before[1];
            &square[first..first + self.scaled[1]]
        };
        let scaled: Vec<f32> = (0..self.scaled[0]).flat_map(row).copied().collect();
        resize(&scaled, self.scaled, self.slice)
    }
}

/// A plane of other rows and columns over the same area: means where it becomes smaller, linear between pixels where it becomes larger.
pub(super) fn resize(plane: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let [rows, columns] = [0, 1].map(|axis| taps(from[axis], to[axis]));
    weighted(plane, &rows, &columns, from[1])
}

/// Sums over a plane of lines of `width` samples: of each row and each column the taps, a place and a weight.
pub(super) fn weighted(
    plane: &[f32],
    rows: &[Vec<(usize, f32)>],
    columns: &[Vec<(usize, f32)>],
    width: usize,
) -> Vec<f32> {
    let mut narrow = Vec::with_capacity(plane.len() / width * columns.len());
    for line in plane.chunks_exact(width) {
        narrow.extend(columns.iter().map(|taps| taps.iter().map(|&(at, weight)| weight * line[at]).sum::<f32>()));
    }
    let mut all = vec![0.0; rows.len() * columns.len()];
    for (line, taps) in all.chunks_exact_mut(columns.len()).zip(rows) {
        for &(at, weight) in taps {
            let from = &narrow[at * columns.len()..][..columns.len()];
            line.iter_mut().zip(from).for_each(|(sum, sample)| *sum += weight * sample);
        }
    }
    all
}

/// What each of `to` pixels reads of `from` pixels over the same length, with weights that sum to 1.
fn taps(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let ratio = from as f64 / to as f64;
    let last = from - 1;
    let read = |pixel: usize| {
        if ratio <= 1.0 {
            let at = ((pixel as f64 + 0.5) * ratio - 0.5).clamp(0.0, last as f64);
            let low = at as usize;
            let high = (at - low as f64) as f32;
            return vec![(low, 1.0 - high), ((low + 1).min(last), high)];
        }
        let (first, end) = (pixel as f64 * ratio, (pixel + 1) as f64 * ratio);
        let covered = |at: usize| ((at + 1) as f64).min(end) - (at as f64).max(first);
        let inside = (first as usize)..=(end.ceil() as usize - 1).min(last);
        inside.map(|at| (at, (covered(at) / ratio) as f32)).collect()
    };
    (0..to).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_planes_are_means_and_larger_ones_linear() {
        let plane = [1.0, 3.0, 5.0, 7.0, 2.0, 4.0, 6.0, 8.0];
        assert_eq!(resize(&plane, [2, 4], [1, 2]), [2.5, 6.5]);
        assert_eq!(resize(&[0.0, 4.0], [1, 2], [1, 4]), [0.0, 1.0, 3.0, 4.0]);
        // A third of the middle pixel goes to each side.
        let thirds = resize(&[3.0, 6.0, 9.0], [1, 3], [1, 2]);
        assert!((thirds[0] - 4.0).abs() < 1e-6 && (thirds[1] - 8.0).abs() < 1e-6, "{thirds:?}");
    }

    #[test]
    fn a_slice_lies_in_the_middle_and_comes_back() {
        let frame = Frame::new([3, 6], 1.0, 12);
        let slice: Vec<f32> = (0..18).map(|i| (i / 6) as f32).collect();
        let square = frame.put(&slice, -1.0);
        let outside = square.iter().filter(|&&s| s == -1.0).count();
        assert_eq!((square.len(), outside), (144, 72));
        assert_eq!(square[..36], [-1.0; 36]);
        // Means of what was interpolated: the ends of a ramp lose a quarter of their distance to the middle at most.
        let back = frame.take(&square);
        assert!(back.iter().zip(&slice).all(|(b, s)| (b - s).abs() < 0.26), "{back:?}");
        let same = Frame::new([5, 5], 1.0, 5);
        assert_eq!(same.take(&same.put(&slice[..].repeat(2)[..25], 0.0)), slice.repeat(2)[..25]);
    }

    #[test]
    fn pixels_that_are_higher_than_wide_are_not_squeezed() {
        // 3 rows of 4 mm are as long as 12 columns of 1 mm.
        let frame = Frame::new([3, 12], 4.0, 12);
        let square = frame.put(&[1.0; 36], -1.0);
        assert_eq!(square, [1.0; 144]);
        assert_eq!(frame.take(&square), [1.0; 36]);
        let tall = Frame::new([4, 4], 2.0, 8).put(&[1.0; 16], -1.0);
        assert!(tall.chunks_exact(8).all(|row| row == [-1.0, -1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0]), "{tall:?}");
    }
}
