//! Networks that learn from labelled images.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use fewmark_image::Error::OutOfMemory;
use fewmark_image::{Dimension, Geometry, Image, LabelMap, memory};
use fewmark_learn::supervised::{
    Augmentation, Case, LossConfig, Predictor, SupervisedConfig, held_out, loss, train_on,
};
use fewmark_learn::{Error, Run, model};
use fewmark_nets::{Architecture, MsNetConfig, UNetConfig};

use crate::labelled::{CODES, case, config, trained};

const FLAT: [usize; 3] = [33, 28, 1];

fn msnet(grids: usize) -> Architecture {
    Architecture::MsNet2d(MsNetConfig { channels: 8, grids, ..MsNetConfig::new(1, 2) })
}

fn labels(predictor: &Predictor, image: &Image) -> LabelMap {
    predictor.predict(image, &mut |_| ControlFlow::Continue(())).unwrap().labels
}

/// Share of the voxels that have the right label.
fn right(found: &LabelMap, truth: &LabelMap) -> f64 {
    found.geometry().expect_same_space(truth.geometry()).unwrap();
    let right = found.labels().iter().zip(truth.labels()).filter(|(a, b)| a == b).count();
    right as f64 / truth.labels().len() as f64
}

#[test]
fn two_images_are_learned_and_a_third_is_answered_in_their_codes() {
    let mut config = SupervisedConfig { augmentation: Augmentation::NONE, ..config(msnet(3), 120) };
    config.training.learning_rate = 1e-2;
    let found = trained(&config, &[case(0, FLAT), case(2, FLAT)]).unwrap();
    assert_eq!(found.predictor.classes().codes(), CODES);
    let unseen = case(1, FLAT);
    let share = right(&labels(&found.predictor, &unseen.image), &unseen.labels);
    assert!(share > 0.97, "{share}");

    // Windows with half of the image give about the same answer as the whole of it; mirrored copies too.
    for change in [
        SupervisedConfig { window: vec![20, 20], ..found.predictor.config().clone() },
        SupervisedConfig { mirrored_predictions: true, ..found.predictor.config().clone() },
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        found.predictor.save(&path, model::Summary::default()).unwrap();
        let mut file = model::read(&path).unwrap();
        file.header.config["config"] = serde_json::to_value(&change).unwrap();
        let predictor = Predictor::load(file, Device::flex()).unwrap();
        let share = right(&labels(&predictor, &unseen.image), &unseen.labels);
        assert!(share > 0.95, "{share}");
    }
}

#[test]
fn a_file_with_settings_that_cannot_be_is_no_model() {
    let found = trained(&config(msnet(2), 1), &[case(0, FLAT)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    found.predictor.save(&path, model::Summary::default()).unwrap();
    let told = |change: fn(&mut serde_json::Value)| {
        let mut file = model::read(&path).unwrap();
        change(&mut file.header.config);
        Predictor::load(file, Device::flex()).unwrap_err().to_string()
    };
    assert!(told(|config| config["config"]["batch"] = 0.into()).contains("batch = 0"));
    assert!(told(|config| config["classes"] = serde_json::json!([1, 2, 3])).contains("classes"));
}

#[test]
fn images_that_do_not_fit_into_memory_are_refused() {
    if memory::free().is_none() {
        return eprintln!("skipped: this system does not tell how much memory is free");
    }
    let found = trained(&config(msnet(2), 1), &[case(0, FLAT)]).unwrap();
    let of = |side: usize| Geometry::unit(Dimension::Three, [side; 3]).unwrap();
    assert!(found.predictor.expect_room(&of(64)).is_ok());
    let told = found.predictor.expect_room(&of(1 << 13)).unwrap_err().to_string();
    assert!(told.contains("8192 x 8192 x 8192 voxels"), "{told}");

    // A volume is seen through the same windows whichever way it is stored, so it needs as much.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    found.predictor.save(&path, model::Summary::default()).unwrap();
    let mut file = model::read(&path).unwrap();
    let upright = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    file.header.config["direction"] = serde_json::to_value(upright).unwrap();
    let predictor = Predictor::load(file, Device::flex()).unwrap();
    let needed = |size, direction| {
        let volume = Geometry::from_parts(Dimension::Three, size, [1.0; 3], [0.0; 3], direction).unwrap();
        let Err(Error::Image(OutOfMemory { need, .. })) = predictor.expect_room(&volume) else { panic!("{size:?}") };
        need
    };
    let lying = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]];
    assert_eq!(needed([8, 1 << 18, 1 << 18], lying), needed([1 << 18, 1 << 18, 8], upright));
}

#[test]
fn a_network_for_images_learns_from_the_slices_of_volumes() {
    let volume = [33, 28, 7];
    let mut config = SupervisedConfig { augmentation: Augmentation::NONE, ..config(msnet(2), 200) };
    config.training.learning_rate = 3e-3;
    let found = trained(&config, &[case(0, volume), case(2, volume)]).unwrap();
    let unseen = case(1, volume);
    let share = right(&labels(&found.predictor, &unseen.image), &unseen.labels);
    assert!(share > 0.95, "{share}");
}

#[test]
fn the_best_network_of_the_validations_is_kept() {
    let cases: Vec<Case> = (0..20).map(|n| Case { name: format!("{n}"), ..case(n % 4, FLAT) }).collect();
    let mut config = config(Architecture::UNet(UNetConfig { base_width: 2, ..UNetConfig::new(1, 2) }), 12);
    config.training.learning_rate = 1e-2;
    config.training.validate_every = 3;
    let held = held_out(20, &config);
    assert_eq!(held.len(), 4);
    assert!(held_out(19, &config).is_empty());
    // What would never be scored is learned from.
    let mut never = config.clone();
    never.training.validate_every = 0;
    assert!(held_out(20, &never).is_empty());
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::create(folder.path().join("run"), &toml::Table::new()).unwrap();
    let mut scores = Vec::new();
    let found = train_on(&cases, &config, &Device::flex(), Some(&mut run), &mut |event| {
        if let fewmark_learn::Event::Validation { validation, .. } = event {
            scores.push(validation.score);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(scores.len(), 4);
    // What the network that came back scores on the cases that were held out.
    let dice = |code: u16| {
        let of = |&i: &usize| {
            let (found, truth) = (labels(&found.predictor, &cases[i].image).mask(code), cases[i].labels.mask(code));
            fewmark_metrics::Confusion::between(&found, &truth).dice().unwrap()
        };
        held.iter().map(of).sum::<f64>() / held.len() as f64
    };
    let score = CODES.map(dice).iter().sum::<f64>() / 2.0;
    let best = scores.iter().copied().fold(0.0, f64::max);
    assert!((score - best).abs() < 1e-9, "{score} of {scores:?}");
}

#[test]
fn labels_that_cannot_be_learned_from_are_refused_before_work_begins() {
    let refused = |cases: &[Case], config: SupervisedConfig| {
        let error = trained(&config, cases).expect_err("it is refused");
        assert!(error.hint().is_some(), "{error}");
        error.to_string()
    };
    let plain = || config(msnet(2), 1);
    let mut stray = case(1, FLAT);
    stray.labels.labels_mut()[5] = 9;
    let only = SupervisedConfig { labels: CODES.to_vec(), ..plain() };
    let error = refused(&[case(0, FLAT), stray], only);
    assert!(error.contains("case-1") && error.contains("label 9 (1 voxels)"), "{error}");
    let error = refused(&[case(0, FLAT)], SupervisedConfig { labels: vec![7, 300, 301], ..plain() });
    assert!(error.contains("301"), "{error}");
    let mut empty = case(0, FLAT);
    empty.labels.labels_mut().fill(0);
    assert!(refused(&[empty], plain()).contains("background"));
    let shifted = Case { labels: case(0, [33, 29, 1]).labels, ..case(0, FLAT) };
    assert!(refused(&[shifted], plain()).contains("case-0"));
    let error = refused(&[case(0, FLAT), case(1, [33, 28, 4])], plain());
    assert!(error.contains("case-1") && error.contains("volume"), "{error}");
    let error = refused(&[case(0, FLAT)], config(Architecture::find("msnet-3d", 1, 2).unwrap(), 1));
    assert!(error.contains("msnet-3d"), "{error}");
    assert!(refused(&[], plain()).contains("no image"));
}

/// The loss of some logits and classes of one image, `[1, classes, 1, voxels]`.
fn loss_of(logits: &[f32], classes: &[f32], count: usize, config: &LossConfig) -> f32 {
    let tensor = |values: &[f32]| {
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, count, 1, values.len() / count]), &Device::flex())
    };
    loss(tensor(logits), tensor(classes), config).total.into_scalar()
}

#[test]
fn the_loss_has_the_values_of_its_formula() {
    let dice = LossConfig { cross_entropy: 0.0, smooth: 0.0, ..LossConfig::default() };
    let entropy = LossConfig { dice: 0.0, ..LossConfig::default() };
    // Three voxels of classes 0, 0 and 1; with equal logits every p is 1/2.
    let y = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let expected = 1.0 - 0.5 * (2.0 * 1.0 / (1.5 + 2.0) + 2.0 * 0.5 / (1.5 + 1.0));
    assert!((loss_of(&[0.0; 6], &y, 2, &dice) - expected).abs() < 1e-6);
    assert!((loss_of(&[0.0; 6], &y, 2, &entropy) - 2.0f32.ln()).abs() < 1e-6);
    let sure = y.map(|y| 60.0 * y);
    assert!(loss_of(&sure, &y, 2, &dice) < 1e-6 && loss_of(&sure, &y, 2, &entropy) < 1e-6);
    // A voxel without a class does not count, whatever the network says of it.
    let y = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    for config in [&dice, &entropy] {
        let of = |middle: f32| loss_of(&[0.3, middle, -0.2, 0.1, 0.0, 0.4], &y, 2, config);
        assert_eq!(of(5.0), of(-5.0));
    }
    // Without the background only the second class is left.
    let foreground = LossConfig { background: false, ..dice };
    assert!((loss_of(&[0.0; 6], &[1.0, 1.0, 0.0, 0.0, 0.0, 1.0], 2, &foreground) - 0.6).abs() < 1e-6);
}

#[test]
fn the_gradient_of_the_loss_is_that_of_central_differences() {
    let config = LossConfig::default();
    let y = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let x: Vec<f32> = (0..12).map(|i| ((i * 5) % 7) as f32 / 3.0 - 1.0).collect();
    let device = Device::flex().autodiff();
    let tensor = |values: &[f32]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 4]), &device);
    let logits = tensor(&x).require_grad();
    let gradients = loss(logits.clone(), tensor(&y), &config).total.backward();
    let found: Vec<f32> = logits.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
    for i in 0..12 {
        let at = |h: f32| {
            let mut x = x.clone();
            x[i] += h;
            f64::from(loss_of(&x, &y, 3, &config))
        };
        let expected = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((f64::from(found[i]) - expected).abs() < 1e-3, "{i}: {} and {expected}", found[i]);
    }
}
