//! A small image with an object, and a configuration that learns it in seconds.

use std::ops::ControlFlow;

use fewmark_image::{Dimension, Geometry, Image};
use fewmark_learn::Event;
use fewmark_learn::dip::{Case, DipConfig, Variant};
use fewmark_nets::DipNetConfig;

/// Width and height.
pub(crate) const SIZE: [usize; 2] = [40, 32];

/// A bright disc on a dark ground with a weak gradient, and four clicks on it; `n` moves it.
pub(crate) fn disc(n: usize) -> Case {
    let [width, height] = SIZE;
    let center = [16.0 + 3.0 * n as f32, 15.0];
    let sample = |i: usize| {
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        let inside = (x - center[0]).hypot(y - center[1]) < 9.0;
        let ripple = ((i * 7919) % 101) as f32 / 101.0;
        f32::from(u8::from(inside)) * 100.0 + 0.3 * x + 4.0 * ripple
    };
    let geometry = Geometry::unit(Dimension::Two, [width, height, 1]).unwrap();
    let image = Image::new((0..width * height).map(sample).collect(), 1, geometry).unwrap();
    let [x, y] = center.map(|c| c as usize);
    let foreground = vec![[x - 4, y, 0], [x, y - 4, 0], [x + 4, y, 0], [x, y + 4, 0]];
    Case { name: format!("disc-{n}"), image, foreground, background: Vec::new() }
}

/// The voxels of the object of [`disc`].
pub(crate) fn truth(n: usize) -> Vec<bool> {
    let [width, height] = SIZE;
    let center = 16.0 + 3.0 * n as f32;
    (0..width * height).map(|i| ((i % width) as f32 - center).hypot((i / width) as f32 - 15.0) < 9.0).collect()
}

/// Small networks for a few steps.
pub(crate) fn config(variant: Variant, iterations: u64) -> DipConfig {
    let mut config = DipConfig { variant, size: 0, ..DipConfig::default() };
    config.network.base_width = 4;
    config.prior =
        DipNetConfig { in_channels: 8, down: vec![8, 16], up: vec![8, 16], skip: 2, ..DipNetConfig::paper() };
    config.training.iterations = iterations;
    config.training.checkpoint_every = 3;
    config.training.snapshots = 2;
    config
}

/// An observer that stops after an iteration.
pub(crate) fn until(last: u64) -> impl FnMut(&Event) -> ControlFlow<()> {
    move |event| match event {
        Event::Step(step) if step.iteration >= last => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}
