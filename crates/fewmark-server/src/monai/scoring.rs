//! What a model made, scored against what a person saved.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::Shared;
use crate::clock;
use crate::datastore::{FINAL, ORIGINAL};
use crate::error::Problem;
use crate::routes::json as answer;
use crate::scores::scores;

/// The one scoring method.
pub(super) const DICE: &str = "dice";

/// Scores every image that has both labels, at once.
pub(super) async fn score(State(app): State<Shared>, Path(method): Path<String>) -> Result<Response, Problem> {
    if method != DICE {
        return Err(Problem::missing(format!("there is no scoring method {method:?}")).hint("the one there is is dice"));
    }
    let begun = clock::now();
    let found: BTreeMap<String, Value> = app
        .compute(|app| {
            let images = app.datastore.images()?;
            let both =
                images.iter().filter_map(|image| Some((image, image.labels.get(ORIGINAL)?, image.labels.get(FINAL)?)));
            both.map(|(image, made, saved)| Ok((image.id.clone(), scores(made, saved)?.into()))).collect()
        })
        .await?;
    let details = vec![format!("scored {} images", found.len())];
    Ok(answer(&json!({
        "id": crate::random::uuid(),
        "status": "DONE",
        "request": { "method": method },
        "start_ts": clock::text(begun),
        "end_ts": clock::text(clock::now()),
        "details": details,
        "result": found,
    })))
}
