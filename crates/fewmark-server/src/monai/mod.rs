//! The protocol of MONAI Label, as 3D Slicer's module, OHIF and the Python client `monailabel` speak it.
//!
//! Its clients follow no redirects, take only status 200 for success, and write collections with a slash at the end: every route answers
//! with and without it, at once.

mod active;
mod ask;
mod auth;
mod batch;
mod datastore;
mod files;
mod infer;
mod info;
mod labels;
mod logs;
mod models;
mod result;
mod scoring;
mod session;
mod train;

use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, get, post, put};
use serde_json::{Map, Value};

use crate::Shared;
pub(crate) use info::summary;

/// How long a request waits for a training or a batch that it has stopped.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// How long one may take that a client waits for.
const DONE_WITHIN: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn routes() -> Router<Shared> {
    let router = Router::new()
        .route("/infer/{model}", post(infer::infer))
        .route("/activelearning/{strategy}", post(active::next))
        .route("/datastore/image", datastore_image())
        .route("/datastore/image/info", get(datastore::image_info).put(datastore::set_image_info))
        .route("/datastore/dataset", get(datastore::dataset))
        .route("/datastore/label", get(datastore::label).put(datastore::save_label).delete(datastore::remove_label))
        .route("/datastore/label/info", get(datastore::label_info).put(datastore::set_label_info))
        .route("/datastore/updatelabelinfo", put(datastore::set_label_info))
        .route("/train/{model}", post(train::start))
        .route("/batch/infer/{model}", post(batch::start))
        .route("/scoring/{method}", post(scoring::score))
        .route("/session/{id}", get(session::one).delete(session::close))
        .route("/model/{model}", get(models::weights))
        .route("/model/info/{model}", get(models::info))
        .route("/auth/token", post(auth::token))
        .route("/auth/token/valid", get(auth::valid));
    [
        ("/info", get(info::info)),
        ("/datastore", get(datastore::list).put(datastore::add_image).delete(datastore::remove_image)),
        ("/train", get(train::status).post(train::start_all).delete(train::stop)),
        ("/batch/infer", get(batch::status).delete(batch::stop)),
        ("/session", put(session::open)),
        ("/logs", get(logs::logs)),
        ("/auth", get(auth::enabled)),
    ]
    .into_iter()
    .fold(router, |router, (path, methods)| router.route(path, methods.clone()).route(&format!("{path}/"), methods))
}

fn datastore_image() -> MethodRouter<Shared> {
    get(datastore::image).put(datastore::add_image).delete(datastore::remove_image)
}

/// What a client sends along: settings, and who it is.
type Params = Map<String, Value>;

/// A switch in a query: `true`, `1`, `yes`; anything else is off.
fn is_on(text: Option<&str>) -> bool {
    text.is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on"))
}
