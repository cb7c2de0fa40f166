//! Logging in: the password is the server's token, the user may have any name.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::Shared;
use crate::body::Form;
use crate::error::Problem;
use crate::guard::is_token;
use crate::routes::json as answer;

/// 3D Slicer asks this before every single call.
pub(super) async fn enabled(State(app): State<Shared>) -> Response {
    answer(&json!({ "enabled": app.config.token.is_some() }))
}

pub(super) async fn token(State(app): State<Shared>, form: Form) -> Result<Response, Problem> {
    let Some(token) = &app.config.token else {
        return Err(Problem::missing("this server asks for no token"));
    };
    if form.texts.get("password").is_some_and(|given| is_token(given, token)) {
        return Ok(answer(&json!({ "access_token": token, "token_type": "bearer" })));
    }
    Err(Problem::new(StatusCode::UNAUTHORIZED, "the password is wrong")
        .hint("it is the token that the server was started with; any user name will do"))
}

/// Only those who brought the token come here.
pub(super) async fn valid(State(app): State<Shared>) -> Response {
    answer(&json!({ "enabled": app.config.token.is_some(), "valid": true }))
}
