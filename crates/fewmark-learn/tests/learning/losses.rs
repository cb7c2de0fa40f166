//! The losses of the paper: closed forms, and gradients against central differences.

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_learn::Loss;
use fewmark_learn::dip::{coupled, regularised};

const DIMS: [usize; 4] = [2, 1, 5, 4];
const COUNT: usize = 40;

/// Numbers of 0 to 1 without a pattern.
fn numbers(seed: usize) -> Vec<f32> {
    (0..COUNT).map(|i| ((i * 2_654_435_761 + seed * 40_503) % 1009) as f32 / 1009.0).collect()
}

fn tensor(values: Vec<f32>, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, DIMS), device)
}

fn mu(device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(vec![0.7_f32, 1.9], [2, 1, 1, 1]), device)
}

fn scalar(x: &Tensor<1>) -> f64 {
    f64::from(x.clone().into_scalar::<f32>())
}

/// Loss (3) in f64, written as in the paper.
fn regularised_f64(u: &[f64], r: &[f32], g: &[f32]) -> f64 {
    let [_, _, height, width] = DIMS;
    let area = height * width;
    let mut sum = 0.0;
    for (image, mu) in [0.7_f32, 1.9].into_iter().enumerate() {
        let u = &u[image * area..(image + 1) * area];
        for i in 0..area {
            let (x, y) = (i % width, i / width);
            let dx = if x + 1 < width { u[i + 1] - u[i] } else { 0.0 };
            let dy = if y + 1 < height { u[i + width] - u[i] } else { 0.0 };
            let at = image * area + i;
            let length = (dx * dx + dy * dy + 1e-6).sqrt();
            sum += (f64::from(mu) * f64::from(g[at]) * length + f64::from(r[at]) * u[i]) / area as f64;
        }
    }
    sum
}

/// Loss (2) in f64; the outputs of the VM Net first, then those of the DIP Net.
fn coupled_f64(u: &[f64], r: &[f32]) -> f64 {
    let area = COUNT as f64 / 2.0;
    let (vm, dip) = u.split_at(COUNT);
    let pixel = |i: usize| f64::from(r[i]) * vm[i] * dip[i] + 0.5 * (dip[i] - vm[i]).powi(2);
    (0..COUNT).map(pixel).sum::<f64>() / area
}

fn central_differences(at: &[f32], of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let at: Vec<f64> = at.iter().map(|&x| f64::from(x)).collect();
    let step = 1e-5;
    (0..at.len())
        .map(|i| {
            let moved = |by: f64| {
                let mut x = at.clone();
                x[i] += by;
                of(&x)
            };
            (moved(step) - moved(-step)) / (2.0 * step)
        })
        .collect()
}

fn assert_close(found: &Tensor<4>, expected: &[f64]) {
    let found: Vec<f32> = found.clone().into_data().try_to_vec().unwrap();
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{found} is not {expected}");
    }
}

#[test]
fn loss_3_is_the_papers_and_so_are_its_gradients() {
    let device = Device::flex().autodiff();
    let (u, r, g) = (numbers(1), numbers(2).iter().map(|r| r - 0.5).collect::<Vec<_>>(), numbers(3));
    let x = tensor(u.clone(), &device).require_grad();
    let Loss { total, .. } =
        regularised(x.clone(), tensor(r.clone(), &device), tensor(g.clone(), &device), mu(&device), 1e-3);
    let formula = |u: &[f64]| regularised_f64(u, &r, &g);
    let at: Vec<f64> = u.iter().map(|&x| f64::from(x)).collect();
    assert!((scalar(&total) - formula(&at)).abs() < 1e-5);
    let gradient = x.grad(&total.backward()).unwrap();
    assert_close(&gradient, &central_differences(&u, formula));
}

#[test]
fn loss_2_is_the_papers_and_so_are_its_gradients() {
    let device = Device::flex().autodiff();
    let (vm, dip) = (numbers(4), numbers(5));
    let r: Vec<f32> = numbers(6).iter().map(|r| r - 0.5).collect();
    let [x, y] = [&vm, &dip].map(|u| tensor(u.clone(), &device).require_grad());
    let Loss { total, .. } = coupled(x.clone(), y.clone(), tensor(r.clone(), &device), 0.5);
    let both = [vm, dip].concat();
    let formula = |u: &[f64]| coupled_f64(u, &r);
    assert!((scalar(&total) - formula(&both.iter().map(|&x| f64::from(x)).collect::<Vec<_>>())).abs() < 1e-5);
    let expected = central_differences(&both, formula);
    let gradients = total.backward();
    assert_close(&x.grad(&gradients).unwrap(), &expected[..COUNT]);
    assert_close(&y.grad(&gradients).unwrap(), &expected[COUNT..]);
}

#[test]
fn networks_that_agree_are_not_pulled_together() {
    let device = Device::flex();
    let term = |dip: Vec<f32>| {
        let Loss { terms, .. } =
            coupled(tensor(numbers(7), &device), tensor(dip, &device), tensor(numbers(8), &device), 0.5);
        scalar(&terms.iter().find(|(name, _)| *name == "coupling").unwrap().1)
    };
    assert_eq!(term(numbers(7)), 0.0);
    assert!(term(numbers(9)) > 1e-3);
}

#[test]
fn a_constant_field_has_the_length_of_epsilon() {
    let device = Device::flex();
    let ones = || tensor(vec![1.0; COUNT], &device);
    let zeros = tensor(vec![0.0; COUNT], &device);
    let Loss { total, .. } = regularised(ones(), zeros, ones(), mu(&device), 1e-3);
    assert!((scalar(&total) - 1e-3 * (0.7 + 1.9)).abs() < 1e-7);
}
