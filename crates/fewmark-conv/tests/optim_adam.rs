//! Adam against Burn's own.

mod common;

use burn::{
    nn::{Linear, LinearConfig},
    optim::{self, GradientsParams, ModuleOptimizer, decay::WeightDecayConfig},
    tensor::Tensor,
};
use common::{device, values};
use fewmark_conv::optim::AdamConfig;

/// Steps of an optimiser on a loss that changes from step to step; the module as it was is kept alive beside it.
fn steps(mut optimizer: ModuleOptimizer, mut model: Linear, from: usize, to: usize) -> (ModuleOptimizer, Linear) {
    for step in from..to {
        let x = Tensor::<2>::ones([4, 6], &device()).mul_scalar(0.3 * step as f32 - 0.7);
        let loss = model.forward(x).powi_scalar(2).sum();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.02, model, grads);
    }
    (optimizer, model)
}

fn distance(a: &Linear, b: &Linear) -> f32 {
    let all = |model: &Linear| {
        let mut all = values(&model.weight.val());
        all.extend(values(&model.bias.as_ref().expect("a layer with a bias").val()));
        all
    };
    all(a).iter().zip(all(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn steps_are_burns() {
    let model = LinearConfig::new(6, 5).init(&device());
    for decay in [0.0, 0.1] {
        let burn = optim::AdamConfig::new().with_epsilon(1e-8).with_weight_decay(Some(WeightDecayConfig::new(decay)));
        let (_, theirs) = steps(burn.init(), model.clone(), 0, 12);
        let (_, ours) = steps(AdamConfig::new().with_weight_decay(decay).init(), model.clone(), 0, 12);
        let (distance, moved) = (distance(&ours, &theirs), distance(&ours, &model));
        assert!(distance < 1e-6, "{distance} apart");
        assert!(moved > 0.05, "moved by {moved}");
    }
}

#[test]
fn a_step_leaves_other_copies_of_the_parameters_alone() {
    let model = LinearConfig::new(6, 5).init(&device());
    let before = values(&model.weight.val());
    let kept = model.clone();
    let _ = steps(AdamConfig::new().init(), model, 0, 3);
    assert_eq!(values(&kept.weight.val()), before);
}

#[test]
fn the_state_goes_through_a_record_and_is_burns() {
    let model = LinearConfig::new(6, 5).init(&device());
    let (optimizer, half) = steps(AdamConfig::new().init(), model.clone(), 0, 4);
    let bytes = || optimizer.into_bytes().unwrap();
    let resumed = AdamConfig::new().init().from_bytes(bytes()).unwrap();
    let burn = optim::AdamConfig::new().with_epsilon(1e-8).init().from_bytes(bytes()).unwrap();
    let (_, resumed) = steps(resumed, half.clone(), 4, 8);
    let (_, burn) = steps(burn, half.clone(), 4, 8);
    let (_, straight) = steps(AdamConfig::new().init(), model, 0, 8);
    assert_eq!(distance(&resumed, &straight), 0.0);
    assert!(distance(&burn, &straight) < 1e-6);
    // One that forgot its moments would go elsewhere.
    let (_, fresh) = steps(AdamConfig::new().init(), half, 4, 8);
    assert!(distance(&fresh, &straight) > 1e-4);
}

#[test]
fn large_gradients_are_clipped() {
    use burn::grad_clipping::GradientClippingConfig;
    let model = LinearConfig::new(6, 5).init(&device());
    let clipping = Some(GradientClippingConfig::Value(1e-3));
    let burn = optim::AdamConfig::new().with_epsilon(1e-8).with_grad_clipping(clipping.clone());
    let (_, theirs) = steps(burn.init(), model.clone(), 0, 5);
    let (_, ours) = steps(AdamConfig::new().with_grad_clipping(clipping).init(), model, 0, 5);
    assert!(distance(&ours, &theirs) < 1e-6);
}
