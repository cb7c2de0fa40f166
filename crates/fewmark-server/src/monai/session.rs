//! Images that a viewer has and the study has not.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{files, is_on};
use crate::Shared;
use crate::api::query;
use crate::body::Form;
use crate::error::Problem;
use crate::routes::json as answer;

#[derive(Deserialize)]
struct Open {
    uncompress: Option<String>,
    expiry: Option<u64>,
}

pub(super) async fn open(State(app): State<Shared>, uri: Uri, form: Form) -> Result<Response, Problem> {
    let Open { uncompress, expiry } = query(&uri)?;
    if is_on(uncompress.as_deref()) {
        return Err(
            Problem::wrong("archives are not unpacked").hint("send the files one by one, in fields called `files`")
        );
    }
    let files = form.files.into_iter().map(|file| (file.name, file.file)).collect();
    let session = app.compute(move |app| app.sessions.open(app, files, expiry.unwrap_or(0))).await?;
    Ok(answer(&json!({ "session_id": session.id, "session_info": session.to_json() })))
}

#[derive(Deserialize)]
struct One {
    image: Option<String>,
}

pub(super) async fn one(State(app): State<Shared>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let One { image } = query(&uri)?;
    let session = match app.sessions.find(&id) {
        Ok(session) => session,
        // 3D Slicer uploads again after an empty answer, and shows an error after 404: a session that expired is the former.
        Err(_) if is_uuid(&id) => return Ok(answer(&json!({}))),
        Err(problem) => return Err(problem),
    };
    if is_on(image.as_deref()) {
        if session.image.is_dir() {
            return Err(Problem::wrong("the session holds a series of files"));
        }
        return files::send(&app, &session.image).await;
    }
    Ok(answer(&session.to_json()))
}

fn is_uuid(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

pub(super) async fn close(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let session = app.wait(move |app| app.sessions.close(&id)).await?;
    Ok(answer(&session.to_json()))
}
