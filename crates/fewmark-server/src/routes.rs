//! Which handler answers which path.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::Shared;
use crate::{api, dicomweb, guard, monai, ohif, page};

/// All routes, behind the guard.
pub(crate) fn router(app: Shared) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/openapi.json", get(openapi))
        .merge(api::routes())
        .merge(monai::routes())
        .merge(dicomweb::routes())
        .merge(ohif::routes())
        .fallback(fallback)
        .with_state(app.clone())
        .layer(from_fn_with_state(app, guard::guard))
}

/// Whether a path belongs to our own interface, whose errors have a shape of their own.
pub(crate) fn is_own(path: &str) -> bool {
    path.starts_with("/api/") || matches!(path, "/api" | "/health" | "/openapi.json")
}

async fn health(State(_): State<Shared>) -> axum::response::Response {
    json(&serde_json::json!({ "ok": true }))
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], crate::OPENAPI).into_response()
}

async fn fallback(method: axum::http::Method, uri: Uri) -> Response {
    if !page::is_part(uri.path()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if method != axum::http::Method::GET && method != axum::http::Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    page::serve(uri.path())
}

/// A JSON answer.
pub(crate) fn json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => crate::error::Problem::bug().into_response(),
    }
}
