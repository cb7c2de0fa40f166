//! Parameter counts, sizes, start and configurations of VM Net and DIP Net.

mod support;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use fewmark_nets::{ConfigError, DipNetConfig, Norm, Upsampling, VmNetConfig};
use support::{count, formula, image, samples};

fn training_device() -> Device {
    Device::flex().autodiff()
}

#[test]
fn vm_net_has_the_parameters_of_biased_convolutions() {
    for norm in [Norm::Instance, Norm::Batch] {
        for (base_width, parameters) in [(16, 1_943_905), (32, 7_765_697), (64, 31_042_945)] {
            let config = VmNetConfig { base_width, norm };
            assert_eq!(count(&config.init(2, &training_device()).unwrap()), parameters);
        }
    }
}

#[test]
fn dip_nets_have_the_parameters_of_the_reference() {
    for norm in [Norm::Instance, Norm::Batch] {
        let parameters = |config| count(&DipNetConfig { norm, ..config }.init(&training_device()).unwrap());
        assert_eq!(parameters(DipNetConfig::paper()), 2_217_573);
        assert_eq!(parameters(DipNetConfig::light()), 1_041_781);
        assert_eq!(parameters(DipNetConfig::four_scales()), 1_033_713);
        assert_eq!(parameters(DipNetConfig::lighter()), 265_569);
    }
}

fn small_dip_net() -> DipNetConfig {
    DipNetConfig { in_channels: 3, down: vec![4, 5, 6], up: vec![6, 5, 4], ..DipNetConfig::paper() }
}

#[test]
fn logits_have_the_size_of_the_input() {
    let device = Device::flex();
    let vm = VmNetConfig { base_width: 2, ..VmNetConfig::default() }.init(2, &device).unwrap();
    let bilinear = small_dip_net().init(&device).unwrap();
    let nearest = DipNetConfig { upsampling: Upsampling::Nearest, ..small_dip_net() }.init(&device).unwrap();
    for [height, width] in [[32, 48], [31, 47], [17, 16], [5, 9], [3, 1], [1, 1]] {
        let noise = image([2, 3, height, width], &device);
        let vm = vm.forward(image([2, 2, height, width], &device));
        for logits in [vm, bilinear.forward(noise.clone()), nearest.forward(noise)] {
            assert_eq!(logits.dims(), [2, 1, height, width]);
            assert!(samples(logits).iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn vm_net_pads_as_much_before_as_behind_and_crops_the_same() {
    let device = Device::flex();
    let network = formula(VmNetConfig { base_width: 2, ..VmNetConfig::default() }.init(2, &device).unwrap());
    // An image of 16 by 32 that is a mirror of its own middle: what padding makes of 12 by 30.
    let middle = image([1, 2, 12, 30], &device);
    let rows = Tensor::cat(
        vec![middle.clone().narrow(2, 1, 2).flip([2]), middle.clone(), middle.clone().narrow(2, 9, 2).flip([2])],
        2,
    );
    let whole = Tensor::cat(vec![rows.clone().narrow(3, 1, 1), rows.clone(), rows.narrow(3, 28, 1)], 3);
    let expected = network.forward(whole).slice([0..1, 0..1, 2..14, 1..31]);
    assert_eq!(samples(network.forward(middle)), samples(expected));
}

#[test]
fn images_of_a_batch_do_not_see_each_other_under_instance_normalisation() {
    let device = training_device();
    let vm = formula(VmNetConfig { base_width: 2, ..VmNetConfig::default() }.init(2, &device).unwrap());
    let pair = image([2, 2, 20, 33], &device);
    let [both, second] = [pair.clone(), pair.narrow(0, 1, 1)].map(|x| vm.forward(x));
    assert_eq!(samples(both.narrow(0, 1, 1)), samples(second));
}

/// Whether the last part of its name is `gamma`, the shape and the samples of every parameter.
#[derive(Default)]
struct Start {
    scale: bool,
    found: Vec<(bool, Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for Start {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.scale = name == "gamma";
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.scale, param.dims().to_vec(), samples(param.val())));
    }
}

fn start(network: &impl Module) -> Vec<(bool, Vec<usize>, Vec<f32>)> {
    let mut visitor = Start::default();
    network.visit(&mut visitor);
    visitor.found
}

/// Kernels are uniform within `sqrt(6 / (fan_in + fan_out))`, biases and shifts 0, scales 1.
#[test]
fn networks_start_as_keras_starts_them() {
    let device = Device::flex();
    let networks = [
        start(&VmNetConfig::default().init(2, &device).unwrap()),
        start(&DipNetConfig::light().init(&device).unwrap()),
    ];
    for (scale, dims, values) in networks.iter().flatten() {
        let largest = values.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        if dims.len() == 1 {
            let expected = f32::from(*scale);
            assert!(values.iter().all(|&x| x == expected), "{dims:?} {values:?}");
            continue;
        }
        let taps = dims[2] * dims[3];
        let bound = (6.0 / ((dims[0] + dims[1]) * taps) as f32).sqrt();
        assert!(largest <= bound, "{dims:?}: {largest} beyond {bound}");
        if values.len() > 1000 {
            let square = values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32;
            let uniform = bound * bound / 3.0;
            assert!(largest > 0.98 * bound && (square / uniform - 1.0).abs() < 0.1, "{dims:?}: {largest}, {square}");
        }
    }
}

#[test]
fn configurations_that_cannot_be_built_are_refused() {
    let device = Device::flex();
    let vm = |base_width, channels| {
        let config = VmNetConfig { base_width, ..VmNetConfig::default() };
        config.init(channels, &device).unwrap_err()
    };
    assert_eq!(vm(16, 0), ConfigError::Zero { what: "in_channels" });
    assert_eq!(vm(0, 2), ConfigError::Zero { what: "base_width" });
    let dip = |config: DipNetConfig| config.init(&device).unwrap_err();
    let zero = |what| ConfigError::Zero { what };
    assert_eq!(dip(DipNetConfig { in_channels: 0, ..small_dip_net() }), zero("in_channels"));
    assert_eq!(dip(DipNetConfig { skip: 0, ..small_dip_net() }), zero("skip"));
    assert_eq!(dip(DipNetConfig { down: vec![4, 0, 6], ..small_dip_net() }), zero("down"));
    assert_eq!(dip(DipNetConfig { up: vec![4, 5, 0], ..small_dip_net() }), zero("up"));
    assert_eq!(dip(DipNetConfig { down: vec![], up: vec![], ..small_dip_net() }), zero("the number of scales"));
    assert_eq!(dip(DipNetConfig { up: vec![4], ..small_dip_net() }), ConfigError::Scales { down: 3, up: 1 });
}

#[test]
fn configurations_are_written_in_full_and_read_in_part() {
    let vm = VmNetConfig { norm: Norm::Batch, ..VmNetConfig::default() };
    assert_eq!(serde_json::from_str::<VmNetConfig>(&serde_json::to_string(&vm).unwrap()).unwrap(), vm);
    assert_eq!(serde_json::from_str::<VmNetConfig>(r#"{"norm": "batch"}"#).unwrap(), vm);
    assert!(serde_json::from_str::<VmNetConfig>(r#"{"classes": 2}"#).is_err());
    let dip = DipNetConfig { upsampling: Upsampling::Nearest, ..DipNetConfig::light() };
    assert_eq!(serde_json::from_str::<DipNetConfig>(&serde_json::to_string(&dip).unwrap()).unwrap(), dip);
    let widths = "[16, 32, 64, 128, 128]";
    let part = format!(r#"{{"upsampling": "nearest", "norm": "instance", "down": {widths}, "up": {widths}}}"#);
    assert_eq!(serde_json::from_str::<DipNetConfig>(&part).unwrap(), dip);
    assert!(serde_json::from_str::<DipNetConfig>(r#"{"widths": [8]}"#).is_err());
}
