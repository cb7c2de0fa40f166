//! What the server can do.

use axum::extract::State;
use axum::response::Response;
use fewmark::learned::Needs;
use fewmark::registry::METHODS;
use serde_json::{Value, json};

use crate::Shared;
use crate::datastore::colour_of;
use crate::error::Problem;
use crate::methods::{FEWSHOT, FEWSHOT_SUMMARY};
use crate::routes::json as answer;
use crate::schema;

pub(super) async fn info(State(app): State<Shared>) -> Result<Response, Problem> {
    let body = app
        .wait(|app| {
            let built_in = METHODS.iter().map(|entry| {
                let dimensions = if entry.volumes { vec![2, 3] } else { vec![2] };
                json!({
                    "name": entry.name,
                    "summary": entry.summary,
                    "dimensions": dimensions,
                    "marks": ["clicks"],
                    "model": false,
                    "settings": schema::of_method(entry),
                })
            });
            let fewshot = json!({
                "name": FEWSHOT,
                "summary": FEWSHOT_SUMMARY,
                "dimensions": [2, 3],
                "marks": ["support"],
                "model": false,
                "settings": [],
            });
            let models = app.methods.models();
            let trained = models.iter().map(|model| {
                let marks = match model.description.needs {
                    Needs::Marks => vec!["clicks"],
                    Needs::Supports => vec!["support"],
                    Needs::Nothing => Vec::new(),
                };
                json!({
                    "name": model.name,
                    "summary": crate::monai::summary(model),
                    "dimensions": model.description.dimensions,
                    "marks": marks,
                    "model": true,
                    "settings": [],
                })
            });
            let methods: Vec<Value> = built_in.chain([fewshot]).chain(trained).collect();
            let broken: Vec<Value> = app
                .methods
                .broken()
                .into_iter()
                .map(|(file, problem)| json!({ "file": file, "problem": app.without_paths(&problem) }))
                .collect();
            Ok(json!({
                "version": env!("CARGO_PKG_VERSION"),
                "threads": rayon::current_num_threads(),
                "studies": app.datastore.name(),
                "methods": methods,
                "broken_models": broken,
                "labels": labels(app),
            }))
        })
        .await?;
    Ok(answer(&body))
}

/// The labels of the study, at least one.
fn labels(app: &Shared) -> Vec<Value> {
    let mut legend = app.datastore.legend();
    if legend.is_empty() {
        legend.insert(1, ("object".into(), None));
    }
    legend
        .into_iter()
        .map(|(value, (name, colour))| {
            json!({ "value": value, "name": name, "colour": colour.unwrap_or_else(|| colour_of(value)) })
        })
        .collect()
}
