/// Why a segmentation could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image could not be read, written or combined.
    #[error(transparent)]
    Image(#[from] fewmark_image::Error),
    /// The solver refused its input or was stopped.
    #[error(transparent)]
    Classical(#[from] fewmark_classical::Error),
    /// Nothing was learned, or a model cannot be used.
    #[error(transparent)]
    Learn(#[from] fewmark_learn::Error),
    /// There is no method of that name.
    #[error("there is no method {name:?}")]
    UnknownMethod {
        /// What was asked for.
        name: String,
        /// The most similar name, if any is similar.
        nearest: Option<String>,
    },
    /// There is no parameter of that name.
    #[error("the method {method} has no parameter {key:?}")]
    UnknownParameter {
        /// The method.
        method: &'static str,
        /// What was asked for.
        key: String,
        /// The most similar name, if any is similar.
        nearest: Option<String>,
    },
    /// A parameter has a value of the wrong kind.
    #[error("the configuration of the method {method} is wrong: {message}")]
    Config {
        /// The method.
        method: &'static str,
        /// What is wrong where.
        message: String,
    },
    /// There is nothing of that name to train.
    #[error("there is no network {name:?} to train")]
    UnknownTraining {
        /// What was asked for.
        name: String,
        /// The most similar name, if any is similar.
        nearest: Option<String>,
    },
    /// There is no setting of that name in a training.
    #[error("there is no setting {key:?}")]
    UnknownSetting {
        /// What is trained.
        train: String,
        /// What was asked for.
        key: String,
        /// The most similar name, if any is similar.
        nearest: Option<String>,
    },
    /// A setting of a training has a value that it cannot have.
    #[error("{0}")]
    Setting(String),
    /// No foreground click was given.
    #[error("no foreground click: at least one click inside the object is needed")]
    NoClick,
    /// A click that cannot be.
    #[error("click {click:?}: {problem}")]
    Click {
        /// Its coordinates as given.
        click: Vec<f64>,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that should hold clicks.
    #[error("{path:?} holds no clicks: {problem}")]
    MarksFile {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A label map from which no clicks can be drawn.
    #[error("{0}")]
    NoObject(String),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

const SETTINGS: &str = "`fewmark train NAME --show-settings` shows every setting and its default";

impl Error {
    /// What the user can do about it, where something can be said.
    pub fn hint(&self) -> Option<String> {
        let similar = |nearest: &Option<String>| nearest.as_ref().map(|name| format!("did you mean {name:?}?"));
        match self {
            Self::Image(error) => error.hint(),
            Self::Learn(error) => error.hint(),
            Self::UnknownMethod { nearest, .. } => {
                similar(nearest).or_else(|| Some("`fewmark methods` lists them".into()))
            }
            Self::UnknownParameter { nearest, method, .. } => {
                similar(nearest).or_else(|| Some(format!("`fewmark methods {method}` lists them")))
            }
            Self::Config { method, .. } => {
                Some(format!("`fewmark methods {method}` shows every parameter and its default"))
            }
            Self::UnknownTraining { nearest, .. } => {
                similar(nearest).or_else(|| Some("`fewmark networks` lists the networks".into()))
            }
            Self::UnknownSetting { nearest, train, .. } => {
                similar(nearest).or_else(|| Some(SETTINGS.replace("NAME", train)))
            }
            Self::Setting(_) => Some(SETTINGS.into()),
            Self::NoClick => Some("add --click X,Y or --click X,Y,Z".into()),
            Self::Click { .. } => {
                Some("clicks are voxel indices x,y[,z] counted from 0, or mm (RAS+) where that is said: --world, or \"space\": \"world\" in a file".into())
            }
            Self::MarksFile { .. } => {
                Some("write { \"foreground\": [[X, Y]], \"background\": [[X, Y]] }, as `fewmark clicks` does".into())
            }
            Self::NoObject(_) => Some("`fewmark info` shows the labels of a file".into()),
            Self::Classical(fewmark_classical::Error::Dimension { .. }) => Some(
                "segment one slice with --slice Z, or use a method for volumes: `fewmark methods` lists them".into(),
            ),
            Self::Classical(error) => error.hint(),
            Self::Stopped => None,
        }
    }
}
