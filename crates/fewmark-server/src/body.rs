//! Bodies of requests: within their limits, and from clients that keep sending.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::{Stream, StreamExt as _};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use std::io::Write as _;
use tempfile::NamedTempFile;

use crate::Shared;
use crate::app::App;
use crate::error::Problem;

/// The largest JSON body: the runs of a large label map.
const LARGEST_JSON: u64 = 64 << 20;

/// The chunks of a body, each of which must come in time.
fn chunks(body: Body, patience: Duration) -> impl Stream<Item = Result<Bytes, Problem>> + Send {
    futures_util::stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        loop {
            let frame = match tokio::time::timeout(patience, body.frame()).await {
                Err(_) => {
                    let slow =
                        Problem::new(StatusCode::REQUEST_TIMEOUT, "the body of the request did not come in time");
                    return Some((Err(slow), None));
                }
                Ok(None) => return None,
                Ok(Some(Err(_))) => return Some((Err(Problem::malformed("the body of the request broke off")), None)),
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                return Some((Ok(data), Some(body)));
            }
        }
    })
}

fn too_large(limit: u64) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body of the request is larger than {} MiB", limit >> 20))
}

/// A body of at most `limit` bytes.
pub(crate) async fn read(app: &App, body: Body, limit: u64) -> Result<Vec<u8>, Problem> {
    let mut chunks = std::pin::pin!(chunks(body, app.config.patience));
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A body of JSON.
pub(crate) async fn json<T: DeserializeOwned>(app: &App, body: Body) -> Result<T, Problem> {
    from_json(&read(app, body, LARGEST_JSON).await?)
}

/// A body of JSON, or the default when there is none.
pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(app: &App, body: Body) -> Result<T, Problem> {
    let bytes = read(app, body, LARGEST_JSON).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) { Ok(T::default()) } else { from_json(&bytes) }
}

/// JSON, or what is wrong with it: 400 when it is none, 422 when it is not what was expected.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|e| {
        if e.is_data() {
            Problem::wrong(format!("the body of the request: {e}")).hint("/openapi.json describes what is expected")
        } else {
            Problem::malformed(format!("the body of the request is no JSON: {e}"))
        }
    })
}

/// A body as a temporary file in the study folder's hidden one, so that it can be renamed into its place.
pub(crate) async fn to_file(app: &App, body: Body) -> Result<NamedTempFile, Problem> {
    let chunks = std::pin::pin!(chunks(body, app.config.patience));
    stream_to_file(app, chunks).await
}

async fn stream_to_file(
    app: &App,
    mut chunks: impl Stream<Item = Result<Bytes, Problem>> + Unpin,
) -> Result<NamedTempFile, Problem> {
    let mut file = app.temporary_file()?;
    let limit = app.config.largest_upload;
    let mut length = 0u64;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        length += chunk.len() as u64;
        if length > limit {
            return Err(too_large(limit));
        }
        // Short writes to the page cache: a thread for each would cost more.
        file.write_all(&chunk).map_err(|e| Problem::io("write", "the upload", e))?;
    }
    Ok(file)
}

/// What a form holds: text by name, and files.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) texts: std::collections::BTreeMap<String, String>,
    pub(crate) files: Vec<FormFile>,
}

/// A file of a form.
pub(crate) struct FormFile {
    /// Name of the field.
    pub(crate) field: String,
    /// The file's name without folders, as the client gave it: not to be trusted.
    pub(crate) name: String,
    pub(crate) file: NamedTempFile,
}

/// The most fields and files of a form.
const MOST_PARTS: usize = 64;
/// The longest text in a form.
const LONGEST_TEXT: usize = 1 << 20;

impl Form {
    /// A `multipart/form-data` body; one of another type is an empty form, as clients send one when they have nothing to say.
    async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !kind.to_ascii_lowercase().starts_with("multipart/form-data") {
            return Ok(Self {
                texts: urlencoded(kind, &read(app, body, LONGEST_TEXT as u64).await?),
                files: Vec::new(),
            });
        }
        let boundary = multer::parse_boundary(kind).map_err(|e| Problem::malformed(format!("the form: {e}")))?;
        let mut stream = Box::pin(chunks(body, app.config.patience));
        let first = stream.next().await.transpose()?.unwrap_or_default();
        let boundary = spoken_boundary(&first).unwrap_or(boundary);
        let stream = futures_util::stream::iter([Ok(first)]).chain(stream).map(|chunk| chunk.map_err(Carried));
        let mut parts = multer::Multipart::new(stream, boundary);
        let mut form = Self::default();
        let mut count = 0;
        while let Some(mut part) = parts.next_field().await.map_err(of_form)? {
            count += 1;
            if count > MOST_PARTS {
                return Err(Problem::wrong(format!("the form has more than {MOST_PARTS} parts")));
            }
            let field = part.name().unwrap_or("").to_owned();
            if let Some(name) = part.file_name() {
                let name = name.rsplit(['/', '\\']).next().unwrap_or("").to_owned();
                let part = part.map(|chunk| chunk.map_err(of_form));
                let file = stream_to_file(app, part).await?;
                form.files.push(FormFile { field, name, file });
            } else {
                let mut text = Vec::new();
                while let Some(chunk) = part.chunk().await.map_err(of_form)? {
                    if text.len() + chunk.len() > LONGEST_TEXT {
                        return Err(Problem::new(
                            StatusCode::PAYLOAD_TOO_LARGE,
                            format!("the form's field {field:?} is too long"),
                        ));
                    }
                    text.extend_from_slice(&chunk);
                }
                let text = String::from_utf8(text)
                    .map_err(|_| Problem::malformed(format!("the form's field {field:?} is no text")))?;
                form.texts.insert(field, text);
            }
        }
        Ok(form)
    }

    /// What clients of MONAI Label send along.
    pub(crate) fn params(&self) -> Result<serde_json::Map<String, serde_json::Value>, Problem> {
        self.object("params")
    }

    /// The JSON of a field; an object without entries when there is none.
    pub(crate) fn object(&self, field: &str) -> Result<serde_json::Map<String, serde_json::Value>, Problem> {
        match self.texts.get(field).map(|text| text.trim()).filter(|text| !text.is_empty()) {
            None => Ok(serde_json::Map::new()),
            Some(text) => serde_json::from_str(text)
                .map_err(|e| Problem::wrong(format!("the form's field {field:?} is no JSON object: {e}"))),
        }
    }

    /// The file of a field.
    pub(crate) fn file(&mut self, field: &str) -> Option<FormFile> {
        let at = self.files.iter().position(|file| file.field == field)?;
        Some(self.files.swap_remove(at))
    }

    /// The file of a field that has to be there.
    ///
    /// # Errors
    /// 422 when it is not.
    pub(crate) fn expect_file(&mut self, field: &str) -> Result<FormFile, Problem> {
        let lacking = || Problem::wrong("the form has no file").hint(format!("send it in the field `{field}`"));
        self.file(field).ok_or_else(lacking)
    }
}

/// The form of a request, for handlers.
impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Self::read(app, &parts.headers, body).await
    }
}

/// The boundary with which a form begins. The Python client, once it has logged in, sends the header of its last form with the next one;
/// the form itself knows better.
fn spoken_boundary(beginning: &[u8]) -> Option<String> {
    let line = beginning.strip_prefix(b"--")?;
    let end = line.windows(2).position(|pair| pair == b"\r\n").filter(|end| (1..=70).contains(end))?;
    let line = line[..end].iter().all(u8::is_ascii_graphic).then_some(&line[..end])?;
    String::from_utf8(line.to_vec()).ok()
}

/// The fields of a form without files.
fn urlencoded(kind: &str, bytes: &[u8]) -> std::collections::BTreeMap<String, String> {
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Default::default();
    }
    let query = String::from_utf8_lossy(bytes);
    let uri = format!("/?{query}").parse::<axum::http::Uri>();
    let fields = uri.ok().and_then(|uri| axum::extract::Query::try_from_uri(&uri).ok());
    fields.map(|axum::extract::Query(fields)| fields).unwrap_or_default()
}

/// A problem on its way through `multer`.
#[derive(Debug)]
struct Carried(Problem);

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Carried {}

fn of_form(error: multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(inner) => match inner.downcast::<Carried>() {
            Ok(carried) => carried.0,
            Err(other) => Problem::malformed(format!("the form: {other}")),
        },
        other => Problem::malformed(format!("the form: {other}")),
    }
}
