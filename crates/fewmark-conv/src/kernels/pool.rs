//! The largest sample of a window.

use multiversion::multiversion;
use rayon::prelude::*;

/// Windows over planes. Axes are z, y and x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Size of the input in voxels
    pub input: [usize; 3],
    /// Size of a window in voxels
    pub kernel: [usize; 3],
    /// Step between windows, in voxels
    pub stride: [usize; 3],
    /// Voxels by which the first window starts before the input; they are never the largest
    pub padding: [usize; 3],
}

impl Windows {
    /// Number of windows along each axis.
    pub(crate) fn output(&self) -> [usize; 3] {
        std::array::from_fn(|axis| {
            let padded = self.input[axis] + 2 * self.padding[axis];
            (padded - self.kernel[axis]) / self.stride[axis] + 1
        })
    }

    /// The voxels of the input that a window holds along an axis.
    fn range(&self, axis: usize, window: usize) -> std::ops::Range<usize> {
        let start = window * self.stride[axis];
        let end = (start + self.kernel[axis]).saturating_sub(self.padding[axis]).min(self.input[axis]);
        start.saturating_sub(self.padding[axis])..end
    }

    /// The largest sample of every window.
    pub(crate) fn max(&self, x: &[f32], y: &mut [f32]) {
        let planes = |size: [usize; 3]| size.iter().product();
        y.par_chunks_mut(planes(self.output()))
            .zip(x.par_chunks(planes(self.input)))
            .for_each(|(y, x)| max_plane(self, x, y));
    }

    /// `dx`: the gradient of every window goes to the first sample that is its largest.
    pub(crate) fn max_gradient(&self, dy: &[f32], x: &[f32], y: &[f32], dx: &mut [f32]) {
        let planes = |size: [usize; 3]| size.iter().product();
        let (input, output) = (planes(self.input), planes(self.output()));
        dx.par_chunks_mut(input)
            .zip(x.par_chunks(input).zip(dy.par_chunks(output).zip(y.par_chunks(output))))
            .for_each(|(dx, (x, (dy, y)))| self.max_gradient_plane(dy, x, y, dx));
    }

    fn max_gradient_plane(&self, dy: &[f32], x: &[f32], y: &[f32], dx: &mut [f32]) {
        dx.fill(0.0);
        let [_, height, width] = self.input;
        let [_, rows, columns] = self.output();
        let along_x: Vec<_> = (0..columns).map(|column| self.range(2, column)).collect();
        for (at, (dy, y)) in dy.chunks_exact(columns).zip(y.chunks_exact(columns)).enumerate() {
            let (along_z, along_y) = (self.range(0, at / rows), self.range(1, at % rows));
            for ((&dy, &y), along_x) in dy.iter().zip(y).zip(&along_x) {
                'window: for z in along_z.clone() {
                    for row in along_y.clone() {
                        let line = (z * height + row) * width;
                        for voxel in line + along_x.start..line + along_x.end {
                            if x[voxel] == y {
                                dx[voxel] += dy;
                                break 'window;
                            }
                        }
                    }
                }
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn max_plane(windows: &Windows, x: &[f32], y: &mut [f32]) {
    let [_, height, width] = windows.input;
    let [_, rows, columns] = windows.output();
    let mut largest = vec![0.0; width];
    let along_x: Vec<_> = (0..columns).map(|column| windows.range(2, column)).collect();
    for (at, y) in y.chunks_exact_mut(columns).enumerate() {
        largest.fill(f32::NEG_INFINITY);
        for z in windows.range(0, at / rows) {
            for row in windows.range(1, at % rows) {
                for (largest, &x) in largest.iter_mut().zip(&x[(z * height + row) * width..][..width]) {
                    *largest = largest.max(x);
                }
            }
        }
        for (y, along_x) in y.iter_mut().zip(&along_x) {
            *y = largest[along_x.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        }
    }
}
