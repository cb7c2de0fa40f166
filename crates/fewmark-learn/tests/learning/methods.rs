//! The methods of the paper on small images.

use std::ops::ControlFlow;

use crate::support::{config, disc, truth};
use burn::tensor::Device;
use fewmark_classical::selective::{SelectiveParams, Session};
use fewmark_image::Scaling;
use fewmark_learn::dip::{Case, DipConfig, Networks, Predictor, SingleConfig, Variant, segment, train_on};
use fewmark_learn::{Error, Loss};
use fewmark_nets::DipNetConfig;

fn trained(config: &DipConfig, cases: &[Case]) -> (Networks, f32) {
    let trained = train_on(cases, config, &Device::flex(), None, &mut |_| ControlFlow::Continue(())).unwrap();
    (trained.network, trained.loss)
}

fn dice(a: &[bool], b: &[bool]) -> f64 {
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count();
    2.0 * both as f64 / (a.iter().chain(b).filter(|m| **m).count()) as f64
}

#[test]
fn m2_is_m1_without_its_regulariser_to_the_bit() {
    let m2 = config(Variant::M2, 5);
    let mut m1 = config(Variant::M1, 5);
    m1.model.mu = 0.0;
    let cases = [disc(0), disc(1)];
    let answer = |config: &DipConfig| {
        let predictor = Predictor::new(trained(config, &cases).0, config.clone(), Device::flex());
        predictor.predict(&disc(2), false).unwrap().u
    };
    assert_eq!(answer(&m1), answer(&m2));
    m1.model.mu = 0.5;
    assert_ne!(answer(&m1), answer(&m2), "mu has an effect");
}

/// Two images are learned, and a third one that was not seen is segmented from its clicks, with every method and at a working size that
/// is not the image's.
#[test]
fn an_unseen_image_is_segmented_from_its_clicks() {
    for variant in [Variant::M1, Variant::M2, Variant::M3, Variant::M4] {
        let mut config = config(variant, 200);
        config.training.learning_rate = 1e-2;
        config.size = if variant == Variant::M4 { 48 } else { 0 };
        let (networks, _) = trained(&config, &[disc(0), disc(2)]);
        let predictor = Predictor::new(networks, config, Device::flex());
        for refine in [false, true] {
            let found = predictor.predict(&disc(1), refine).unwrap();
            let score = dice(&found.mask, &truth(1));
            assert!(score > 0.9, "{variant:?}, refined {refine}: Dice {score}");
        }
    }
}

#[test]
fn images_of_two_sizes_are_learned_together() {
    let mut small = disc(0);
    small.image = fewmark_image::crop_to_box(&small.image, [0..36, 0..30, 0..1]).unwrap();
    let (_, loss) = trained(&config(Variant::M4, 3), &[disc(1), small]);
    assert!(loss.is_finite());
}

fn single(case: &Case, config: &SingleConfig) -> (Vec<bool>, Vec<f32>) {
    let network = DipNetConfig { in_channels: 8, down: vec![16, 16], up: vec![16, 16], ..DipNetConfig::paper() };
    let (scaling, model) = (Scaling::default(), SelectiveParams::default());
    let go_on = &mut |_: &fewmark_learn::Step| ControlFlow::Continue(());
    let found = segment(case, config, &network, &scaling, &model, &Device::flex(), go_on).unwrap();
    (found.prediction.mask, found.raw)
}

/// `mean(r u)` has a minimum pixel by pixel, `u = [r < 0]`: with enough steps and no fresh noise the network reaches it.
#[test]
fn the_single_image_model_ends_at_the_pointwise_minimum() {
    let case = disc(0);
    let config =
        SingleConfig { size: 0, iterations: 400, learning_rate: 1e-2, noise_deviation: 0.0, ..SingleConfig::default() };
    let (_, raw) = single(&case, &config);
    let f = Scaling::default().apply(&case.image).unwrap();
    let mut session = Session::new(&f, &case.image.geometry().grid(), &SelectiveParams::default()).unwrap();
    let r = session.terms(&case.foreground, &[]).unwrap().data;
    let agree = raw.iter().zip(&r).filter(|(u, r)| (**u > 0.5) == (**r < 0.0)).count();
    assert!(agree as f64 >= 0.99 * r.len() as f64, "{agree} of {} pixels", r.len());
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let config = |seed| SingleConfig { size: 0, iterations: 4, seed, ..SingleConfig::default() };
    let case = disc(0);
    assert_eq!(single(&case, &config(3)).1, single(&case, &config(3)).1);
    assert_ne!(single(&case, &config(3)).1, single(&case, &config(4)).1);
}

#[test]
fn cases_that_cannot_be_learned_are_named() {
    let mut flat = disc(0);
    flat.image.samples_mut().fill(7.0);
    flat.name = "flat one".into();
    let mut outside = disc(1);
    outside.name = "far click".into();
    outside.foreground[0] = [400, 3, 0];
    for (case, name) in [(flat, "flat one"), (outside, "far click")] {
        let result = train_on(&[disc(0), case], &config(Variant::M4, 2), &Device::flex(), None, &mut |_| {
            ControlFlow::Continue(())
        });
        match result {
            Err(Error::Case { case, .. }) => assert_eq!(case, name),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{name} was learned"),
        }
    }
}

#[test]
fn a_loss_that_is_no_number_ends_the_training() {
    let mut config = config(Variant::M2, 50);
    config.training.learning_rate = 1e30;
    let result = train_on(&[disc(0)], &config, &Device::flex(), None, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(Error::NotFinite { .. })), "{:?}", result.map(|trained| trained.loss));
}

#[test]
fn losses_of_several_batches_add_up() {
    use burn::tensor::Tensor;
    let loss = |x: f32| {
        let x = Tensor::<1>::from_floats([x], &Device::flex());
        Loss { total: x.clone(), terms: vec![("data", x)] }
    };
    let sum = loss(1.0).plus(loss(2.5));
    assert_eq!(sum.total.into_scalar::<f32>(), 3.5);
    assert_eq!(sum.terms[0].1.clone().into_scalar::<f32>(), 3.5);
}
