//! Parameter counts, shapes and gradients of the networks.

mod support;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use fewmark_nets::{ConfigError, MsNet, MsNetConfig, RestrictV, Sharing, UNetConfig, Weights};
use support::{count, formula, image, samples, trained, wave};

fn training_device() -> Device {
    Device::flex().autodiff()
}

#[test]
fn parameter_counts_are_the_papers() {
    let device = training_device();
    for sharing in [Sharing::PerPass, Sharing::PerGrid] {
        let config = |input, classes| MsNetConfig { sharing, ..MsNetConfig::new(input, classes) };
        assert_eq!(count(&config(3, 3).init::<4>(&device).unwrap()), 111_456);
        assert_eq!(count(&config(1, 4).init::<5>(&device).unwrap()), 333_936);
    }
    assert_eq!(count(&UNetConfig::new(3, 3).init(&device).unwrap()), 31_037_763);
}

#[test]
fn an_adjoint_with_the_weights_of_its_operator_has_none_of_its_own() {
    let tied = MsNetConfig { tied: true, ..MsNetConfig::new(3, 3) };
    assert_eq!(count(&tied.init::<4>(&training_device()).unwrap()), 111_456 - 9 * 2 * 16 * 16 * 9);
}

#[test]
fn msnet_has_fifty_kernels_of_three_taps() {
    let found = trained(&MsNetConfig::new(3, 4).init::<4>(&training_device()).unwrap());
    assert_eq!(found.len(), 50);
    for (name, _, shape) in found {
        let channels = match name.split('.').next() {
            Some("head") => [16, 3],
            Some("out") => [4, 16],
            _ => [16, 16],
        };
        assert_eq!(shape, [channels[0], channels[1], 3, 3], "{name}");
    }
}

#[test]
fn logits_have_the_size_of_the_image() {
    let device = Device::flex();
    let flat: MsNet<4> = MsNetConfig::new(3, 3).init(&device).unwrap();
    for [height, width] in [[128, 128], [112, 112], [113, 97], [1, 1], [2, 31]] {
        assert_eq!(flat.forward(image([1, 3, height, width], &device)).dims(), [1, 3, height, width]);
    }
    let solid: MsNet<5> = MsNetConfig::new(1, 4).init(&device).unwrap();
    for [depth, height, width] in [[16, 32, 32], [1, 64, 64], [5, 9, 7]] {
        let logits = solid.forward(image([2, 1, depth, height, width], &device));
        assert_eq!(logits.dims(), [2, 4, depth, height, width]);
    }
    let unet = UNetConfig { base_width: 4, ..UNetConfig::new(1, 2) }.init(&device).unwrap();
    for [height, width] in [[16, 16], [31, 47]] {
        assert_eq!(unet.forward(image([1, 1, height, width], &device)).dims(), [1, 2, height, width]);
    }
}

#[test]
fn configurations_that_cannot_be_built_are_refused() {
    let refused = |config: MsNetConfig| config.init::<4>(&Device::flex()).unwrap_err();
    assert_eq!(refused(MsNetConfig::new(0, 3)), ConfigError::Zero { what: "in_channels" });
    assert_eq!(
        refused(MsNetConfig { softmax_groups: 3, ..MsNetConfig::default() }),
        ConfigError::SoftmaxGroups { channels: 16, groups: 3 }
    );
    assert_eq!(
        refused(MsNetConfig { eps: 0.0, ..MsNetConfig::default() }),
        ConfigError::NotPositive { what: "eps", value: 0.0 }
    );
}

#[test]
fn configurations_are_written_in_full_and_read_in_part() {
    let config = MsNetConfig { restrict_v: RestrictV::Avg, dt: 0.5, ..MsNetConfig::new(1, 4) };
    assert_eq!(serde_json::from_str::<MsNetConfig>(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    let part = r#"{"in_channels": 1, "classes": 4, "dt": 0.5, "restrict_v": "avg"}"#;
    assert_eq!(serde_json::from_str::<MsNetConfig>(part).unwrap(), config);
    assert!(serde_json::from_str::<MsNetConfig>(r#"{"channel": 8}"#).is_err());
}

/// Adds a multiple of a direction to one parameter.
struct Moved<'a> {
    id: ParamId,
    direction: &'a [f32],
    by: f32,
}

impl ModuleMapper for Moved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if param.id != self.id {
            return param;
        }
        param.map(|old| {
            let direction = TensorData::new(self.direction.to_vec(), old.dims());
            old.clone() + Tensor::from_data(direction, &old.device()) * self.by
        })
    }
}

/// The sum of the logits of a small network, each with a weight of its own.
fn weighted_sum(network: &MsNet<4>, device: &Device) -> Tensor<1> {
    let logits = network.forward(image([1, 2, 6, 6], device));
    let dims = logits.dims();
    let weights: Vec<f32> = (0..dims.iter().product()).map(|i| wave(7, i) as f32).collect();
    (logits * Tensor::from_data(TensorData::new(weights, dims), device)).sum()
}

#[test]
fn gradients_agree_with_finite_differences() {
    for config in [
        MsNetConfig { grids: 2, ..MsNetConfig::new(2, 3) },
        MsNetConfig { grids: 2, sharing: Sharing::PerGrid, softmax_groups: 2, ..MsNetConfig::new(2, 3) },
        MsNetConfig { grids: 2, ..MsNetConfig::recommended(2, 3) },
        MsNetConfig { grids: 2, tied: true, ..MsNetConfig::new(2, 3) },
        MsNetConfig { grids: 2, weights: Weights::Fixed, ..MsNetConfig::new(2, 3) },
    ] {
        let device = training_device();
        let network = formula(config.init::<4>(&device).unwrap());
        let gradients = GradientsParams::from_grads(weighted_sum(&network, &device).backward(), &network);
        let plain = network.valid();
        for (name, id, _) in trained(&network) {
            let Some(gradient) = gradients.get::<4>(id).map(samples) else {
                // The coarsest grid needs no A, and with an operator of its own for v, or without an update of v, no L either; k is
                // there for the update of v.
                let fixed = config.weights == Weights::Fixed;
                let unused = name.starts_with("down.1.adjoint")
                    || (fixed || config.sharing == Sharing::PerGrid) && name.starts_with("down.1.operator")
                    || fixed && name.contains("coupling");
                assert!(unused, "{name} has no gradient");
                continue;
            };
            // Along the gradient the loss changes by the gradient's length.
            let length = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            assert!(length > 0.0, "{name}");
            let direction: Vec<f32> = gradient.iter().map(|g| g / length).collect();
            let loss = |by: f32| -> f32 {
                let moved = plain.clone().map(&mut Moved { id, direction: &direction, by });
                weighted_sum(&moved, &Device::flex()).into_scalar()
            };
            let step = 5e-3;
            let difference = (loss(step) - loss(-step)) / (2.0 * step);
            assert!(
                (difference - length).abs() < 0.02 * length + 1e-3,
                "{name}: finite difference {difference}, gradient {length}"
            );
        }
    }
}

#[test]
fn only_the_coarsest_adjoint_has_no_gradient() {
    let device = training_device();
    let network = formula(MsNetConfig::new(1, 2).init::<4>(&device).unwrap());
    let loss = network.forward(image([1, 1, 32, 32], &device)).powf_scalar(2.0).sum();
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    for (name, id, _) in trained(&network) {
        assert_eq!(gradients.get::<4>(id).is_none(), name.starts_with("down.4.adjoint"), "{name}");
    }
}

#[test]
fn the_same_run_gives_the_same_bits() {
    let run = || {
        let device = training_device();
        let network = formula(MsNetConfig::new(3, 3).init::<4>(&device).unwrap());
        let logits = network.forward(image([2, 3, 33, 20], &device));
        let gradients = logits.clone().powf_scalar(2.0).sum().backward();
        let mut bits: Vec<u32> = samples(logits).into_iter().map(f32::to_bits).collect();
        let gradients = GradientsParams::from_grads(gradients, &network);
        for (_, id, _) in trained(&network) {
            bits.extend(gradients.get::<4>(id).map(samples).unwrap_or_default().into_iter().map(f32::to_bits));
        }
        bits
    };
    assert!(run() == run());
}
