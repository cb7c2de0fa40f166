//! A box of an image, for work that need not look at the rest.

use fewmark_grid::Grid;

/// The box reaches this many pixels beyond what it is around.
const MARGIN: usize = 16;

/// A box of a 2-D grid.
pub(super) struct Part {
    /// Grid of the box.
    pub(super) grid: Grid,
    start: [usize; 2],
}

impl Part {
    /// The box around the pixels where `u` is not 0; `None` when it is 0 everywhere.
    pub(super) fn around(u: &[f32], grid: &Grid) -> Option<Self> {
        let (mut low, mut high) = ([usize::MAX; 2], [0; 2]);
        for (i, _) in u.iter().enumerate().filter(|(_, u)| **u != 0.0) {
            let voxel = grid.voxel(i);
            for axis in 0..2 {
                low[axis] = low[axis].min(voxel[axis]);
                high[axis] = high[axis].max(voxel[axis]);
            }
        }
        if low[0] > high[0] {
            return None;
        }
        let start = low.map(|low| low.saturating_sub(MARGIN));
        let end = [0, 1].map(|axis| (high[axis] + MARGIN + 1).min(grid.size[axis]));
        Some(Self { grid: Grid { size: [end[0] - start[0], end[1] - start[1], 1], ..*grid }, start })
    }

    /// The samples of the box.
    pub(super) fn cut(&self, field: &[f32], grid: &Grid) -> Vec<f32> {
        self.rows(grid).flat_map(|from| &field[from..from + self.grid.size[0]]).copied().collect()
    }

    /// The field with the samples of the box in their place.
    pub(super) fn paste(&self, samples: &[f32], mut field: Vec<f32>, grid: &Grid) -> Vec<f32> {
        for (row, from) in samples.chunks_exact(self.grid.size[0]).zip(self.rows(grid)) {
            field[from..from + row.len()].copy_from_slice(row);
        }
        field
    }

    /// Where each row of the box begins in a field of the whole grid.
    fn rows(&self, grid: &Grid) -> impl Iterator<Item = usize> {
        let (nx, [x, y]) = (grid.size[0], self.start);
        (0..self.grid.size[1]).map(move |row| x + nx * (y + row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_out_and_put_back() {
        let grid = Grid::unit([100, 80, 1]);
        let mut u = vec![0.0; grid.len()];
        u[grid.index([30, 70, 0])] = 0.5;
        u[grid.index([50, 60, 0])] = 1.0;
        let part = Part::around(&u, &grid).unwrap();
        assert_eq!((part.start, part.grid.size), ([14, 44], [53, 36, 1]));
        let cut = part.cut(&u, &grid);
        assert_eq!(cut.iter().sum::<f32>(), 1.5);
        assert_eq!(part.paste(&cut, vec![0.0; grid.len()], &grid), u);
        assert!(Part::around(&vec![0.0; grid.len()], &grid).is_none());
    }
}
