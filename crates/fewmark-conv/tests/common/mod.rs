//! Random tensors, and the comparison of two versions of an operation and of all their gradients.
#![allow(dead_code, reason = "each test program uses some of these")]

use std::cell::Cell;

use burn::tensor::{Device, Gradients, Tensor, TensorData};

/// The CPU with autodiff.
pub(crate) fn device() -> Device {
    Device::flex().autodiff()
}

thread_local! {
    /// The generator of a test, which has a thread of its own: Burn's is shared by all threads, so that a failure could not be
    /// repeated.
    static STATE: Cell<u64> = const { Cell::new(1) };
}

/// A number from 0 to 1, neither included: SplitMix64.
fn uniform() -> f64 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (((mixed ^ (mixed >> 31)) >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Normal samples.
pub(crate) fn normal<const R: usize>(dims: [usize; R], device: &Device) -> Tensor<R> {
    let one = || ((-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()) as f32;
    let samples: Vec<f32> = (0..dims.iter().product()).map(|_| one()).collect();
    Tensor::from_data(TensorData::new(samples, dims), device)
}

/// Normal samples with a gradient.
pub(crate) fn random<const R: usize>(dims: [usize; R]) -> Tensor<R> {
    normal(dims, &device()).require_grad()
}

/// The samples of a tensor.
pub(crate) fn values<const R: usize>(x: &Tensor<R>) -> Vec<f32> {
    x.to_data().try_to_vec().expect("a tensor of f32")
}

/// The largest difference between two tensors over the largest absolute value of the second.
pub(crate) fn relative<const R: usize>(ours: &Tensor<R>, theirs: &Tensor<R>) -> f32 {
    assert_eq!(ours.dims(), theirs.dims());
    difference(&values(ours), &values(theirs))
}

fn difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.iter().all(|x| x.is_finite()));
    let largest = theirs.iter().fold(1e-3f32, |largest, x| largest.max(x.abs()));
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

/// A tensor of any rank that has a gradient.
pub(crate) trait Leaf {
    /// The gradient's samples.
    fn gradient(&self, grads: &Gradients) -> Vec<f32>;
}

impl<const R: usize> Leaf for Tensor<R> {
    fn gradient(&self, grads: &Gradients) -> Vec<f32> {
        values(&self.grad(grads).expect("a leaf of the graph"))
    }
}

/// Checks that two results, and the gradients of the same loss to all their arguments, agree.
pub(crate) fn check<const R: usize>(ours: Tensor<R>, theirs: Tensor<R>, leaves: &[&dyn Leaf]) {
    let error = relative(&ours, &theirs);
    assert!(error < 1e-5, "forward: relative error {error}");
    // A random linear functional, so that no part of the gradient is zero.
    let weights = normal(ours.dims(), &device());
    let ours = (ours * weights.clone()).sum().backward();
    let theirs = (theirs * weights).sum().backward();
    for (at, leaf) in leaves.iter().enumerate() {
        let error = difference(&leaf.gradient(&ours), &leaf.gradient(&theirs));
        assert!(error < 1e-4, "gradient {at}: relative error {error}");
    }
}
