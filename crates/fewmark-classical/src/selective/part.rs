//! A box of a grid, for work that need not look at the rest, or that needs room beyond it.

use fewmark_grid::Grid;

/// A box, which may reach beyond the grid that it was cut from.
pub(super) struct Part {
    /// Grid of the box.
    pub(super) grid: Grid,
    /// Its first voxel in the whole grid.
    start: [isize; 3],
}

impl Part {
    /// The box that reaches `margin`, in the unit of the spacing, and a voxel beyond what is set; the whole grid when nothing is.
    pub(super) fn around<T: Copy + Default + PartialEq>(field: &[T], grid: &Grid, margin: f64) -> Self {
        let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
        for (i, _) in field.iter().enumerate().filter(|(_, value)| **value != T::default()) {
            let voxel = grid.voxel(i);
            for axis in 0..3 {
                low[axis] = low[axis].min(voxel[axis]);
                high[axis] = high[axis].max(voxel[axis]);
            }
        }
        if low[0] > high[0] {
            return Self { grid: *grid, start: [0; 3] };
        }
        let room = |axis: usize| match grid.size[axis] {
            1 => 0,
            _ => (margin / grid.spacing[axis]).ceil() as usize + 1,
        };
        let size = std::array::from_fn(|axis| high[axis] - low[axis] + 1 + 2 * room(axis));
        let start = std::array::from_fn(|axis| low[axis] as isize - room(axis) as isize);
        Self { grid: Grid { size, ..*grid }, start }
    }

    /// The part of the box that lies within the whole grid.
    pub(super) fn within(self, whole: &Grid) -> Self {
        let start = self.start.map(|s| s.max(0));
        let end = |axis: usize| (self.start[axis] + self.grid.size[axis] as isize).min(whole.size[axis] as isize);
        let size = std::array::from_fn(|axis| (end(axis) - start[axis]) as usize);
        Self { grid: Grid { size, ..self.grid }, start }
    }

    /// The values in the box; beyond the whole grid the default of their type.
    pub(super) fn cut<T: Copy + Default>(&self, field: &[T], whole: &Grid) -> Vec<T> {
        let mut part = vec![T::default(); self.grid.len()];
        for (here, there, length) in self.rows(whole) {
            part[here..here + length].copy_from_slice(&field[there..there + length]);
        }
        part
    }

    /// The field with the values of the box in their place.
    pub(super) fn paste<T: Copy>(&self, part: &[T], mut field: Vec<T>, whole: &Grid) -> Vec<T> {
        for (here, there, length) in self.rows(whole) {
            field[there..there + length].copy_from_slice(&part[here..here + length]);
        }
        field
    }

    /// For each row of the box that lies within the whole grid: where it begins in the box and in the grid, and its length.
    fn rows(&self, whole: &Grid) -> impl Iterator<Item = (usize, usize, usize)> {
        let (start, size, grid, whole) = (self.start, self.grid.size, self.grid, *whole);
        let first = (-start[0]).max(0) as usize;
        let last = ((whole.size[0] as isize - start[0]).max(0) as usize).min(size[0]);
        let rows = (0..size[2]).flat_map(move |z| (0..size[1]).map(move |y| (y, z)));
        rows.filter_map(move |(y, z)| {
            let place = |at: usize, axis: usize| {
                let there = at as isize + start[axis];
                (there >= 0 && there < whole.size[axis] as isize).then_some(there as usize)
            };
            let there = [place(first, 0)?, place(y, 1)?, place(z, 2)?];
            (last > first).then(|| (grid.index([first, y, z]), whole.index(there), last - first))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_out_and_put_back() {
        let grid = Grid { size: [30, 20, 6], spacing: [1.0, 1.0, 4.0] };
        let mut field = vec![0.0_f32; grid.len()];
        field[grid.index([3, 10, 2])] = 0.5;
        field[grid.index([12, 12, 4])] = 1.0;
        let part = Part::around(&field, &grid, 5.0);
        assert_eq!((part.start, part.grid.size), ([-3, 4, -1], [22, 15, 9]));
        let cut = part.cut(&field, &grid);
        assert_eq!(cut.iter().sum::<f32>(), 1.5);
        assert_eq!(part.paste(&cut, vec![0.0; grid.len()], &grid), field);
        let within = part.within(&grid);
        assert_eq!((within.start, within.grid.size), ([0, 4, 0], [19, 15, 6]));
        assert_eq!(within.paste(&within.cut(&field, &grid), vec![0.0; grid.len()], &grid), field);
    }

    #[test]
    fn the_box_around_nothing_is_everything() {
        let grid = Grid::unit([7, 5, 1]);
        assert_eq!(Part::around(&vec![false; grid.len()], &grid, 3.0).grid, grid);
    }
}
