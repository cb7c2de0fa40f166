//! Trainings, and what happens in them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use fewmark::nets::Architecture;
use fewmark::parameters::training_help;
use fewmark::training;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::segment::event;
use crate::Shared;
use crate::error::Problem;
use crate::jobs::{self, Job, Order, State as JobState};
use crate::routes::json as answer;
use crate::{body, schema};

pub(super) async fn list(State(app): State<Shared>) -> Result<Response, Problem> {
    let list = app.wait(|app| Ok(app.jobs.all().iter().map(|job| job.to_json(false)).collect::<Vec<_>>())).await?;
    Ok(answer(&list))
}

pub(super) async fn networks(State(_): State<Shared>) -> Result<Response, Problem> {
    let list = jobs::networks().map(network).collect::<Result<Vec<_>, Problem>>()?;
    Ok(answer(&list))
}

/// A network and its settings; those of the architecture itself are fixed by its name.
fn network(name: &'static str) -> Result<Value, Problem> {
    let mut defaults = training::defaults(name)?;
    defaults.remove("network");
    let summary = match Architecture::find(name, 1, 2) {
        Ok(architecture) => format!("{}; {}-D", architecture.summary(), architecture.rank() - 2),
        Err(_) if !jobs::learns_from_labels(name) => {
            "the encoder of few-shot segmentation: it learns from all grey images, without labels".into()
        }
        // The one name that stands for two.
        Err(_) => "MSNet for the images of the study, 2-D or 3-D".into(),
    };
    let settings = schema::of_table("", &defaults, training_help, &|key| training::choices(name, key));
    let labels = jobs::learns_from_labels(name);
    Ok(json!({ "name": name, "summary": summary, "labels": labels, "settings": settings }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    network: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default = "of_a_person")]
    tag: String,
    name: Option<String>,
}

fn of_a_person() -> String {
    crate::datastore::FINAL.into()
}

pub(super) async fn start(State(app): State<Shared>, body: Body) -> Result<Response, Problem> {
    let Start { network, settings, tag, name } = body::json(&app, body).await?;
    let settings = schema::to_settings(settings)?;
    let order = Order { network, settings, tag, name, request: Map::new() };
    let job = app.compute(move |app| app.jobs.start(app, order)).await?;
    Ok((StatusCode::CREATED, answer(&job.to_json(false))).into_response())
}

pub(super) async fn one(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = app.wait(move |app| app.jobs.one(&id)).await?;
    Ok(answer(&job.to_json(true)))
}

pub(super) async fn stop(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = app.wait(move |app| app.jobs.stop(&id)).await?;
    Ok(answer(&job.to_json(false)))
}

pub(super) async fn resume(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = app.compute(move |app| app.jobs.resume(app, &id)).await?;
    Ok(answer(&job.to_json(false)))
}

/// Steps as they are taken, and the state at the beginning and whenever it changes; ends with the training.
pub(super) async fn events(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = app.wait(move |app| app.jobs.one(&id)).await?;
    let told = Told { changes: job.changes(), next: job.since(0).0.len(), state: None, job };
    let events = futures_util::stream::unfold(Some(told), |told| async move {
        let mut told = told?;
        let batch = told.next_batch().await;
        let rest = (told.state == Some(JobState::Running)).then_some(told);
        Some((batch, rest))
    });
    let events = futures_util::StreamExt::flat_map(events, |batch| {
        futures_util::stream::iter(batch.into_iter().map(Ok::<Event, Infallible>))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// How far a listener has been told.
struct Told {
    job: Arc<Job>,
    changes: tokio::sync::watch::Receiver<u64>,
    next: usize,
    state: Option<JobState>,
}

impl Told {
    /// What is new, as soon as something is.
    async fn next_batch(&mut self) -> Vec<Event> {
        loop {
            let (points, state) = self.job.since(self.next);
            self.next += points.len();
            let mut batch: Vec<Event> = points.iter().map(|point| event("step", &json!(point))).collect();
            if self.state != Some(state) {
                batch.push(event("state", &json!({ "state": state })));
                self.state = Some(state);
            }
            // A training that another program runs in the study tells nothing; its listener asks again.
            if !batch.is_empty() || self.changes.changed().await.is_err() {
                return batch;
            }
        }
    }
}
