//! Small labelled images, and a configuration that learns them in seconds.

use std::ops::ControlFlow;

use burn::tensor::Device;
use fewmark_image::{Dimension, Geometry, Image, LabelMap};
use fewmark_learn::Error;
use fewmark_learn::supervised::{Case, Outcome, SupervisedConfig, train_on};
use fewmark_nets::Architecture;

/// Codes of a disc and of the ring around it.
pub(crate) const CODES: [u16; 2] = [7, 300];

/// A disc in a ring on a ground with a gradient, as the middle slices of a volume of `depth`; `n` moves it.
pub(crate) fn case(n: usize, [width, height, depth]: [usize; 3]) -> Case {
    let center = [14.0 + 2.0 * n as f32, 13.0, (depth as f32 - 1.0) / 2.0];
    let code = |i: usize| {
        let at = [(i % width) as f32, (i / width % height) as f32, (i / (width * height)) as f32];
        let apart: f32 = (0..3).map(|a| (at[a] - center[a]).powi(2)).sum::<f32>().sqrt();
        if apart < 5.0 {
            CODES[0]
        } else if apart < 9.0 {
            CODES[1]
        } else {
            0
        }
    };
    let voxels = width * height * depth;
    let labels: Vec<u16> = (0..voxels).map(code).collect();
    let samples = labels.iter().enumerate().map(|(i, label)| {
        let ripple = ((i * 7919) % 101) as f32 / 101.0;
        [0.0, 200.0, 90.0][CODES.iter().position(|c| c == label).map_or(0, |p| p + 1)] + ripple * 20.0
    });
    let dimension = if depth == 1 { Dimension::Two } else { Dimension::Three };
    let geometry = Geometry::from_parts(
        dimension,
        [width, height, depth],
        [0.5, 0.75, if depth == 1 { 1.0 } else { 2.0 }],
        [3.0, -4.0, 0.0],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    )
    .unwrap();
    let image = Image::new(samples.collect(), 1, geometry.clone()).unwrap();
    Case { name: format!("case-{n}"), image, labels: LabelMap::new(labels, geometry).unwrap() }
}

pub(crate) fn config(network: Architecture, iterations: u64) -> SupervisedConfig {
    let mut config = SupervisedConfig { batch: 2, ..SupervisedConfig::new(network) };
    config.training.iterations = iterations;
    config.training.warmup = 0;
    config.training.checkpoint_every = 2;
    config
}

pub(crate) fn trained(config: &SupervisedConfig, cases: &[Case]) -> Result<Outcome, Error> {
    train_on(cases, config, &Device::flex(), None, &mut |_| ControlFlow::Continue(()))
}
