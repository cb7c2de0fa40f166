//! Parameter counts, sizes, start and gradients of VM Net and DIP Net.

mod support;

use burn::tensor::Device;
use fewmark_nets::{DipNetConfig, Norm, VmNetConfig};
use support::{count, image, samples};

fn training_device() -> Device {
    Device::flex().autodiff()
}

#[test]
fn vm_net_has_the_parameters_of_biased_convolutions() {
    for norm in [Norm::Instance, Norm::Batch] {
        for (base_width, parameters) in [(16, 1_943_905), (32, 7_765_697), (64, 31_042_945)] {
            let config = VmNetConfig { base_width, norm, ..VmNetConfig::default() };
            assert_eq!(count(&config.init(&training_device()).unwrap()), parameters);
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

#[test]
fn logits_have_the_size_of_the_input() {
    let device = Device::flex();
    let vm = VmNetConfig { base_width: 2, ..VmNetConfig::default() }.init(&device).unwrap();
    let small = DipNetConfig { in_channels: 3, down: vec![4, 5, 6], up: vec![6, 5, 4], ..DipNetConfig::paper() };
    let dip = small.init(&device).unwrap();
    for [height, width] in [[32, 48], [31, 47], [17, 16], [5, 9], [3, 1], [1, 1]] {
        let logits = vm.forward(image([2, 2, height, width], &device));
        assert_eq!(logits.dims(), [2, 1, height, width]);
        assert!(samples(logits).iter().all(|x| x.is_finite()));
        let logits = dip.forward(image([2, 3, height, width], &device));
        assert_eq!(logits.dims(), [2, 1, height, width]);
        assert!(samples(logits).iter().all(|x| x.is_finite()));
    }
}
