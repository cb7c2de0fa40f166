//! Trained models as files.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::files;
use crate::Shared;
use crate::error::Problem;
use crate::methods::Model;
use crate::routes::json as answer;

async fn find(app: &Shared, name: String) -> Result<std::sync::Arc<Model>, Problem> {
    app.wait(move |app| {
        app.methods.model(&name).ok_or_else(|| Problem::missing(format!("there is no trained model {name:?}")))
    })
    .await
}

pub(super) async fn weights(State(app): State<Shared>, Path(name): Path<String>) -> Result<Response, Problem> {
    let model = find(&app, name).await?;
    files::send(&app, &model.path).await
}

pub(super) async fn info(State(app): State<Shared>, Path(name): Path<String>) -> Result<Response, Problem> {
    let model = find(&app, name).await?;
    let found = app
        .wait(move |_| {
            let bytes = std::fs::read(&model.path).map_err(|e| Problem::io("read", &model.path, e))?;
            let checksum = format!("SHA256:{}", crate::random::hex(&Sha256::digest(bytes)));
            Ok(json!({ "checksum": checksum, "modified_time": crate::clock::seconds(model.stamp.modified) }))
        })
        .await?;
    Ok(answer(&found))
}
