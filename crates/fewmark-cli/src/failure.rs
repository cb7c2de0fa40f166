//! What went wrong, what the user can do about it, and the exit code.

use std::path::Path;
use std::process::ExitCode;

/// The end of a command that did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The work failed: exit code 1.
    Work,
    /// The call was wrong: exit code 2, as for an unknown option.
    Call,
    /// The user stopped the work before its end: exit code 130, as for a signal.
    Interrupted,
    /// Whoever read the output has gone, as in `fewmark info * | head`: no failure.
    ReaderGone,
}

impl Failure {
    /// The work failed.
    pub(crate) fn work(message: impl Into<String>) -> Self {
        Self { kind: Kind::Work, message: message.into(), hint: None }
    }

    /// The call was wrong.
    pub(crate) fn call(message: impl Into<String>) -> Self {
        Self { kind: Kind::Call, message: message.into(), hint: None }
    }

    /// The user stopped the work before its end.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self { kind: Kind::Interrupted, message: message.into(), hint: None }
    }

    /// Adds what the user can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure, of one file of several.
    pub(crate) fn of(mut self, path: &Path) -> Self {
        let path = format!("{path:?}");
        if !self.message.contains(&path) {
            self.message = format!("{path}: {}", self.message);
        }
        self
    }

    /// What is left to tell once the other files are done; none of these failures is a failure at all.
    pub(crate) fn of_several(mut failures: Vec<Self>, all: usize, what: &str) -> Result<(), Self> {
        if all == 1 {
            return failures.pop().map_or(Ok(()), Err);
        }
        let Some(first) = failures.first() else { return Ok(()) };
        let common = failures.iter().all(|failure| failure.hint == first.hint);
        let line = |failure: &Self| match &failure.hint {
            Some(hint) if !common => format!("{}\n  hint: {hint}", failure.message),
            _ => failure.message.clone(),
        };
        let lines: Vec<String> = failures.iter().map(line).collect();
        let message = format!("{} of {all} {what} failed:\n{}", failures.len(), lines.join("\n"));
        Err(Self { kind: first.kind, message, hint: first.hint.clone().filter(|_| common) })
    }

    /// Prints the failure and gives the exit code.
    #[allow(clippy::print_stderr, reason = "the one place that prints errors")]
    pub(crate) fn report(&self) -> ExitCode {
        if self.kind == Kind::ReaderGone {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(match self.kind {
            Kind::Call => 2,
            Kind::Interrupted => 130,
            Kind::Work | Kind::ReaderGone => 1,
        })
    }
}

impl From<fewmark::Error> for Failure {
    fn from(error: fewmark::Error) -> Self {
        use fewmark::Error;
        use fewmark::classical::Error as Classical;
        use fewmark::image::Error as File;
        use fewmark::learn::Error as Learn;
        let of_classical =
            |error: &Classical| matches!(error, Classical::Dimension { .. } | Classical::Parameter { .. });
        let wrong_call = matches!(
            &error,
            Error::UnknownMethod { .. }
                | Error::UnknownParameter { .. }
                | Error::Config { .. }
                | Error::UnknownSetting { .. }
                | Error::UnknownTraining { .. }
                | Error::Setting(_)
                | Error::NoClick
                | Error::Click { .. }
                | Error::Learn(Learn::Setting { .. } | Learn::Network(_) | Learn::Device(..))
                | Error::Image(
                    File::CannotStore { .. } | File::Replaces(_) | File::Twice(_) | File::OutsideImage { .. }
                )
        ) || matches!(&error, Error::Classical(e) | Error::Learn(Learn::Classical(e)) if of_classical(e));
        let kind = if wrong_call { Kind::Call } else { Kind::Work };
        Self { kind, message: error.to_string(), hint: error.hint() }
    }
}

impl From<fewmark::image::Error> for Failure {
    fn from(error: fewmark::image::Error) -> Self {
        fewmark::Error::from(error).into()
    }
}

impl From<fewmark::learn::Error> for Failure {
    fn from(error: fewmark::learn::Error) -> Self {
        fewmark::Error::from(error).into()
    }
}

impl From<fewmark::nets::ConfigError> for Failure {
    fn from(error: fewmark::nets::ConfigError) -> Self {
        fewmark::learn::Error::from(error).into()
    }
}

/// An error while printing.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self { kind: Kind::ReaderGone, message: String::new(), hint: None }
        } else {
            Self::work(format!("cannot print the result: {error}"))
        }
    }
}
