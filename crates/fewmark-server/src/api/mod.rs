//! Our own JSON interface.

mod images;
mod info;
mod labels;
mod segment;
mod trainings;

use axum::Router;
use axum::extract::Query;
use axum::http::Uri;
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

use crate::Shared;
use crate::error::Problem;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/info", get(info::info))
        .route("/api/next", get(images::next))
        .route("/api/images", get(images::list).post(images::upload))
        .route("/api/images/{id}", get(images::facts))
        .route("/api/images/{id}/volume", get(images::volume))
        .route("/api/images/{id}/slice", get(images::slice))
        .route("/api/images/{id}/segment", post(segment::segment))
        .route("/api/images/{id}/labels/{tag}", get(labels::get).put(labels::put).delete(labels::delete))
        .route("/api/images/{id}/scores", get(labels::scores))
        .route("/api/trainings", get(trainings::list).post(trainings::start))
        .route("/api/trainings/networks", get(trainings::networks))
        .route("/api/trainings/{id}", get(trainings::one))
        .route("/api/trainings/{id}/events", get(trainings::events))
        .route("/api/trainings/{id}/stop", post(trainings::stop))
        .route("/api/trainings/{id}/resume", post(trainings::resume))
}

/// What the query of an address says.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match Query::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => {
            let text = rejection.body_text();
            let what = text.split_once(": ").map_or(text.as_str(), |(_, what)| what);
            Err(Problem::wrong(format!("the query of the address: {what}"))
                .hint("/openapi.json describes what is expected"))
        }
    }
}
