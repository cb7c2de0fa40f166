//! Networks that draw while they learn. A program of its own: the generator that dropout draws from belongs to the whole program, which
//! trains one network at a time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "learning/labelled.rs"]
mod labelled;

use std::ops::ControlFlow;

use fewmark_learn::supervised::{Outcome, train_on};
use fewmark_learn::{Compute, Event, Run, StopReason};
use fewmark_nets::Architecture;
use labelled::{CODES, case, config, trained};

fn until_the_second(event: &Event) -> ControlFlow<()> {
    match event {
        Event::Step(step) if step.iteration >= 2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

/// Dropout, running statistics, patches and augmentation draw the same numbers again, in both ranks.
#[test]
fn a_training_that_is_stopped_ends_as_if_it_had_not_been() {
    let networks = [
        (Architecture::find("deeplabv3plus", 1, 2).unwrap(), [17, 18, 1]),
        (Architecture::find("densevoxnet", 1, 2).unwrap(), [9, 8, 5]),
        (Architecture::find("unet3d", 1, 2).unwrap(), [16, 16, 16]),
    ];
    for (network, size) in networks {
        let config = config(network, 3);
        let cases = [case(0, size), case(1, size)].map(|mut case| {
            // Every code in every case, however small it is.
            case.labels.labels_mut()[..2].copy_from_slice(&CODES);
            case
        });
        let answer = |outcome: &Outcome| {
            let found = outcome.predictor.predict(&cases[0].image, &mut |_| ControlFlow::Continue(())).unwrap();
            found.probabilities.samples().to_vec()
        };
        let whole = trained(&config, &cases).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::create(folder.path().join("run"), &toml::Table::new()).unwrap();
        let device = Compute::Cpu.device().unwrap();
        let stopped = train_on(&cases, &config, &device, Some(&mut run), &mut until_the_second).unwrap();
        assert_eq!((stopped.reason, stopped.iterations), (StopReason::Stopped, 2));
        drop(run);
        let (mut run, _) = Run::resume(folder.path().join("run")).unwrap();
        let resumed = train_on(&cases, &config, &device, Some(&mut run), &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(answer(&resumed) == answer(&whole), "{}", config.network.name());
        assert!(answer(&stopped) != answer(&whole), "a third step changes the network");
    }
}
