//! Learning, alone in its program: the generator of random weights is shared by all tests of one.

mod support;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_conv::optim::AdamConfig;
use fewmark_nets::{MsNet, MsNetConfig};
use support::{dice_loss, wave};

/// Two images of three classes, a bright square and a dark one on a grey ground at different places, and their truth.
fn squares(device: &Device) -> [Tensor<4>; 2] {
    const SIDE: usize = 16;
    let class = |n: usize, y: usize, x: usize| -> usize {
        let (dy, dx) = (y.abs_diff(5 + 5 * n), x.abs_diff(5));
        let (ey, ex) = (y.abs_diff(10 - 5 * n), x.abs_diff(11));
        if dy.max(dx) < 3 {
            1
        } else if ey.max(ex) < 3 {
            2
        } else {
            0
        }
    };
    let classes: Vec<usize> =
        (0..2 * SIDE * SIDE).map(|i| class(i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE)).collect();
    let brightness = |(i, &c): (usize, &usize)| [0.5, 0.9, 0.1][c] + 0.05 * wave(3, i) as f32;
    let grey: Vec<f32> = classes.iter().enumerate().map(brightness).collect();
    let one_hot =
        |(i, c): (usize, usize)| f32::from(classes[i / (3 * SIDE * SIDE) * SIDE * SIDE + i % (SIDE * SIDE)] == c);
    let truth: Vec<f32> = (0..6 * SIDE * SIDE).map(|i| one_hot((i, i / (SIDE * SIDE) % 3))).collect();
    let x = Tensor::<4>::from_data(TensorData::new(grey, [2, 1, SIDE, SIDE]), device);
    let y = Tensor::<4>::from_data(TensorData::new(truth, [2, 3, SIDE, SIDE]), device);
    [x, y]
}

/// Without looking at the image a network gets no further than a Dice loss of 0.70: all of it background.
#[test]
fn msnet_learns_two_images_by_heart() {
    let device = Device::flex().autodiff();
    let [x, y] = squares(&device);
    for seed in 0..3 {
        device.seed(seed);
        let mut network: MsNet<4> = MsNetConfig::new(1, 3).init(&device).unwrap();
        let mut adam = AdamConfig::new().init();
        let mut reached = f32::INFINITY;
        for _ in 0..500 {
            let loss = dice_loss(network.forward(x.clone()), y.clone());
            reached = loss.clone().into_scalar();
            if reached < 0.05 {
                break;
            }
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = adam.step(1e-3, network, gradients);
        }
        assert!(reached < 0.05, "with seed {seed} the Dice loss only fell to {reached}");
    }
}
