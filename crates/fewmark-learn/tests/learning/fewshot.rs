//! Few-shot segmentation, driven from outside.

use std::ops::ControlFlow;

use burn::tensor::Device;
use fewmark_image::{Dimension, Geometry, Image, LabelMap, slice, slice_labels};
use fewmark_learn::fewshot::{
    Augmentation, Encoded, FewShotConfig, InferenceConfig, Known, LossConfig, Predictor, Scan, Source, Support,
    se_net_paper, train_on, train_se_net,
};
use fewmark_learn::model::{self, Summary};
use fewmark_learn::superpixels::Partition;
use fewmark_learn::{Error, Event, Optimizer, Run};
use fewmark_nets::{EncoderConfig, SeNetConfig, SlimResNetConfig};

use crate::support::until;

const SIZE: [usize; 3] = [40, 32, 6];

/// A body with a bright organ in its middle slices, moved by `shift` pixels, and the organ's label.
fn body(shift: usize) -> (Image, LabelMap) {
    let [width, height, _] = SIZE;
    let at = |i: usize| [(i % width) as f32, (i / width % height) as f32, (i / (width * height)) as f32];
    let in_body = |[x, y, _]: [f32; 3]| ((x - 20.0) / 17.0).powi(2) + ((y - 16.0) / 13.0).powi(2) < 1.0;
    let in_organ = |[x, y, z]: [f32; 3]| (x - 13.0 - shift as f32).hypot(y - 16.0) < 6.0 && (1.0..5.0).contains(&z);
    let sample = |i: usize| {
        let p = at(i);
        let ripple = ((i * 7919) % 101) as f32 / 101.0;
        let organ = f32::from(u8::from(in_organ(p)));
        f32::from(u8::from(in_body(p))) * (80.0 + 15.0 * p[2] + 150.0 * organ) + 8.0 * ripple
    };
    let geometry = Geometry::unit(Dimension::Three, SIZE).unwrap();
    let voxels = geometry.len();
    let mask: Vec<bool> = (0..voxels).map(|i| in_organ(at(i))).collect();
    let image = Image::new((0..voxels).map(sample).collect(), 1, geometry.clone()).unwrap();
    (image, LabelMap::from_mask(&mask, geometry).unwrap())
}

fn scan(shift: usize) -> Scan {
    let (image, labels) = body(shift);
    Scan { name: format!("body-{shift}"), image, labels: Some(labels), allowed: None }
}

/// A body as it is encoded, and what its label shows.
fn shown(predictor: &Predictor, shift: usize) -> (Encoded, Support) {
    let (image, labels) = body(shift);
    let scan = predictor.encode(&image, &mut go_on).unwrap();
    let support = Support::new(predictor, &scan, &labels).unwrap();
    (scan, support)
}

fn config(iterations: u64) -> FewShotConfig {
    let mut config = FewShotConfig { size: 48, ..FewShotConfig::default() };
    config.encoder = EncoderConfig::Slim(SlimResNetConfig { width: 4 });
    config.start = "random".into();
    config.episodes.least_pixels = 20;
    if let Partition::Felzenszwalb(params) = &mut config.episodes.superpixels.partition {
        params.min_size = 40;
    }
    config.training.iterations = iterations;
    config.training.learning_rate = 5e-3;
    config.training.checkpoint_every = 3;
    config
}

fn go_on(_: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn losses(scans: &[Scan], config: &FewShotConfig) -> (Predictor, Vec<f32>) {
    let mut losses = Vec::new();
    let mut told = |event: &Event| {
        if let Event::Step(step) = event {
            losses.push(step.loss);
        }
        ControlFlow::Continue(())
    };
    let found = train_on(scans, config, None, &Device::flex(), None, &mut told).unwrap();
    (found.predictor, losses)
}

fn dice(found: &LabelMap, truth: &LabelMap) -> f64 {
    let both = found.labels().iter().zip(truth.labels()).filter(|(a, b)| **a == 1 && **b == 1).count();
    let each = found.labels().iter().chain(truth.labels()).filter(|l| **l == 1).count();
    2.0 * both as f64 / each as f64
}

#[test]
fn an_encoder_learns_from_superpixels_and_segments_another_body() {
    let (predictor, losses) = losses(&[scan(0), scan(2), scan(5)], &config(80));
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[60..]) < 0.8 * mean(&losses[..20]), "{} {}", mean(&losses[..20]), mean(&losses[60..]));

    let (_, support) = shown(&predictor, 1);
    let (query, truth) = body(4);
    let query = predictor.encode(&query, &mut go_on).unwrap();
    let found = predictor.segment(&query, &[support], &mut go_on).unwrap();
    assert!(dice(&found.labels, &truth) > 0.6, "{}", dice(&found.labels, &truth));
    assert_eq!(found.labels.geometry(), truth.geometry());
}

#[test]
fn a_scan_is_segmented_by_itself() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let (scan, support) = shown(&predictor, 0);
    let found = predictor.segment(&scan, &[support], &mut go_on).unwrap();
    // Features of 4 pixels cannot follow the outline of an organ of 12.
    let labels = body(0).1;
    assert!(dice(&found.labels, &labels) > 0.85, "{}", dice(&found.labels, &labels));
}

#[test]
fn two_labelled_slices_show_the_object_between_them() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let (image, mut labels) = body(0);
    let area = SIZE[0] * SIZE[1];
    // Slices 1 to 4 hold the organ.
    labels.labels_mut()[2 * area..4 * area].fill(0);
    let scan = predictor.encode(&image, &mut go_on).unwrap();
    let support = Support::new(&predictor, &scan, &labels).unwrap();
    let (query, truth) = body(3);
    let query = predictor.encode(&query, &mut go_on).unwrap();
    let at = |z: usize| (1..5).contains(&z).then_some(z as f64);
    let found = predictor.find(&query, 1, &[(&support, (0..6).map(at).collect())]).unwrap();
    let found = LabelMap::from_mask(&found.mask, truth.geometry().clone()).unwrap();
    assert!(dice(&found, &truth) > 0.8, "{}", dice(&found, &truth));
    let voxels = |z: usize| found.labels()[z * area..(z + 1) * area].iter().filter(|&&l| l == 1).count();
    assert!(voxels(0) == 0 && voxels(2) > 0 && voxels(3) > 0 && voxels(5) == 0);
}

#[test]
fn without_smoothing_an_outline_is_where_both_are_as_likely() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let mut config = predictor.config().clone();
    config.inference.refinement = 0.0;
    let predictor = predictor.with_inference_of(&config);
    config.inference.smoothing = 0.0;
    let plain = predictor.clone().with_inference_of(&config);
    let (scan, support) = shown(&predictor, 0);
    let at: Vec<_> = (0..6).map(|z| Some(z as f64)).collect();
    let find = |predictor: &Predictor| predictor.find(&scan, 1, &[(&support, at.clone())]).unwrap();
    let (plain, smooth) = (find(&plain), find(&predictor));
    assert!(plain.mask.iter().zip(&plain.probability).all(|(&inside, &p)| inside == (p > 0.5)));
    assert_eq!(plain.probability, smooth.probability);
    assert_ne!(plain.mask, smooth.mask);
}

#[test]
fn settings_that_cannot_be_are_named() {
    let named = |change: fn(&mut FewShotConfig)| {
        let mut config = FewShotConfig::default();
        change(&mut config);
        match config.check().unwrap_err() {
            Error::Setting { name, .. } => name,
            other => panic!("{other}"),
        }
    };
    assert_eq!(named(|c| c.inference.reach = 1.5), "inference.reach");
    assert_eq!(named(|c| c.inference.offset = f64::NAN), "inference.offset");
    assert_eq!(named(|c| c.inference.smoothing = -1.0), "inference.smoothing");
    assert_eq!(named(|c| c.size = 100), "size");
}

#[test]
fn an_se_net_learns_from_labels_and_segments_by_one_slice() {
    let mut config = FewShotConfig { size: 48, ..se_net_paper() };
    config.episodes.least_pixels = 20;
    config.training.iterations = 120;
    config.training.optimizer = Optimizer::Adam;
    config.training.learning_rate = 5e-3;
    config.training.weight_decay = 0.0;
    let network = SeNetConfig { conditioner: 4, segmenter: 8 };
    let mut losses = Vec::new();
    let mut told = |event: &Event| {
        if let Event::Step(step) = event {
            losses.push(step.loss);
        }
        ControlFlow::Continue(())
    };
    let scans = [scan(0), scan(3), scan(6)];
    let found = train_se_net(&scans, &config, &network, &Device::flex(), None, &mut told).unwrap();
    let (support, labels) = body(1);
    let (query, truth) = body(4);
    let by = [None, Some(2), Some(2), Some(3), Some(3), None];
    let mask = found.find(&query, (&support, &labels), 1, &by).unwrap();
    let found = LabelMap::from_mask(&mask, truth.geometry().clone()).unwrap();
    assert!(dice(&found, &truth) > 0.6, "{} {losses:?}", dice(&found, &truth));
}

#[test]
fn a_training_that_was_stopped_goes_on_to_the_bit() {
    let scans = [scan(0), scan(3)];
    let mut config = config(7);
    for synthetic in [0.0, 0.5] {
        config.episodes.synthetic = synthetic;
        let folder = tempfile::tempdir().unwrap();
        let table = toml::Table::new();
        let weights = |run: &mut Run, last: u64| {
            let found = train_on(&scans, &config, None, &Device::flex(), Some(run), &mut until(last)).unwrap();
            let path = run.path().join("weights.safetensors");
            found.predictor.save(&path, Summary::default()).unwrap();
            std::fs::read(path).unwrap()
        };
        let whole = weights(&mut Run::create(folder.path().join("whole"), &table).unwrap(), 7);
        let parts = folder.path().join("parts");
        let first = weights(&mut Run::create(&parts, &table).unwrap(), 4);
        let second = weights(&mut Run::resume(&parts).unwrap().0, 7);
        assert!(first != whole && second == whole, "synthetic {synthetic}");
    }
}

#[test]
fn slices_that_are_not_allowed_are_never_learned_from() {
    let mut scan = scan(0);
    scan.allowed = Some(vec![false; 6]);
    let error = train_on(&[scan.clone()], &config(1), None, &Device::flex(), None, &mut until(1)).unwrap_err();
    assert!(matches!(error, Error::Unfit { .. }), "{error}");
    // Labels 1 only occur in slices 1 to 4.
    let mut labelled = config(1);
    labelled.episodes.source = Source::Labels;
    scan.allowed = Some([true, false, false, false, false, true].to_vec());
    let error = train_on(&[scan.clone()], &labelled, None, &Device::flex(), None, &mut until(1)).unwrap_err();
    assert!(matches!(error, Error::Unfit { .. }), "{error}");
    scan.allowed = Some([false, true, false, false, false, false].to_vec());
    train_on(&[scan], &labelled, None, &Device::flex(), None, &mut until(1)).unwrap();
}

#[test]
fn the_loss_of_the_first_step_is_of_its_terms() {
    let scans = [scan(0)];
    let mut config = config(1);
    config.augmentation = Augmentation::NONE;
    let with = losses(&scans, &config).1[0];
    config.loss = LossConfig { alignment: 0.0, ..config.loss };
    let without = losses(&scans, &config).1[0];
    assert!(without > 0.0 && with > without);
}

#[test]
fn a_model_that_was_shown_something_needs_nothing_else() {
    let predictor = Predictor::untrained(config(1), Device::flex()).unwrap();
    let (_, support) = shown(&predictor, 0);
    let known = Known::new(predictor, vec![support]).unwrap();
    assert_eq!(known.codes(), [1]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("organ.safetensors");
    known.save(&path, Summary::default()).unwrap();
    let again = Known::load(model::read(&path).unwrap(), Device::flex()).unwrap();
    let (query, _) = body(3);
    let [a, b] = [&known, &again].map(|known| known.segment(&query, &mut go_on).unwrap());
    assert!(a.labels == b.labels && a.probability.samples() == b.probability.samples());
    // It is no model of the other kinds.
    assert!(Predictor::load(model::read(&path).unwrap(), Device::flex()).is_err());
    // With settings that cannot be it is none either.
    let mut crafted = model::read(&path).unwrap();
    crafted.header.config["fewshot"]["size"] = 17.into();
    let told = Known::load(crafted, Device::flex()).unwrap_err().to_string();
    assert!(told.contains("size = 17"), "{told}");
    // Without any part of what it was shown it is refused.
    let whole = std::fs::read(&path).unwrap();
    for part in ["background", "object", "mask", "place", "appearance"] {
        let (name, broken) = (format!("label.1.{part}\""), path.with_file_name(format!("{part}.safetensors")));
        let at = whole.windows(name.len()).position(|bytes| bytes == name.as_bytes()).expect("the part's name");
        let mut bytes = whole.clone();
        bytes[at] = b'L';
        std::fs::write(&broken, bytes).unwrap();
        let told = Known::load(model::read(&broken).unwrap(), Device::flex()).unwrap_err().to_string();
        assert!(told.contains("lacks a part of a support"), "{part}: {told}");
    }
}

#[test]
fn the_encoder_inside_the_program_works_by_today_s_settings() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    assert_eq!(predictor.config().inference, InferenceConfig::default());
}

#[test]
fn the_encoder_inside_the_program_segments_a_body_that_it_never_saw() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let (_, support) = shown(&predictor, 0);
    let (query, truth) = body(4);
    let query = predictor.encode(&query, &mut go_on).unwrap();
    let found = predictor.segment(&query, &[support], &mut go_on).unwrap();
    assert!(dice(&found.labels, &truth) > 0.7, "{}", dice(&found.labels, &truth));
}

#[test]
fn labels_are_carried_over_scans_without_labels() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let (_, support) = shown(&predictor, 0);
    assert!(!support.is_carried());
    let mut known = Known::new(predictor, vec![support]).unwrap();
    let (query, truth) = body(5);
    let by_one = known.segment(&query, &mut go_on).unwrap();
    assert!(known.carry(&body(3).0, &mut go_on).unwrap());
    let by_both = known.segment(&query, &mut go_on).unwrap();
    assert!(by_both.probability.samples() != by_one.probability.samples(), "the other scan has no voice");
    assert!(dice(&by_both.labels, &truth) > 0.8, "{}", dice(&by_both.labels, &truth));
    // What was carried is kept as such.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("organ.safetensors");
    known.save(&path, Summary::default()).unwrap();
    let again = Known::load(model::read(&path).unwrap(), Device::flex()).unwrap();
    assert!(again.segment(&query, &mut go_on).unwrap().probability.samples() == by_both.probability.samples());
    // A scan is no witness of itself.
    let mut own = Known::new(again.predictor().clone(), vec![shown(again.predictor(), 0).1]).unwrap();
    assert!(own.carry(&query, &mut go_on).unwrap());
    assert!(own.segment(&query, &mut go_on).unwrap().probability.samples() == by_one.probability.samples());
    // A scan in which nothing is found is no support.
    let inference = InferenceConfig { offset: -1e6, ..InferenceConfig::default() };
    let blind = FewShotConfig { inference, ..FewShotConfig::default() };
    let predictor = Predictor::built_in(Device::flex()).unwrap().with_inference_of(&blind);
    let (scan, support) = shown(&predictor, 0);
    assert!(predictor.carried(&scan, &[support], &mut go_on).unwrap().is_none());
}

#[test]
fn a_single_slice_is_segmented_by_another_though_labels_were_carried_to_volumes() {
    let slice_of = |shift| {
        let (image, labels) = body(shift);
        (slice(&image, 2, 3).unwrap(), slice_labels(&labels, 2, 3).unwrap())
    };
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let (image, labels) = slice_of(0);
    let scan = predictor.encode(&image, &mut go_on).unwrap();
    let support = Support::new(&predictor, &scan, &labels).unwrap();
    let mut known = Known::new(predictor, vec![support]).unwrap();
    let (query, truth) = slice_of(3);
    let alone = known.segment(&query, &mut go_on).unwrap();
    assert!(dice(&alone.labels, &truth) > 0.7, "{}", dice(&alone.labels, &truth));
    assert!(known.carry(&body(5).0, &mut go_on).unwrap());
    assert!(known.segment(&query, &mut go_on).unwrap().labels == alone.labels);
}

#[test]
fn places_need_not_be_blurred() {
    let inference = InferenceConfig { blur: 0.0, ..InferenceConfig::default() };
    let sharp = FewShotConfig { inference, ..FewShotConfig::default() };
    let predictor = Predictor::built_in(Device::flex()).unwrap().with_inference_of(&sharp);
    let (_, support) = shown(&predictor, 0);
    let (query, truth) = body(3);
    let query = predictor.encode(&query, &mut go_on).unwrap();
    let found = predictor.segment(&query, &[support], &mut go_on).unwrap();
    assert!(dice(&found.labels, &truth) > 0.7, "{}", dice(&found.labels, &truth));
}

#[test]
fn grey_pictures_that_were_stored_in_colours_are_grey() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let grey = body(0).0;
    let of = |channels: [&[f32]; 3]| Image::new(channels.concat(), 3, grey.geometry().clone()).unwrap();
    let same = of([grey.samples(); 3]);
    let stacks = [&grey, &same].map(|image| {
        let (_, labels) = body(0);
        let scan = predictor.encode(image, &mut go_on).unwrap();
        let support = Support::new(&predictor, &scan, &labels).unwrap();
        predictor.segment(&scan, &[support], &mut go_on).unwrap().probability
    });
    assert!(stacks[0].samples() == stacks[1].samples());
    let dark = vec![0.0; grey.samples().len()];
    let Err(told) = predictor.encode(&of([grey.samples(), grey.samples(), &dark]), &mut go_on) else { panic!("red") };
    assert!(told.to_string().contains("3 channels"), "{told}");
}

#[test]
fn what_cannot_be_a_support_is_told() {
    let predictor = Predictor::untrained(config(1), Device::flex()).unwrap();
    let (image, labels) = body(0);
    let scan = predictor.encode(&image, &mut go_on).unwrap();
    let empty = LabelMap::new(vec![0; labels.labels().len()], labels.geometry().clone()).unwrap();
    assert!(matches!(Support::new(&predictor, &scan, &empty), Err(Error::Unfit { .. })));
    let moved = Geometry::from_parts(
        Dimension::Three,
        SIZE,
        [1.0; 3],
        [9.0, 0.0, 0.0],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    );
    let moved = LabelMap::new(labels.labels().to_vec(), moved.unwrap()).unwrap();
    assert!(matches!(Support::new(&predictor, &scan, &moved), Err(Error::Image(_))));
    assert!(matches!(Known::new(predictor, Vec::new()), Err(Error::Unfit { .. })));
    let mut samples = vec![3.0; 40 * 32 * 6];
    let of = |samples: &[f32]| Image::new(samples.to_vec(), 1, labels.geometry().clone()).unwrap();
    let predictor = Predictor::untrained(config(1), Device::flex()).unwrap();
    assert!(matches!(predictor.encode(&of(&samples), &mut go_on), Err(Error::Unfit { .. })));
    // Where nearly all is background there is contrast all the same.
    samples[1000..1004].fill(90.0);
    predictor.encode(&of(&samples), &mut go_on).unwrap();
    assert!(matches!(train_on(&[], &config(1), None, &Device::flex(), None, &mut until(1)), Err(Error::NoCase)));
}

#[test]
fn an_object_of_a_pixel_is_seen_wherever_it_lies() {
    // Two pixels of the square for three of the slice: the middles of features lie up to six pixels apart.
    let side = 288;
    let geometry = Geometry::unit(Dimension::Two, [side, side, 1]).unwrap();
    let samples = (0..side * side).map(|i| ((i * 7919) % 101) as f32).collect();
    let image = Image::new(samples, 1, geometry.clone()).unwrap();
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let scan = predictor.encode(&image, &mut go_on).unwrap();
    for at in (100..106).map(|x| 100 * side + x) {
        let mut labels = LabelMap::new(vec![0; side * side], geometry.clone()).unwrap();
        labels.labels_mut()[at] = 7;
        let support = Support::new(&predictor, &scan, &labels).unwrap();
        assert_eq!((support.codes().collect::<Vec<_>>(), support.showing(7)), (vec![7], vec![0]), "{at}");
    }
}

#[test]
fn a_single_slice_is_no_query_for_a_scan_of_several() {
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let (_, support) = shown(&predictor, 0);
    let geometry = Geometry::unit(Dimension::Two, [SIZE[0], SIZE[1], 1]).unwrap();
    let slice = body(0).0.samples()[2 * SIZE[0] * SIZE[1]..][..SIZE[0] * SIZE[1]].to_vec();
    let known = Known::new(predictor, vec![support]).unwrap();
    let told = known.segment(&Image::new(slice, 1, geometry).unwrap(), &mut go_on).unwrap_err();
    assert!(told.to_string().contains("single slice"), "{told}");
}

#[test]
fn scans_that_do_not_fit_into_memory_are_refused() {
    if fewmark_image::memory::free().is_none() {
        return eprintln!("skipped: this system does not tell how much memory is free");
    }
    let predictor = Predictor::built_in(Device::flex()).unwrap();
    let of = |side: usize| Geometry::unit(Dimension::Three, [side; 3]).unwrap();
    assert!(predictor.expect_room(&of(64), 1).is_ok());
    let Err(Error::Image(told)) = predictor.expect_room(&of(1 << 13), 3) else { panic!("40 TiB are free") };
    assert!(told.to_string().contains("8192 x 8192 x 8192 voxels by 3 others"), "{told}");
    // A scan that is there, and so many others that all of them say more of it than can be kept.
    let told = predictor.expect_fitting(&body(0).0, usize::MAX / (1 << 20)).unwrap_err();
    assert!(matches!(told, Error::Image(fewmark_image::Error::OutOfMemory { .. })), "{told}");
}

#[test]
fn superpixels_may_be_of_any_kind() {
    let flat = config(2);
    let mut solid = flat.clone();
    solid.episodes.superpixels.in_3d = true;
    let [(_, flat), (_, solid)] = [flat, solid].map(|config| losses(&[scan(0)], &config));
    assert!(solid.iter().all(|loss| loss.is_finite()), "{solid:?}");
    assert_ne!(flat, solid, "other superpixels make other episodes");
}
