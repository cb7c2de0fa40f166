//! Inference: an image and what a viewer gives make a mask, in a form that its clients can read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use fewmark::LabelMap;
use fewmark::image::{Format, encode, read_labels};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Params;
use super::info::{Gives, Offer, knobs, names, offer};
use super::train::as_number;
use crate::Shared;
use crate::api::query;
use crate::body::{Form, FormFile};
use crate::datastore::ImageFile;
use crate::error::Problem;
use crate::flight::{Waiting, Wanted};
use crate::routes::json as answer;
use crate::schema;
use crate::segment::{Answer, Ask, MarksBody, segment, thinned};

/// Points that scribbles of one kind are thinned to.
const POINTS_OF_SCRIBBLES: usize = 64;
/// The ids of scribbles where the client names none.
const SCRIBBLE_IDS: [(&str, u16); 2] = [("background_scribbles", 2), ("foreground_scribbles", 3)];

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
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let which: Which = query(&uri)?;
    let mut form = Form::read(&app, &headers, body).await?;
    let params = form.object("params")?;
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
            let ask = ask(&offer, &subject, &params, label.as_ref())?;
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

/// The request in our own terms.
fn ask(offer: &Offer, subject: &Subject, params: &Params, label: Option<&FormFile>) -> Result<Ask, Problem> {
    let marks = match offer.gives {
        Gives::Clicks => clicks(params)?,
        Gives::Scribbles => scribbles(params, label)?,
        Gives::Nothing => MarksBody::default(),
    };
    let slice = if offer.flat { Some(slice_of(params, &marks)?) } else { None };
    let known = knobs(&offer.method);
    let given = params.iter().filter(|(key, _)| known.contains_key(*key));
    let settings = schema::to_settings(given.map(|(key, value)| (key.clone(), as_number(value))).collect())?;
    Ok(Ask { image: subject.path.clone(), method: offer.method.clone(), settings, marks, slice })
}

/// The slice that is meant: the one that is named, or the one that all clicks lie in.
fn slice_of(params: &Params, marks: &MarksBody) -> Result<usize, Problem> {
    if let Some(slice) = params.get("slice").filter(|slice| !slice.is_null()) {
        let whole = as_number(slice).as_u64().and_then(|k| usize::try_from(k).ok());
        return whole.ok_or_else(|| Problem::wrong(format!("slice = {slice}: expected a whole number from 0 on")));
    }
    let first = marks.foreground.first().map_or(0.0, |click| click[2]);
    Ok(first.max(0.0).round() as usize)
}

/// Clicks as deepgrow sends them, or those of deepedit: a list for each label, of which the current one is the object.
fn clicks(params: &Params) -> Result<MarksBody, Problem> {
    let mut marks = MarksBody { background: points(params, "background")?, ..MarksBody::default() };
    marks.foreground = points(params, "foreground")?;
    let current = params.get("label").and_then(Value::as_str);
    if let Some(current) = current.filter(|_| !params.contains_key("foreground")) {
        marks.foreground = points(params, current)?;
    }
    Ok(marks)
}

/// A list of voxels; those of a picture may have two coordinates.
fn points(params: &Params, key: &str) -> Result<Vec<[f64; 3]>, Problem> {
    let wrong = || Problem::wrong(format!("params: {key}: expected a list of voxels such as [[10, 20, 5]]"));
    let list = match params.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        // Some clients send lists as text.
        Some(Value::String(text)) => serde_json::from_str::<Value>(text).map_err(|_| wrong())?,
        Some(list) => list.clone(),
    };
    let point = |value: &Value| -> Option<[f64; 3]> {
        let numbers: Vec<f64> = value.as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
        match numbers[..] {
            [x, y] => Some([x, y, 0.0]),
            [x, y, z] => Some([x, y, z]),
            _ => None,
        }
    };
    list.as_array().and_then(|list| list.iter().map(point).collect()).ok_or_else(wrong)
}

/// Scribbles, which come as labels of the image's grid with ids that go by names.
fn scribbles(params: &Params, label: Option<&FormFile>) -> Result<MarksBody, Problem> {
    let file = label
        .ok_or_else(|| Problem::wrong("the form has no scribbles").hint("send them as labels in the field `label`"))?;
    let map = read_labels(file.file.path()).map_err(|e| Problem::from(e).of_upload(file.file.path(), &file.name))?;
    let list = params.get("label_info").and_then(Value::as_array);
    let id = |(name, usual): (&str, u16)| -> u16 {
        let entry = list.into_iter().flatten().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
        entry.and_then(|entry| u16::try_from(entry.get("id")?.as_u64()?).ok()).unwrap_or(usual)
    };
    let [background, foreground] = SCRIBBLE_IDS.map(|scribble| voxels(&map, id(scribble)));
    Ok(MarksBody { foreground, background, ..MarksBody::default() })
}

/// Some of the voxels that have a label, evenly among them.
fn voxels(map: &LabelMap, label: u16) -> Vec<[f64; 3]> {
    let grid = map.geometry().grid();
    let found = map.labels().iter().enumerate().filter(|(_, found)| **found == label);
    let all: Vec<[f64; 3]> = found.map(|(at, _)| grid.voxel(at).map(|c| c as f64)).collect();
    thinned(&all, POINTS_OF_SCRIBBLES)
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
    let ending = params.get("result_extension").and_then(Value::as_str).unwrap_or(".nii.gz");
    let ending = format!(".{}", ending.trim_start_matches('.'));
    let name = format!("{}{ending}", offer.name);
    if Format::of_name(std::path::Path::new(&name)).is_none() || ending.contains(['/', '\\']) {
        return Err(Problem::wrong(format!("result_extension = {ending:?}: the ending tells no known format"))
            .hint("endings that can be written: .nrrd .nii.gz .nii .mha .tif .png .npy"));
    }
    let file = encode(&name, &found.labels.to_image())?;
    let codes = found.labels.present();
    let names = match params.get("label").and_then(Value::as_str) {
        Some(label) if offer.gives != Gives::Nothing => Map::from_iter([(label.to_owned(), 1.into())]),
        _ if offer.gives == Gives::Scribbles => {
            let selected = params.get("selected_label_name").and_then(Value::as_str).unwrap_or("object");
            Map::from_iter([(selected.to_owned(), 1.into())])
        }
        _ => names(app, if codes.is_empty() { &[1] } else { &codes }),
    };
    let mut told = Map::from_iter([
        ("label_names".to_owned(), Value::from(names.clone())),
        ("centroids".to_owned(), json!({})),
        ("model".to_owned(), offer.name.clone().into()),
    ]);
    if let (Some(entry), Some(true)) = (&subject.entry, params.get("save_label").and_then(Value::as_bool)) {
        let tag = params.get("label_tag").and_then(Value::as_str).unwrap_or("original");
        let info = json!({ "model": offer.name, "params": { "label_names": names } });
        app.datastore.save_label(entry, tag, &found.labels, info.as_object().cloned().unwrap_or_default())?;
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
