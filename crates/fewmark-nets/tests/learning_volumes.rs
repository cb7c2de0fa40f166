//! Learning from volumes, alone in its program like `learning.rs`.

mod support;

use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_conv::optim::AdamConfig;
use fewmark_nets::{MsNet, MsNetConfig};
use support::{dice_loss, wave};

/// A volume of three classes, a bright ball and a dark one of 7 % in a grey ground, and its truth.
fn balls(device: &Device) -> [Tensor<5>; 2] {
    const SIZE: [usize; 3] = [12, 14, 14];
    let ball =
        |at: [usize; 3], centre: [usize; 3]| (0..3).map(|a| at[a].abs_diff(centre[a]).pow(2)).sum::<usize>() <= 6;
    let class = |i: usize| -> usize {
        let at = [i / (SIZE[1] * SIZE[2]), i / SIZE[2] % SIZE[1], i % SIZE[2]];
        if ball(at, [4, 5, 5]) {
            1
        } else if ball(at, [8, 10, 10]) {
            2
        } else {
            0
        }
    };
    let classes: Vec<usize> = (0..SIZE.iter().product()).map(class).collect();
    let brightness = |(i, &c): (usize, &usize)| [0.5, 0.9, 0.1][c] + 0.05 * wave(3, i) as f32;
    let grey: Vec<f32> = classes.iter().enumerate().map(brightness).collect();
    let truth: Vec<f32> = (0..3).flat_map(|class| classes.iter().map(move |&c| f32::from(c == class))).collect();
    let [depth, height, width] = SIZE;
    let x = Tensor::<5>::from_data(TensorData::new(grey, [1, 1, depth, height, width]), device);
    let y = Tensor::<5>::from_data(TensorData::new(truth, [1, 3, depth, height, width]), device);
    [x, y]
}

/// The losses first draw a volume that is background for the most part to background alone, a Dice loss of 0.66.
#[test]
fn msnet_learns_a_volume_of_little_foreground() {
    let device = Device::flex().autodiff();
    let [x, y] = balls(&device);
    device.seed(0);
    let mut network: MsNet<5> = MsNetConfig::recommended(1, 3).init(&device).unwrap();
    let mut adam = AdamConfig::new().init();
    let mut reached = f32::INFINITY;
    for _ in 0..300 {
        let logits = network.forward(x.clone());
        let dice = dice_loss(logits.clone(), y.clone());
        reached = dice.clone().into_scalar();
        if reached < 0.1 {
            break;
        }
        let cross_entropy = (log_softmax(logits, 1) * y.clone()).sum_dim(1).mean().neg();
        let gradients = GradientsParams::from_grads((dice + cross_entropy).backward(), &network);
        network = adam.step(1e-3, network, gradients);
    }
    assert!(reached < 0.1, "the Dice loss only fell to {reached}");
}
