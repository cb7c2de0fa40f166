//! What viewers send with an image, in our own terms.

use std::path::{Path, PathBuf};

use fewmark::LabelMap;
use serde_json::Value;

use super::Params;
use super::info::{Gives, LAST_LABELLED, Offer, knobs};
use super::labels::scribbles_of;
use super::train::as_number;
use crate::app::App;
use crate::body::FormFile;
use crate::error::Problem;
use crate::schema;
use crate::segment::{Ask, MarksBody, Region, thinned};

/// Points that scribbles of one kind are thinned to.
const POINTS_OF_SCRIBBLES: usize = 64;
/// The ids of scribbles where the client names none.
const SCRIBBLE_IDS: [(&str, u16); 2] = [("background_scribbles", 2), ("foreground_scribbles", 3)];

/// The request in our own terms.
pub(super) fn ask(
    app: &App,
    offer: &Offer,
    image: PathBuf,
    params: &Params,
    label: Option<&FormFile>,
) -> Result<Ask, Problem> {
    let marks = match offer.gives {
        Gives::Clicks => clicks(params)?,
        Gives::Scribbles => scribbles(app, &image, params, label)?,
        Gives::Supports | Gives::Nothing => MarksBody::default(),
    };
    let slice = if offer.flat { Some(slice_of(params, &marks)?) } else { None };
    let known = knobs(&offer.method);
    let given = params.iter().filter(|(key, _)| known.contains_key(*key));
    let settings = schema::to_settings(given.map(|(key, value)| (key.clone(), as_number(value))).collect())?;
    let support = if offer.gives == Gives::Supports { supports(params)? } else { Vec::new() };
    let region = if offer.gives == Gives::Nothing { None } else { region(params)? };
    Ok(Ask { image, method: offer.method.clone(), settings, marks, slice, support, region })
}

/// The labelled images that are chosen: one, as a combo box sends it, or several.
fn supports(params: &Params) -> Result<Vec<String>, Problem> {
    let wrong = || Problem::wrong("params: support: expected the id of an image, or a list of such");
    let chosen = match params.get("support") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(id)) => vec![id.clone()],
        Some(Value::Array(ids)) => {
            ids.iter().map(|id| id.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    Ok(chosen.into_iter().filter(|id| !id.is_empty() && id != LAST_LABELLED).collect())
}

/// The box that the result is limited to, `roi: [i0, i1, j0, j1, k0, k1]`; an empty list is none.
fn region(params: &Params) -> Result<Option<Region>, Problem> {
    let wrong = || Problem::wrong("params: roi: expected a list of voxels [i0, i1, j0, j1, k0, k1]");
    let list = match params.get("roi") {
        None | Some(Value::Null) => return Ok(None),
        Some(list) => list.as_array().ok_or_else(wrong)?,
    };
    if list.is_empty() {
        return Ok(None);
    }
    let bounds: Option<Vec<f64>> = list.iter().map(Value::as_f64).collect();
    Region::new(bounds.and_then(|bounds| bounds.try_into().ok()).ok_or_else(wrong)?).map(Some)
}

/// The slice that is meant: the one that is named, or the one that all clicks lie in.
fn slice_of(params: &Params, marks: &MarksBody) -> Result<usize, Problem> {
    if let Some(slice) = params.get("slice").filter(|slice| !slice.is_null()) {
        let whole = as_number(slice).as_u64().and_then(|k| usize::try_from(k).ok());
        return whole.ok_or_else(|| Problem::wrong(format!("slice = {slice}: expected a whole number from 0 on")));
    }
    let first = marks.foreground.first().map_or(0.0, |click| click[2]);
    Ok(first.max(0.0).round() as usize)
}

/// Clicks as deepgrow sends them, or those of deepedit: a list for each label, of which the current one is the object.
fn clicks(params: &Params) -> Result<MarksBody, Problem> {
    let mut marks = MarksBody { background: points(params, "background")?, ..MarksBody::default() };
    marks.foreground = points(params, "foreground")?;
    let current = params.get("label").and_then(Value::as_str);
    if let Some(current) = current.filter(|_| !params.contains_key("foreground")) {
        marks.foreground = points(params, current)?;
    }
    Ok(marks)
}

/// A list of voxels; those of a picture may have two coordinates.
fn points(params: &Params, key: &str) -> Result<Vec<[f64; 3]>, Problem> {
    let wrong = || Problem::wrong(format!("params: {key}: expected a list of voxels such as [[10, 20, 5]]"));
    let list = match params.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        // Some clients send lists as text.
        Some(Value::String(text)) => serde_json::from_str::<Value>(text).map_err(|_| wrong())?,
        Some(list) => list.clone(),
    };
    let point = |value: &Value| -> Option<[f64; 3]> {
        let numbers: Vec<f64> = value.as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
        match numbers[..] {
            [x, y] => Some([x, y, 0.0]),
            [x, y, z] => Some([x, y, z]),
            _ => None,
        }
    };
    list.as_array().and_then(|list| list.iter().map(point).collect()).ok_or_else(wrong)
}

/// Scribbles, which come as labels of the image's grid with ids that go by names.
fn scribbles(app: &App, image: &Path, params: &Params, label: Option<&FormFile>) -> Result<MarksBody, Problem> {
    let file = label
        .ok_or_else(|| Problem::wrong("the form has no scribbles").hint("send them as labels in the field `label`"))?;
    let map = scribbles_of(app, image, file)?;
    let list = params.get("label_info").and_then(Value::as_array);
    let id = |(name, usual): (&str, u16)| -> u16 {
        let entry = list.into_iter().flatten().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
        entry.and_then(|entry| u16::try_from(entry.get("id")?.as_u64()?).ok()).unwrap_or(usual)
    };
    let [background, foreground] = SCRIBBLE_IDS.map(|scribble| voxels(&map, id(scribble)));
    Ok(MarksBody { foreground, background, ..MarksBody::default() })
}

/// Some of the voxels that have a label, evenly among them.
fn voxels(map: &LabelMap, label: u16) -> Vec<[f64; 3]> {
    let grid = map.geometry().grid();
    let found = map.labels().iter().enumerate().filter(|(_, found)| **found == label);
    let all: Vec<[f64; 3]> = found.map(|(at, _)| grid.voxel(at).map(|c| c as f64)).collect();
    thinned(&all, POINTS_OF_SCRIBBLES)
}
