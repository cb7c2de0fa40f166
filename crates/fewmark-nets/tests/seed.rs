//! Random starts, alone in their program: the generator of random weights is shared by all tests of one.

mod support;

use burn::tensor::{Device, Tensor};
use fewmark_nets::{Architecture, DipNetConfig, Network2d, Network3d, Segmenter, Upsampling, VmNetConfig};
use support::{image, samples};

/// The bits of the logits, and of the gradient to the input.
fn bits<const R: usize>(x: &Tensor<R>, logits: Tensor<R>) -> Vec<u32> {
    let gradients = logits.clone().powf_scalar(2.0).sum().backward();
    let gradient = x.grad(&gradients).expect("a leaf of the graph");
    [logits, gradient].into_iter().flat_map(samples).map(f32::to_bits).collect()
}

#[test]
fn the_same_seed_gives_the_same_logits_and_another_one_others() {
    let device = Device::flex().autodiff();
    let vm = |seed| {
        device.seed(seed);
        let network = VmNetConfig { base_width: 4, ..VmNetConfig::default() }.init(2, &device).unwrap();
        let x = image([2, 2, 37, 48], &device).require_grad();
        bits(&x, network.forward(x.clone()))
    };
    assert!(vm(3) == vm(3) && vm(3) != vm(4));
    for upsampling in [Upsampling::Bilinear, Upsampling::Nearest] {
        let dip = |seed| {
            device.seed(seed);
            let network = DipNetConfig { upsampling, ..DipNetConfig::lighter() }.init(&device).unwrap();
            let x = image([1, 32, 37, 30], &device).require_grad();
            bits(&x, network.forward(x.clone()))
        };
        assert!(dip(3) == dip(3) && dip(3) != dip(4));
    }
    for (name, size) in [("unet3d", [1, 1, 17, 20, 33]), ("densevoxnet", [1, 1, 6, 7, 8])] {
        let solid = |seed| network::<5, Network3d>(&device, name, size, seed);
        assert!(solid(3) == solid(3) && solid(3) != solid(4), "{name}");
    }
    let deeplab = |seed| network::<4, Network2d>(&device, "deeplabv3plus", [2, 3, 32, 32], seed);
    assert!(deeplab(3) == deeplab(3) && deeplab(3) != deeplab(4));
}

/// What a network that drops features makes in training.
fn network<const R: usize, N: Segmenter<R>>(device: &Device, name: &str, size: [usize; R], seed: u64) -> Vec<u32> {
    device.seed(seed);
    let architecture = Architecture::find(name, size[1], 2).expect("a name of the catalogue");
    let network = N::of(&architecture, device).expect("an architecture of this rank");
    let x = image(size, device).require_grad();
    bits(&x, network.forward(x.clone()))
}
