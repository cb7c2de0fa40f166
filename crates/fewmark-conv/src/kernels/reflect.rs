//! Planes continued beyond their borders by reflection.

use multiversion::multiversion;
use rayon::prelude::*;

/// One axis of a padded plane: which sample of the plane stands at each of its places.
#[derive(Clone, Debug)]
struct Axis {
    from: Vec<usize>,
    /// Places before the plane's own samples
    before: usize,
    /// The plane's own samples
    len: usize,
}

impl Axis {
    fn new(len: usize, [before, after]: [usize; 2]) -> Self {
        // Reflected at both ends, a row repeats itself after this many places.
        let period = (2 * (len - 1)).max(1) as isize;
        let from = |place: usize| {
            let at = (place as isize - before as isize).rem_euclid(period) as usize;
            at.min(period as usize - at).min(len - 1)
        };
        Self { from: (0..before + len + after).map(from).collect(), before, len }
    }

    /// Places and samples outside the plane.
    fn outside(&self) -> impl Iterator<Item = (usize, usize)> {
        let own = self.before..self.before + self.len;
        self.from.iter().copied().enumerate().filter(move |(place, _)| !own.contains(place))
    }
}

/// Reflection at the outermost samples, which are not repeated, along z, y and x; an axis of one sample repeats it.
#[derive(Clone, Debug)]
pub(crate) struct Reflection {
    axes: [Axis; 3],
}

impl Reflection {
    /// Of planes of a size that is nowhere 0, by so many samples before and after each axis.
    pub(crate) fn new(size: [usize; 3], padding: [[usize; 2]; 3]) -> Self {
        Self { axes: std::array::from_fn(|axis| Axis::new(size[axis], padding[axis])) }
    }

    /// Size of a plane.
    pub(crate) fn input(&self) -> [usize; 3] {
        self.axes.each_ref().map(|axis| axis.len)
    }

    /// Size of a padded plane.
    pub(crate) fn output(&self) -> [usize; 3] {
        self.axes.each_ref().map(|axis| axis.from.len())
    }

    /// The padded planes.
    pub(crate) fn pad(&self, x: &[f32], y: &mut [f32]) {
        let (input, output) = (self.input().iter().product(), self.output().iter().product());
        y.par_chunks_mut(output).zip(x.par_chunks(input)).for_each(|(y, x)| {
            for (y, row) in y.chunks_exact_mut(self.axes[2].from.len()).zip(self.rows()) {
                self.pad_row(&x[row..row + self.axes[2].len], y);
            }
        });
    }

    /// The adjoint of [`pad`](Self::pad).
    pub(crate) fn fold(&self, dy: &[f32], dx: &mut [f32]) {
        let (input, output) = (self.input().iter().product(), self.output().iter().product());
        dx.par_chunks_mut(input).zip(dy.par_chunks(output)).for_each(|(dx, dy)| {
            dx.fill(0.0);
            for (dy, row) in dy.chunks_exact(self.axes[2].from.len()).zip(self.rows()) {
                self.fold_row(dy, &mut dx[row..row + self.axes[2].len]);
            }
        });
    }

    /// Where in a plane the row begins that each row of the padded one is made of.
    fn rows(&self) -> impl Iterator<Item = usize> {
        let [along_z, along_y, along_x] = &self.axes;
        let start = |z: usize, y: usize| (z * along_y.len + y) * along_x.len;
        along_z.from.iter().flat_map(move |&z| along_y.from.iter().map(move |&y| start(z, y)))
    }

    fn pad_row(&self, x: &[f32], y: &mut [f32]) {
        let axis = &self.axes[2];
        y[axis.before..][..axis.len].copy_from_slice(x);
        for (place, from) in axis.outside() {
            y[place] = x[from];
        }
    }

    fn fold_row(&self, dy: &[f32], dx: &mut [f32]) {
        let axis = &self.axes[2];
        add(&dy[axis.before..][..axis.len], dx);
        for (place, from) in axis.outside() {
            dx[from] += dy[place];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn add(x: &[f32], sum: &mut [f32]) {
    for (sum, &x) in sum.iter_mut().zip(x) {
        *sum += x;
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn places_beyond_the_ends_are_reflected_again_and_again() {
        assert_eq!(Axis::new(4, [1, 1]).from, [1, 0, 1, 2, 3, 2]);
        assert_eq!(Axis::new(3, [5, 4]).from, [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(Axis::new(2, [2, 3]).from, [0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(Axis::new(1, [2, 1]).from, [0, 0, 0, 0]);
        assert_eq!(Axis::new(5, [0, 0]).from, [0, 1, 2, 3, 4]);
    }
}
