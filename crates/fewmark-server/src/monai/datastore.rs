//! Images and labels as files.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::info::statistics_of;
use super::labels::labels_of;
use super::{Params, files};
use crate::Shared;
use crate::api::query;
use crate::body::Form;
use crate::datastore::{FINAL, ImageFile, Place, ending};
use crate::error::Problem;
use crate::pictures;
use crate::routes::json as answer;
use crate::segment::load;

#[derive(Deserialize)]
struct List {
    output: Option<String>,
}

pub(super) async fn list(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let List { output } = query(&uri)?;
    let found = app
        .wait(move |app| match output.as_deref() {
            None | Some("stats" | "") => Ok(statistics_of(&app.datastore.images()?)),
            Some("all") => Ok(app.datastore.as_index(&app.datastore.images()?)),
            Some("train") => {
                let images = app.datastore.images()?;
                let pair = |image: &ImageFile| {
                    let label = image.labels.get(FINAL)?;
                    Some(json!({ "image": app.shown(&image.path), "label": app.shown(label) }))
                };
                Ok(images.iter().filter_map(pair).collect::<Vec<_>>().into())
            }
            Some(other) => Err(Problem::wrong(format!("output = {other:?}: expected stats, all or train"))),
        })
        .await?;
    Ok(answer(&found))
}

/// What an address says of an image or a label.
#[derive(Deserialize)]
struct Which {
    image: Option<String>,
    id: Option<String>,
    label: Option<String>,
    tag: Option<String>,
    check_sum: Option<String>,
}

impl Which {
    fn image(&self) -> Result<String, Problem> {
        let named = self.image.as_ref().or(self.id.as_ref()).or(self.label.as_ref());
        named.cloned().ok_or_else(|| Problem::wrong("the query of the address names no image"))
    }

    fn label(&self) -> Result<(String, String), Problem> {
        let named = self.label.as_ref().or(self.image.as_ref()).or(self.id.as_ref());
        let id = named.cloned().ok_or_else(|| Problem::wrong("the query of the address names no label"))?;
        Ok((id, self.tag.clone().unwrap_or_else(|| FINAL.into())))
    }
}

pub(super) async fn image(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let which: Which = query(&uri)?;
    let (id, sum) = (which.image()?, which.check_sum);
    let image = app.wait(move |app| app.datastore.image(&id)).await?;
    if image.is_series() {
        // Clients want one file.
        let name = as_volume(&image);
        let bytes = app.compute(move |app| pictures::nifti(&image.path, &load(app, &image.path)?.1.image)).await?;
        return Ok(files::whole(bytes, &name));
    }
    let path = image.path;
    if let Some(sum) = sum {
        let path = path.clone();
        app.compute(move |_| check(&path, &sum)).await?;
    }
    files::send(&app, &path).await
}

/// The name of the file that a series is sent as.
pub(super) fn as_volume(series: &ImageFile) -> String {
    format!("{}.nii.gz", series.id)
}

/// Whether a file has the sum that the client believes, `SHA256:...`.
fn check(path: &std::path::Path, sum: &str) -> Result<(), Problem> {
    let bytes = std::fs::read(path).map_err(|e| Problem::io("read", path, e))?;
    let found = crate::random::hex(&Sha256::digest(bytes));
    let expected = sum.split_once(':').map_or(sum, |(_, sum)| sum);
    if expected.eq_ignore_ascii_case(&found) { Ok(()) } else { Err(Problem::missing("the image has another checksum")) }
}

pub(super) async fn add_image(State(app): State<Shared>, uri: Uri, mut form: Form) -> Result<Response, Problem> {
    let which: Which = query(&uri)?;
    let (params, file) = (form.params()?, form.expect_file("file")?);
    let ending = ending(&file.name).ok_or_else(|| {
        Problem::wrong(format!("{:?}: the ending tells no known format", file.name))
            .hint("send the image under its own name")
    })?;
    let name = which.image.or(which.id).map_or_else(|| file.name.clone(), |id| format!("{id}.{ending}"));
    let id = app.compute(move |app| app.datastore.add_image(file.file, &name, params, true)).await?;
    Ok(answer(&json!({ "image": id })))
}

pub(super) async fn remove_image(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let id = query::<Which>(&uri)?.image()?;
    app.wait(move |app| app.datastore.remove_image(&id)).await?;
    Ok(answer(&json!({})))
}

pub(super) async fn image_info(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let id = query::<Which>(&uri)?.image()?;
    let info = app
        .wait(move |app| {
            let image = app.datastore.image(&id)?;
            let mut info = app.datastore.image_info(&image.id);
            info.insert("path".into(), app.shown(&image.path).into());
            Ok(info)
        })
        .await?;
    Ok(answer(&info))
}

/// The information in a form, under either of the names that it goes by.
fn info_of(form: &Form) -> Result<Params, Problem> {
    let info = form.object("info")?;
    if info.is_empty() { form.params() } else { Ok(info) }
}

pub(super) async fn set_image_info(State(app): State<Shared>, uri: Uri, form: Form) -> Result<Response, Problem> {
    let id = query::<Which>(&uri)?.image()?;
    let info = info_of(&form)?;
    let info = app
        .wait(move |app| {
            let image = app.datastore.image(&id)?;
            app.datastore.set_image_info(&image, info)?;
            Ok(app.datastore.image_info(&image.id))
        })
        .await?;
    Ok(answer(&info))
}

pub(super) async fn label(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let (id, tag) = query::<Which>(&uri)?.label()?;
    let path = app.wait(move |app| Ok(app.datastore.label(&id, &tag)?.1)).await?;
    files::send(&app, &path).await
}

pub(super) async fn save_label(State(app): State<Shared>, uri: Uri, mut form: Form) -> Result<Response, Problem> {
    let which: Which = query(&uri)?;
    let (id, tag) = (which.image()?, which.tag.unwrap_or_else(|| FINAL.into()));
    let (params, file) = (form.params()?, form.expect_file("label")?);
    app.compute(move |app| {
        let image = app.datastore.image(&id)?;
        let labels = labels_of(app, &image.path, &file)?;
        app.datastore.save_label(&image, &tag, &labels, params, Place::Any)?;
        Ok(answer(&json!({ "image": image.id, "label": image.id })))
    })
    .await
}

pub(super) async fn remove_label(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let (id, tag) = query::<Which>(&uri)?.label()?;
    app.wait(move |app| app.datastore.remove_label(&id, &tag)).await?;
    Ok(answer(&json!({})))
}

pub(super) async fn label_info(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let (id, tag) = query::<Which>(&uri)?.label()?;
    let info = app
        .wait(move |app| {
            let (image, path) = app.datastore.label(&id, &tag)?;
            let mut info = app.datastore.label_info(&image.id, &tag);
            info.insert("path".into(), app.shown(&path).into());
            Ok(info)
        })
        .await?;
    Ok(answer(&info))
}

pub(super) async fn set_label_info(State(app): State<Shared>, uri: Uri, form: Form) -> Result<Response, Problem> {
    let (id, tag) = query::<Which>(&uri)?.label()?;
    let more = info_of(&form)?;
    let info: Map<String, Value> = app
        .wait(move |app| {
            let (image, _) = app.datastore.label(&id, &tag)?;
            let info: Map<String, Value> = app.datastore.label_info(&image.id, &tag).into_iter().chain(more).collect();
            app.datastore.set_label_info(&image.id, &tag, info.clone())?;
            Ok(info)
        })
        .await?;
    Ok(answer(&info).into_response())
}

#[derive(Deserialize)]
struct Dataset {
    limit_cases: Option<usize>,
}

/// The labelled part of the study as one file, for those who train elsewhere.
pub(super) async fn dataset(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let Dataset { limit_cases } = query(&uri)?;
    if limit_cases == Some(0) {
        return Err(Problem::wrong("limit_cases = 0: expected a number of images from 1 on, or none for all"));
    }
    let (file, length) = app
        .wait(move |app| {
            let file = app.datastore.packed(limit_cases.unwrap_or(usize::MAX))?;
            let length = file.metadata().map_err(|e| Problem::io("read", "the data set", e))?.len();
            Ok((file, length))
        })
        .await?;
    Ok(files::stream(file, length, "dataset.zip", "application/zip"))
}
