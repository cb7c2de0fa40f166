//! Labels of images, and how well they agree.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use fewmark::LabelMap;
use fewmark::image::read_labels;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::query;
use crate::Shared;
use crate::body;
use crate::datastore::{Datastore, Place, colour_of};
use crate::error::Problem;
use crate::routes::json as answer;
use crate::segment::{load, volume_ml};
use crate::{runs, scores};

/// Labels as runs, and what their values mean.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    #[serde(default)]
    labels: BTreeMap<String, Legend>,
    runs: Vec<u64>,
    /// Which version was read, or is to be replaced: 0 for none. Without it any is replaced.
    version: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Legend {
    name: String,
    colour: Option<String>,
}

pub(super) async fn get(
    State(app): State<Shared>,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let found = app
        .compute(move |app| {
            let (image, path) = app.datastore.label(&id, &tag)?;
            // Before it is read: what is saved in between counts as later.
            let version = Datastore::version(&path);
            let map = read_labels(&path)?;
            let (_, decoded) = load(app, &image.path)?;
            decoded.image.geometry().expect_same_space(map.geometry()).map_err(fewmark::image::Error::from)?;
            let mut legend = app.datastore.legend();
            legend.extend(app.datastore.legend_of(&image.id, &tag));
            let labels = map.present().into_iter().map(|value| {
                let (name, colour) = legend.remove(&value).unwrap_or_else(|| (format!("label {value}"), None));
                (value.to_string(), Legend { name, colour: Some(colour.unwrap_or_else(|| colour_of(value))) })
            });
            Ok(Labels { labels: labels.collect(), runs: runs::encode(map.labels()), version: Some(version) })
        })
        .await?;
    Ok(answer(&found))
}

pub(super) async fn put(
    State(app): State<Shared>,
    Path((id, tag)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Problem> {
    let body: Labels = body::json(&app, body).await?;
    let saved = app
        .compute(move |app| {
            let image = app.datastore.image(&id)?;
            let (_, decoded) = load(app, &image.path)?;
            let geometry = decoded.image.geometry();
            let map = LabelMap::new(runs::decode(&body.runs, geometry.len())?, geometry.clone())?;
            let mut list = Vec::new();
            for (value, Legend { name, colour }) in &body.labels {
                let wrong =
                    || Problem::wrong(format!("labels: {value:?} is no label: expected a number from 1 to 65535"));
                let value: u16 = value.parse().ok().filter(|value| *value > 0).ok_or_else(wrong)?;
                if let Some(colour) = colour.as_deref().filter(|colour| !is_colour(colour)) {
                    return Err(Problem::wrong(format!("labels: {colour:?} is no colour: expected \"#rrggbb\"")));
                }
                list.push(json!({ "name": name, "idx": value, "color": colour }));
            }
            let info = Map::from_iter([("label_info".to_owned(), Value::from(list))]);
            let place = match body.version {
                None => Place::Any,
                Some(0) => Place::Free,
                Some(version) => Place::Of(version),
            };
            app.datastore.save_label(&image, &tag, &map, info, place)?;
            let version = Datastore::version(&app.datastore.label(&image.id, &tag)?.1);
            let counts = counts(&map);
            let volumes: BTreeMap<String, f64> =
                counts.iter().map(|(value, &count)| (value.clone(), volume_ml(count, geometry))).collect();
            Ok(json!({ "id": image.id, "tag": tag, "voxels": counts, "volume_ml": volumes, "version": version }))
        })
        .await?;
    Ok(answer(&saved))
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Voxels of each label.
fn counts(map: &LabelMap) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for run in map.labels().chunk_by(|a, b| a == b).filter(|run| run[0] != 0) {
        *counts.entry(run[0].to_string()).or_insert(0) += run.len();
    }
    counts
}

pub(super) async fn delete(
    State(app): State<Shared>,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response, Problem> {
    app.wait(move |app| app.datastore.remove_label(&id, &tag)).await?;
    Ok(answer(&json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    tag: String,
    against: String,
}

pub(super) async fn scores(State(app): State<Shared>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let Pair { tag, against } = query(&uri)?;
    let found = app
        .compute(move |app| {
            let (prediction, truth) = (app.datastore.label(&id, &tag)?.1, app.datastore.label(&id, &against)?.1);
            scores::scores(&prediction, &truth)
        })
        .await?;
    Ok(answer(&json!({ "labels": found })))
}
