//! The learned columns of the selective tables: trained on the two tuning images with clicks, scored on the others.

use std::ops::ControlFlow;
use std::time::Instant;

use fewmark::learn::dip::{Case as Clicked, DipConfig, Prediction, Predictor, SingleConfig, segment, train_on};
use fewmark::learn::{Compute, Run};
use fewmark::metrics::Confusion;
use fewmark::{Error, Marks};
use serde::{Deserialize, Serialize};

use crate::cases::Case;
use crate::results::Spread;
use crate::selective::Row;

/// A learned method with one seed of training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Training {
    /// Seed of weights and noise.
    pub seed: u64,
    /// Steps of the optimiser.
    pub iterations: u64,
    /// Time of the training in seconds.
    pub seconds: f64,
    /// Dice of the reported images.
    pub dice: Spread,
    /// Jaccard index of the reported images.
    pub jaccard: Spread,
    /// Every reported image.
    pub rows: Vec<Row>,
}

/// An image with clicks, as it is learned from.
pub fn clicked(case: &Case, marks: &Marks) -> Result<Clicked, Error> {
    let marks = marks.in_voxels(case.image.geometry())?;
    let (foreground, background) = (marks.foreground, marks.background);
    Ok(Clicked { name: case.name.clone(), image: case.image.clone(), foreground, background })
}

/// Trains on some images with the clicks of `marks`, and scores others after each of several numbers of steps: a training that
/// ends later is one that ended earlier and was gone on with.
///
/// # Errors
/// As [`train_on`].
pub fn trained(
    training: &[Case],
    reported: &[Case],
    marks: &dyn Fn(&Case) -> Marks,
    config: &DipConfig,
    stops: &[u64],
) -> Result<Vec<(Training, Predictor)>, Error> {
    let device = Compute::Cpu.device()?;
    let learned_from = training.iter().map(|case| clicked(case, &marks(case))).collect::<Result<Vec<_>, _>>()?;
    let folder = std::env::temp_dir().join(format!("fewmark-paper-{}", std::process::id()));
    let mut run = Run::create(&folder, &toml::Table::new())?;
    let result = stops.iter().map(|&iterations| {
        let mut config = config.clone();
        config.training.iterations = iterations;
        (config.training.snapshots, config.training.checkpoint_every) = (0, 0);
        let done = train_on(&learned_from, &config, &device, Some(&mut run), &mut |_| ControlFlow::Continue(()))?;
        let predictor = Predictor::new(done.network, config.clone(), device.clone());
        let rows = score(reported, marks, |case| Ok(predictor.predict(case, false)?))?;
        let seed = config.training.seed;
        Ok((summary(seed, done.iterations, done.seconds, rows), predictor))
    });
    let result = result.collect();
    drop(run);
    // What is left behind in the system's folder for such things does no harm.
    let _ = std::fs::remove_dir_all(&folder);
    result
}

/// Scores the model for a single image, which learns each image on its own, and shows each mask to `seen`.
///
/// # Errors
/// As [`segment`].
pub fn single(
    reported: &[Case],
    marks: &dyn Fn(&Case) -> Marks,
    config: &DipConfig,
    single: &SingleConfig,
    seen: &mut dyn FnMut(&[bool]),
) -> Result<Training, Error> {
    let device = Compute::Cpu.device()?;
    let begun = Instant::now();
    let rows = score(reported, marks, |case| {
        let DipConfig { prior, scaling, model, .. } = config;
        let go_on = &mut |_: &fewmark::learn::Step| ControlFlow::Continue(());
        let prediction = segment(case, single, prior, scaling, model, &device, go_on)?.prediction;
        seen(&prediction.mask);
        Ok(prediction)
    })?;
    Ok(summary(single.seed, single.iterations, begun.elapsed().as_secs_f64(), rows))
}

fn score(
    cases: &[Case],
    marks: &dyn Fn(&Case) -> Marks,
    mut predict: impl FnMut(&Clicked) -> Result<Prediction, Error>,
) -> Result<Vec<Row>, Error> {
    let row = |case: &Case| {
        let input = clicked(case, &marks(case))?;
        let begun = Instant::now();
        let mask = predict(&input)?.mask;
        let seconds = begun.elapsed().as_secs_f64();
        let overlap = Confusion::between(&mask, case.object.mask());
        let (dice, jaccard) = (overlap.dice().unwrap_or(0.0), overlap.iou().unwrap_or(0.0));
        Ok(Row { image: case.name.clone(), seed: 0, dice, jaccard, seconds })
    };
    cases.iter().map(row).collect()
}

fn summary(seed: u64, iterations: u64, seconds: f64, rows: Vec<Row>) -> Training {
    let values = |value: fn(&Row) -> f64| Spread::of(&rows.iter().map(value).collect::<Vec<_>>());
    let (dice, jaccard) = (values(|row| row.dice), values(|row| row.jaccard));
    Training { seed, iterations, seconds, dice, jaccard, rows }
}
