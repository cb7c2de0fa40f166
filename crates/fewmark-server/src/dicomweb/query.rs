//! Searching for studies, series and instances (QIDO-RS).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use fewmark::image::dicom::{Attribute, tag_named};

use super::json::{key, object, texts};
use super::matching::matches;
use super::{Named, accept};
use crate::Shared;
use crate::api::query;
use crate::datastore::{INSTANCE_UID, Instance, SERIES_UID, STUDY_UID};
use crate::error::Problem;

const AVAILABILITY: u32 = 0x0008_0056;
const MODALITY: u32 = 0x0008_0060;
const MODALITIES_IN_STUDY: u32 = 0x0008_0061;
const RETRIEVE_URL: u32 = 0x0008_1190;
pub(super) const AVAILABLE_SYNTAX: u32 = 0x0008_3002;
const SERIES_OF_STUDY: u32 = 0x0020_1206;
const INSTANCES_OF_STUDY: u32 = 0x0020_1208;
const INSTANCES_OF_SERIES: u32 = 0x0020_1209;

/// What is told of a study.
const OF_STUDY: [u32; 11] = [
    0x0008_0005,
    0x0008_0020,
    0x0008_0030,
    0x0008_0050,
    0x0008_0090,
    0x0008_1030,
    0x0010_0010,
    0x0010_0020,
    0x0010_0030,
    0x0010_0040,
    0x0020_0010,
];

/// What is told of a series.
const OF_SERIES: [u32; 15] = [
    0x0008_0005,
    0x0008_0021,
    0x0008_0031,
    MODALITY,
    0x0008_103e,
    0x0018_0015,
    0x0018_1030,
    0x0020_0011,
    0x0020_0052,
    0x0020_0060,
    0x0040_0244,
    0x0040_0245,
    0x0040_0253,
    0x0040_0254,
    0x0040_1001,
];

/// What is told of an instance.
const OF_INSTANCE: [u32; 7] =
    [0x0008_0005, 0x0008_0016, 0x0020_0013, 0x0028_0008, 0x0028_0010, 0x0028_0011, 0x0028_0100];

/// What is searched for.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Study,
    Series,
    Instance,
}

pub(super) async fn studies(State(app): State<Shared>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    search(app, Level::Study, Named::default(), uri, headers).await
}

pub(super) async fn series(
    State(app): State<Shared>,
    Path(within): Path<Named>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(app, Level::Series, within, uri, headers).await
}

pub(super) async fn instances(
    State(app): State<Shared>,
    Path(within): Path<Named>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(app, Level::Instance, within, uri, headers).await
}

async fn search(app: Shared, level: Level, within: Named, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    accept::json(&headers)?;
    let sought = Sought::of(&uri)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("").to_owned();
    let (found, passed_over) = app
        .compute(move |app| {
            let mut instances = app.datastore.instances()?;
            instances.retain(|instance| within.holds(instance));
            let told = told(level, &within);
            let passed_over: Vec<String> =
                sought.keys.iter().filter(|(tag, _)| !told.contains(tag)).map(|(tag, _)| key(*tag)).collect();
            let groups = grouped(instances, level);
            let answers = groups.iter().map(|group| attributes(group, level, &told, &host));
            let meant = answers.filter(|answer| {
                let mut keys = sought.keys.iter().filter(|(tag, _)| told.contains(tag));
                keys.all(|(tag, wanted)| matches(wanted, answer.get(tag), sought.fuzzy))
            });
            let page: Vec<_> =
                meant.skip(sought.offset).take(sought.limit).map(|answer| object(answer.values())).collect();
            let bytes = serde_json::to_vec(&page).map_err(|_| Problem::bug())?;
            Ok((bytes, passed_over))
        })
        .await?;
    let mut response = ([(header::CONTENT_TYPE, "application/dicom+json")], found).into_response();
    if !passed_over.is_empty() {
        let warning =
            format!("299 fewmark \"these attributes are not searched at this level: {}\"", passed_over.join(" "));
        if let Ok(warning) = HeaderValue::from_str(&warning) {
            response.headers_mut().insert(HeaderName::from_static("warning"), warning);
        }
    }
    Ok(response)
}

/// What the query of the address asks for.
struct Sought {
    /// Attributes and what they have to be.
    keys: Vec<(u32, String)>,
    limit: usize,
    offset: usize,
    /// Whether names may be given in part.
    fuzzy: bool,
}

impl Sought {
    fn of(uri: &Uri) -> Result<Self, Problem> {
        let mut sought = Self { keys: Vec::new(), limit: usize::MAX, offset: 0, fuzzy: false };
        for (name, value) in query::<Vec<(String, String)>>(uri)? {
            let number = || {
                let wrong = || Problem::malformed(format!("{name} = {value:?}: expected a whole number from 0 on"));
                value.parse::<usize>().map_err(|_| wrong())
            };
            match name.to_ascii_lowercase().as_str() {
                "limit" => sought.limit = number()?,
                "offset" => sought.offset = number()?,
                "fuzzymatching" => sought.fuzzy = value.eq_ignore_ascii_case("true"),
                // All that is kept is told anyway.
                "includefield" => {}
                _ => match tag_named(&name) {
                    Some(tag) => sought.keys.push((tag, value)),
                    None => {
                        return Err(Problem::malformed(format!("{name:?} is no attribute of DICOM"))
                            .hint("give a keyword such as PatientName, or eight digits such as 00100010"));
                    }
                },
            }
        }
        Ok(sought)
    }
}

/// The attributes that are told and searched: those of the levels that the path does not fix already.
fn told(level: Level, within: &Named) -> BTreeSet<u32> {
    let mut told = BTreeSet::from([STUDY_UID]);
    if within.study.is_none() {
        told.extend(OF_STUDY);
    }
    match level {
        Level::Study => told.extend([AVAILABILITY, MODALITIES_IN_STUDY, SERIES_OF_STUDY, INSTANCES_OF_STUDY]),
        Level::Series => told.extend(OF_SERIES.into_iter().chain([SERIES_UID, INSTANCES_OF_SERIES])),
        Level::Instance => {
            if within.series.is_none() {
                told.extend(OF_SERIES);
            }
            told.extend(OF_INSTANCE.into_iter().chain([SERIES_UID, INSTANCE_UID, AVAILABILITY, AVAILABLE_SYNTAX]));
        }
    }
    told
}

/// Instances that belong together, in the order in which they were found.
fn grouped(instances: Vec<Arc<Instance>>, level: Level) -> Vec<Vec<Arc<Instance>>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<Arc<Instance>>> = Vec::new();
    for instance in instances {
        let key = match level {
            Level::Study => instance.study.clone(),
            Level::Series => format!("{} {}", instance.study, instance.series),
            Level::Instance => format!("{} {} {}", instance.study, instance.series, instance.uid),
        };
        let place = *places.entry(key).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(instance);
    }
    groups
}

/// What is told of a group: the attributes of its first file, and what the files make together.
fn attributes(group: &[Arc<Instance>], level: Level, told: &BTreeSet<u32>, host: &str) -> BTreeMap<u32, Attribute> {
    let first = &group[0];
    let kept = first.attributes.iter().filter(|attribute| told.contains(&attribute.tag));
    let mut found: BTreeMap<u32, Attribute> = kept.map(|attribute| (attribute.tag, attribute.clone())).collect();
    let mut url = format!("http://{host}/proxy/dicom/wado/studies/{}", first.study);
    if level >= Level::Series {
        url += &format!("/series/{}", first.series);
    }
    if level >= Level::Instance {
        url += &format!("/instances/{}", first.uid);
    }
    let mut tell = |tag, vr: &[u8; 2], values: Vec<String>| {
        found.insert(tag, texts(tag, *vr, values));
    };
    tell(RETRIEVE_URL, b"UR", vec![url]);
    tell(AVAILABILITY, b"CS", vec!["ONLINE".into()]);
    let distinct = |of: &dyn Fn(&Instance) -> Option<String>| -> BTreeSet<String> {
        group.iter().filter_map(|instance| of(instance)).collect()
    };
    match level {
        Level::Study => {
            let modality = |instance: &Instance| instance.text(MODALITY).map(str::to_owned);
            tell(MODALITIES_IN_STUDY, b"CS", distinct(&modality).into_iter().collect());
            let series = distinct(&|instance| Some(instance.series.clone())).len();
            tell(SERIES_OF_STUDY, b"IS", vec![series.to_string()]);
            tell(INSTANCES_OF_STUDY, b"IS", vec![group.len().to_string()]);
        }
        Level::Series => tell(INSTANCES_OF_SERIES, b"IS", vec![group.len().to_string()]),
        Level::Instance => tell(AVAILABLE_SYNTAX, b"UI", vec![first.syntax.clone()]),
    }
    found
}
