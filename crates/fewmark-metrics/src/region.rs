use fewmark_grid::Grid;
use rayon::prelude::*;

/// Smallest box around voxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    low: [usize; 3],
    high: [usize; 3],
}

impl Bounds {
    /// Around nothing.
    pub(crate) const EMPTY: Self = Self { low: [usize::MAX; 3], high: [0; 3] };

    /// Around the voxels that are set in any of two masks.
    pub(crate) fn of_either(a: &[bool], b: &[bool], grid: &Grid) -> Self {
        let nx = grid.size[0];
        let rows = a.par_chunks(nx).zip(b.par_chunks(nx)).enumerate();
        let of_row = |(row, (a, b)): (usize, (&[bool], &[bool]))| {
            let set = |x: usize| a[x] || b[x];
            let Some(first) = (0..nx).find(|&x| set(x)) else { return Self::EMPTY };
            let last = (first..nx).rev().find(|&x| set(x)).unwrap_or(first);
            let [_, y, z] = grid.voxel(row * nx);
            Self { low: [first, y, z], high: [last, y, z] }
        };
        rows.map(of_row).reduce(|| Self::EMPTY, Self::union)
    }

    pub(crate) fn include(&mut self, voxel: [usize; 3]) {
        *self = self.union(Self { low: voxel, high: voxel });
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            low: std::array::from_fn(|a| self.low[a].min(other.low[a])),
            high: std::array::from_fn(|a| self.high[a].max(other.high[a])),
        }
    }

    /// The box with a margin of one voxel, as far as the image goes; `None` of nothing.
    ///
    /// The margin keeps an axis of the image with several voxels an axis of the region with several voxels, so that
    /// the surface of a mask one slice thick is the same in both.
    pub(crate) fn region(self, grid: &Grid) -> Option<Region> {
        let start = self.low.map(|i| i.saturating_sub(1));
        let size = std::array::from_fn(|a| (self.high[a] + 2).min(grid.size[a]).saturating_sub(start[a]));
        (self != Self::EMPTY).then_some(Region { start, size })
    }
}

/// A box of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    start: [usize; 3],
    size: [usize; 3],
}

impl Region {
    pub(crate) fn grid(&self, image: &Grid) -> Grid {
        Grid { size: self.size, spacing: image.spacing }
    }

    /// What `value` makes of the samples of the field that lie in the region.
    pub(crate) fn crop<T: Sync, U: Send>(&self, field: &[T], image: &Grid, value: impl Fn(&T) -> U + Sync) -> Vec<U> {
        let [nx, ny, nz] = self.size;
        let [x, y, z] = self.start;
        let value = &value;
        (0..ny * nz)
            .into_par_iter()
            .flat_map_iter(|row| {
                let start = image.index([x, y + row % ny, z + row / ny]);
                field[start..start + nx].iter().map(value)
            })
            .collect()
    }
}
