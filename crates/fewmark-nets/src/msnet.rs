//! MSNet: a multigrid solver with learnt operators that segments while it solves.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvTranspose, ConvTransposeConfig};
use fewmark_conv::ops::{interpolate_linear, label_update, operator_update, softmax};

use crate::ConfigError;
use crate::layers::{average_pairs, kaiming, size, standardised};

mod config;
mod explain;
#[cfg(test)]
mod tests;

pub use config::{MsNetConfig, RestrictV, Sharing, Weights};
pub use explain::{Energy, Explanation, Pass, Visit};

/// Added to the variance where `u` is standardised.
const EPSILON: f64 = 1e-5;

impl MsNetConfig {
    /// Makes the network, for 2-D images with `R = 4` and for 3-D images with `R = 5`, with random weights of the device's
    /// generator.
    ///
    /// # Errors
    /// If a number is zero, `dt`, `eps` or `gain` is not positive and finite, or the softmax groups do not divide the channels.
    pub fn init<const R: usize>(&self, device: &Device) -> Result<MsNet<R>, ConfigError> {
        const { assert!(R == 4 || R == 5, "an image tensor has rank 4 (2-D) or 5 (3-D)") };
        self.validate()?;
        let transitions = self.grids - 1;
        let (passes_up, own_operator, restrictions) = match self.sharing {
            Sharing::PerPass => (transitions, false, transitions.min(1)),
            Sharing::PerGrid => (0, true, transitions),
        };
        let extractor = || FeatureExtractor::new(self, own_operator, device);
        Ok(MsNet {
            head: self.conv([self.in_channels, self.channels], 1, device),
            down: (0..self.grids).map(|_| extractor()).collect(),
            up: (0..passes_up).map(|_| extractor()).collect(),
            restrictions: (0..restrictions).map(|_| Restriction::new(self, own_operator, device)).collect(),
            mid: self.conv([self.channels; 2], 1, device),
            out: self.conv([self.channels, self.classes], 1, device),
            config: self.clone(),
        })
    }
}

/// MSNet, for 2-D images (`R = 4`) or 3-D images (`R = 5`).
///
/// A full approximation scheme (FAS) V-cycle that solves, on `grids` grids, `A(u; v) = F` for the features `u` of an image `f`
/// while it classifies them into weights `v`; the class logits are read from `v`. On one grid, with learnt `L`, `L*` and `k`,
///
/// ```text
/// A(u; v)    = v u + L*(v L u)
/// u         <- u + dt (F - A(u; v))
/// v         <- softmax((-1/2 (f - u)^2 - 1/2 (L u)^2 - k(1 - 2 v)) / eps)      over the channels
/// ```
///
/// and on the way to the next coarser one, with the learnt restrictions `Pi` and `R`,
///
/// ```text
/// f' = R f,   u' = Pi u,   v' = restrict(v),   F' = R (F - A(u; v)) + A'(u'; v').
/// ```
///
/// On the way back `u` gets the interpolated correction `u' - Pi u`, and, with `standardise`, mean 0 and variance 1 in every channel; `v`
/// is the interpolated `v'`. An axis of `n` voxels has
/// `ceil(n / 2)` on the next grid, so every size is possible.
///
/// Three things are computed less often than these formulas are written, with the same result:
/// - On a coarser grid on the way down `F' - A'(u'; v')` is `R` of the residual, by the definition of `F'`, so the update of `u'`
///   needs no operator. On the coarsest grid nothing else reads `F'`, so there is no `A'` at all. What only `A'`
///   uses there, `L*` and, where `v` has an operator of its own, `L`, gets no gradient.
/// - The update of `v` and the residual share `L u`.
/// - The residual is taken at the `v` with which the grid was entered, which the update of `u` has at hand.
#[derive(Module, Debug)]
pub struct MsNet<const R: usize> {
    head: Conv<R>,
    down: Vec<FeatureExtractor<R>>,
    /// From the finest grid on; empty where the way up uses the extractors of the way down
    up: Vec<FeatureExtractor<R>>,
    /// One for each transition, or one for all
    restrictions: Vec<Restriction<R>>,
    mid: Conv<R>,
    out: Conv<R>,
    #[module(skip)]
    config: MsNetConfig,
}

impl<const R: usize> MsNet<R> {
    /// What the network was made from.
    pub fn config(&self) -> &MsNetConfig {
        &self.config
    }

    /// Logits `[batch, classes, ..]` of images `[batch, in_channels, ..]` of any size, in `0..1` as trained.
    ///
    /// # Panics
    /// If the number of channels is not `in_channels`.
    pub fn forward(&self, image: Tensor<R>) -> Tensor<R> {
        let f = self.head.forward(image);
        let v = self.softmax(f.clone());
        let rhs = v.clone() * f.clone();
        let u = self.down[0].solve(f.clone(), v.clone(), rhs.clone(), self.config.dt);
        let (u, v) = if self.config.grids == 1 {
            (u.clone(), self.classify(&self.down[0], f, u, v))
        } else {
            self.cycle(0, f, rhs, u, v)
        };
        self.logits(u, v)
    }

    /// The logits of the finest grid's last `u` and `v`.
    fn logits(&self, u: Tensor<R>, v: Tensor<R>) -> Tensor<R> {
        let read = match self.config.weights {
            Weights::Updated => v,
            Weights::Fixed => u,
        };
        self.out.forward(self.mid.forward_with(read, Activation::Relu))
    }

    /// From `u` after its first update on a grid that is not the coarsest, down to the coarser grids and back, to the grid's
    /// last `(u, v)`. `v` is the one with which the grid was entered.
    fn cycle(&self, grid: usize, f: Tensor<R>, rhs: Tensor<R>, u: Tensor<R>, v: Tensor<R>) -> (Tensor<R>, Tensor<R>) {
        let down = &self.down[grid];
        let w = down.operator.forward(u.clone());
        let classified = match self.config.weights {
            Weights::Updated => {
                let weights = down.potential_argument(&u, &w);
                down.potential(f.clone(), u.clone(), weights, v.clone(), &self.config)
            }
            Weights::Fixed => v.clone(),
        };
        let residual = down.update(rhs.clone(), [u.clone(), v, w], [0.0, 1.0, -1.0]);

        let restriction = &self.restrictions[grid.min(self.restrictions.len() - 1)];
        let coarse_f = restriction.data.forward(f.clone());
        let coarse_u = restriction.state.forward(u.clone());
        let coarse_v = self.restrict_v(restriction, classified);
        let (correction, v) = self.coarser(grid + 1, coarse_f, restriction.data.forward(residual), coarse_u, coarse_v);

        let up = self.up.get(grid).unwrap_or(down);
        let v = interpolate_linear(v, size(&u), false);
        let u = self.corrected(u, correction);
        let u = up.solve(u, v.clone(), rhs, self.config.dt);
        let v = self.classify(up, f, u.clone(), v);
        (u, v)
    }

    /// A grid that is entered from a finer one, and all below it: the correction `u - start` and `v`.
    fn coarser(
        &self,
        grid: usize,
        f: Tensor<R>,
        residual: Tensor<R>,
        start: Tensor<R>,
        v: Tensor<R>,
    ) -> (Tensor<R>, Tensor<R>) {
        let down = &self.down[grid];
        // F - A(start; v) is the restricted residual.
        let correction = residual.clone() * self.config.dt;
        let u = start.clone() + correction.clone();
        if grid + 1 == self.config.grids {
            return (correction, self.classify(down, f, u, v));
        }
        let w = down.operator.forward(start.clone());
        let rhs = down.update(residual, [start.clone(), v.clone(), w], [0.0, 1.0, 1.0]);
        let (u, v) = self.cycle(grid, f, rhs, u, v);
        (u - start, v)
    }

    /// `u` as it returns to a grid, with the correction of the coarser one.
    fn corrected(&self, u: Tensor<R>, correction: Tensor<R>) -> Tensor<R> {
        let size = size(&u);
        let u = u + interpolate_linear(correction, size, false);
        if self.config.standardise { standardised(u, EPSILON, Activation::None) } else { u }
    }

    /// The update of `v` alone.
    fn classify(&self, extractor: &FeatureExtractor<R>, f: Tensor<R>, u: Tensor<R>, v: Tensor<R>) -> Tensor<R> {
        if self.config.weights == Weights::Fixed {
            return v;
        }
        let w = extractor.weight_operator.as_ref().unwrap_or(&extractor.operator).forward(u.clone());
        extractor.potential(f, u, w, v, &self.config)
    }

    fn restrict_v(&self, restriction: &Restriction<R>, v: Tensor<R>) -> Tensor<R> {
        let conv = restriction.weights.as_ref().unwrap_or(&restriction.state);
        match self.config.restrict_v {
            RestrictV::ConvSoftmax => self.softmax(conv.forward(v)),
            RestrictV::Conv => conv.forward(v),
            RestrictV::Avg => average_pairs(v),
        }
    }

    fn softmax(&self, x: Tensor<R>) -> Tensor<R> {
        softmax(x, self.config.softmax_groups)
    }
}

/// `L`: two convolutions with a ReLU between them.
#[derive(Module, Debug)]
struct Operator<const R: usize> {
    first: Conv<R>,
    second: Conv<R>,
}

impl<const R: usize> Operator<R> {
    fn new(config: &MsNetConfig, device: &Device) -> Self {
        let conv = || config.conv([config.channels; 2], 1, device);
        Self { first: conv(), second: conv() }
    }

    fn forward(&self, x: Tensor<R>) -> Tensor<R> {
        self.second.forward(self.first.forward_with(x, Activation::Relu))
    }
}

/// `L*`: two transposed convolutions with a ReLU between them.
#[derive(Module, Debug)]
struct Adjoint<const R: usize> {
    first: ConvTranspose<R>,
    second: ConvTranspose<R>,
}

impl<const R: usize> Adjoint<R> {
    fn new(config: &MsNetConfig, device: &Device) -> Self {
        let transposed = || {
            ConvTransposeConfig::new([config.channels; 2], [3; 3])
                .with_padding([1; 3])
                .with_bias(false)
                .with_initializer(kaiming(config.gain))
                .init(device)
        };
        Self { first: transposed(), second: transposed() }
    }
}

/// The operators of one grid.
#[derive(Module, Debug)]
struct FeatureExtractor<const R: usize> {
    /// `L`
    operator: Operator<R>,
    /// `L*`, where it has weights of its own
    adjoint: Option<Adjoint<R>>,
    /// `k`
    coupling: Conv<R>,
    /// `L` of the `v`-update where it is not the operator's
    weight_operator: Option<Operator<R>>,
}

impl<const R: usize> FeatureExtractor<R> {
    fn new(config: &MsNetConfig, own_operator: bool, device: &Device) -> Self {
        Self {
            operator: Operator::new(config, device),
            adjoint: (!config.tied).then(|| Adjoint::new(config, device)),
            coupling: config.conv([config.channels; 2], 1, device),
            weight_operator: own_operator.then(|| Operator::new(config, device)),
        }
    }

    /// `u + dt (F - A(u; v))`
    fn solve(&self, u: Tensor<R>, v: Tensor<R>, rhs: Tensor<R>, dt: f64) -> Tensor<R> {
        let w = self.operator.forward(u.clone());
        self.update(rhs, [u, v, w], [1.0, dt, -dt])
    }

    /// `a u + b base + c A(u; v)` of the fields `u`, `v` and `w = L u` and the factors `a`, `b` and `c`.
    fn update(&self, base: Tensor<R>, fields: [Tensor<R>; 3], factors: [f64; 3]) -> Tensor<R> {
        // The kernels of a convolution are those of its transpose.
        let kernels = match &self.adjoint {
            Some(adjoint) => [adjoint.first.weight.val(), adjoint.second.weight.val()],
            None => [self.operator.second.weight.val(), self.operator.first.weight.val()],
        };
        operator_update(base, fields, kernels, factors.map(|factor| factor as f32))
    }

    /// The `L u` that the `v`-update reads, where `w` is that of the `u`-update.
    fn potential_argument(&self, u: &Tensor<R>, w: &Tensor<R>) -> Tensor<R> {
        self.weight_operator.as_ref().map_or_else(|| w.clone(), |l| l.forward(u.clone()))
    }

    /// `softmax((-1/2 (f - u)^2 - 1/2 w^2 - k(1 - 2 v)) / eps)` over the channels of each group.
    fn potential(&self, f: Tensor<R>, u: Tensor<R>, w: Tensor<R>, v: Tensor<R>, config: &MsNetConfig) -> Tensor<R> {
        label_update([f, u, v, w], self.coupling.weight.val(), config.eps as f32, config.softmax_groups)
    }
}

/// The convolutions of stride 2 between two grids.
#[derive(Module, Debug)]
struct Restriction<const R: usize> {
    /// `Pi`, for `u`, and for `v` where that has none of its own
    state: Conv<R>,
    /// For `v`
    weights: Option<Conv<R>>,
    /// `R`, for `f` and the residual
    data: Conv<R>,
}

impl<const R: usize> Restriction<R> {
    fn new(config: &MsNetConfig, own_weights: bool, device: &Device) -> Self {
        let conv = || config.conv([config.channels; 2], 2, device);
        Self { state: conv(), weights: own_weights.then(conv), data: conv() }
    }
}
