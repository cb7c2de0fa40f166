//! Files sent as they are.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::Shared;
use crate::datastore::name_of;
use crate::error::Problem;

/// How much of a file is read at a time.
const CHUNK: usize = 1 << 20;

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

/// So many bytes of a file that is open, under a name.
pub(super) fn stream(file: File, length: u64, name: &str, kind: &'static str) -> Response {
    let chunks = futures_util::stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let count = file.read(&mut chunk)?;
            chunk.truncate(count);
            Ok::<_, std::io::Error>((chunk, file))
        });
        match read.await {
            Ok(Ok((chunk, _))) if chunk.is_empty() => None,
            Ok(Ok((chunk, file))) => Some((Ok(Bytes::from(chunk)), Some(file))),
            Ok(Err(e)) => Some((Err(e), None)),
            Err(e) => Some((Err(std::io::Error::other(e)), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(chunks));
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
