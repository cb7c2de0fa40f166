//! What the server can do, as MONAI Label tells it.

use axum::extract::State;
use axum::response::Response;
use fewmark::learned::Needs;
use fewmark::registry::{self, METHODS};
use serde_json::{Map, Value, json};

use crate::Shared;
use crate::active::{Strategy, newest_model};
use crate::app::App;
use crate::datastore::{FINAL, ImageFile, unnamed};
use crate::error::Problem;
use crate::jobs;
use crate::methods::{FEWSHOT, FEWSHOT_SUMMARY, Model};
use crate::routes::json as answer;

/// What is added to the name of a method for volumes to have it segment the slice that is clicked.
const OF_SLICE: &str = "-slice";
/// The method that scribbles are given to, and its name here.
const SCRIBBLES: (&str, &str) = ("tv-scribbles", "tv");
/// Settings that a viewer shows, where a method has them: the ones that a person turns.
const KNOBS: [&str; 6] = ["mu", "theta", "lambda", "compactness", "close", "fill_holes"];
/// What stands in the list of labelled images for those that were saved last.
pub(super) const LAST_LABELLED: &str = "(last labelled)";
/// What a training is asked for.
pub(super) const TRAINER_KNOBS: [&str; 3] = ["iterations", "learning_rate", "seed"];

/// What a viewer gives to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Clicks,
    Scribbles,
    /// Labelled images of the study
    Supports,
    Nothing,
}

/// A model of the protocol: one of our methods, and what it is given.
pub(super) struct Offer {
    pub(super) name: String,
    /// Name of the method.
    pub(super) method: String,
    pub(super) gives: Gives,
    /// Whether it is given one slice of a volume.
    pub(super) flat: bool,
    description: String,
    codes: Vec<u16>,
}

/// Everything that can be asked for.
pub(super) fn offers(app: &App) -> Vec<Offer> {
    let mut offers = Vec::new();
    for entry in METHODS {
        let offer = |name: String, gives: Gives, flat: bool, how: &str| Offer {
            name,
            method: entry.name.into(),
            gives,
            flat,
            description: format!("{}{how}", entry.summary),
            codes: vec![1],
        };
        offers.push(offer(entry.name.into(), Gives::Clicks, !entry.volumes, ""));
        if entry.volumes {
            let name = format!("{}{OF_SLICE}", entry.name);
            offers.push(offer(name, Gives::Clicks, true, "; only the slice that is clicked"));
        }
        if entry.name == SCRIBBLES.1 {
            offers.push(offer(SCRIBBLES.0.into(), Gives::Scribbles, false, "; from scribbles"));
        }
    }
    let known: Vec<u16> = app.datastore.legend().into_keys().collect();
    offers.push(Offer {
        name: FEWSHOT.into(),
        method: FEWSHOT.into(),
        gives: Gives::Supports,
        flat: false,
        description: FEWSHOT_SUMMARY.into(),
        codes: known.clone(),
    });
    offers.extend(app.methods.models().iter().map(|model| {
        let (gives, codes) = match model.description.needs {
            Needs::Marks => (Gives::Clicks, model.description.codes.clone()),
            Needs::Supports => (Gives::Supports, known.clone()),
            Needs::Nothing => (Gives::Nothing, model.description.codes.clone()),
        };
        let (name, description) = (model.name.clone(), summary(model));
        Offer { method: name.clone(), name, gives, flat: false, description, codes }
    }));
    offers
}

/// One of them.
///
/// # Errors
/// 404 when there is none of that name.
pub(super) fn offer(app: &App, name: &str) -> Result<Offer, Problem> {
    let mut offers = offers(app);
    match offers.iter().position(|offer| offer.name == name) {
        Some(at) => Ok(offers.swap_remove(at)),
        None => {
            let nearest = registry::nearest(name, offers.iter().map(|offer| offer.name.as_str()));
            let problem = Problem::missing(format!("there is no model {name:?}"));
            Err(problem
                .hint(nearest.map_or("/info/ lists the models".into(), |near| format!("did you mean {near:?}?"))))
        }
    }
}

/// What a trained model is, in a sentence.
pub(crate) fn summary(model: &Model) -> String {
    let training = &model.description.training;
    let (network, cases) = (&model.description.network, training.cases.len());
    let trained = format!("trained on {cases} images in {} iterations", training.iterations);
    match model.description.needs {
        Needs::Supports => format!("{FEWSHOT_SUMMARY}; its encoder was {trained}"),
        Needs::Marks | Needs::Nothing => format!("{network}, {trained}"),
    }
}

/// The settings of a method that viewers show.
pub(super) fn knobs(method: &str) -> Map<String, Value> {
    let Ok(entry) = registry::find(method) else { return Map::new() };
    let defaults = entry.defaults();
    KNOBS.iter().filter_map(|knob| Some(((*knob).to_owned(), json!(defaults.get(*knob)?)))).collect()
}

/// The labels of the study by name, and what each is called by value.
pub(super) fn names(app: &App, codes: &[u16]) -> Map<String, Value> {
    let legend = app.datastore.legend();
    let name = |code: u16| match legend.get(&code) {
        Some((name, _)) => name.clone(),
        None if codes.len() == 1 && legend.is_empty() => "object".into(),
        None => unnamed(code.into()),
    };
    codes.iter().map(|&code| (name(code), code.into())).collect()
}

pub(super) async fn info(State(app): State<Shared>) -> Result<Response, Problem> {
    let body = app.wait(|app| body(app)).await?;
    Ok(answer(&body))
}

fn body(app: &App) -> Result<Value, Problem> {
    let images = app.datastore.images()?;
    let labelled = images.iter().filter(|image| image.labels.contains_key(FINAL)).map(|image| image.id.as_str());
    // A list becomes a combo box, whose first entry is sent if nobody chooses.
    let supports: Vec<&str> = std::iter::once(LAST_LABELLED).chain(labelled).collect();
    let models: Map<String, Value> = offers(app)
        .into_iter()
        .map(|offer| {
            let kind = match offer.gives {
                Gives::Clicks => "deepgrow",
                Gives::Scribbles => "scribbles",
                Gives::Supports | Gives::Nothing => "segmentation",
            };
            let mut config = knobs(&offer.method);
            if offer.gives == Gives::Supports {
                config.insert("support".into(), json!(supports));
            }
            let model = json!({
                "type": kind,
                "labels": names(app, &offer.codes),
                "dimension": if offer.flat { 2 } else { 3 },
                "description": offer.description,
                "config": config,
            });
            (offer.name, model)
        })
        .collect();
    let trainers: Map<String, Value> = jobs::networks()
        .map(|name| {
            let trainer = json!({
                "description": match jobs::learns_from_labels(name) {
                    true => format!("{name}, trained on the images that have a final label"),
                    false => "the encoder of few-shot segmentation, trained on all grey images, without labels".into(),
                },
                "config": trainer_knobs(name),
                "labels": {},
            });
            (name.to_owned(), trainer)
        })
        .collect();
    let strategies: Map<String, Value> = Strategy::ALL
        .iter()
        .filter(|(_, strategy, _)| *strategy != Strategy::Uncertain || newest_model(app).is_ok())
        .map(|(name, _, description)| ((*name).to_owned(), json!({ "description": description })))
        .collect();
    let statistics: Map<String, Value> =
        app.jobs.latest().map(|job| (job.notes.network.clone(), job.statistics())).into_iter().collect();
    let legend = app.datastore.legend();
    let labels: Vec<String> = match legend.is_empty() {
        true => vec!["object".into()],
        false => legend.into_values().map(|(name, _)| name).collect(),
    };
    Ok(json!({
        "name": "Fewmark",
        "description": "Segments medical images from few marks",
        "version": env!("CARGO_PKG_VERSION"),
        "labels": labels,
        "models": models,
        "trainers": trainers,
        "strategies": strategies,
        "scoring": { super::scoring::DICE: { "description": "Dice and surface distances of the label original against final" } },
        "train_stats": statistics,
        "datastore": statistics_of(&images),
    }))
}

fn trainer_knobs(name: &str) -> Value {
    let defaults = fewmark::training::defaults(name).unwrap_or_default();
    let plan = defaults.get("training").and_then(toml::Value::as_table);
    let knobs: Map<String, Value> =
        TRAINER_KNOBS.iter().filter_map(|knob| Some(((*knob).to_owned(), json!(plan?.get(*knob)?)))).collect();
    knobs.into()
}

/// How far the study is.
pub(super) fn statistics_of(images: &[ImageFile]) -> Value {
    let mut tags: Map<String, Value> = Map::new();
    for tag in images.iter().flat_map(|image| image.labels.keys()) {
        let count = tags.get(tag).and_then(Value::as_u64).unwrap_or(0);
        tags.insert(tag.clone(), (count + 1).into());
    }
    let completed = images.iter().filter(|image| image.labels.contains_key(FINAL)).count();
    json!({ "total": images.len(), "completed": completed, "label_tags": tags })
}
