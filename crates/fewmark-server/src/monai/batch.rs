//! Models run over the images of the study.

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::ask::ask;
use super::infer::{label_names, save};
use super::info::{Gives, offer};
use super::train::as_number;
use super::{DONE_WITHIN, Params, STOPPED_WITHIN, is_on};
use crate::Shared;
use crate::api::query;
use crate::batch::Order;
use crate::body;
use crate::datastore::{FINAL, ImageFile, ORIGINAL, check_tag};
use crate::error::Problem;
use crate::jobs::State as JobState;
use crate::routes::json as answer;
use crate::segment::segment;

#[derive(Deserialize)]
struct Start {
    images: Option<String>,
    run_sync: Option<String>,
}

pub(super) async fn start(
    State(app): State<Shared>,
    Path(model): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let Start { images, run_sync } = query(&uri)?;
    let params: Params = body::json_or_default(&app, body).await?;
    let order = app.wait(move |app| order(app, &model, images.as_deref().unwrap_or("all"), params)).await?;
    let batch = app.batches.start(&app, order)?;
    if is_on(run_sync.as_deref()) {
        batch.wait(DONE_WITHIN).await;
    }
    Ok(answer(&batch.task()))
}

/// What is to be done with which images.
fn order(app: &Shared, model: &str, which: &str, params: Params) -> Result<Order, Problem> {
    let offer = offer(app, model)?;
    if matches!(offer.gives, Gives::Clicks | Gives::Scribbles) {
        return Err(Problem::wrong(format!("the model {model:?} needs somebody who marks the object"))
            .hint("trained models and few-shot segmentation need nobody"));
    }
    // What is wrong with the request is wrong for every image.
    ask(app, &offer, PathBuf::new(), &params, None)?;
    let keeps = params.get("save_label").is_none_or(|save| save.as_bool() != Some(false));
    let tag = params.get("label_tag").and_then(Value::as_str).unwrap_or(ORIGINAL).to_owned();
    check_tag(&tag)?;
    if keeps && tag == FINAL && which != "unlabeled" {
        return Err(Problem::wrong("label_tag = \"final\" would replace labels that a person saved")
            .hint("give another tag, or only the images without labels with images=unlabeled"));
    }
    let images = images(app, which, &params)?;
    let (name, request) = (offer.name.clone(), params.clone());
    let kept_under = keeps.then(|| tag.clone());
    let work = move |app: &Shared, image: &ImageFile, wanted: &_| {
        // A person may have saved one since the batch began: then there is nothing to do, see also `save`.
        if keeps && tag == FINAL && app.datastore.image(&image.id)?.labels.contains_key(FINAL) {
            return Err(Problem::new(StatusCode::CONFLICT, "a person has labelled it meanwhile"));
        }
        let ask = ask(app, &offer, image.path.clone(), &params, None)?;
        let found = segment(app, &ask, wanted, false, &mut |_| {})?;
        if keeps {
            save(app, &offer, image, &tag, &found, &label_names(app, &offer, &params, &found))?;
        }
        Ok(found.labels.labels().iter().filter(|label| **label != 0).count())
    };
    Ok(Order { name, images, request, which: which.to_owned(), tag: kept_under, work: Box::new(work) })
}

/// The images that are meant; `max_batch_size` bounds their number, 0 does not.
fn images(app: &Shared, which: &str, params: &Params) -> Result<Vec<ImageFile>, Problem> {
    let most = match params.get("max_batch_size").filter(|most| !most.is_null()).map(as_number) {
        None => 0,
        Some(most) => most.as_u64().ok_or_else(|| {
            Problem::wrong(format!("max_batch_size = {most}: expected a whole number, 0 for all images"))
        })?,
    };
    let mut images = app.datastore.images()?;
    let labelled = |image: &ImageFile| image.labels.contains_key(FINAL);
    match which {
        "all" => {}
        "labeled" => images.retain(labelled),
        "unlabeled" => images.retain(|image| !labelled(image)),
        other => return Err(Problem::wrong(format!("images = {other:?}: expected all, labeled or unlabeled"))),
    }
    if most > 0 {
        images.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }
    Ok(images)
}

#[derive(Deserialize)]
struct Status {
    all: Option<String>,
    check_if_running: Option<String>,
}

pub(super) async fn status(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let Status { all, check_if_running } = query(&uri)?;
    let latest = app.batches.latest();
    if is_on(all.as_deref()) {
        return Ok(answer(&latest.iter().map(|batch| batch.task()).collect::<Vec<_>>()));
    }
    let latest = latest.ok_or_else(|| Problem::missing("there was no batch yet"))?;
    if is_on(check_if_running.as_deref()) && latest.state() != JobState::Running {
        return Err(Problem::missing("no batch is running"));
    }
    Ok(answer(&latest.task()))
}

pub(super) async fn stop(State(app): State<Shared>) -> Response {
    let Some(batch) = app.batches.running() else { return answer(&Value::Null) };
    batch.stop();
    batch.wait(STOPPED_WITHIN).await;
    answer(&batch.task())
}
