//! Few-shot segmentation: the encoder that the program carries, and whole episodes of its training.

use std::ops::ControlFlow;

use burn::tensor::{Device, Distribution, Tensor};
use fewmark::image::{Dimension, Geometry, Image};
use fewmark::learn::fewshot::{FewShotConfig, Scan, train_on};

use crate::case::{Case, Failure, Work};

/// Pixels along each side of a slice.
const SIDE: usize = 128;

/// Episodes of a run: the superpixels of the slices and the first weights are made once a run and weigh little beside them.
const EPISODES: u64 = 20;

/// The cases of this room.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(format!("fewshot-encoder/{SIDE}/b4/infer"), encoder),
        Case::new(format!("fewshot-episodes/{SIDE}/x{EPISODES}"), episodes),
    ]
}

fn encoder() -> Result<Work, Failure> {
    let device = Device::flex();
    let network = FewShotConfig::default().encoder.init(&device)?;
    let slices = Tensor::<4>::random([4, 1, SIDE, SIDE], Distribution::Normal(0.0, 1.0), &device);
    Ok(Box::new(move || {
        std::hint::black_box(network.forward(slices.clone()));
        Ok(())
    }))
}

/// Drawing, varying, both losses, gradients and a step of Adam.
fn episodes() -> Result<Work, Failure> {
    let scan = scan()?;
    let mut config = FewShotConfig::default();
    config.training.iterations = EPISODES;
    Ok(Box::new(move || {
        let mut go_on = |_: &_| ControlFlow::Continue(());
        train_on(std::slice::from_ref(&scan), &config, None, &Device::flex(), None, &mut go_on)?;
        Ok(())
    }))
}

/// Two slices with sixteen squares of their own greys on a dark ground.
fn scan() -> Result<Scan, Failure> {
    let grey = |i: usize| {
        let [x, y] = [i % SIDE, i / SIDE % SIDE].map(|at| (at / 32, at % 32));
        let inside = [x, y].iter().all(|&(_, within)| (4..28).contains(&within));
        if inside { 40.0 + 12.0 * (x.0 + 4 * y.0) as f32 } else { 0.0 }
    };
    let geometry = Geometry::unit(Dimension::Three, [SIDE, SIDE, 2])?;
    let image = Image::new((0..2 * SIDE * SIDE).map(grey).collect(), 1, geometry)?;
    Ok(Scan { name: "squares".into(), image, labels: None, allowed: None })
}
