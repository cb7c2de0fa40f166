//! What can go wrong while learning.

use std::path::PathBuf;

/// Why nothing was learned, or a trained model cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An image could not be read, written or combined.
    #[error(transparent)]
    Image(#[from] fewmark_image::Error),
    /// The variational model refused its input.
    #[error(transparent)]
    Classical(#[from] fewmark_classical::Error),
    /// A network cannot be built.
    #[error(transparent)]
    Network(#[from] fewmark_nets::ConfigError),
    /// A case cannot be learned from.
    #[error("{case}: {source}")]
    Case {
        /// Name of the case.
        case: String,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// There is nothing to learn from.
    #[error("no image to learn from")]
    NoCase,
    /// Files that make no data set.
    #[error("{path:?}: {problem}")]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What the user can do.
        hint: &'static str,
    },
    /// Images, labels and a network that do not go together, or not on this machine.
    #[error("{problem}")]
    Unfit {
        /// What does not fit.
        problem: String,
        /// What the user can do.
        hint: &'static str,
    },
    /// A setting has a value that it cannot have.
    #[error("{name} = {found}: expected {expected}")]
    Setting {
        /// The key.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it can be.
        expected: &'static str,
    },
    /// The loss is not a number any more.
    #[error("the loss is not finite in iteration {iteration}: {term} = {value}")]
    NotFinite {
        /// Iteration, from 1.
        iteration: u64,
        /// The term of the loss.
        term: &'static str,
        /// Its value.
        value: f32,
    },
    /// A file that is not what it should be.
    #[error("{path:?} is no {expected}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// "model", "checkpoint".
        expected: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A run folder that cannot be used.
    #[error("{path:?}: {problem}")]
    Run {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What the user can do.
        hint: &'static str,
    },
    /// A network that cannot be looked into.
    #[error("{network} cannot be looked into: only an MSNet has features, weights and an energy on its way")]
    NotExplained {
        /// The network, or what else the model is of.
        network: String,
    },
    /// There is no such device.
    #[error("no {0} device: {1}")]
    Device(&'static str, String),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// What the user can do about it, where something can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::Case { source, .. } => source.hint(),
            Self::NoCase => Some("give at least one image with --images".into()),
            Self::NotFinite { .. } => Some("try a smaller training.learning_rate".into()),
            Self::File { path, expected: "model", .. } if path.parent().is_some_and(|p| p.ends_with("checkpoints")) => {
                Some("give model.safetensors of the run, which is there once the training has ended: go on with it by --resume".into())
            }
            Self::File { expected, .. } => {
                Some(format!("give a {expected} that this program wrote; if it did, the file is damaged: train again"))
            }
            Self::Data { hint, .. } | Self::Unfit { hint, .. } | Self::Run { hint, .. } => Some((*hint).into()),
            Self::NotExplained { .. } => Some("give a model that `fewmark train msnet` made".into()),
            Self::Device(..) => Some("leave out --device gpu to work on the CPU".into()),
            Self::Classical(error) => error.hint(),
            Self::Network(_) | Self::Setting { .. } | Self::Stopped => None,
        }
    }

    /// The same error, of one case of several.
    pub(crate) fn of_case(self, case: &str) -> Self {
        Self::Case { case: case.to_owned(), source: Box::new(self) }
    }
}
