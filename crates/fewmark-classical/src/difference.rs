//! Forward differences with Neumann ends, and the divergence that is exactly their negative adjoint.

use fewmark_grid::Grid;
use rayon::prelude::*;

/// Rows given to one task at a time: enough work to be worth handing over.
pub(crate) const ROWS_PER_TASK: usize = 16;

/// The difference operator `(D_a u)[i] = w_a (u[i + e_a] - u[i])` of a grid, 0 at the last voxel of each axis.
///
/// The weights `w_a = h_x / h_a` measure lengths in units of the spacing along x, so that a weight of the total
/// variation means the same in pixels of an image and in a volume of thick slices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    /// Number of voxels along x, y and z.
    pub(crate) size: [usize; 3],
    /// Weights `w_a`; 0 along axes of one voxel.
    pub(crate) weight: [f32; 3],
}

/// A vector at each voxel: one field for each of x, y and z, empty along axes that take no part.
pub(crate) type VectorField = [Vec<f32>; 3];

impl Difference {
    /// The differences of a grid.
    pub(crate) fn new(grid: &Grid) -> Self {
        let weight = std::array::from_fn(|axis| match grid.size[axis] {
            0 | 1 => 0.0,
            _ => (grid.spacing[0] / grid.spacing[axis]) as f32,
        });
        Self { size: grid.size, weight }
    }

    /// Number of voxels.
    pub(crate) fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// The axes that take part.
    pub(crate) fn axes(&self) -> impl Iterator<Item = usize> + use<> {
        let size = self.size;
        (0..3).filter(move |&axis| size[axis] > 1)
    }

    /// A vector field of zeros.
    pub(crate) fn zeros(&self) -> VectorField {
        std::array::from_fn(|axis| vec![0.0; if self.size[axis] > 1 { self.len() } else { 0 }])
    }

    /// Eigenvalue `w_a^2 (2 - 2 cos(pi k / n_a))` of `-D_a^T D_a` with its sign turned, for the frequency `k` along
    /// `axis`.
    pub(crate) fn eigenvalue(&self, axis: usize, k: usize) -> f64 {
        let angle = std::f64::consts::PI * k as f64 / self.size[axis] as f64;
        f64::from(self.weight[axis]).powi(2) * (2.0 - 2.0 * angle.cos())
    }

    /// Calls `work(row, samples)` for every row of a field, in parallel.
    pub(crate) fn for_rows(&self, field: &mut [f32], work: impl Fn(usize, &mut [f32]) + Sync) {
        let nx = self.size[0];
        field.par_chunks_mut(nx).with_min_len(ROWS_PER_TASK).enumerate().for_each(|(row, out)| work(row, out));
    }

    /// Samples of one row of a field.
    pub(crate) fn row<'a>(&self, field: &'a [f32], row: usize) -> &'a [f32] {
        let nx = self.size[0];
        &field[row * nx..(row + 1) * nx]
    }

    /// One row of `D_axis u`.
    pub(crate) fn difference_row(&self, axis: usize, u: &[f32], row: usize, out: &mut [f32]) {
        let w = self.weight[axis];
        let here = self.row(u, row);
        if axis == 0 {
            for (o, pair) in out.iter_mut().zip(here.windows(2)) {
                *o = w * (pair[1] - pair[0]);
            }
            out[here.len() - 1] = 0.0;
        } else if self.is_last(axis, row) {
            out.fill(0.0);
        } else {
            let next = self.row(u, row + self.row_step(axis));
            for ((o, &a), &b) in out.iter_mut().zip(here).zip(next) {
                *o = w * (b - a);
            }
        }
    }

    /// One row of `div p`.
    pub(crate) fn divergence_row(&self, p: &VectorField, row: usize, out: &mut [f32]) {
        out.fill(0.0);
        for axis in self.axes() {
            let (w, component) = (self.weight[axis], &p[axis]);
            let here = self.row(component, row);
            if axis == 0 {
                let n = here.len() - 1;
                add_scaled(&mut out[..n], w, &here[..n]);
                add_scaled(&mut out[1..], -w, &here[..n]);
                continue;
            }
            if !self.is_last(axis, row) {
                add_scaled(out, w, here);
            }
            if !self.is_first(axis, row) {
                add_scaled(out, -w, self.row(component, row - self.row_step(axis)));
            }
        }
    }

    /// Step between the rows that are neighbours along `axis`, y or z.
    fn row_step(&self, axis: usize) -> usize {
        if axis == 1 { 1 } else { self.size[1] }
    }

    fn coordinate(&self, axis: usize, row: usize) -> usize {
        if axis == 1 { row % self.size[1] } else { row / self.size[1] }
    }

    fn is_first(&self, axis: usize, row: usize) -> bool {
        self.coordinate(axis, row) == 0
    }

    fn is_last(&self, axis: usize, row: usize) -> bool {
        self.coordinate(axis, row) + 1 == self.size[axis]
    }
}

/// `out <- out + w x`.
fn add_scaled(out: &mut [f32], w: f32, x: &[f32]) {
    for (o, &x) in out.iter_mut().zip(x) {
        *o += w * x;
    }
}

#[cfg(test)]
impl Difference {
    /// `D u`.
    pub(crate) fn gradient(&self, u: &[f32]) -> VectorField {
        let mut p = self.zeros();
        for axis in self.axes() {
            self.for_rows(&mut p[axis], |row, out| self.difference_row(axis, u, row, out));
        }
        p
    }

    /// `div p = -D^T p`.
    pub(crate) fn divergence(&self, p: &VectorField) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        self.for_rows(&mut out, |row, out| self.divergence_row(p, row, out));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .take(n)
        .collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }

    proptest! {
        #[test]
        fn divergence_is_the_negative_adjoint(
            size in [1usize..9, 1usize..9, 1usize..5], spacing in [0.5f64..3.0, 0.5f64..3.0, 0.5f64..6.0], seed: u64,
        ) {
            let grid = Grid { size, spacing };
            let d = Difference::new(&grid);
            let u = noise(d.len(), seed);
            let p: VectorField = std::array::from_fn(|axis| noise(d.len(), seed ^ (axis as u64 + 1)));
            let left: f64 = d.gradient(&u).iter().zip(&p).map(|(a, b)| dot(a, b)).sum();
            let right = -dot(&u, &d.divergence(&p));
            let scale: f64 = d.len() as f64 * d.weight.iter().map(|&w| f64::from(w)).sum::<f64>();
            prop_assert!((left - right).abs() <= 8.0 * f64::from(f32::EPSILON) * scale.max(1.0), "{left} {right}");
        }
    }

    #[test]
    fn a_ramp_has_its_slope_and_ends_flat() {
        let grid = Grid { size: [3, 2, 2], spacing: [1.0, 1.0, 4.0] };
        let d = Difference::new(&grid);
        let u: Vec<f32> = (0..d.len()).map(|i| grid.voxel(i)[0] as f32 * 2.0 + grid.voxel(i)[2] as f32 * 8.0).collect();
        let p = d.gradient(&u);
        assert_eq!(p[0], [2.0, 2.0, 0.0].repeat(4));
        assert_eq!(p[1], [0.0; 12]);
        assert_eq!(p[2], [[2.0; 6], [0.0; 6]].concat());
    }
}
