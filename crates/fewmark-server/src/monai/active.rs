//! The image that is labelled next.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::Params;
use super::datastore::as_volume;
use crate::Shared;
use crate::active::{Strategy, next as choose};
use crate::app::App;
use crate::body;
use crate::datastore::{ImageFile, SERIES_UID, STUDY_UID};
use crate::error::Problem;
use crate::routes::json as answer;

pub(super) async fn next(
    State(app): State<Shared>,
    Path(strategy): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let who: Params = body::json_or_default(&app, body).await?;
    let chosen = choose(&app, Strategy::named(&strategy)?).await?;
    // An empty object tells that nothing is left.
    let Some(chosen) = chosen else { return Ok(answer(&json!({}))) };
    let found = app
        .wait(move |app| {
            let image = chosen.image;
            let mut info = app.datastore.image_info(&image.id);
            let time = crate::clock::now();
            let by = json!({ "ts": time, "client_id": who.get("client_id").cloned().unwrap_or(Value::Null) });
            let strategies = json!({ strategy: by });
            info.insert("strategy".into(), strategies);
            app.datastore.set_image_info(&image, info.clone())?;
            info.insert("id".into(), image.id.clone().into());
            // Clients open the file where it is, or fetch it to one of this name; a series is fetched as one file.
            let (name, path) = match image.is_series() {
                true => (as_volume(&image), String::new()),
                false => (image.name(), app.shown(&image.path)),
            };
            info.insert("name".into(), name.into());
            info.insert("path".into(), path.into());
            info.extend(of_dicom(app, &image));
            if let Some(uncertainty) = chosen.uncertainty {
                info.insert("uncertainty".into(), uncertainty.into());
            }
            Ok(info)
        })
        .await?;
    Ok(answer(&found))
}

/// What OHIF shows of a scan that it is to open next, by which it finds it.
fn of_dicom(app: &App, image: &ImageFile) -> Params {
    const SHOWN: [(&str, u32); 6] = [
        ("Modality", 0x0008_0060),
        ("StudyDate", 0x0008_0020),
        ("StudyTime", 0x0008_0030),
        ("PatientID", 0x0010_0020),
        ("StudyInstanceUID", STUDY_UID),
        ("SeriesInstanceUID", SERIES_UID),
    ];
    let Some(first) = app.datastore.first_instance(image) else { return Params::new() };
    let text = |tag| first.text(tag).map(Value::from);
    SHOWN.into_iter().filter_map(|(name, tag)| Some((name.to_owned(), text(tag)?))).collect()
}
