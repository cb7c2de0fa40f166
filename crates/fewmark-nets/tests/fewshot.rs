//! Encoders and the prototype head against counts and cases that can be worked out by hand.

mod support;

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use fewmark_nets::{
    EncoderConfig, FeatureMask, PrototypeHead, Prototypes, ResNetConfig, SeNetConfig, SlimResNetConfig,
};
use support::{count, samples};

#[test]
fn encoders_have_their_parameters_and_sizes() {
    let device = Device::flex().autodiff();
    let slim = SlimResNetConfig::default().init(&device).unwrap();
    assert_eq!(count(&slim), 1_364_960);
    // torchvision's networks less their last layer (classes x features + classes), and a convolution of one tap to 256 channels.
    for (depth, torchvision, features) in [(18, 11_689_512, 512), (34, 21_797_672, 512), (50, 25_557_032, 2048)] {
        let network = ResNetConfig { depth, features: 256 }.init(&device).unwrap();
        assert_eq!(count(&network), torchvision - (1000 * features + 1000) + 256 * features, "{depth}");
    }
    assert_eq!(count(&ResNetConfig::default().init(&device).unwrap()), 43_024_448);
    assert!(ResNetConfig { depth: 19, features: 256 }.init(&device).is_err());
}

#[test]
fn features_cover_images_of_any_size() {
    let device = Device::flex();
    let image = Tensor::random([2, 1, 37, 50], Distribution::Default, &device);
    for (config, channels) in [
        (EncoderConfig::Slim(SlimResNetConfig { width: 4 }), 16),
        (EncoderConfig::Resnet(ResNetConfig { depth: 18, features: 7 }), 7),
    ] {
        let stride = config.stride();
        let features = config.init(&device).unwrap().forward(image.clone());
        assert_eq!(features.dims(), [2, channels, 37_usize.div_ceil(stride), 50_usize.div_ceil(stride)]);
    }
}

#[test]
fn an_se_net_depends_on_the_query_the_support_and_its_mask() {
    let learn = Device::flex().autodiff();
    assert_eq!(count(&SeNetConfig::default().init(&learn).unwrap()), 875_261);
    let device = Device::flex();
    let network = SeNetConfig { conditioner: 3, segmenter: 5 }.init(&device).unwrap();
    let plane = |seed: usize| -> Tensor<4> {
        let samples = (0..32 * 48).map(|i| ((i * 31 + seed * 17) % 101) as f32 / 50.0 - 1.0).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(samples, [1, 1, 32, 48]), &device)
    };
    let found = |support, mask, query| samples(network.forward(plane(support), plane(mask), plane(query)));
    let logits = found(0, 1, 2);
    assert_eq!(logits.len(), 2 * 32 * 48);
    assert!([found(3, 1, 2), found(0, 3, 2), found(0, 1, 3)].iter().all(|other| *other != logits));
    assert!(SeNetConfig { conditioner: 0, segmenter: 5 }.init(&device).is_err());
}

#[test]
fn stages_of_a_resnet_have_torchvisions_shapes() {
    let device = Device::flex();
    let image = Tensor::random([1, 3, 64, 64], Distribution::Default, &device);
    let network = ResNetConfig { depth: 50, features: 8 }.init(&device).unwrap();
    let shapes: Vec<_> = network.stages(image).iter().map(Tensor::dims).collect();
    assert_eq!(shapes, [[1, 256, 16, 16], [1, 512, 8, 8], [1, 1024, 8, 8], [1, 2048, 8, 8]]);
}

/// Features of 32 x 32 with one of four channels set in each quadrant, and a mask of the first quadrant.
fn quadrants(device: &Device) -> (Tensor<3>, FeatureMask) {
    let quadrant = |i: usize| 2 * (i / 32 / 16) + i % 32 / 16;
    let features = (0..4).flat_map(|c| (0..1024).map(move |i| f32::from(u8::from(quadrant(i) == c)))).collect();
    let share = (0..1024).map(|i| f32::from(u8::from(quadrant(i) == 0))).collect();
    (Tensor::from_data(TensorData::new::<f32, _>(features, [4, 32, 32]), device), FeatureMask { share, size: [32, 32] })
}

#[test]
fn windows_within_a_mask_give_prototypes() {
    let device = Device::flex();
    let (features, mask) = quadrants(&device);
    let head = PrototypeHead::default();
    for (window, cells) in [(4, 64), (2, 256)] {
        let [background, object] = [false, true].map(|o| head.prototypes(features.clone(), &mask, o, window));
        // A quarter of the cells and the mean of all.
        assert_eq!((background.dims(), object.dims()), ([3 * cells / 4, 4], [cells / 4 + 1, 4]));
    }
    let one = PrototypeHead { foreground: Prototypes::Mask, ..head.clone() };
    let prototype = samples(one.prototypes(features.clone(), &mask, true, 4));
    assert!(prototype.iter().zip([1.0, 0.0, 0.0, 0.0]).all(|(a, b)| (a - b).abs() < 1e-5), "{prototype:?}");

    let score = |object| {
        let prototypes = head.prototypes(features.clone(), &mask, object, 4);
        let [score] = head.scores([prototypes], features.clone().reshape([4, 1024]));
        samples(score)
    };
    let (background, object) = (score(false), score(true));
    for (i, share) in mask.share.iter().enumerate() {
        assert_eq!(object[i] > background[i], *share == 1.0);
        assert!(background[i].abs() <= 20.001 && object[i].abs() <= 20.001);
    }
}

#[test]
fn a_mask_smaller_than_a_window_gives_its_mean() {
    let device = Device::flex();
    let (features, mut mask) = quadrants(&device);
    mask.share.fill(0.0);
    let head = PrototypeHead::default();
    // Of an empty mask nothing: a score of 0, and a gradient that is finite.
    let learn = Device::flex().autodiff();
    let leaf = Tensor::<3>::from_data(features.clone().into_data(), &learn).require_grad();
    let nothing = head.prototypes(leaf.clone(), &mask, true, 4);
    assert_eq!(nothing.dims(), [1, 4]);
    let [score] = head.scores([nothing], leaf.clone().reshape([4, 1024]));
    assert!(samples(score.clone().inner()).iter().all(|&s| s == 0.0));
    let gradient = leaf.grad(&score.sum().backward()).unwrap();
    assert!(samples(gradient).iter().all(|g| g.is_finite()));

    // Three by three features lie in no window of four, so even of two there is only the mean.
    for i in 0..9 {
        mask.share[(5 + i / 3) * 32 + 5 + i % 3] = 1.0;
    }
    assert_eq!(head.prototypes(features, &mask, true, 2).dims(), [1, 4]);
}

#[test]
fn scores_do_not_depend_on_the_scale_and_lie_between_the_similarities() {
    let device = Device::flex();
    let features = Tensor::<2>::random([6, 50], Distribution::Normal(0.0, 1.0), &device);
    let prototypes = Tensor::<2>::random([5, 6], Distribution::Normal(0.0, 1.0), &device);
    let head = PrototypeHead::default();
    let [all] = head.scores([prototypes.clone()], features.clone()).map(samples);
    let [scaled] = head.scores([prototypes.clone().mul_scalar(3.0)], features.clone().mul_scalar(0.2)).map(samples);
    let each: [Tensor<2>; 5] = std::array::from_fn(|k| prototypes.clone().narrow(0, k, 1));
    let each: Vec<Vec<f32>> = head.scores(each, features).map(samples).into();
    for (i, score) in all.iter().enumerate() {
        assert!((score - scaled[i]).abs() < 1e-4);
        let of = each.iter().map(|scores| scores[i]);
        let (low, high) = of.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), s| (l.min(s), h.max(s)));
        assert!((low - 1e-4..=high + 1e-4).contains(score), "{low} {score} {high}");
        // A softmax of similarities leans to the larger ones.
        assert!(*score >= of_mean(&each, i) - 1e-4);
    }
}

fn of_mean(each: &[Vec<f32>], i: usize) -> f32 {
    each.iter().map(|scores| scores[i]).sum::<f32>() / each.len() as f32
}
