//! Images of the study.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use fewmark::Dimension;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::query;
use crate::Shared;
use crate::error::Problem;
use crate::facts::Facts;
use crate::routes::json as answer;
use crate::segment::load;
use crate::{active, body, pictures};

pub(super) async fn list(State(app): State<Shared>) -> Result<Response, Problem> {
    let images = app.wait(|app| app.datastore.images()).await?;
    let list: Vec<Value> = images
        .iter()
        .map(|image| json!({ "id": image.id, "name": image.name(), "labels": image.labels.keys().collect::<Vec<_>>() }))
        .collect();
    Ok(answer(&list))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    #[serde(default = "first")]
    strategy: String,
}

fn first() -> String {
    "first".into()
}

pub(super) async fn next(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let Next { strategy } = query(&uri)?;
    let strategy = active::Strategy::named(&strategy)?;
    match active::next(&app, strategy).await? {
        Some(chosen) => Ok(answer(&json!({ "id": chosen.image.id, "uncertainty": chosen.uncertainty }))),
        None => Err(Problem::missing("every image of the study has a final label")),
    }
}

pub(super) async fn facts(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let body = app
        .compute(move |app| {
            let image = app.datastore.image(&id)?;
            let (_, decoded) = load(app, &image.path)?;
            let geometry = decoded.image.geometry();
            let mut body = json!({
                "id": image.id,
                "name": image.name(),
                "size": geometry.size(),
                "spacing": geometry.spacing(),
                "channels": decoded.image.channels(),
                "dimension": if geometry.dimension() == Dimension::Two { 2 } else { 3 },
                "labels": image.labels.keys().collect::<Vec<_>>(),
            });
            let facts = decoded.facts.get_or_init(|| Facts::of(&decoded.image));
            if let (Some(body), Ok(Value::Object(facts))) = (body.as_object_mut(), serde_json::to_value(facts)) {
                body.extend(facts);
            }
            Ok(body)
        })
        .await?;
    Ok(answer(&body))
}

pub(super) async fn volume(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let bytes = app
        .compute(move |app| {
            let image = app.datastore.image(&id)?;
            let (_, decoded) = load(app, &image.path)?;
            pictures::nifti(&image.path, &decoded.image)
        })
        .await?;
    // Not `content-encoding`: the file itself is compressed, as its readers expect.
    Ok(([(header::CONTENT_TYPE, "application/gzip")], bytes).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slice {
    #[serde(default = "axial")]
    axis: usize,
    index: Option<usize>,
    low: Option<f32>,
    high: Option<f32>,
}

fn axial() -> usize {
    2
}

pub(super) async fn slice(State(app): State<Shared>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let Slice { axis, index, low, high } = query(&uri)?;
    let window = match (low, high) {
        (None, None) => None,
        (Some(low), Some(high)) if low.is_finite() && high.is_finite() && low < high => Some([low, high]),
        _ => return Err(Problem::wrong("the window: expected numbers low < high, or neither")),
    };
    if axis > 2 {
        return Err(Problem::wrong(format!("axis {axis}: expected 0, 1 or 2")));
    }
    let bytes = app
        .compute(move |app| {
            let image = app.datastore.image(&id)?;
            let (_, decoded) = load(app, &image.path)?;
            let index = index.unwrap_or(decoded.image.geometry().size()[axis] / 2);
            pictures::png(&decoded.image, axis, index, window)
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], bytes).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upload {
    name: String,
}

pub(super) async fn upload(State(app): State<Shared>, uri: Uri, body: Body) -> Result<Response, Problem> {
    let Upload { name } = query(&uri)?;
    let file = body::to_file(&app, body).await?;
    let id = app.compute(move |app| app.datastore.add_image(file, &name, Map::new(), false)).await?;
    Ok((StatusCode::CREATED, answer(&json!({ "id": id }))).into_response())
}
