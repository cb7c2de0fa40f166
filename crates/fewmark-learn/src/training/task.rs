//! What the loop is told, and what it tells.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;
use fewmark_image::Image;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What is trained: a network, its batches and its loss.
///
/// All that a task draws at random comes from the generator that it is given, so that a training can be gone on with exactly.
pub trait Task {
    /// The network, all of its weights.
    type Net: Module;

    /// The loss of the batch of an iteration; they are counted from 1.
    ///
    /// # Errors
    /// Whatever keeps a batch from being made.
    fn loss(&mut self, network: &Self::Net, iteration: u64, random: &mut ChaCha8Rng) -> Result<Loss, Error>;

    /// How well the network does, without autodiff, on cases that it is not trained with.
    ///
    /// # Errors
    /// Whatever keeps a case from being predicted.
    fn validate(&mut self, network: &Self::Net) -> Result<Option<Validation>, Error> {
        let _ = network;
        Ok(None)
    }

    /// Pictures of where the training is.
    ///
    /// # Errors
    /// Whatever keeps them from being made.
    fn pictures(&mut self) -> Result<Vec<Picture>, Error> {
        Ok(Vec::new())
    }

    /// Whether the task has seen enough, by a rule of its own.
    fn is_finished(&self) -> bool {
        false
    }
}

/// A loss and what it is made of.
pub struct Loss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Its terms by name, with their weights.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}

/// A picture of a training.
pub struct Picture {
    /// What it shows, a part of a file name.
    pub name: String,
    /// The picture, samples 0 to 255.
    pub image: Image,
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub iteration: u64,
    /// The number of the last one.
    pub of: u64,
    /// Its learning rate.
    pub rate: f64,
    /// The loss before it.
    pub loss: f32,
    /// The terms of the loss by name, with their weights.
    pub terms: std::collections::BTreeMap<String, f32>,
    /// Time since training began, in seconds; that before an interruption included.
    pub seconds: f64,
}

/// How well a network does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The score by which the best network is chosen; more is better.
    pub score: f64,
    /// Further scores by name.
    pub scores: std::collections::BTreeMap<String, f64>,
}

/// What happens in the loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A step was taken.
    Step(Step),
    /// The network was validated after an iteration.
    Validation {
        /// The iteration.
        iteration: u64,
        /// What came out.
        #[serde(flatten)]
        validation: Validation,
    },
}

/// Is told what happens; breaking stops the training after a checkpoint.
pub type Observer<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

impl Loss {
    /// The sum of two losses of the same terms.
    pub fn plus(self, other: Self) -> Self {
        let terms = self.terms.into_iter().zip(other.terms).map(|((name, a), (_, b))| (name, a + b)).collect();
        Self { total: self.total + other.total, terms }
    }

    /// The loss and its terms, multiplied by a number.
    pub fn scaled(self, by: f64) -> Self {
        let terms = self.terms.into_iter().map(|(name, term)| (name, term.mul_scalar(by))).collect();
        Self { total: self.total.mul_scalar(by), terms }
    }
}
