//! All architectures through the catalogue: names, counts, files, sizes, gradients.

mod support;

use std::collections::BTreeSet;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use fewmark_nets::{
    Architecture, ConfigError, DenseVoxNetConfig, MsNetConfig, Network2d, Network3d, R2UNetConfig, Segmenter, Sharing,
    UNet3dConfig, UNetConfig,
};
use support::{count, formula, image, samples, trained};

/// Every architecture with the channels and classes of the paper that compares them.
fn all() -> Vec<Architecture> {
    Architecture::names()
        .map(|name| {
            let any = Architecture::find(name, 1, 2).expect("a name of the catalogue");
            if any.rank() == 4 { any.with_channels(3, 3) } else { any.with_channels(1, 4) }
        })
        .collect()
}

#[test]
fn architectures_have_their_names_ranks_and_counts() {
    let found: Vec<_> = all().iter().map(|a| (a.name(), a.rank(), a.channels(), a.parameters().unwrap())).collect();
    let expected = [
        ("msnet-2d", 4, [3, 3], 111_456),
        ("unet", 4, [3, 3], 31_037_763),
        ("deeplabv3plus", 4, [3, 3], 5_813_523),
        ("r2unet", 4, [3, 3], 39_091_523),
        ("msnet-3d", 5, [1, 4], 333_936),
        ("unet3d", 5, [1, 4], 445_548),
        ("med3d", 5, [1, 4], 17_340_480),
        ("densevoxnet", 5, [1, 4], 1_783_280),
    ];
    assert_eq!(found, expected);
    let train = Device::flex().autodiff();
    for architecture in all() {
        let trained = if architecture.rank() == 4 {
            count(&architecture.init_2d(&train).unwrap())
        } else {
            count(&architecture.init_3d(&train).unwrap())
        };
        assert_eq!(architecture.parameters().unwrap(), trained, "{}", architecture.name());
        assert!(
            architecture.summary().ends_with('.') && architecture.source().contains("20"),
            "{}",
            architecture.name()
        );
    }
}

#[test]
fn a_name_that_no_architecture_has_is_refused_with_those_that_there_are() {
    let error = Architecture::find("msnet", 1, 2).unwrap_err();
    let ConfigError::UnknownArchitecture { name, names } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), names.len()), ("msnet", 8));
    assert!(error.to_string().contains("msnet-2d, unet"), "{error}");
}

#[test]
fn a_network_of_the_other_rank_is_refused() {
    let device = Device::flex();
    for architecture in all() {
        let (wrong, dimensions, expected) = if architecture.rank() == 4 {
            (Network3d::of(&architecture, &device).map(|_| ()), 2, 3)
        } else {
            (Network2d::of(&architecture, &device).map(|_| ()), 3, 2)
        };
        assert_eq!(wrong, Err(ConfigError::Rank { name: architecture.name(), dimensions, expected }));
    }
    let empty = Architecture::find("med3d", 0, 2).unwrap();
    assert_eq!(empty.parameters(), Err(ConfigError::Zero { what: "in_channels" }));
}

#[test]
fn configurations_that_cannot_be_built_are_refused() {
    for architecture in all() {
        let name = architecture.name();
        let refused = architecture.with_channels(1, 0).parameters();
        assert_eq!(refused, Err(ConfigError::Zero { what: "classes" }), "{name}");
    }
    let device = Device::flex();
    let steps = R2UNetConfig { steps: 0, ..R2UNetConfig::default() };
    assert_eq!(steps.init(&device).unwrap_err(), ConfigError::Zero { what: "steps" });
    let width = UNet3dConfig { base_width: 0, ..UNet3dConfig::default() };
    assert_eq!(width.init(&device).unwrap_err(), ConfigError::Zero { what: "base_width" });
    for value in [1.0, -0.1] {
        let refused = ConfigError::Probability { what: "dropout", value };
        assert_eq!(UNet3dConfig { dropout: value, ..UNet3dConfig::default() }.init(&device).unwrap_err(), refused);
        let dense = DenseVoxNetConfig { dropout: value, ..DenseVoxNetConfig::default() };
        assert_eq!(dense.init(&device).unwrap_err(), refused);
    }
    let nan = DenseVoxNetConfig { dropout: f64::NAN, ..DenseVoxNetConfig::default() };
    assert!(matches!(nan.init(&device), Err(ConfigError::Probability { .. })));
}

#[test]
fn architectures_are_written_in_full_and_read_in_part() {
    for architecture in all() {
        let written = serde_json::to_value(&architecture).unwrap();
        assert_eq!(written["name"], architecture.name());
        let fields = written.as_object().unwrap().len();
        assert!(fields > 2, "{written}");
        assert_eq!(serde_json::from_value::<Architecture>(written).unwrap(), architecture);
        let name_alone = serde_json::json!({ "name": architecture.name() });
        let [in_channels, classes] = architecture.channels();
        let read = serde_json::from_value::<Architecture>(name_alone).unwrap().with_channels(in_channels, classes);
        // What a file leaves out is what networks had before it could be named.
        let expected = match &architecture {
            Architecture::MsNet2d(_) => Architecture::MsNet2d(MsNetConfig::new(in_channels, classes)),
            Architecture::MsNet3d(_) => Architecture::MsNet3d(MsNetConfig::new(in_channels, classes)),
            other => other.clone(),
        };
        assert_eq!(read, expected);
        let other = serde_json::json!({ "name": architecture.name(), "colour": 3 });
        assert!(serde_json::from_value::<Architecture>(other).is_err());
    }
    let read = |text| serde_json::from_str::<Architecture>(text);
    let part = r#"{"in_channels": 1, "name": "msnet-2d", "sharing": "per-grid", "dt": 2}"#;
    let config = MsNetConfig { sharing: Sharing::PerGrid, dt: 2.0, ..MsNetConfig::new(1, 3) };
    assert_eq!(read(part).unwrap(), Architecture::MsNet2d(config));
    assert!(read(r#"{"name": "vnet"}"#).is_err() && read(r#"{"in_channels": 1}"#).is_err());
}

#[test]
fn other_channels_leave_the_rest_of_a_configuration_alone() {
    let unet = Architecture::UNet(UNetConfig { base_width: 8, ..UNetConfig::new(3, 3) }).with_channels(1, 2);
    assert_eq!(unet, Architecture::UNet(UNetConfig { in_channels: 1, classes: 2, base_width: 8 }));
    let dense = DenseVoxNetConfig { dropout: 0.0, ..DenseVoxNetConfig::new(2, 2) };
    let dense = Architecture::DenseVoxNet(dense).with_channels(1, 5);
    assert_eq!(dense, Architecture::DenseVoxNet(DenseVoxNetConfig { in_channels: 1, classes: 5, dropout: 0.0 }));
}

/// Logits of the right size, all of them finite, whose first are those of `forward`.
fn check_outputs<const R: usize, N: Segmenter<R>>(architecture: &Architecture, sizes: &[[usize; R]]) {
    let device = Device::flex();
    let network = N::of(architecture, &device).expect("an architecture of this rank");
    for &size in sizes {
        let name = architecture.name();
        let mut expected = size;
        expected[1] = architecture.channels()[1];
        let x = image(size, &device);
        let outputs = network.outputs(x.clone());
        let weights: Vec<f64> = outputs.iter().map(|(_, weight)| *weight).collect();
        assert_eq!(weights, if name == "densevoxnet" { vec![1.0, 0.33] } else { vec![1.0] });
        for (logits, _) in &outputs {
            assert_eq!(logits.dims(), expected, "{name}");
            assert!(samples(logits.clone()).iter().all(|x| x.is_finite()), "{name} of {size:?}");
        }
        let (first, _) = outputs.into_iter().next().expect("an output");
        assert!(samples(first) == samples(network.forward(x)), "{name} of {size:?}");
    }
}

#[test]
fn logits_have_the_size_of_the_image_or_volume() {
    for architecture in all() {
        if architecture.rank() == 4 {
            let n = architecture.smallest_size();
            check_outputs::<4, Network2d>(&architecture, &[[1, 3, n, n], [1, 3, n + 1, 2 * n + 29], [2, 3, 33, 48]]);
        } else {
            let sizes = [[1, 1, 1, 1, 1], [1, 1, 1, 64, 64], [2, 1, 3, 1, 18], [1, 1, 35, 51, 34], [1, 1, 2, 17, 8]];
            check_outputs::<5, Network3d>(&architecture, &sizes);
        }
    }
}

/// Asserts that a gradient reaches every trained parameter. A bias in front of a normalisation cannot change anything.
fn check_gradients<const R: usize, N: Segmenter<R>>(architecture: &Architecture, size: [usize; R]) {
    let device = Device::flex().autodiff();
    let network = N::of(architecture, &device).expect("an architecture of this rank");
    let outputs = network.outputs(image(size, &device)).into_iter();
    let losses = outputs.map(|(logits, weight)| logits.powf_scalar(2.0).sum() * weight);
    let loss = losses.reduce(|a, b| a + b).expect("an output");
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let mut visitor = Gradients { path: Vec::new(), gradients: &gradients, checked: 0 };
    network.visit(&mut visitor);
    assert_eq!(visitor.checked, trained(&network).len(), "{}", architecture.name());
}

struct Gradients<'a> {
    path: Vec<String>,
    gradients: &'a GradientsParams,
    checked: usize,
}

impl ModuleVisitor for Gradients<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() {
            return;
        }
        let name = self.path.join(".");
        let gradient =
            self.gradients.get::<D>(param.id).map(samples).unwrap_or_else(|| panic!("no gradient of {name}"));
        assert!(gradient.iter().all(|g| g.is_finite()), "{name}");
        assert!(name.ends_with("bias") || gradient.iter().any(|&g| g != 0.0), "the gradient of {name} is zero");
        self.checked += 1;
    }
}

#[test]
fn gradients_reach_every_trained_parameter() {
    for architecture in all() {
        match &architecture {
            Architecture::MsNet2d(_) | Architecture::MsNet3d(_) => continue, // see networks.rs
            // With a few channels all of a level can be dropped.
            Architecture::UNet3d(config) => {
                let config = UNet3dConfig { dropout: 0.0, ..config.clone() };
                check_gradients::<5, Network3d>(&Architecture::UNet3d(config), [1, 1, 19, 33, 32]);
            }
            a if a.rank() == 4 => {
                check_gradients::<4, Network2d>(a, [1, 3, 32, 49]);
                check_gradients::<4, Network2d>(a, [2, 3, 32, 32]);
            }
            a => check_gradients::<5, Network3d>(a, [1, 1, 9, 17, 16]),
        }
    }
}

/// Names and values of all weights, running statistics included.
#[derive(Default)]
struct Weights {
    path: Vec<String>,
    found: Vec<(String, Vec<f32>)>,
}

impl ModuleVisitor for Weights {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), samples(param.val())));
    }
}

fn weights(network: &impl Module) -> Vec<(String, Vec<f32>)> {
    let mut visitor = Weights::default();
    network.visit(&mut visitor);
    visitor.found
}

#[test]
fn every_weight_has_a_name_of_its_own() {
    let device = Device::flex();
    let expected = [
        "MsNet.head.weight",
        "UNet.layers.encoder.0.first.conv.weight",
        "DeepLabV3Plus.backbone.stem.conv.weight",
        "R2UNet.encoder.0.enter.weight",
        "MsNet.head.weight",
        "UNet3d.enter.weight",
        "Med3d.stem.conv.weight",
        "DenseVoxNet.stem.weight",
    ];
    for (architecture, first) in all().iter().zip(expected) {
        let found = if architecture.rank() == 4 {
            weights(&architecture.init_2d(&device).unwrap())
        } else {
            weights(&architecture.init_3d(&device).unwrap())
        };
        assert_eq!(found[0].0, first);
        let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), found.len(), "{first}");
    }
}

/// One image has one value in each channel of its mean: no statistics, which must not end in the running ones.
#[test]
fn deeplabv3plus_learns_from_batches_of_one_image() {
    let train = Device::flex().autodiff();
    let architecture = Architecture::find("deeplabv3plus", 3, 2).unwrap();
    let statistics = |batch| {
        let network = formula(architecture.init_2d(&train).unwrap());
        let name = |part: &str| format!("DeepLabV3Plus.pyramid.mean_norm.{part}");
        let of = |network: &Network2d, part: &str| {
            weights(network).into_iter().find(|(found, _)| *found == name(part)).expect("the weights").1
        };
        let before = of(&network, "running_var");
        network.forward(image([batch, 3, 40, 40], &train));
        (before, of(&network.valid(), "running_var"))
    };
    let (before, after) = statistics(1);
    assert_eq!(before, after);
    let (before, after) = statistics(2);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
}
