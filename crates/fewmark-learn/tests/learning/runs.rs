//! Trainings that are stopped and gone on with, and files that are not what they should be.

use std::ops::ControlFlow;
use std::path::Path;

use crate::support::{config, disc, until};
use burn::tensor::Device;
use fewmark_learn::dip::{Case, DipConfig, Predictor, Variant, train_on};
use fewmark_learn::model::Summary;
use fewmark_learn::{Error, Event, Run, StopReason, model};

fn cases() -> Vec<Case> {
    vec![disc(0), disc(1)]
}

fn go_on(_: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The bytes of the model that a training comes to.
fn model_of(config: &DipConfig, run: Option<&mut Run>, file: &Path) -> Vec<u8> {
    let trained = train_on(&cases(), config, &Device::flex(), run, &mut go_on).unwrap();
    assert_eq!(trained.reason, StopReason::Finished);
    Predictor::new(trained.network, config.clone(), Device::flex()).save(file, Summary::default()).unwrap();
    std::fs::read(file).unwrap()
}

fn steps(run: &mut Run) -> Vec<u64> {
    let number = |event: Event| match event {
        Event::Step(step) => Some(step.iteration),
        Event::Validation { .. } => None,
    };
    run.events().unwrap().into_iter().filter_map(number).collect()
}

#[test]
fn a_training_that_was_stopped_ends_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(Variant::M4, 8);
    let expected = model_of(&config, None, &folder.path().join("a.safetensors"));

    let path = folder.path().join("run");
    let mut run = Run::create(&path, &toml::Table::new()).unwrap();
    let stopped = train_on(&cases(), &config, &Device::flex(), Some(&mut run), &mut until(5)).unwrap();
    assert_eq!((stopped.reason, stopped.iterations), (StopReason::Stopped, 5));
    drop(run);
    let (mut run, _) = Run::resume(&path).unwrap();
    assert_eq!(model_of(&config, Some(&mut run), &folder.path().join("b.safetensors")), expected);
    assert_eq!(steps(&mut run), (1..=8).collect::<Vec<_>>());
    assert_eq!(run.pictures().unwrap().len(), 2 * 2 * 3, "two images, two times, three pictures");
}

/// A program that is killed leaves a log that is ahead of the checkpoint, with a line cut short.
#[test]
fn what_was_logged_after_the_checkpoint_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(Variant::M2, 8);
    let expected = model_of(&config, None, &folder.path().join("a.safetensors"));

    let path = folder.path().join("run");
    let mut run = Run::create(&path, &toml::Table::new()).unwrap();
    train_on(&cases(), &config, &Device::flex(), Some(&mut run), &mut until(6)).unwrap();
    drop(run);
    let log = path.join("metrics.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let seventh = text.lines().last().unwrap().replace("\"iteration\":6", "\"iteration\":7");
    std::fs::write(&log, format!("{text}{seventh}\n{}", &seventh[..20])).unwrap();

    let (mut run, _) = Run::resume(&path).unwrap();
    assert_eq!(model_of(&config, Some(&mut run), &folder.path().join("b.safetensors")), expected);
    assert_eq!(steps(&mut run), (1..=8).collect::<Vec<_>>());
}

#[test]
fn a_run_folder_is_for_one_training_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = Run::create(&path, &toml::Table::from_iter([("train".to_owned(), "dip".into())])).unwrap();
    assert!(matches!(Run::resume(&path), Err(Error::Run { .. })));
    assert_eq!(Run::state(&path).unwrap().state, "running");
    drop(run);
    assert!(matches!(Run::create(&path, &toml::Table::new()), Err(Error::Run { .. })));
    let state = Run::state(&path).unwrap();
    assert_eq!((state.state, state.method.as_str(), state.step), ("stopped", "dip", None));
    assert!(matches!(Run::resume(folder.path()), Err(Error::Run { .. })));
}

#[test]
fn damaged_and_foreign_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    let config = config(Variant::M1, 1);
    let whole = model_of(&config, None, &file);
    let load = |bytes: &[u8]| -> Result<Predictor, Error> {
        std::fs::write(&file, bytes).unwrap();
        Predictor::load(model::read(&file)?, Device::flex())
    };
    load(&whole).unwrap();
    let foreign = safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap();
    // One weight gets another name of the same length.
    let name = b".weight\":{\"dtype\"";
    let at = whole.windows(name.len()).position(|bytes| bytes == name).unwrap();
    let mut other = whole.clone();
    other[at + 1] = b'h';
    for (what, bytes) in [
        ("cut short", &whole[..whole.len() - 1]),
        ("cut in the header", &whole[..100]),
        ("empty", &[][..]),
        ("no safetensors", b"not a model at all"),
        ("of another program", &foreign),
        ("of another network", &other),
    ] {
        match load(bytes) {
            Err(Error::File { expected: "model", .. }) => {}
            Err(other) => panic!("{what}: {other}"),
            Ok(_) => panic!("{what}: was read"),
        }
    }
}

#[test]
fn a_checkpoint_is_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut run = Run::create(&path, &toml::Table::new()).unwrap();
    train_on(&cases(), &config(Variant::M1, 1), &Device::flex(), Some(&mut run), &mut go_on).unwrap();
    let error = model::read(path.join("checkpoints/latest.safetensors")).unwrap_err();
    assert!(error.to_string().contains("it is a checkpoint"), "{error}");
}
