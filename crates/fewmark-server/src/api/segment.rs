//! Clicks become a mask.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::Shared;
use crate::app::App;
use crate::body;
use crate::error::Problem;
use crate::flight::{Waiting, Wanted};
use crate::routes::json as answer;
use crate::schema;
use crate::segment::{Answer, Ask, Happening, MarksBody, segment as solve};

/// Steps are told at most so often.
const STEP_EVERY: Duration = Duration::from_millis(50);
/// The longest name of a client.
const LONGEST_CLIENT: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentBody {
    method: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    marks: MarksBody,
    slice: Option<usize>,
    /// Ids of labelled images.
    #[serde(default)]
    support: Vec<String>,
}

pub(super) async fn segment(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: SegmentBody = body::json(&app, body).await?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let client = text("x-client").filter(|client| client.len() <= LONGEST_CLIENT);
    let SegmentBody { method, settings, marks, slice, support } = body;
    let (settings, name) = (schema::to_settings(settings)?, id.clone());
    let path = app.wait(move |app| app.datastore.image(&id)).await?.path;
    let ask = Ask { image: path, method, settings, marks, slice, support, region: None };
    let wanted = app.flights.begin(client, &name);
    if text(header::ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream")) {
        return Ok(stream(app.clone(), ask, wanted));
    }
    let _waiting = Waiting::new(wanted.clone());
    let found = app
        .compute(move |app| {
            let found = solve(app, &ask, &wanted, false, &mut |_| {})?;
            Ok(found.to_json())
        })
        .await?;
    Ok(answer(&found))
}

/// Answers with events while the work goes on.
fn stream(app: Shared, ask: Ask, wanted: Wanted) -> Response {
    let (sender, receiver) = mpsc::unbounded_channel::<Event>();
    let waiting = Waiting::new(wanted.clone());
    tokio::spawn(async move {
        let tell = sender.clone();
        let done =
            app.compute(move |app| solve(app, &ask, &wanted, true, &mut teller(&tell)).map(|a| a.to_json())).await;
        let event = match done {
            Ok(found) => event("result", &found),
            Err(problem) => event("error", &of_problem(&app, &problem)),
        };
        let _ = sender.send(event);
    });
    // The stream ends when the sender goes; when the client goes, `waiting` gives the work up.
    let events = futures_util::stream::unfold((receiver, waiting), |(mut receiver, waiting)| async move {
        let event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), (receiver, waiting)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// Tells a client of steps, not too often, and of the coarse answer.
fn teller(sender: &mpsc::UnboundedSender<Event>) -> impl FnMut(Happening) + use<'_> {
    let mut told: Option<Instant> = None;
    move |happening| {
        let event = match happening {
            Happening::Step(step) => {
                if told.is_some_and(|told| told.elapsed() < STEP_EVERY) {
                    return;
                }
                told = Some(Instant::now());
                let (iteration, energy) = step.energy.unzip();
                let (stage, fraction) = (step.stage, step.fraction);
                event(
                    "progress",
                    &json!({ "stage": stage, "fraction": fraction, "iteration": iteration, "energy": energy }),
                )
            }
            Happening::Coarse(answer) => event("coarse", &Answer::to_json(&answer)),
        };
        let _ = sender.send(event);
    }
}

/// An event with JSON.
pub(super) fn event(name: &str, body: &Value) -> Event {
    Event::default().event(name).data(body.to_string())
}

fn of_problem(app: &App, problem: &Problem) -> Value {
    json!({
        "error": app.without_paths(&problem.message),
        "hint": problem.hint.as_ref().map(|hint| app.without_paths(hint)),
        "status": problem.status.as_u16(),
    })
}
