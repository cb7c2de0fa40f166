//! Restarts of a run that takes long.
//!
//! Such a run goes round its solution in ever smaller circles. The mean of its states lies near the middle: where that is much closer to the
//! minimum, the run goes on from there, as Applegate and others (2021) do for linear programs.

use rayon::prelude::*;

use super::sweep::{Fields, Level, energies_of};

/// The mean is looked at once in so many states,
const LOOK_EVERY: usize = 4;
/// is of so many at the most,
const MOST: usize = 64;
/// and is gone on from when it lowers the gap to this share. The fastest of 0.2, 0.3, 0.5, 0.7 and 0.9 on two slices of a chest.
const ENOUGH: f64 = 0.3;

/// Samples that are averaged by one task.
const CHUNK: usize = 1 << 13;

/// The mean of the states since the last restart, which is feasible as they are.
pub(super) struct Means {
    u: Vec<f32>,
    p: [Vec<f32>; 3],
    count: usize,
    /// The gap with which these states began.
    start: f64,
}

impl Means {
    /// Of no states yet, at a gap.
    pub(super) fn new(level: &Level, gap: f64) -> Self {
        Self { u: vec![0.0; level.shape.len()], p: level.zeros(), count: 0, start: gap }
    }

    /// Adds the state after an iteration that was not relaxed, with its gap. When the run goes on from the mean: its energy and dual energy.
    pub(super) fn add(
        &mut self,
        fields: &mut Fields,
        tolerance: f64,
        gap: f64,
        gap_of: &impl Fn([f64; 2]) -> f64,
    ) -> Option<[f64; 2]> {
        self.take_in(fields);
        if !self.count.is_multiple_of(LOOK_EVERY) {
            return None;
        }
        let found = energies_of(&fields.level, &self.u, &self.p);
        let of_mean = gap_of(found);
        let better = of_mean < gap && (of_mean <= tolerance || of_mean < ENOUGH * self.start);
        if better {
            fields.restart(&self.u, &self.p);
        }
        if better || self.count >= MOST {
            (self.count, self.start) = (0, gap.min(of_mean));
        }
        better.then_some(found)
    }

    fn take_in(&mut self, fields: &Fields) {
        self.count += 1;
        let share = 1.0 / self.count as f32;
        let states = fields.u.par_chunks(CHUNK).zip(fields.ahead.par_chunks(CHUNK));
        self.u.par_chunks_mut(CHUNK).zip(states).for_each(|(mean, (u, ahead))| {
            for (mean, (u, ahead)) in mean.iter_mut().zip(u.iter().zip(ahead)) {
                *mean += share * ((0.5 * (u + ahead)).clamp(0.0, 1.0) - *mean);
            }
        });
        for (mean, p) in self.p.iter_mut().zip(&fields.p) {
            mean.par_chunks_mut(CHUNK).zip(p.par_chunks(CHUNK)).for_each(|(mean, p)| {
                mean.iter_mut().zip(p).for_each(|(mean, p)| *mean += share * (p - *mean));
            });
        }
    }
}
