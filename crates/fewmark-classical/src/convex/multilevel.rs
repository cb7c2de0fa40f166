//! Coarser copies of a problem, and the way back of a solution to a finer level.
//!
//! A coarse voxel covers two voxels along every axis that is long enough. Its data is the mean of theirs, and the
//! weights of the differences along those axes are halved: then the energy of a coarse function is that of its fine
//! copy divided by the number of voxels in a cell, with the same `mu` and dual vectors of the same length.

use rayon::prelude::*;

use super::problem::Radius;
use super::sweep::{Level, Shape};

/// Axes shorter than this are not coarsened.
const SHORTEST: usize = 8;

/// How a fine level lies on a coarse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coarsening {
    fine: Shape,
    coarse: Shape,
    /// Voxels to a cell along x, the middle axis and the slices: 1 or 2.
    factor: [usize; 3],
}

impl Coarsening {
    /// The next coarser level, or `None` when no axis is long enough. Axes whose differences weigh no more than half of
    /// the heaviest wait: they are coarse already.
    pub(super) fn of(fine: Shape, weight: [f32; 3]) -> Option<Self> {
        let size = [fine.nx, fine.middle, fine.slices];
        let heaviest = (0..3).filter(|&a| size[a] >= SHORTEST).map(|a| weight[a]).fold(0.0, f32::max);
        let factor = std::array::from_fn(|a| if size[a] >= SHORTEST && 2.0 * weight[a] > heaviest { 2 } else { 1 });
        if factor == [1; 3] {
            return None;
        }
        let [nx, middle, slices] = std::array::from_fn(|a| size[a].div_ceil(factor[a]));
        Some(Self { fine, coarse: Shape { nx, middle, slices }, factor })
    }

    /// The coarse copy of a level.
    pub(super) fn level(&self, fine: &Level) -> Level<'static> {
        Level {
            shape: self.coarse,
            weight: std::array::from_fn(|a| fine.weight[a] / self.factor[a] as f32),
            data: self.restrict(&fine.data).into(),
            radius: match &fine.radius {
                Radius::Constant(radius) => Radius::Constant(*radius),
                Radius::Field(field) => Radius::Field(self.restrict(field)),
            },
        }
    }

    /// Means over the cells.
    fn restrict(&self, field: &[f32]) -> Vec<f32> {
        let (nx, [fx, fm, fs]) = (self.fine.nx, self.factor);
        let mut out = vec![0.0; self.coarse.len()];
        out.par_chunks_mut(self.coarse.nx).with_min_len(16).enumerate().for_each(|(row, out)| {
            let (m, s) = (row % self.coarse.middle * fm, row / self.coarse.middle * fs);
            let mut rows = 0;
            for s in s..(s + fs).min(self.fine.slices) {
                for m in m..(m + fm).min(self.fine.middle) {
                    let from = &field[(m + self.fine.middle * s) * nx..][..nx];
                    for (o, cell) in out.iter_mut().zip(from.chunks(fx)) {
                        *o += cell.iter().sum::<f32>() / cell.len() as f32;
                    }
                    rows += 1;
                }
            }
            out.iter_mut().for_each(|o| *o /= rows as f32);
        });
        out
    }

    /// The function that is constant on each cell.
    pub(super) fn prolong(&self, coarse: &[f32]) -> Vec<f32> {
        self.fill(|[_, m, s], out| {
            let from = self.coarse_row(coarse, m, s);
            for (cell, &value) in out.chunks_mut(self.factor[0]).zip(from) {
                cell.fill(value);
            }
        })
    }

    /// Dual vectors along `axis`, which live on the faces between voxels: the same on faces between cells, and their
    /// mean on the faces within a cell, so that the divergence of the fine vectors is that of the coarse ones.
    pub(super) fn prolong_dual(&self, coarse: &[f32], axis: usize) -> Vec<f32> {
        if self.factor[axis] == 1 {
            return self.prolong(coarse);
        }
        let size = [self.fine.nx, self.fine.middle, self.fine.slices][axis];
        self.fill(|[_, m, s], out| {
            let here = self.coarse_row(coarse, m, s);
            if axis == 0 {
                let mut before = 0.0;
                for (cell, &value) in out.chunks_mut(2).zip(here) {
                    cell[0] = 0.5 * (before + value);
                    cell[1..].fill(value);
                    before = value;
                }
                out[size - 1] = 0.0;
                return;
            }
            let k = if axis == 1 { m } else { s };
            if k + 1 == size {
                return;
            }
            let before = match (k % 2, axis) {
                (1, _) => Some(here),
                _ if k == 0 => None,
                (_, 1) => Some(self.coarse_row(coarse, m - 1, s)),
                _ => Some(self.coarse_row(coarse, m, s - 1)),
            };
            for (i, cell) in out.chunks_mut(self.factor[0]).enumerate() {
                cell.fill(0.5 * (before.map_or(0.0, |row| row[i]) + here[i]));
            }
        })
    }

    /// The coarse row under the fine one at these coordinates.
    fn coarse_row<'a>(&self, coarse: &'a [f32], m: usize, s: usize) -> &'a [f32] {
        let row = m / self.factor[1] + self.coarse.middle * (s / self.factor[2]);
        &coarse[row * self.coarse.nx..][..self.coarse.nx]
    }

    /// A fine field whose rows are written by `row(coordinates, samples)`.
    fn fill(&self, row: impl Fn([usize; 3], &mut [f32]) + Sync) -> Vec<f32> {
        let mut out = vec![0.0; self.fine.len()];
        out.par_chunks_mut(self.fine.nx)
            .with_min_len(16)
            .enumerate()
            .for_each(|(k, out)| row([0, k % self.fine.middle, k / self.fine.middle], out));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divergence(shape: Shape, weight: [f32; 3], p: &[Vec<f32>; 3]) -> Vec<f32> {
        let steps = [1, shape.nx, shape.nx * shape.middle];
        let coordinate = |i: usize, a: usize| i / steps[a] % [shape.nx, shape.middle, shape.slices][a];
        let before = |i: usize, a: usize| if coordinate(i, a) > 0 { p[a][i - steps[a]] } else { 0.0 };
        (0..shape.len()).map(|i| (0..3).map(|a| weight[a] * (p[a][i] - before(i, a))).sum()).collect()
    }

    #[test]
    fn prolonging_keeps_the_divergence() {
        let fine = Shape { nx: 12, middle: 10, slices: 8 };
        let weight = [1.0; 3];
        let coarsening = Coarsening::of(fine, weight).unwrap();
        let coarse = coarsening.coarse;
        assert_eq!(coarse, Shape { nx: 6, middle: 5, slices: 4 });
        let last = [coarse.nx, coarse.middle, coarse.slices];
        let steps = [1, coarse.nx, coarse.nx * coarse.middle];
        let p: [Vec<f32>; 3] = std::array::from_fn(|a| {
            let inside = |i: usize| i / steps[a] % last[a] + 1 < last[a];
            (0..coarse.len()).map(|i| if inside(i) { ((i * 37 + a * 11) % 17) as f32 } else { 0.0 }).collect()
        });
        let prolonged = std::array::from_fn(|a| coarsening.prolong_dual(&p[a], a));
        let expected = coarsening.prolong(&divergence(coarse, [0.5; 3], &p));
        assert_eq!(divergence(fine, weight, &prolonged), expected);
    }

    #[test]
    fn thick_slices_wait_until_the_others_are_as_coarse() {
        let thick = Shape { nx: 64, middle: 64, slices: 16 };
        assert_eq!(Coarsening::of(thick, [1.0, 1.0, 0.2]).unwrap().factor, [2, 2, 1]);
        assert_eq!(Coarsening::of(thick, [0.25, 0.25, 0.2]).unwrap().factor, [2, 2, 2]);
        assert_eq!(Coarsening::of(Shape { nx: 7, middle: 1, slices: 7 }, [1.0, 0.0, 1.0]), None);
    }

    #[test]
    fn restriction_takes_means_of_ragged_cells_too() {
        let coarsening = Coarsening::of(Shape { nx: 9, middle: 1, slices: 1 }, [1.0, 0.0, 0.0]).unwrap();
        assert_eq!(coarsening.restrict(&[1., 3., 5., 7., 0., 2., 4., 4., 9.]), [2., 6., 1., 4., 9.]);
    }
}
