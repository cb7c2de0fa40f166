//! Files sent as they are.

use std::fs::File;
use std::path::Path;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::Shared;
use crate::datastore::name_of;
use crate::error::Problem;
use crate::sending;

/// A file under its own name. The clients take its kind from that name, and want its length.
pub(super) async fn send(app: &Shared, path: &Path) -> Result<Response, Problem> {
    let (name, path) = (name_of(path), path.to_owned());
    let open = move |_: &Shared| {
        let file = File::open(&path).map_err(|e| Problem::io("read", &path, e))?;
        let length = file.metadata().map_err(|e| Problem::io("read", &path, e))?.len();
        Ok((file, length))
    };
    let (file, length) = app.wait(open).await?;
    Ok(stream(file, length, &name, "application/octet-stream"))
}

/// A file that is made for the client, under a name.
pub(super) fn whole(bytes: Vec<u8>, name: &str) -> Response {
    let length = bytes.len() as u64;
    answer(Body::from(bytes), length, name, "application/octet-stream")
}

/// So many bytes of a file that is open, under a name.
pub(super) fn stream(file: File, length: u64, name: &str, kind: &'static str) -> Response {
    answer(Body::from_stream(sending::chunks(file)), length, name, kind)
}

fn answer(body: Body, length: u64, name: &str, kind: &'static str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONTENT_DISPOSITION, disposition(name));
    response
}

/// `attachment` with the name; characters that a header cannot hold become `_` in the plain form.
fn disposition(name: &str) -> HeaderValue {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ' { c } else { '_' }).collect();
    HeaderValue::from_str(&format!("attachment; filename=\"{plain}\""))
        .unwrap_or(HeaderValue::from_static("attachment"))
}
