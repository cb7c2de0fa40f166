//! The viewer OHIF, as somebody else has built it: the files of a folder under `/ohif/`.

use std::path::{Path as FilePath, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::get;

use crate::Shared;
use crate::error::Problem;
use crate::{page, sending};

/// What the viewer may do: all that our own page may, and the script within its own first page.
pub(crate) const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; \
                                 style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' data: blob:; \
                                 worker-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; \
                                 form-action 'self'; frame-ancestors 'none'";

const INDEX: &str = "index.html";

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/ohif", get(index)).route("/ohif/", get(index)).route("/ohif/{*path}", get(file))
}

/// Whether a path is one of the viewer's.
pub(crate) fn is_part(path: &str) -> bool {
    path == "/ohif" || path.starts_with("/ohif/")
}

/// The folder, if a viewer can be in it.
///
/// # Errors
/// When it has no first page.
pub(crate) fn check(folder: &FilePath) -> std::io::Result<PathBuf> {
    let folder = folder.canonicalize()?;
    if folder.join(INDEX).is_file() { Ok(folder) } else { Err(std::io::ErrorKind::NotFound.into()) }
}

async fn index(State(app): State<Shared>) -> Result<Response, Problem> {
    send(app, String::new()).await
}

async fn file(State(app): State<Shared>, Path(path): Path<String>) -> Result<Response, Problem> {
    send(app, path).await
}

async fn send(app: Shared, path: String) -> Result<Response, Problem> {
    let (kind, file, length) = app
        .wait(move |app| {
            let folder = app.config.ohif.as_deref().ok_or_else(absent)?;
            let found =
                find(folder, &path).ok_or_else(|| Problem::missing(format!("the viewer has no file {path:?}")))?;
            let file = std::fs::File::open(&found).map_err(|e| Problem::io("read", "a file of the viewer", e))?;
            let length = file.metadata().map_err(|e| Problem::io("read", "a file of the viewer", e))?.len();
            Ok((page::kind(&found.to_string_lossy()), file, length))
        })
        .await?;
    let mut response = Response::new(Body::from_stream(sending::chunks(file)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn absent() -> Problem {
    Problem::missing("no OHIF viewer is served here").hint(
        "build OHIF with PUBLIC_URL=/ohif/ and start the server with --ohif and the folder that has its index.html",
    )
}

/// The file of a path. What is none of a kind that the viewer is made of is a place within it, for which its first page stands.
fn find(folder: &FilePath, path: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let strange = |part: &&str| part.starts_with('.') || part.contains(['\\', ':', '\0']);
    if parts.iter().any(strange) {
        return None;
    }
    let wanted = parts.iter().fold(folder.to_owned(), |path, part| path.join(part));
    // A link may lead out of the folder.
    if let Ok(found) = wanted.canonicalize()
        && found.is_file()
    {
        return found.starts_with(folder).then_some(found);
    }
    (page::kind(path) == page::kind("")).then(|| folder.join(INDEX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_within_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.js"), b"").unwrap();
        let folder = outside.path().join("viewer");
        std::fs::create_dir_all(folder.join("assets")).unwrap();
        assert!(check(&folder).is_err());
        for name in [INDEX, "app.js", "assets/a.svg", ".hidden.js"] {
            std::fs::write(folder.join(name), name).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path().join("secret.js"), folder.join("link.js")).unwrap();
        let folder = check(&folder).unwrap();
        for (path, expected) in [
            ("", Some(INDEX)),
            ("viewer", Some(INDEX)),
            ("viewer/1.2.840.3", Some(INDEX)),
            ("assets", Some(INDEX)),
            ("app.js", Some("app.js")),
            ("/assets//a.svg", Some("assets/a.svg")),
            ("missing.js", None),
            ("../secret.js", None),
            ("assets/../../secret.js", None),
            ("..\\secret.js", None),
            (".hidden.js", None),
            ("link.js", None),
            ("c:/secret.js", None),
            ("/etc/passwd", Some(INDEX)),
        ] {
            assert_eq!(find(&folder, path), expected.map(|name| folder.join(name)), "{path}");
        }
    }
}
