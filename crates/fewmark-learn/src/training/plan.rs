//! How long and how fast a network is trained.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Everything that decides how the loop runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Steps of the optimiser.
    pub iterations: u64,
    /// Seed of everything random: first weights, noise, batches.
    pub seed: u64,
    /// Learning rate of the first step after the warm-up.
    pub learning_rate: f64,
    /// Iterations over which the learning rate rises from 0 to where the schedule has it.
    pub warmup: u64,
    /// How the learning rate falls.
    pub schedule: Schedule,
    /// Iterations between two falls of the schedule `step`.
    pub step_every: u64,
    /// What the learning rate is multiplied by at each fall of the schedule `step`.
    pub step_factor: f64,
    /// How gradients become steps.
    pub optimizer: Optimizer,
    /// Decay of the sum of gradients of stochastic gradient descent.
    pub momentum: f64,
    /// Decay of Adam's mean gradient.
    pub beta_1: f64,
    /// Decay of Adam's mean squared gradient.
    pub beta_2: f64,
    /// What is added to the root of Adam's mean squared gradient.
    pub epsilon: f64,
    /// This times a weight is added to its gradient.
    pub weight_decay: f64,
    /// Gradients to one tensor of weights that are longer than this are shortened to it; 0 leaves them as they are.
    pub clip: f64,
    /// Iterations between two validations, the last of which follows the last iteration; 0 for none.
    pub validate_every: u64,
    /// Validations without a better score after which training ends; 0 never ends it.
    pub patience: u64,
    /// Iterations between two checkpoints; 0 for one at the end only.
    pub checkpoint_every: u64,
    /// How many times pictures are kept, at equal intervals.
    pub snapshots: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            iterations: 1000,
            seed: 0,
            learning_rate: 1e-3,
            warmup: 0,
            schedule: Schedule::Constant,
            step_every: 200,
            step_factor: 0.8,
            optimizer: Optimizer::Adam,
            momentum: 0.9,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip: 0.0,
            validate_every: 0,
            patience: 0,
            checkpoint_every: 50,
            snapshots: 0,
        }
    }
}

/// How gradients become steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam (Kingma and Ba 2015).
    Adam,
    /// Stochastic gradient descent with momentum: `v <- momentum v + g`, `p <- p - rate v`.
    Sgd,
}

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// By a factor every so many iterations.
    Step,
    /// Along half a cosine to 0 (Loshchilov and Hutter 2017, without restarts).
    Cosine,
}

impl Plan {
    /// The learning rate of an iteration, from 1.
    pub fn rate(&self, iteration: u64) -> f64 {
        let done = iteration - 1;
        let share = match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Step => self.step_factor.powf((done / self.step_every) as f64),
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done as f64 / self.iterations as f64).cos()),
        };
        let risen = if iteration < self.warmup { iteration as f64 / self.warmup as f64 } else { 1.0 };
        self.learning_rate * share * risen
    }

    /// Whether pictures are kept after an iteration.
    pub(crate) fn shows(&self, iteration: u64) -> bool {
        let shown = |iteration: u64| u128::from(iteration) * u128::from(self.snapshots) / u128::from(self.iterations);
        shown(iteration) > shown(iteration - 1)
    }

    /// Whether every number is one that its setting can have.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        let failed =
            |name, found: &dyn ToString, expected| Err(Error::Setting { name, found: found.to_string(), expected });
        for (name, count) in [("training.iterations", self.iterations), ("training.step_every", self.step_every)] {
            if count == 0 {
                return failed(name, &count, "a whole number of at least 1");
            }
        }
        for (name, x) in [
            ("training.learning_rate", self.learning_rate),
            ("training.step_factor", self.step_factor),
            ("training.epsilon", self.epsilon),
        ] {
            if !(x.is_finite() && x > 0.0) {
                return failed(name, &x, "a positive number");
            }
        }
        for (name, x) in
            [("training.momentum", self.momentum), ("training.beta_1", self.beta_1), ("training.beta_2", self.beta_2)]
        {
            if !(0.0..1.0).contains(&x) {
                return failed(name, &x, "at least 0 and less than 1");
            }
        }
        for (name, x) in [("training.weight_decay", self.weight_decay), ("training.clip", self.clip)] {
            if !(x.is_finite() && x >= 0.0) {
                return failed(name, &x, "a number of at least 0");
            }
        }
        Ok(())
    }
}

/// The random numbers of one iteration, which depend on nothing but the seed and its number: a training that is gone on with draws
/// what it would have drawn. Iteration 0 is for what is drawn once.
pub fn random_of(seed: u64, iteration: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(iteration);
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_fall_as_scheduled() {
        let plan = |schedule| Plan { schedule, iterations: 400, learning_rate: 1.0, ..Plan::default() };
        assert_eq!(plan(Schedule::Constant).rate(400), 1.0);
        let step = plan(Schedule::Step);
        assert_eq!([1, 200, 201, 400].map(|i| step.rate(i)), [1.0, 1.0, 0.8, 0.8]);
        let cosine = plan(Schedule::Cosine);
        assert_eq!(cosine.rate(1), 1.0);
        assert!((cosine.rate(201) - 0.5).abs() < 1e-12);
        assert!(cosine.rate(400) < 1e-4);
        let warm = Plan { warmup: 4, ..plan(Schedule::Constant) };
        assert_eq!([1, 2, 4, 5].map(|i| warm.rate(i)), [0.25, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn pictures_are_kept_at_equal_intervals_and_at_the_end() {
        let plan = Plan { iterations: 100, snapshots: 4, ..Plan::default() };
        let shown: Vec<u64> = (1..=100).filter(|&i| plan.shows(i)).collect();
        assert_eq!(shown, [25, 50, 75, 100]);
        assert!(!(1..=100).any(|i| Plan { snapshots: 0, ..plan.clone() }.shows(i)));
    }
}
