//! Choosing the parameters of a selective method on two images, and scoring it on the others.

use std::ops::ControlFlow;
use std::time::Instant;

use fewmark::metrics::Confusion;
use fewmark::{Error, registry};
use serde::{Deserialize, Serialize};

use crate::cases::{Case, TUNING};
use crate::results::Spread;

/// Seeds of the clicks on which parameters are chosen.
pub const TUNING_SEEDS: std::ops::Range<u64> = 0..3;
/// Seeds of the clicks that are reported; the first one is the row that stands beside the paper's.
pub const REPORTED_SEEDS: std::ops::Range<u64> = 0..3;
/// A candidate replaces the best one so far only when it is better by more than this: close calls go to the earlier one.
const TIE: f64 = 0.003;

/// The values that a parameter is chosen from, the default first.
pub type Axis = (&'static str, &'static [f64]);

/// What is chosen for total variation.
pub const TV_AXES: [Axis; 3] =
    [("compactness", &[0.5, 0.0, 1.0]), ("mu", &[0.06, 0.03, 0.12]), ("theta", &[1.25, 1.0, 2.0])];
/// What is chosen for elastica, the rest being as for total variation.
pub const ELASTICA_AXES: [Axis; 2] = [("mu", &[0.06, 0.03]), ("beta", &[1.0, 4.0])];

/// One image with one set of clicks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Name of the image.
    pub image: String,
    /// Seed of the clicks.
    pub seed: u64,
    /// Dice coefficient.
    pub dice: f64,
    /// Jaccard index.
    pub jaccard: f64,
    /// Time of the segmentation in seconds.
    pub seconds: f64,
}

/// A method on a data set: what was chosen, and how it did.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Name of the method.
    pub method: &'static str,
    /// The parameters chosen on the first two images.
    pub chosen: toml::Table,
    /// Dice on those images over [`TUNING_SEEDS`].
    pub tuning_dice: Spread,
    /// Dice on the other images with the first reported seed.
    pub dice: Spread,
    /// Jaccard index on the other images with the first reported seed.
    pub jaccard: Spread,
    /// Mean Dice on the other images for each of [`REPORTED_SEEDS`].
    pub dice_by_seed: Vec<f64>,
    /// Every image and seed.
    pub rows: Vec<Row>,
}

/// Chooses on the first [`TUNING`] cases among all combinations of `axes`, added to `fixed`, and scores the others.
///
/// # Errors
/// As [`fewmark::Method::segment`].
pub fn column(method: &'static str, cases: &[Case], fixed: &toml::Table, axes: &[Axis]) -> Result<Column, Error> {
    let (chosen, tuning_dice) = chosen(method, cases, fixed, axes)?;
    let reported = &cases[TUNING.min(cases.len())..];
    let rows = run(method, reported, &chosen, REPORTED_SEEDS)?;
    let of_seed = |seed: u64| rows.iter().filter(move |row| row.seed == seed);
    let values = |seed, value: fn(&Row) -> f64| Spread::of(&of_seed(seed).map(value).collect::<Vec<_>>());
    Ok(Column {
        method,
        chosen,
        tuning_dice,
        dice: values(REPORTED_SEEDS.start, |row| row.dice),
        jaccard: values(REPORTED_SEEDS.start, |row| row.jaccard),
        dice_by_seed: REPORTED_SEEDS.map(|seed| values(seed, |row| row.dice).mean).collect(),
        rows,
    })
}

/// What [`column()`] chooses, and its Dice on the images that it is chosen on.
///
/// # Errors
/// As [`fewmark::Method::segment`].
pub fn chosen(
    method: &str,
    cases: &[Case],
    fixed: &toml::Table,
    axes: &[Axis],
) -> Result<(toml::Table, Spread), Error> {
    let tuning = &cases[..TUNING.min(cases.len())];
    let mut best: Option<(toml::Table, Spread)> = None;
    for candidate in combinations(fixed, axes) {
        let spread = Spread::of(&dice(&run(method, tuning, &candidate, TUNING_SEEDS)?));
        if best.as_ref().is_none_or(|(_, so_far)| spread.mean > so_far.mean + TIE) {
            best = Some((candidate, spread));
        }
    }
    Ok(best.unwrap_or_else(|| (fixed.clone(), Spread::of(&[]))))
}

fn dice(rows: &[Row]) -> Vec<f64> {
    rows.iter().map(|row| row.dice).collect()
}

/// Every combination of the axes' values, the first axis varying slowest.
fn combinations(fixed: &toml::Table, axes: &[Axis]) -> Vec<toml::Table> {
    axes.iter().fold(vec![fixed.clone()], |tables, (key, values)| {
        let extended = |table: &toml::Table, value: f64| {
            let mut table = table.clone();
            table.insert((*key).to_owned(), value.into());
            table
        };
        tables.iter().flat_map(|table| values.iter().map(|&value| extended(table, value)).collect::<Vec<_>>()).collect()
    })
}

/// The objects that a method finds with the clicks of one seed.
///
/// # Errors
/// As [`fewmark::Method::segment`].
pub fn masks(method: &str, cases: &[Case], parameters: &toml::Table, seed: u64) -> Result<Vec<Vec<bool>>, Error> {
    let method = registry::find(method)?.build(std::slice::from_ref(parameters))?;
    let mask = |case: &Case| {
        let result = method.segment(&case.image, &case.marks(None, seed), &mut |_| ControlFlow::Continue(()))?;
        Ok(result.labels.mask(1))
    };
    cases.iter().map(mask).collect()
}

/// Segments each case with the clicks of each seed.
fn run(method: &str, cases: &[Case], parameters: &toml::Table, seeds: std::ops::Range<u64>) -> Result<Vec<Row>, Error> {
    let method = registry::find(method)?.build(std::slice::from_ref(parameters))?;
    let mut rows = Vec::new();
    for case in cases {
        for seed in seeds.clone() {
            let started = Instant::now();
            let result = method.segment(&case.image, &case.marks(None, seed), &mut |_| ControlFlow::Continue(()))?;
            let seconds = started.elapsed().as_secs_f64();
            let overlap = Confusion::between(&result.labels.mask(1), case.object.mask());
            let (dice, jaccard) = (overlap.dice().unwrap_or(0.0), overlap.iou().unwrap_or(0.0));
            rows.push(Row { image: case.name.clone(), seed, dice, jaccard, seconds });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_keep_what_is_fixed() {
        let fixed = toml::Table::from_iter([("keep".to_owned(), toml::Value::from("all"))]);
        let all = combinations(&fixed, &[("mu", &[1.0, 2.0]), ("theta", &[3.0, 4.0, 5.0])]);
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|table| table["keep"].as_str() == Some("all") && table.len() == 3));
        assert_eq!((all[0]["mu"].as_float(), all[5]["theta"].as_float()), (Some(1.0), Some(5.0)));
    }
}
