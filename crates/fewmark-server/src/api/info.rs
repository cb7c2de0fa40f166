//! What the server can do.

use axum::extract::State;
use axum::response::Response;
use fewmark::registry::METHODS;
use serde_json::{Value, json};

use crate::Shared;
use crate::error::Problem;
use crate::routes::json as answer;
use crate::schema;

/// Colours of labels that have none, told apart also by people with colour-blindness.
const COLOURS: [&str; 6] = ["#ffc400", "#00beff", "#ff60c0", "#8cff64", "#ff8228", "#aa96ff"];

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
            let models = app.methods.models();
            let trained = models.iter().map(|model| {
                json!({
                    "name": model.name,
                    "summary": crate::monai::summary(model),
                    "dimensions": model.description.dimensions,
                    "marks": if model.description.needs_marks { vec!["clicks"] } else { Vec::new() },
                    "model": true,
                    "settings": [],
                })
            });
            let methods: Vec<Value> = built_in.chain(trained).collect();
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

/// The colour of a label that was given none.
pub(super) fn colour_of(value: u16) -> String {
    COLOURS[usize::from(value.saturating_sub(1)) % COLOURS.len()].to_owned()
}
