//! MSNet: a multigrid solver with learnt operators that segments while it solves.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fewmark_conv::Activation;
use fewmark_conv::nn::{Conv, ConvConfig, ConvTranspose, ConvTransposeConfig};
use fewmark_conv::ops::{interpolate_linear, label_update, operator_update, softmax};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{average_pairs, kaiming, size, standardised};

mod explain;
#[cfg(test)]
mod tests;

pub use explain::{Energy, Explanation, Pass, Visit};

/// Which parts of the network have weights of their own. The paper's parameter counts allow both, and are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// One feature extractor for each grid and direction; two restrictions, one for `u` and `v`, one for `f` and the
    /// residual, shared by all grids. The assignment that follows MgNet, the paper's template.
    #[default]
    PerPass,
    /// One feature extractor for each grid, used on the way down and up, with an operator of its own in the update of `v`;
    /// three restrictions (`u`, `v`, data) for each transition. Closer to the single `A^h` of the paper's Algorithm 2.
    PerGrid,
}

/// How `v` gets to the coarser grid; the paper leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestrictV {
    /// Softmax of the learnt restriction: keeps `v` on the simplex
    #[default]
    ConvSoftmax,
    /// The learnt restriction alone
    Conv,
    /// Mean over blocks of two voxels along each axis: keeps `v` on the simplex, nothing learnt
    Avg,
}

/// Whether `v` is learnt as it goes, or what an ablation has in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// `v` is updated on every visit of a grid, and the logits are read from it
    #[default]
    Updated,
    /// `v` stays the softmax of `f`, restricted and interpolated. As `u` then has no way to it, the logits are read from `u`
    Fixed,
}

/// Everything that decides an [`MsNet`].
///
/// Where the paper names no value, the default is ours and its field says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MsNetConfig {
    /// Channels of the image (3)
    pub in_channels: usize,
    /// Classes, background included (3)
    pub classes: usize,
    /// Channels of `f`, `u` and `v` (16; follows from the paper's parameter counts)
    pub channels: usize,
    /// Number of grids, each half as fine as the one before (5)
    pub grids: usize,
    /// Contiguous groups of channels over which `v` sums to 1; must divide `channels` (1, ours)
    pub softmax_groups: usize,
    /// Which parts have weights of their own (per pass, ours)
    pub sharing: Sharing,
    /// Whether `L*` is the transpose of `L`, with its weights, as in the theory, and not learnt on its own, as in the paper (no)
    pub tied: bool,
    /// Whether `v` is updated (yes)
    pub weights: Weights,
    /// How `v` gets to the coarser grid (softmax of a convolution, ours)
    pub restrict_v: RestrictV,
    /// Step of the `u`-update (1, ours)
    pub dt: f64,
    /// Temperature of the softmax in the `v`-update; 2 to 4 where `v` saturates (1, ours)
    pub eps: f64,
    /// Whether `u` is standardised as it returns to a finer grid: every channel of every image gets mean 0 and variance 1, nothing is
    /// learnt (no, ours). Nothing else bounds `u`: where it grows in the first steps of a training, `v` saturates, and saturated it has no
    /// gradient to learn from. See [`MsNetConfig::volumes`].
    pub standardise: bool,
    /// Initial weights are uniform with standard deviation `gain / sqrt(fan_in)`. With 1 (ours) the features of random input keep
    /// their size from grid to grid; with PyTorch's 0.577 they die away, with He's 1.414 they grow.
    pub gain: f64,
}

impl Default for MsNetConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            classes: 3,
            channels: 16,
            grids: 5,
            softmax_groups: 1,
            sharing: Sharing::default(),
            tied: false,
            weights: Weights::default(),
            restrict_v: RestrictV::default(),
            dt: 1.0,
            eps: 1.0,
            standardise: false,
            gain: 1.0,
        }
    }
}

/// Added to the variance where `u` is standardised.
const EPSILON: f64 = 1e-5;

impl MsNetConfig {
    /// The default network for images of `in_channels` channels and `classes` classes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self { in_channels, classes, ..Self::default() }
    }

    /// What we recommend for volumes: `standardise`, and 4 for `eps`. With the defaults `u` grew a hundredfold within 20 steps of a training
    /// on volumes of which a twentieth is foreground, and all was background from then on; a higher `eps` alone, a shorter step, a
    /// standardised `f` and a lower learning rate did not help.
    pub fn volumes(in_channels: usize, classes: usize) -> Self {
        Self { standardise: true, eps: 4.0, ..Self::new(in_channels, classes) }
    }

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

    /// A convolution of three taps along each axis, without bias, that keeps the size at stride 1.
    fn conv<const R: usize>(&self, channels: [usize; 2], stride: usize, device: &Device) -> Conv<R> {
        ConvConfig::new(channels, [3; 3])
            .with_stride([stride; 3])
            .with_padding([1; 3])
            .with_bias(false)
            .with_initializer(kaiming(self.gain))
            .init(device)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let numbers = [
            ("in_channels", self.in_channels),
            ("classes", self.classes),
            ("channels", self.channels),
            ("grids", self.grids),
            ("softmax_groups", self.softmax_groups),
        ];
        numbers.iter().try_for_each(|&(what, n)| ConfigError::expect_some(what, n))?;
        let values = [("dt", self.dt), ("eps", self.eps), ("gain", self.gain)];
        values.iter().try_for_each(|&(what, value)| ConfigError::expect_positive(what, value))?;
        if !self.channels.is_multiple_of(self.softmax_groups) {
            return Err(ConfigError::SoftmaxGroups { channels: self.channels, groups: self.softmax_groups });
        }
        Ok(())
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
