//! Handing out files, what they say, and their frames (WADO-RS).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use fewmark::image::Error as FileError;
use fewmark::image::dicom::{read_frames, read_header};
use rayon::prelude::*;

use super::accept::{self, Wrapping};
use super::json::{object, texts};
use super::query::AVAILABLE_SYNTAX;
use super::related::{self, Content, Part};
use super::{Named, Shared};
use crate::app::App;
use crate::datastore::Instance;
use crate::error::Problem;

/// The most frames of one request.
const MOST_FRAMES: usize = 4096;

const DICOM: &str = "application/dicom";
const OCTETS: &str = "application/octet-stream";

/// The files that a path names, at least one.
fn named(app: &App, named: &Named) -> Result<Vec<Arc<Instance>>, Problem> {
    // One file is asked for over and over: it is found without a look at all the others.
    let mut found = match (&named.series, &named.instance) {
        (Some(series), Some(uid)) => app.datastore.instance_of(series, uid)?.into_iter().collect(),
        _ => app.datastore.instances()?,
    };
    found.retain(|instance| named.holds(instance));
    if found.is_empty() {
        return Err(Problem::missing("there is no such study, series or instance among the DICOM files of the study"));
    }
    Ok(found)
}

pub(super) async fn metadata(
    State(app): State<Shared>,
    Path(path): Path<Named>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    accept::json(&headers)?;
    let body = app
        .compute(move |app| {
            let parts = named(app, &path)?.par_iter().map(|instance| told(instance)).collect::<Result<Vec<_>, _>>()?;
            Ok([&b"["[..], &parts.join(&b','), b"]"].concat())
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/dicom+json")], body).into_response())
}

/// What a file says, but for its samples, as JSON.
fn told(instance: &Instance) -> Result<Vec<u8>, Problem> {
    let header = read_header(&instance.path)?;
    let syntax = texts(AVAILABLE_SYNTAX, *b"UI", [header.syntax]);
    serde_json::to_vec(&object(header.attributes.iter().chain([&syntax]))).map_err(|_| Problem::bug())
}

pub(super) async fn instances(
    State(app): State<Shared>,
    Path(path): Path<Named>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wrapping = accept::wrapping(&headers, DICOM, path.instance.is_some())?;
    let parts = app
        .wait(move |app| {
            let part = |instance: &Arc<Instance>| {
                let path = instance.path.clone();
                let length = std::fs::metadata(&path).map_err(|e| Problem::io("read", &path, e))?.len();
                let kind = format!("{DICOM}; transfer-syntax={}", instance.syntax);
                Ok(Part { kind, content: Content::File(path, length) })
            };
            named(app, &path)?.iter().map(part).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    wrapped(parts, DICOM, wrapping)
}

pub(super) async fn frames(
    State(app): State<Shared>,
    Path(path): Path<Named>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let numbers = numbers(path.frames.as_deref().unwrap_or(""))?;
    let wrapping = accept::wrapping(&headers, OCTETS, numbers.len() == 1)?;
    let parts = app
        .wait(move |app| {
            let instance = named(app, &path)?.swap_remove(0);
            let found = read_frames(&instance.path, &numbers).map_err(|error| match error {
                FileError::OutsideImage { what, size } => {
                    Problem::missing(format!("there is no {what}: the file has {}, counted from 1", size[2]))
                }
                other => other.into(),
            })?;
            let kind = format!("{OCTETS}; transfer-syntax={}", found.syntax);
            let part = |bytes: Vec<u8>| Part { kind: kind.clone(), content: Content::Bytes(bytes.into()) };
            Ok(found.frames.into_iter().map(part).collect())
        })
        .await?;
    wrapped(parts, OCTETS, wrapping)
}

fn wrapped(parts: Vec<Part>, kind: &str, wrapping: Wrapping) -> Result<Response, Problem> {
    match (wrapping, <[Part; 1]>::try_from(parts)) {
        (Wrapping::Plain, Ok([part])) => related::plain(part),
        (_, Ok(one)) => related::response(kind, one.into()),
        (_, Err(parts)) => related::response(kind, parts),
    }
}

/// The numbers of frames in a list such as `1,2,5`.
fn numbers(list: &str) -> Result<Vec<usize>, Problem> {
    let wrong = || {
        Problem::malformed(format!("frames {list:?}: expected numbers from 1 on with commas between them"))
            .hint(format!("at most {MOST_FRAMES} at once"))
    };
    let numbers: Option<Vec<usize>> = list.split(',').map(|n| n.parse().ok().filter(|&n| n > 0)).collect();
    numbers.filter(|numbers| numbers.len() <= MOST_FRAMES).ok_or_else(wrong)
}
