//! Linear interpolation along three axes, one matrix for each, and so its adjoint.

use multiversion::multiversion;
use rayon::prelude::*;

/// A matrix with a few neighbouring entries in every row, the same number `taps` in all.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    /// Column of the first entry of every row
    start: Vec<usize>,
    /// The entries, `taps` of every row
    weights: Vec<f32>,
    taps: usize,
    columns: usize,
}

impl Band {
    /// Linear interpolation from `input` to `output` samples, both positive.
    ///
    /// Samples sit in the middle of voxels and both rows of voxels cover the same length; or, with `align_corners`,
    /// the first samples and the last ones of both coincide. Beyond the outermost samples the value is theirs.
    pub(crate) fn linear(input: usize, output: usize, align_corners: bool) -> Self {
        let rows: Vec<_> = (0..output)
            .map(|row| {
                let at = if align_corners {
                    if output == 1 { 0.0 } else { row as f64 * (input - 1) as f64 / (output - 1) as f64 }
                } else {
                    ((row as f64 + 0.5) * input as f64 / output as f64 - 0.5).clamp(0.0, (input - 1) as f64)
                };
                let start = (at as usize).min(input - 1);
                let weight = at - start as f64;
                if weight > 0.0 && start + 1 < input {
                    (start, vec![(1.0 - weight) as f32, weight as f32])
                } else {
                    (start, vec![1.0])
                }
            })
            .collect();
        Self::new(&rows, input)
    }

    /// Pads all rows, each its first column and its entries, to one length.
    fn new(rows: &[(usize, Vec<f32>)], columns: usize) -> Self {
        let taps = rows.iter().map(|(_, weights)| weights.len()).max().unwrap_or(1).max(1);
        let mut band = Self { start: Vec::new(), weights: vec![0.0; rows.len() * taps], taps, columns };
        for ((start, weights), padded) in rows.iter().zip(band.weights.chunks_exact_mut(taps)) {
            let moved = (*start).min(columns - taps);
            padded[start - moved..][..weights.len()].copy_from_slice(weights);
            band.start.push(moved);
        }
        band
    }

    /// The transposed matrix.
    pub(crate) fn transposed(&self) -> Self {
        let mut rows = vec![(0, Vec::new()); self.columns];
        for (column, (&start, weights)) in self.start.iter().zip(self.weights.chunks_exact(self.taps)).enumerate() {
            for (tap, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                let row: &mut (usize, Vec<f32>) = &mut rows[start + tap];
                if row.1.is_empty() {
                    row.0 = column;
                }
                row.1.resize(column - row.0, 0.0);
                row.1.push(weight);
            }
        }
        Self::new(&rows, self.start.len())
    }

    fn rows(&self) -> usize {
        self.start.len()
    }

    /// The columns and entries of a row that are not zero.
    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + Clone {
        let weights = &self.weights[row * self.taps..][..self.taps];
        let entries = weights.iter().enumerate().map(move |(tap, &weight)| (self.start[row] + tap, weight));
        entries.filter(|&(_, weight)| weight != 0.0)
    }

    #[inline(always)]
    fn apply(&self, x: &[f32], y: &mut [f32]) {
        match self.taps {
            1 => self.apply_taps::<1>(x, y),
            2 => self.apply_taps::<2>(x, y),
            3 => self.apply_taps::<3>(x, y),
            4 => self.apply_taps::<4>(x, y),
            taps => {
                for (y, (&start, weights)) in y.iter_mut().zip(self.start.iter().zip(self.weights.chunks_exact(taps))) {
                    *y = weights.iter().zip(&x[start..]).map(|(weight, x)| weight * x).sum();
                }
            }
        }
    }

    #[inline(always)]
    fn apply_taps<const N: usize>(&self, x: &[f32], y: &mut [f32]) {
        let (weights, _) = self.weights.as_chunks::<N>();
        for (y, (&start, weights)) in y.iter_mut().zip(self.start.iter().zip(weights)) {
            let x = &x[start..start + N];
            *y = (0..N).map(|tap| weights[tap] * x[tap]).sum();
        }
    }
}

/// Applies one matrix along each of z, y and x of every plane.
pub(crate) fn apply(axes: &[Band; 3], x: &[f32], y: &mut [f32]) {
    let size = |of: fn(&Band) -> usize| axes.iter().map(of).product();
    y.par_chunks_mut(size(Band::rows))
        .zip(x.par_chunks(size(|band| band.columns)))
        .for_each(|(y, x)| apply_plane(axes, x, y));
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn apply_plane([along_z, along_y, along_x]: &[Band; 3], x: &[f32], y: &mut [f32]) {
    let (height, width) = (along_y.columns, along_x.columns);
    let mut line = vec![0.0; width];
    for (at, y) in y.chunks_exact_mut(along_x.rows()).enumerate() {
        line.fill(0.0);
        for (z, weight_z) in along_z.row(at / along_y.rows()) {
            for (row, weight) in along_y.row(at % along_y.rows()) {
                let weight = weight_z * weight;
                for (line, &x) in line.iter_mut().zip(&x[(z * height + row) * width..][..width]) {
                    *line += weight * x;
                }
            }
        }
        along_x.apply(&line, y);
    }
}
