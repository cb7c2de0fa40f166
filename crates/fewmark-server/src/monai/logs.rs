//! The log, as text or as a plain page.

use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::is_on;
use crate::Shared;
use crate::api::query;
use crate::error::Problem;

#[derive(Deserialize)]
struct Lines {
    lines: Option<usize>,
    text: Option<String>,
    refresh: Option<u32>,
}

pub(super) async fn logs(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let Lines { lines, text, refresh } = query(&uri)?;
    let tail = app.without_paths(&app.log.tail(lines.unwrap_or(300)));
    if is_on(text.as_deref()) {
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], tail).into_response());
    }
    let escaped = tail.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let refresh = refresh.filter(|seconds| *seconds > 0);
    let refresh = refresh.map_or(String::new(), |seconds| format!("<meta http-equiv=refresh content={seconds}>"));
    let page = format!("<!doctype html><meta charset=utf-8>{refresh}<title>Fewmark: log</title><pre>{escaped}</pre>");
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}
