//! MSNet looked into: what it holds on every grid, and the energy that it works on there.

use burn::tensor::Tensor;
use fewmark_conv::ops::interpolate_linear;
use serde::Serialize;

use super::{FeatureExtractor, MsNet};
use crate::layers::size;

#[cfg(test)]
mod tests;

/// Which way the V-cycle passes a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// Towards the coarsest grid, which itself is only visited on the way down
    Down,
    /// Back to the finest grid
    Up,
}

/// The terms of the Mumford-Shah functional that a visit of a grid works on: sums over the channels, means over voxels and batch, so
/// that grids of any size can be compared.
///
/// For a visit that finds features `u0` and weights `v0` on a grid with the data `f` and the right-hand side `F`, the functional is
///
/// ```text
/// J(u, v) = 1/2 v (f - u)^2 + 1/2 v (L u)^2 + eps v ln v + v k(1 - 2 v0) - (F - v0 f) u
///           data              smoothness      entropy      coupling        source
/// ```
///
/// - **The `v`-update minimises `J(u, .)`**, exactly, among all `v` that are positive and sum to 1 over each softmax group: that is
///   what a softmax does. The coupling is what is left of the length of the contours: for a symmetric `k` it is the length term
///   `v k(1 - v)` without its part of second order at `v0`. A learnt `k` need not be symmetric, so we claim no more than `J`.
/// - **The `u`-update is meant as a gradient step of `J(., v0)`**, and is none. The gradient is `v0 u + dL(u)^T (v0 L u) - F`, with
///   the transposed derivative `dL(u)^T` of `L` at `u`; the network has `A(u; v0) - F`, with a learnt `L*`, which has weights and
///   a ReLU of its own, in the place of `dL(u)^T`. Therefore `J` can rise in a `u`-update, as it can by a `dt` that is too large.
/// - **The source** is what makes a coarser grid work for the finer one (FAS). It is zero in the first visit, where `F = v0 f`, and
///   does not depend on `v`.
///
/// With [`Sharing::PerGrid`](super::Sharing::PerGrid) the two updates have operators of their own; the smoothness here is that of the
/// `v`-update. Where `v0` is not positive, which only [`RestrictV::Conv`](super::RestrictV::Conv) lets happen, its entropy counts as zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Energy {
    /// `1/2 v (f - u)^2`: how far the features are from the data
    pub data: f64,
    /// `1/2 v (L u)^2`: what the learnt operator finds rough in them
    pub smoothness: f64,
    /// `eps v ln v`, from `-eps ln(channels of a group)`, undecided, to 0, decided
    pub entropy: f64,
    /// `v k(1 - 2 v0)`: whether the weights agree with those around them
    pub coupling: f64,
    /// `-(F - v0 f) u`: what the other grids ask for
    pub source: f64,
}

impl Energy {
    /// The functional.
    pub fn total(&self) -> f64 {
        self.data + self.smoothness + self.entropy + self.coupling + self.source
    }
}

/// What a visit of a grid leaves behind.
#[derive(Clone, Debug)]
pub struct Visit<const R: usize> {
    /// The grid, from 1, the finest
    pub grid: usize,
    /// The way the grid is passed
    pub pass: Pass,
    /// The data on this grid, `[batch, channels, ..]`
    pub f: Tensor<R>,
    /// The features after their update, as `f`
    pub u: Tensor<R>,
    /// The weights after their update, as `f`
    pub v: Tensor<R>,
    /// The functional as the grid was entered
    pub entered: Energy,
    /// The functional after the update of `u`
    pub after_u: Energy,
    /// The functional after the update of `v`
    pub after_v: Energy,
}

/// What an [`MsNet`] does with images.
#[derive(Clone, Debug)]
pub struct Explanation<const R: usize> {
    /// The visits in their order: all grids from the finest to the coarsest and back, `2 grids - 1`
    pub visits: Vec<Visit<R>>,
    /// The logits, those of [`MsNet::forward`] to the bit
    pub logits: Tensor<R>,
}

/// A grid during a visit, its features updated, its weights not yet.
struct Level<const R: usize> {
    f: Tensor<R>,
    /// `F`
    rhs: Tensor<R>,
    /// As the grid was entered
    u0: Tensor<R>,
    v0: Tensor<R>,
    /// After the update
    u: Tensor<R>,
}

impl<const R: usize> MsNet<R> {
    /// What the network does with images `[batch, in_channels, ..]`: `u`, `v` and their energy on every grid, and the logits.
    ///
    /// This is [`forward`](Self::forward) with everything kept and the energies computed, for networks without gradients: the cycle
    /// is written once more so that `forward` keeps nothing.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn explain(&self, image: Tensor<R>) -> Explanation<R> {
        let mut visits = Vec::with_capacity(2 * self.config.grids - 1);
        let (mut u, mut v);

        // Down, to the coarsest grid
        let mut levels = Vec::with_capacity(self.config.grids);
        let (mut level, mut correction) = self.finest(image);
        loop {
            let grid = levels.len();
            let visit = self.visit(grid, Pass::Down, &level);
            (u, v) = (visit.u.clone(), visit.v.clone());
            visits.push(visit);
            if grid + 1 == self.config.grids {
                break;
            }
            let coarser;
            (coarser, correction) = self.coarser_level(grid, &level, v);
            levels.push(std::mem::replace(&mut level, coarser));
        }

        // Up, to the finest
        while let Some(Level { f, rhs, u0: start, u: before, .. }) = levels.pop() {
            let grid = levels.len();
            let v0 = interpolate_linear(v, size(&before), false);
            let u0 = self.corrected(before, correction);
            u = self.extractor(grid, Pass::Up).solve(u0.clone(), v0.clone(), rhs.clone(), self.config.dt);
            correction = u.clone() - start;
            let visit = self.visit(grid, Pass::Up, &Level { f, rhs, u0, v0, u: u.clone() });
            v = visit.v.clone();
            visits.push(visit);
        }
        Explanation { visits, logits: self.logits(u, v) }
    }

    /// The first visit, and the step of `u` in it, which nothing reads.
    fn finest(&self, image: Tensor<R>) -> (Level<R>, Tensor<R>) {
        let f = self.head.forward(image);
        let v0 = self.softmax(f.clone());
        let rhs = v0.clone() * f.clone();
        let u = self.down[0].solve(f.clone(), v0.clone(), rhs.clone(), self.config.dt);
        let step = u.clone() - f.clone();
        (Level { u0: f.clone(), f, rhs, v0, u }, step)
    }

    /// The next grid on the way down from a visit that left `v`, and the step of `u` on it: its update needs no operator.
    fn coarser_level(&self, grid: usize, fine: &Level<R>, v: Tensor<R>) -> (Level<R>, Tensor<R>) {
        let Level { f, rhs, v0, u, .. } = fine;
        let down = &self.down[grid];
        let w = down.operator.forward(u.clone());
        let residual = down.update(rhs.clone(), [u.clone(), v0.clone(), w], [0.0, 1.0, -1.0]);

        let restriction = &self.restrictions[grid.min(self.restrictions.len() - 1)];
        let residual = restriction.data.forward(residual);
        let f = restriction.data.forward(f.clone());
        let u0 = restriction.state.forward(u.clone());
        let v0 = self.restrict_v(restriction, v);

        let down = &self.down[grid + 1];
        let step = residual.clone() * self.config.dt;
        let u = u0.clone() + step.clone();
        let w = down.operator.forward(u0.clone());
        let rhs = down.update(residual, [u0.clone(), v0.clone(), w], [0.0, 1.0, 1.0]);
        (Level { f, rhs, u0, v0, u }, step)
    }

    fn extractor(&self, grid: usize, pass: Pass) -> &FeatureExtractor<R> {
        let down = &self.down[grid];
        match pass {
            Pass::Down => down,
            Pass::Up => self.up.get(grid).unwrap_or(down),
        }
    }

    /// The update of `v`, and the energies.
    fn visit(&self, grid: usize, pass: Pass, level: &Level<R>) -> Visit<R> {
        let Level { f, rhs, u0, v0, u } = level;
        let extractor = self.extractor(grid, pass);
        let v = self.classify(extractor, f.clone(), u.clone(), v0.clone());

        let operator = extractor.weight_operator.as_ref().unwrap_or(&extractor.operator);
        let [w0, w] = [u0, u].map(|u| samples(&operator.forward(u.clone())));
        let k = samples(&extractor.coupling.forward(v0.clone() * -2.0 + 1.0));
        let fields = [f, rhs, u0, v0, u, &v].map(samples);
        let [f_, rhs, u0, v0, u_, v_] = &fields;
        let functional = Functional { f: f_, rhs, v0, k: &k, eps: self.config.eps, channels: self.config.channels };
        let [entered, after_u, after_v] = [(u0, v0, &w0), (u_, v0, &w), (u_, v_, &w)].map(|state| functional.at(state));
        Visit { grid: grid + 1, pass, f: f.clone(), u: u.clone(), v, entered, after_u, after_v }
    }
}

/// What a visit finds: the [`Energy`] as a functional of `u` and `v`.
struct Functional<'a> {
    f: &'a [f32],
    rhs: &'a [f32],
    v0: &'a [f32],
    /// `k(1 - 2 v0)`
    k: &'a [f32],
    eps: f64,
    channels: usize,
}

impl Functional<'_> {
    /// The energy of `u`, `v` and `w = L u`.
    fn at(&self, (u, v, w): (&Vec<f32>, &Vec<f32>, &Vec<f32>)) -> Energy {
        let mut sum = Energy::default();
        for i in 0..u.len() {
            let [f, rhs, v0, k] = [self.f[i], self.rhs[i], self.v0[i], self.k[i]].map(f64::from);
            let [u, v, w] = [u[i], v[i], w[i]].map(f64::from);
            sum.data += 0.5 * v * (f - u) * (f - u);
            sum.smoothness += 0.5 * v * w * w;
            sum.entropy += if v > 0.0 { self.eps * v * v.ln() } else { 0.0 };
            sum.coupling += v * k;
            sum.source -= (rhs - v0 * f) * u;
        }
        let voxels = (u.len() / self.channels) as f64;
        Energy {
            data: sum.data / voxels,
            smoothness: sum.smoothness / voxels,
            entropy: sum.entropy / voxels,
            coupling: sum.coupling / voxels,
            source: sum.source / voxels,
        }
    }
}

fn samples<const R: usize>(x: &Tensor<R>) -> Vec<f32> {
    x.clone().into_data().convert::<f32>().try_to_vec().expect("numbers that were just converted")
}
