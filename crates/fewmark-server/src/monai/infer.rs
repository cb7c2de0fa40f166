//! Inference: an image and what a viewer gives make a mask, in a form that its clients can read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::ask;
use super::info::{Gives, Offer, names, offer};
use super::{Params, result};
use crate::Shared;
use crate::api::query;
use crate::body::{Form, FormFile};
use crate::datastore::{FINAL, ImageFile, ORIGINAL, Place, unnamed};
use crate::error::Problem;
use crate::flight::{Waiting, Wanted};
use crate::routes::json as answer;
use crate::segment::{Answer, segment};

#[derive(Deserialize)]
struct Which {
    image: Option<String>,
    session_id: Option<String>,
    output: Option<String>,
}

/// The image that is segmented.
struct Subject {
    path: PathBuf,
    /// Its entry in the study, where it has one.
    entry: Option<ImageFile>,
    /// An uploaded file lives as long as the request.
    _upload: Option<FormFile>,
}

pub(super) async fn infer(
    State(app): State<Shared>,
    Path(model): Path<String>,
    uri: Uri,
    mut form: Form,
) -> Result<Response, Problem> {
    let which: Which = query(&uri)?;
    let params = form.params()?;
    let output = Output::named(which.output.as_deref().unwrap_or("all"))?;
    let label = form.file("label");
    let upload = form.file("file");
    let wanted = Wanted::default();
    let _waiting = Waiting::new(wanted.clone());
    let done = app
        .compute(move |app| {
            let offer = offer(app, &model)?;
            let subject = subject(app, &which, upload)?;
            let begun = Instant::now();
            let ask = ask(app, &offer, subject.path.clone(), &params, label.as_ref())?;
            let found = segment(app, &ask, &wanted, false, &mut |_| {})?;
            let solved = begun.elapsed().as_secs_f64();
            finish(app, &offer, &subject, params, &found, solved)
        })
        .await?;
    output.response(done)
}

/// Which image is meant: a session before an image of the study, an uploaded file before both.
fn subject(app: &Shared, which: &Which, upload: Option<FormFile>) -> Result<Subject, Problem> {
    if let Some(upload) = upload {
        return Ok(Subject { path: upload.file.path().to_owned(), entry: None, _upload: Some(upload) });
    }
    let (session, image) = (which.session_id.as_deref(), which.image.as_deref());
    if let Some(session) = session.filter(|id| !id.is_empty()) {
        return Ok(Subject { path: app.sessions.find(session)?.image, entry: None, _upload: None });
    }
    let id = image
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Problem::wrong("the query of the address names no image and no session"))?;
    let entry = app.datastore.image(id)?;
    Ok(Subject { path: entry.path.clone(), entry: Some(entry), _upload: None })
}

/// The names of all values up to the largest that was found, in their order: 3D Slicer takes the i-th name for the value i, so none may be left out.
pub(super) fn label_names(app: &Shared, offer: &Offer, params: &Params, found: &Answer) -> Params {
    let known = found_names(app, offer, params, found);
    let by_value: BTreeMap<u64, &String> =
        known.iter().filter_map(|(name, value)| Some((value.as_u64()?, name))).collect();
    let last = by_value.keys().next_back().copied().unwrap_or(0);
    let name = |value: u64| by_value.get(&value).map_or_else(|| unnamed(value), |&name| name.clone());
    (1..=last).map(|value| (name(value), value.into())).collect()
}

/// The names of the labels that were found, and their values.
fn found_names(app: &Shared, offer: &Offer, params: &Params, found: &Answer) -> Params {
    let text = |key: &str| params.get(key).and_then(Value::as_str);
    let named = match offer.gives {
        Gives::Clicks => text("label"),
        Gives::Scribbles => text("label").or(text("selected_label_name")).or(Some("object")),
        Gives::Supports | Gives::Nothing => None,
    };
    let codes = found.labels.present();
    match named {
        Some(name) => Map::from_iter([(name.to_owned(), 1.into())]),
        None if found.legend.is_empty() => names(app, if codes.is_empty() { &[1] } else { &codes }),
        None => found
            .legend
            .iter()
            .filter(|(code, _)| codes.contains(code))
            .map(|(code, (name, _))| (name.clone(), (*code).into()))
            .collect(),
    }
}

/// Keeps what a model found as a label of the image.
///
/// # Errors
/// As [`Datastore::save_label`](crate::datastore::Datastore::save_label), 409 where it would replace what a person saved.
pub(super) fn save(
    app: &Shared,
    offer: &Offer,
    image: &ImageFile,
    tag: &str,
    found: &Answer,
    names: &Params,
) -> Result<(), Problem> {
    let params = Map::from_iter([("label_names".to_owned(), names.clone().into())]);
    let info = Map::from_iter([("model".to_owned(), offer.name.clone().into()), ("params".to_owned(), params.into())]);
    // What a person saved is not replaced by what nobody has looked at.
    let place = if tag == FINAL { Place::Free } else { Place::Any };
    app.datastore.save_label(image, tag, &found.labels, info, place)
}

/// The mask as a file, and what is said about it.
struct Done {
    params: Map<String, Value>,
    file: Vec<u8>,
    name: String,
}

fn finish(
    app: &Shared,
    offer: &Offer,
    subject: &Subject,
    params: Params,
    found: &Answer,
    solved: f64,
) -> Result<Done, Problem> {
    let begun = Instant::now();
    let (name, file) = result::file(&offer.name, &params, &found.labels)?;
    let names = label_names(app, offer, &params, found);
    let mut told = Map::from_iter([
        ("label_names".to_owned(), Value::from(names.clone())),
        ("centroids".to_owned(), json!({})),
        ("model".to_owned(), offer.name.clone().into()),
    ]);
    if let (Some(entry), Some(true)) = (&subject.entry, params.get("save_label").and_then(Value::as_bool)) {
        let tag = params.get("label_tag").and_then(Value::as_str).unwrap_or(ORIGINAL);
        save(app, offer, entry, tag, found, &names)?;
        told.insert("label".into(), entry.id.clone().into());
        told.insert("tag".into(), tag.into());
    }
    let write = begun.elapsed().as_secs_f64();
    let read = (solved - found.seconds).max(0.0);
    let latencies = BTreeMap::from([
        ("pre", read),
        ("infer", found.seconds),
        ("invert", 0.0),
        ("post", 0.0),
        ("write", write),
        ("total", solved + write),
    ]);
    told.insert("latencies".into(), json!(latencies));
    Ok(Done { params: told, file, name })
}

/// What a client wants to be answered with.
enum Output {
    All,
    Image,
    Json,
}

impl Output {
    fn named(name: &str) -> Result<Self, Problem> {
        match name {
            "" | "all" => Ok(Self::All),
            "image" => Ok(Self::Image),
            "json" => Ok(Self::Json),
            other => Err(Problem::wrong(format!("output = {other:?}: expected image, json or all"))),
        }
    }

    /// The whole answer at once, with its length: the Python client reads behind the back of its HTTP library, and would read the lengths
    /// of chunks as data.
    fn response(self, done: Done) -> Result<Response, Problem> {
        let Done { params, file, name } = done;
        match self {
            Self::Json => Ok(answer(&params)),
            Self::Image => {
                let mut response = file.into_response();
                let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
                response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition.map_err(|_| Problem::bug())?);
                Ok(response)
            }
            Self::All => {
                let boundary = format!("fewmark-{}", crate::random::token());
                let params = Value::from(params);
                let head = format!(
                    "--{boundary}\r\ncontent-disposition: form-data; name=\"params\"\r\ncontent-type: application/json\r\n\r\n{params}\r\n\
                     --{boundary}\r\ncontent-disposition: form-data; name=\"image\"; filename=\"{name}\"\r\n\
                     content-type: application/octet-stream\r\n\r\n"
                );
                let body = [head.as_bytes(), &file, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
                let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
                Ok(([(header::CONTENT_TYPE, kind.map_err(|_| Problem::bug())?)], body).into_response())
            }
        }
    }
}
