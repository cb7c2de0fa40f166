//! The cycle and its energies by their definitions, in f64 and without anything that is spared.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, TensorData};

use super::super::{MsNetConfig, RestrictV, Sharing, Weights};
use super::*;

/// Channels of a 2-D image, each `[y][x]`.
#[derive(Clone)]
struct Field {
    channels: usize,
    size: [usize; 2],
    samples: Vec<f64>,
}

impl Field {
    fn of(x: &Tensor<4>) -> Self {
        let [_, channels, height, width] = x.dims();
        Self { channels, size: [height, width], samples: samples(x).into_iter().map(f64::from).collect() }
    }

    /// A sample, zero outside the image.
    fn at(&self, c: usize, y: isize, x: isize) -> f64 {
        let [height, width] = self.size.map(|n| n as isize);
        let inside = (0..height).contains(&y) && (0..width).contains(&x);
        if inside { self.samples[(c as isize * height + y) as usize * width as usize + x as usize] } else { 0.0 }
    }

    fn made(channels: usize, size: [usize; 2], sample: impl Fn(usize, usize, usize) -> f64) -> Self {
        let places = (0..channels).flat_map(|c| (0..size[0]).map(move |y| (c, y)));
        let samples = places.flat_map(|(c, y)| (0..size[1]).map(move |x| (c, y, x)));
        Self { channels, size, samples: samples.map(|(c, y, x)| sample(c, y, x)).collect() }
    }

    fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let samples = self.samples.iter().zip(&other.samples).map(|(a, b)| f(*a, *b)).collect();
        Self { samples, ..self.clone() }
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        self.zip(self, |a, _| f(a))
    }

    /// A convolution with taps `[out, in, 3, 3]`.
    fn conv(&self, taps: &Tensor<4>, stride: usize) -> Self {
        let (taps, outs) = (samples(taps), taps.dims()[0]);
        Self::made(outs, self.size.map(|n| n.div_ceil(stride)), |o, y, x| {
            let mut sum = 0.0;
            for (t, tap) in taps[o * self.channels * 9..][..self.channels * 9].iter().enumerate() {
                let [dy, dx] = [t % 9 / 3, t % 3].map(|d| d as isize - 1);
                sum += f64::from(*tap) * self.at(t / 9, (y * stride) as isize + dy, (x * stride) as isize + dx);
            }
            sum
        })
    }

    /// A transposed convolution with taps `[in, out, 3, 3]`.
    fn transposed(&self, taps: &Tensor<4>) -> Self {
        let (taps, outs) = (samples(taps), taps.dims()[1]);
        Self::made(outs, self.size, |o, y, x| {
            let mut sum = 0.0;
            for i in 0..self.channels {
                for t in 0..9 {
                    let [dy, dx] = [t / 3, t % 3].map(|d| d as isize - 1);
                    sum += f64::from(taps[(i * outs + o) * 9 + t]) * self.at(i, y as isize - dy, x as isize - dx);
                }
            }
            sum
        })
    }

    /// The softmax over the channels.
    fn softmax(&self) -> Self {
        let sum = |y, x| (0..self.channels).map(|c| self.at(c, y, x).exp()).sum::<f64>();
        Self::made(self.channels, self.size, |c, y, x| {
            let [y, x] = [y, x].map(|i| i as isize);
            self.at(c, y, x).exp() / sum(y, x)
        })
    }

    /// Bilinear between the centres of the voxels.
    fn interpolated(&self, size: [usize; 2]) -> Self {
        let place = |i: usize, axis: usize| {
            let n = self.size[axis];
            let at = ((i as f64 + 0.5) * n as f64 / size[axis] as f64 - 0.5).clamp(0.0, (n - 1) as f64);
            (at.floor() as isize, (at.floor() as isize + 1).min(n as isize - 1), at.fract())
        };
        Self::made(self.channels, size, |c, y, x| {
            let ((y0, y1, ty), (x0, x1, tx)) = (place(y, 0), place(x, 1));
            let row = |y| (1.0 - tx) * self.at(c, y, x0) + tx * self.at(c, y, x1);
            (1.0 - ty) * row(y0) + ty * row(y1)
        })
    }
}

/// `L u`
fn roughness(extractor: &FeatureExtractor<4>, u: &Field) -> Field {
    let operator = &extractor.operator;
    u.conv(&operator.first.weight.val(), 1).map(|x| x.max(0.0)).conv(&operator.second.weight.val(), 1)
}

/// `A(u; v)`
fn operator(extractor: &FeatureExtractor<4>, u: &Field, v: &Field) -> Field {
    let adjoint = extractor.adjoint.as_ref().expect("not tied");
    let weighted = v.zip(&roughness(extractor, u), |v, w| v * w);
    let hidden = weighted.transposed(&adjoint.first.weight.val()).map(|x| x.max(0.0));
    v.zip(u, |v, u| v * u).zip(&hidden.transposed(&adjoint.second.weight.val()), |a, b| a + b)
}

/// `u`, `v` and the three energies of a visit.
fn visit(
    extractor: &FeatureExtractor<4>,
    [dt, eps]: [f64; 2],
    f: &Field,
    rhs: &Field,
    u0: &Field,
    v0: &Field,
) -> (Field, Field, [Energy; 3]) {
    let step = rhs.zip(&operator(extractor, u0, v0), |rhs, a| dt * (rhs - a));
    let u = u0.zip(&step, |u, step| u + step);
    let coupling = v0.map(|v| 1.0 - 2.0 * v).conv(&extractor.coupling.weight.val(), 1);
    let fit = |u: &Field| f.zip(u, |f, u| 0.5 * (f - u).powi(2));
    let rough = |u: &Field| roughness(extractor, u).map(|w| 0.5 * w * w);
    let potential = fit(&u).zip(&rough(&u), |a, b| a + b).zip(&coupling, |a, k| -(a + k) / eps);
    let v = potential.softmax();
    let voxels = (f.size[0] * f.size[1]) as f64;
    let mean = |field: Field| field.samples.iter().sum::<f64>() / voxels;
    let energy = |u: &Field, v: &Field| Energy {
        data: mean(v.zip(&fit(u), |v, x| v * x)),
        smoothness: mean(v.zip(&rough(u), |v, x| v * x)),
        entropy: mean(v.map(|v| eps * v * v.ln())),
        coupling: mean(v.zip(&coupling, |v, k| v * k)),
        source: mean(v0.zip(f, |v, f| v * f).zip(rhs, |vf, rhs| vf - rhs).zip(u, |x, u| x * u)),
    };
    let energies = [energy(u0, v0), energy(&u, v0), energy(&u, &v)];
    (u, v, energies)
}

fn network(config: MsNetConfig) -> MsNet<4> {
    config.init(&Device::flex()).expect("a valid configuration")
}

/// Numbers from 0 to 1 that look random.
fn image<const R: usize>(shape: [usize; R]) -> Tensor<R> {
    let samples: Vec<f32> =
        (0..shape.iter().product()).map(|i: usize| 0.5 + 0.5 * (1.3 * i as f32 + (i * i % 91) as f32).sin()).collect();
    Tensor::from_data(TensorData::new(samples, shape), &Device::flex())
}

#[test]
fn two_grids_are_those_of_the_definitions() {
    let config = MsNetConfig {
        channels: 3,
        grids: 2,
        dt: 0.8,
        eps: 0.6,
        gain: 1.5,
        restrict_v: RestrictV::Conv,
        ..MsNetConfig::new(2, 2)
    };
    let network = network(config);
    let image = image([1, 2, 5, 4]);
    let found = network.explain(image.clone());

    let numbers = [0.8, 0.6];
    let f = Field::of(&image).conv(&network.head.weight.val(), 1);
    let v0 = f.softmax();
    let rhs = v0.zip(&f, |v, f| v * f);
    let (u, v, first) = visit(&network.down[0], numbers, &f, &rhs, &f, &v0);

    let [state, data] = [&network.restrictions[0].state, &network.restrictions[0].data].map(|conv| conv.weight.val());
    let residual = rhs.zip(&operator(&network.down[0], &u, &v0), |rhs, a| rhs - a);
    let (coarse_u0, coarse_v0) = (u.conv(&state, 2), v.conv(&state, 2));
    let a = operator(&network.down[1], &coarse_u0, &coarse_v0);
    let coarse_rhs = residual.conv(&data, 2).zip(&a, |r, a| r + a);
    let (coarse_u, coarse_v, mut second) =
        visit(&network.down[1], numbers, &f.conv(&data, 2), &coarse_rhs, &coarse_u0, &coarse_v0);
    // A literal restriction does not keep v positive.
    let entropy = |v: &f64| if *v > 0.0 { 0.6 * v * v.ln() } else { 0.0 };
    for entered in &mut second[..2] {
        entered.entropy = coarse_v0.samples.iter().map(entropy).sum::<f64>() / 6.0;
    }

    let step = coarse_u.zip(&coarse_u0, |u, start| u - start).interpolated(u.size);
    let v0 = coarse_v.interpolated(u.size);
    let (last_u, last_v, third) = visit(&network.up[0], numbers, &f, &rhs, &u.zip(&step, |u, step| u + step), &v0);

    let expected = [
        (1, Pass::Down, u, v, first),
        (2, Pass::Down, coarse_u, coarse_v, second),
        (1, Pass::Up, last_u, last_v, third),
    ];
    assert_eq!(found.visits.len(), 3);
    for (visit, (grid, pass, u, v, energies)) in found.visits.iter().zip(expected) {
        assert_eq!((visit.grid, visit.pass), (grid, pass));
        for (found, expected) in [(&visit.u, u), (&visit.v, v)] {
            assert_eq!(found.dims(), [1, 3, expected.size[0], expected.size[1]]);
            let off = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-5;
            assert!(!Field::of(found).samples.iter().zip(&expected.samples).any(off), "grid {grid}, {pass:?}");
        }
        for (found, expected) in [visit.entered, visit.after_u, visit.after_v].iter().zip(&energies) {
            let terms = |e: &Energy| [e.data, e.smoothness, e.entropy, e.coupling, e.source, e.total()];
            for (a, b) in terms(found).into_iter().zip(terms(expected)) {
                assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "grid {grid}, {pass:?}: {found:?}, {expected:?}");
            }
        }
    }
}

#[test]
fn the_logits_are_those_of_forward() {
    for sharing in [Sharing::PerPass, Sharing::PerGrid] {
        for restrict_v in [RestrictV::ConvSoftmax, RestrictV::Conv, RestrictV::Avg] {
            for grids in [1, 2, 5] {
                let network = network(MsNetConfig { sharing, restrict_v, grids, dt: 0.9, ..MsNetConfig::default() });
                let image = image([2, 3, 19, 14]);
                let found = network.explain(image.clone());
                assert_eq!(found.visits.len(), 2 * grids - 1);
                assert_eq!(samples(&found.logits), samples(&network.forward(image)), "{:?}", network.config);
            }
        }
    }
    for (weights, tied) in [(Weights::Fixed, false), (Weights::Updated, true)] {
        for grids in [1, 3] {
            let network = network(MsNetConfig { weights, tied, grids, ..MsNetConfig::default() });
            let image = image([1, 3, 19, 14]);
            assert_eq!(samples(&network.explain(image.clone()).logits), samples(&network.forward(image)));
        }
    }
    let network: MsNet<5> =
        MsNetConfig { grids: 3, ..MsNetConfig::recommended(1, 4) }.init(&Device::flex()).expect("valid");
    let image = image([1, 1, 6, 9, 8]);
    assert_eq!(samples(&network.explain(image.clone()).logits), samples(&network.forward(image)));
}

#[test]
fn the_weights_of_every_grid_are_on_the_simplex_and_lower_the_energy() {
    for groups in [1, 4] {
        let network = network(MsNetConfig { softmax_groups: groups, ..MsNetConfig::default() });
        for visit in network.explain(image([2, 3, 21, 16])).visits {
            let [n, channels, height, width] = visit.v.dims();
            let sums = visit.v.clone().reshape([n * groups, channels / groups, height, width]).sum_dim(1);
            assert!((sums - 1.0).abs().max().into_scalar::<f32>() < 1e-5, "grid {}", visit.grid);
            assert!(visit.after_v.total() < visit.after_u.total(), "grid {}, {:?}", visit.grid, visit.pass);
        }
    }
}

/// Sets every parameter to zero.
struct Zero;

impl ModuleMapper for Zero {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|w| w.zeros_like())
    }
}

/// With `L = L* = 0` the operator is the derivative, and the Hessian `v0 < 1`.
#[test]
fn where_the_operator_is_the_derivative_the_features_lower_the_energy() {
    let mut network = network(MsNetConfig { dt: 0.5, ..MsNetConfig::default() });
    for extractor in network.down.iter_mut().chain(&mut network.up) {
        *extractor = extractor.clone().map(&mut Zero);
    }
    let visits = network.explain(image([1, 3, 32, 32])).visits;
    assert!(visits[0].entered.source.abs() < 1e-6);
    for visit in &visits[1..] {
        let (before, after) = (visit.entered.total(), visit.after_u.total());
        // The finest grid is entered with its solution, which leaves those below nothing to do on the way down.
        assert!(after < before + 1e-7, "grid {}, {:?}: {before}, {after}", visit.grid, visit.pass);
    }
    assert!(visits.iter().any(|visit| visit.after_u.total() < visit.entered.total() - 1e-3));
}
