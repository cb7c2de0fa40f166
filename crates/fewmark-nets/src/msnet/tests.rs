//! Identities of the scheme that do not show in the logits.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use super::*;

/// Numbers of both signs that look random.
fn wave<const R: usize>(shape: [usize; R], seed: f32) -> Tensor<R> {
    let samples: Vec<f32> = (0..shape.iter().product())
        .map(|i: usize| (seed + 1.7 * i as f32 + 0.61 * (i * i % 977) as f32).sin())
        .collect();
    Tensor::from_data(TensorData::new(samples, shape), &Device::flex())
}

fn largest<const R: usize>(x: Tensor<R>) -> f32 {
    x.abs().max().into_scalar()
}

fn network(config: MsNetConfig) -> MsNet<4> {
    config.init(&Device::flex()).expect("a valid configuration")
}

const SHAPE: [usize; 4] = [2, 16, 9, 6];

#[test]
fn the_operator_cancels_on_coarser_grids() {
    let network = network(MsNetConfig { dt: 0.7, ..MsNetConfig::default() });
    let grid = &network.down[2];
    let (residual, start, v) = (wave(SHAPE, 0.0), wave(SHAPE, 1.0), softmax(wave(SHAPE, 2.0), 1));
    let w = grid.operator.forward(start.clone());
    let rhs = grid.update(residual.clone(), [start.clone(), v.clone(), w], [0.0, 1.0, 1.0]);
    let by_definition = grid.solve(start.clone(), v, rhs, 0.7);
    let difference = largest(by_definition - (start + residual * 0.7));
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn v_stays_on_the_simplex() {
    for groups in [1, 4] {
        for restrict_v in [RestrictV::ConvSoftmax, RestrictV::Avg] {
            let network = network(MsNetConfig { softmax_groups: groups, restrict_v, ..MsNetConfig::default() });
            let v = network.softmax(wave(SHAPE, 2.0));
            let v = network.classify(&network.down[0], wave(SHAPE, 0.0), wave(SHAPE, 1.0), v);
            let coarse = network.restrict_v(&network.restrictions[0], v.clone());
            assert_eq!(coarse.dims(), [2, 16, 5, 3]);
            for v in [v, coarse.clone(), interpolate_linear(coarse, [1, 9, 6], false)] {
                assert!(v.clone().min().into_scalar::<f32>() >= 0.0);
                let [n, channels, height, width] = v.dims();
                let sums = v.reshape([n * groups, channels / groups, height, width]).sum_dim(1);
                assert!(largest(sums - 1.0) < 1e-5);
            }
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

#[test]
fn without_operators_the_features_solve_the_equation() {
    let network = network(MsNetConfig::default());
    let grid = network.down[0].clone().map(&mut Zero);
    let f = wave(SHAPE, 0.0);
    let v = softmax(f.clone(), 1);
    let u = grid.solve(f.clone(), v.clone(), v.clone() * f.clone(), 1.0);
    assert!(largest(u.clone() - f.clone()) < 1e-6);
    assert!(largest(network.classify(&grid, f, u, v) - 1.0 / 16.0) < 1e-6);
}

#[test]
fn a_shorter_step_goes_part_of_the_way() {
    let network = network(MsNetConfig::default());
    let (u, v, rhs) = (wave(SHAPE, 0.0), softmax(wave(SHAPE, 1.0), 1), wave(SHAPE, 2.0));
    let step = |dt| network.down[0].solve(u.clone(), v.clone(), rhs.clone(), dt) - u.clone();
    assert!(largest(step(1.0) * 0.25 - step(0.25)) < 1e-5);
}
