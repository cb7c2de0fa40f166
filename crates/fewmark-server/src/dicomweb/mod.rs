//! DICOMweb over the study's DICOM files, for viewers that load scans by themselves: OHIF does (PS3.18 sections 8 and 10).
//!
//! The paths are those at which MONAI Label's server passes on to a PACS: `/proxy/dicom/qido/...` and `/proxy/dicom/wado/...`, which answer
//! alike. Files are handed out as they are stored; nothing is transcoded, rendered or taken in.

mod accept;
mod json;
mod matching;
mod query;
mod related;
mod retrieve;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};

use crate::Shared;
use crate::datastore::Instance;
use crate::error::Problem;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .nest("/proxy/dicom/qido", resources())
        .nest("/proxy/dicom/wado", resources())
        .route("/proxy/dicom/stow/studies", post(store))
        .route("/proxy/dicom/stow/studies/{study}", post(store))
}

fn resources() -> Router<Shared> {
    const SERIES: &str = "/studies/{study}/series/{series}";
    let series = |rest: &str| format!("{SERIES}{rest}");
    Router::new()
        .route("/studies", get(query::studies))
        .route("/series", get(query::series))
        .route("/instances", get(query::instances))
        .route("/studies/{study}/series", get(query::series))
        .route("/studies/{study}/instances", get(query::instances))
        .route(&series("/instances"), get(query::instances))
        .route("/studies/{study}", get(retrieve::instances))
        .route(SERIES, get(retrieve::instances))
        .route(&series("/instances/{instance}"), get(retrieve::instances))
        .route("/studies/{study}/metadata", get(retrieve::metadata))
        .route(&series("/metadata"), get(retrieve::metadata))
        .route(&series("/instances/{instance}/metadata"), get(retrieve::metadata))
        .route(&series("/instances/{instance}/frames/{frames}"), get(retrieve::frames))
}

/// What the path of a request names.
#[derive(Default, serde::Deserialize)]
struct Named {
    study: Option<String>,
    series: Option<String>,
    instance: Option<String>,
    frames: Option<String>,
}

impl Named {
    /// Whether a file is one of those.
    fn holds(&self, instance: &Instance) -> bool {
        let is = |named: &Option<String>, uid: &str| named.as_ref().is_none_or(|named| named == uid);
        is(&self.study, &instance.study) && is(&self.series, &instance.series) && is(&self.instance, &instance.uid)
    }
}

async fn store() -> Problem {
    Problem::new(StatusCode::NOT_IMPLEMENTED, "DICOM files are not taken in over DICOMweb")
        .hint("put the files of a series into a folder of their own in the study folder")
}
