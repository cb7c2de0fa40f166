//! The web page, as the build script embedded it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What is shown where the page was not built.
const ABSENT: &str = "<!doctype html><meta charset=utf-8><title>Fewmark</title><p>This program was built without the web page: \
                      install Node.js 20 or newer with npm and build it again. The interfaces at /api and for 3D Slicer work as they are.";

/// Whether a path is part of the page. Files of the page are known by name, so no path can lead elsewhere.
pub(crate) fn is_part(path: &str) -> bool {
    path == "/" || path == "/index.html" || find(path).is_some()
}

fn find(path: &str) -> Option<&'static [u8]> {
    let name = path.strip_prefix('/')?;
    FILES.iter().find(|(file, _)| *file == name).map(|(_, bytes)| *bytes)
}

/// A file of the page.
pub(crate) fn serve(path: &str) -> Response {
    let path = if path == "/" { "/index.html" } else { path };
    let (bytes, kind): (&'static [u8], _) = match find(path) {
        Some(bytes) => (bytes, kind(path)),
        None if path == "/index.html" => (ABSENT.as_bytes(), "text/html; charset=utf-8"),
        None => return StatusCode::NOT_FOUND.into_response(),
    };
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // Names under assets/ change with their contents.
    let kept = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    response
}

/// The type of a file by its ending.
pub(crate) fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "webmanifest" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
