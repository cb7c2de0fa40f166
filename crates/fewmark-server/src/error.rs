//! What went wrong, for the person at the other end.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fewmark::Error;

/// A request that was not answered: the status, a sentence, and what can be done about it.
///
/// It travels as an extension of an empty response; [`guard`](crate::guard) writes the body, which names the request.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// There is no such thing.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// The request was understood and cannot be done as it is.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// The request is not one.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A fault of the program.
    pub(crate) fn bug() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed at this request, which is a fault of the program",
        )
        .hint("please report it with the request's number and the lines of the log")
    }

    /// The same problem under the name that the client gave its file.
    pub(crate) fn of_upload(mut self, file: &std::path::Path, name: &str) -> Self {
        self.message = self.message.replace(&format!("{file:?}"), &format!("{name:?}"));
        self
    }

    /// An error of the file system.
    pub(crate) fn io(action: &'static str, path: impl Into<std::path::PathBuf>, source: std::io::Error) -> Self {
        fewmark::image::Error::Io { action, path: path.into(), source }.into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let hint = match &error {
            // The library's hint names an option of the command line.
            Error::NoClick => Some("click at least once inside the object".into()),
            Error::Click { .. } => Some("clicks are voxel indices x, y, z counted from 0".into()),
            Error::UnknownMethod { nearest: None, .. } => Some("/api/info lists the methods".into()),
            error => error.hint(),
        };
        Self { status: status(&error), message: error.to_string(), hint }
    }
}

impl From<fewmark::image::Error> for Problem {
    fn from(error: fewmark::image::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<fewmark::learn::Error> for Problem {
    fn from(error: fewmark::learn::Error) -> Self {
        Error::from(error).into()
    }
}

fn status(error: &Error) -> StatusCode {
    use fewmark::image::Error as File;
    match error {
        Error::UnknownMethod { .. } | Error::UnknownTraining { .. } => StatusCode::NOT_FOUND,
        Error::Stopped => StatusCode::CONFLICT,
        Error::Image(file) | Error::Learn(fewmark::learn::Error::Image(file)) => match file {
            File::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => StatusCode::FORBIDDEN,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            File::OutOfMemory { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        },
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
