//! Trainings as viewers start and watch them.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::info::TRAINER_KNOBS;
use super::{DONE_WITHIN, Params, STOPPED_WITHIN, is_on};
use crate::Shared;
use crate::api::query;
use crate::datastore::FINAL;
use crate::error::Problem;
use crate::jobs::{Order, State as JobState};
use crate::routes::json as answer;
use crate::{body, schema};

#[derive(Deserialize)]
struct Start {
    run_sync: Option<String>,
}

pub(super) async fn start(
    State(app): State<Shared>,
    Path(network): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let Start { run_sync } = query(&uri)?;
    let params: Params = body::json_or_default(&app, body).await?;
    Ok(answer(&begin(&app, network, params, is_on(run_sync.as_deref())).await?))
}

/// OHIF starts all trainings that it lists; there is one at a time, so the first one is it.
pub(super) async fn start_all(State(app): State<Shared>, body: Body) -> Result<Response, Problem> {
    let params: Params = body::json_or_default(&app, body).await?;
    let mut tasks = Map::new();
    for (network, params) in params {
        let Value::Object(params) = params else { continue };
        let entry = match begin(&app, network.clone(), params, false).await {
            Ok(task) => json!({ "result": task, "detail": null }),
            Err(problem) => json!({ "result": null, "detail": app.without_paths(&problem.message) }),
        };
        tasks.insert(network, entry);
    }
    if tasks.is_empty() {
        return Err(Problem::wrong("the body names no network to train"));
    }
    Ok(answer(&tasks))
}

async fn begin(app: &Shared, network: String, params: Params, wait: bool) -> Result<Value, Problem> {
    let job = app
        .compute(move |app| {
            let labelled = app.datastore.images()?.iter().filter(|image| image.labels.contains_key(FINAL)).count();
            let settings = settings(&params, labelled)?;
            let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
            app.jobs.start(app, Order { network, settings, tag: FINAL.into(), name, request: params })
        })
        .await?;
    if wait {
        let job = job.clone();
        app.wait(move |_| Ok(job.wait(DONE_WITHIN))).await?;
    }
    Ok(job.task())
}

/// The settings among the parameters. An epoch, which other trainers count in, is as many iterations as there are images.
fn settings(params: &Params, images: usize) -> Result<toml::Table, Problem> {
    let mut given: Params = params
        .iter()
        .filter(|(key, _)| TRAINER_KNOBS.contains(&key.as_str()))
        .map(|(key, value)| (format!("training.{key}"), as_number(value)))
        .collect();
    let epochs = params.get("max_epochs").map(as_number);
    if let (Some(epochs), false) = (epochs.as_ref().and_then(Value::as_u64), given.contains_key("training.iterations"))
    {
        given.insert("training.iterations".into(), epochs.saturating_mul(images.max(1) as u64).into());
    }
    schema::to_settings(given)
}

/// Text cells of a viewer send numbers as text.
pub(super) fn as_number(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            serde_json::from_str::<serde_json::Number>(text.trim()).map_or_else(|_| value.clone(), Value::Number)
        }
        value => value.clone(),
    }
}

#[derive(Deserialize)]
struct Status {
    all: Option<String>,
    check_if_running: Option<String>,
}

pub(super) async fn status(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let Status { all, check_if_running } = query(&uri)?;
    let found = app
        .wait(move |app| {
            if is_on(all.as_deref()) {
                return Ok(app.jobs.all().iter().map(|job| job.task()).collect::<Vec<_>>().into());
            }
            let latest = app.jobs.latest().ok_or_else(|| Problem::missing("nothing was trained yet"))?;
            if is_on(check_if_running.as_deref()) && latest.state() != JobState::Running {
                return Err(Problem::missing("no training is running"));
            }
            Ok(latest.task())
        })
        .await?;
    Ok(answer(&found))
}

pub(super) async fn stop(State(app): State<Shared>) -> Result<Response, Problem> {
    let stopped = app
        .wait(|app| {
            let Some(running) = app.jobs.running() else { return Ok(Value::Null) };
            let job = app.jobs.stop(&running.id)?;
            job.wait(STOPPED_WITHIN);
            Ok(job.task())
        })
        .await?;
    Ok(answer(&stopped))
}
