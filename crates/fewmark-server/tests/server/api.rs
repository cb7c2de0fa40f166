//! Our own interface: every route of `openapi.json` answers as it is described, and what the page builds on holds.

use std::collections::BTreeSet;
use std::io::Read as _;

use fewmark::image::SampleType;

use crate::support::{CORNER, MIDDLE, Part, Reply, Running, study};
use serde_json::{Value, json};

/// What is wrong with a value by a schema of the description, if something is.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).ok_or(format!("{reference} is not there"))?;
        return check(document, target, value, place);
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind)) {
        return Err(format!("{place}: {value} is not {kinds:?}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{place}: {value} is none of {choices:?}"));
    }
    if let Some(least) = schema["minimum"].as_f64()
        && value.as_f64().is_some_and(|value| value < least)
    {
        return Err(format!("{place}: {value} is below {least}"));
    }
    if let Value::Object(object) = value {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(required) {
                return Err(format!("{place}: {required} is missing"));
            }
        }
        for (key, value) in object {
            let inner = match (schema["properties"].get(key), &schema["additionalProperties"]) {
                (Some(inner), _) => inner,
                (None, Value::Bool(false)) => return Err(format!("{place}: {key} is not described")),
                (None, inner) => inner,
            };
            check(document, inner, value, &format!("{place}.{key}"))?;
        }
    }
    if let Value::Array(list) = value {
        let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
        let most = schema["maxItems"].as_u64().map_or(usize::MAX, |most| most as usize);
        if !(least..=most).contains(&list.len()) {
            return Err(format!("{place}: {} items", list.len()));
        }
        for (i, item) in list.iter().enumerate() {
            check(document, &schema["items"], item, &format!("{place}[{i}]"))?;
        }
    }
    Ok(())
}

/// Checks an answer against the description of its route: the status is documented, the type too, and JSON has the shape.
pub(crate) fn expect_documented(document: &Value, route: &str, method: &str, reply: &Reply) {
    let place = format!("{method} {route} -> {}", reply.status);
    let mut answer = &document["paths"][route][method]["responses"][reply.status.to_string()];
    assert!(!answer.is_null(), "{place} is not documented: {}", reply.text());
    if let Some(reference) = answer["$ref"].as_str() {
        answer = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let kind = reply.header("content-type").split(';').next().unwrap_or("").to_owned();
    let content = &answer["content"][&kind];
    assert!(!content.is_null(), "{place}: {kind} is not documented");
    if kind == "application/json" {
        check(document, &content["schema"], &reply.value(), &place).unwrap();
    }
    assert!(!reply.header("x-request-id").is_empty());
}

#[test]
fn every_route_answers_as_it_is_described() {
    let folder = study();
    let server = Running::start(folder.path());
    let document = server.get("/openapi.json").ok().value();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut see = |route: &str, method: &str, reply: Reply, status: u16| -> Reply {
        assert_eq!(reply.status, status, "{method} {route}: {}", reply.text());
        expect_documented(&document, route, method, &reply);
        seen.insert((route.to_owned(), method.to_owned()));
        reply
    };
    let bytes = std::fs::read(folder.path().join("ball.nii.gz")).unwrap();
    let voxels = 40 * 36 * 14;

    for path in [
        "/health",
        "/openapi.json",
        "/api/info",
        "/api/images",
        "/api/trainings/networks",
        "/logs",
        "/logs/",
        "/auth",
        "/auth/",
    ] {
        see(path, "get", server.get(path), 200);
    }
    for path in ["/info", "/info/", "/datastore", "/datastore/", "/api/trainings"] {
        see(path, "get", server.get(path), 200);
    }
    see("/api/next", "get", server.get("/api/next?strategy=first"), 200);
    see("/api/next", "get", server.get("/api/next?strategy=uncertain"), 409);
    see("/api/images", "post", server.send("POST", "/api/images?name=new.nii.gz", &[], &bytes), 201);
    see("/api/images", "post", server.send("POST", "/api/images?name=new.nii.gz", &[], &bytes), 409);
    see("/api/images/{id}", "get", server.get("/api/images/ball"), 200);
    see("/api/images/{id}", "get", server.get("/api/images/none"), 404);
    see("/api/images/{id}/volume", "get", server.get("/api/images/cube/volume"), 200);
    see("/api/images/{id}/slice", "get", server.get("/api/images/ball/slice?axis=1&index=3&low=0&high=200"), 200);
    let body = json!({ "method": "tv", "settings": { "mu": 0.1 }, "marks": { "foreground": [MIDDLE], "background": [CORNER] } });
    let mask =
        see("/api/images/{id}/segment", "post", server.json("POST", "/api/images/ball/segment", &body), 200).value();
    assert_eq!(
        mask["runs"].as_array().unwrap().iter().skip(1).step_by(2).map(|n| n.as_u64().unwrap()).sum::<u64>(),
        voxels
    );
    let label = json!({ "labels": { "1": { "name": "spleen", "colour": "#ff0000" } }, "runs": mask["runs"] });
    let saved =
        see("/api/images/{id}/labels/{tag}", "put", server.json("PUT", "/api/images/ball/labels/final", &label), 200)
            .value();
    assert_eq!(saved["voxels"]["1"], mask["voxels"]);
    let found = see("/api/images/{id}/labels/{tag}", "get", server.get("/api/images/ball/labels/final"), 200).value();
    let expected = json!({ "labels": label["labels"], "runs": label["runs"], "version": saved["version"] });
    assert_eq!(found, expected);
    // Goes into the place of what was read, and of nothing newer.
    see("/api/images/{id}/labels/{tag}", "put", server.json("PUT", "/api/images/ball/labels/final", &found), 200);
    let unseen = json!({ "runs": label["runs"], "version": 0 });
    see("/api/images/{id}/labels/{tag}", "put", server.json("PUT", "/api/images/ball/labels/final", &unseen), 409);
    server.json("PUT", "/api/images/ball/labels/original", &json!({ "runs": [0, voxels - 4, 1, 4] })).ok();
    let scores =
        see("/api/images/{id}/scores", "get", server.get("/api/images/ball/scores?tag=original&against=final"), 200);
    assert!(scores.value()["labels"]["1"]["dice"].is_number());

    // Trainings.
    let order = json!({ "network": "msnet", "settings": { "training.iterations": 3 }, "name": "short" });
    see("/api/trainings", "post", server.json("POST", "/api/trainings", &order), 201);
    let events = see("/api/trainings/{id}/events", "get", server.get("/api/trainings/short/events"), 200).events();
    assert_eq!(events.last().unwrap().1, json!({ "state": "done" }), "{events:?}");
    let done = see("/api/trainings/{id}", "get", server.get("/api/trainings/short"), 200).value();
    assert_eq!((&done["state"], done["curve"].as_array().unwrap().len()), (&json!("done"), 3));
    see("/api/trainings/{id}/resume", "post", server.json("POST", "/api/trainings/short/resume", &json!({})), 409);
    see("/api/trainings/{id}/stop", "post", server.json("POST", "/api/trainings/short/stop", &json!({})), 200);
    let endless = json!({ "network": "msnet-3d", "settings": { "training.iterations": 100_000 }, "name": "endless" });
    server.json("POST", "/api/trainings", &endless).ok();
    see("/api/trainings", "post", server.json("POST", "/api/trainings", &endless), 429);
    server.json("POST", "/api/trainings/endless/stop", &json!({})).ok();
    let ended = server.get("/api/trainings/endless/events").ok().events();
    assert_eq!(ended.last().unwrap().1, json!({ "state": "stopped" }));
    see("/api/trainings/{id}/resume", "post", server.json("POST", "/api/trainings/endless/resume", &json!({})), 200);
    see("/train", "delete", server.send("DELETE", "/train", &[], b""), 200);
    see("/train/", "delete", server.send("DELETE", "/train/", &[], b""), 200);
    for path in ["/train", "/train/"] {
        see(path, "get", server.get(path), 200);
        see(path, "post", server.json("POST", path, &json!({ "nonsense": {} })), 200);
    }
    see("/train/{model}", "post", server.json("POST", "/train/nonsense", &json!({})), 404);

    // The model that was trained segments, tells how unsure it is, and can be fetched.
    let info = server.get("/api/info").ok().value();
    let model = info["methods"].as_array().unwrap().iter().find(|method| method["name"] == "short").unwrap().clone();
    assert_eq!((&model["model"], &model["marks"]), (&json!(true), &json!([])));
    server.json("POST", "/api/images/cube/segment", &json!({ "method": "short" })).ok();
    let next = see("/api/next", "get", server.get("/api/next?strategy=uncertain"), 200).value();
    assert!(next["uncertainty"].as_f64().is_some_and(|bits| (0.0..=1.0).contains(&bits)), "{next}");
    see("/model/{model}", "get", server.get("/model/short"), 200);
    see("/model/info/{model}", "get", server.get("/model/info/short"), 200);
    see("/activelearning/{strategy}", "post", server.json("POST", "/activelearning/uncertain", &json!({})), 200);

    // MONAI Label's own.
    let params = json!({ "foreground": [MIDDLE] }).to_string();
    see("/infer/{model}", "post", server.form("POST", "/infer/tv?image=ball", &[Part::Text("params", &params)]), 200);
    let order = json!({ "save_label": false, "max_batch_size": 1 });
    let path = "/batch/infer/short?run_sync=true";
    see("/batch/infer/{model}", "post", server.json("POST", path, &order), 200);
    for path in ["/batch/infer", "/batch/infer/"] {
        see(path, "get", server.get(path), 200);
        see(path, "delete", server.send("DELETE", path, &[], b""), 200);
    }
    see("/datastore/dataset", "get", server.get("/datastore/dataset?limit_cases=1"), 200);
    see("/scoring/{method}", "post", server.json("POST", "/scoring/dice", &json!({})), 200);
    for (path, id) in [("/datastore", "a"), ("/datastore/", "b"), ("/datastore/image", "c")] {
        let parts = [Part::File("file", "x.nii.gz", &bytes)];
        see(path, "put", server.form("PUT", &format!("{path}?image={id}"), &parts), 200);
        see(path, "delete", server.send("DELETE", &format!("{path}?id={id}"), &[], b""), 200);
    }
    see("/datastore/image", "get", server.get("/datastore/image?image=ball"), 200);
    see("/datastore/image/info", "get", server.get("/datastore/image/info?image=ball"), 200);
    see(
        "/datastore/image/info",
        "put",
        server.form("PUT", "/datastore/image/info?image=ball", &[Part::Text("info", "{\"who\":\"me\"}")]),
        200,
    );
    let file = std::fs::read(folder.path().join("labels/final/ball.nii.gz")).unwrap();
    see(
        "/datastore/label",
        "put",
        server.form("PUT", "/datastore/label?image=ball", &[Part::File("label", "l.nii.gz", &file)]),
        200,
    );
    see("/datastore/label", "get", server.get("/datastore/label?label=ball&tag=final"), 200);
    see("/datastore/label/info", "get", server.get("/datastore/label/info?label=ball&tag=final"), 200);
    for path in ["/datastore/label/info", "/datastore/updatelabelinfo"] {
        see(
            path,
            "put",
            server.form("PUT", &format!("{path}?label=ball&tag=final"), &[Part::Text("info", "{\"by\":1}")]),
            200,
        );
    }
    see("/datastore/label", "delete", server.send("DELETE", "/datastore/label?id=ball&tag=final", &[], b""), 200);
    see(
        "/api/images/{id}/labels/{tag}",
        "delete",
        server.send("DELETE", "/api/images/ball/labels/original", &[], b""),
        200,
    );
    for path in ["/session", "/session/"] {
        let opened =
            see(path, "put", server.form("PUT", path, &[Part::File("files", "x.nii.gz", &bytes)]), 200).value();
        let one = format!("/session/{}", opened["session_id"].as_str().unwrap());
        see("/session/{id}", "get", server.get(&one), 200);
        see("/session/{id}", "delete", server.send("DELETE", &one, &[], b""), 200);
    }
    see("/auth/token", "post", server.send("POST", "/auth/token", &[], b""), 404);
    see("/auth/token/valid", "get", server.get("/auth/token/valid"), 200);

    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        // Those of DICOMweb are tried where there are scans.
        .filter(|(route, _)| !crate::dicomweb::is_ours(route))
        .flat_map(|(route, methods)| methods.as_object().unwrap().keys().map(|m| (route.clone(), m.clone())))
        .collect();
    let missed: Vec<_> = described.difference(&seen).collect();
    assert!(missed.is_empty(), "not tried: {missed:?}");
}

#[test]
fn further_clicks_are_answered_from_what_was_kept() {
    let folder = study();
    let server = Running::start(folder.path());
    let click = |marks: Value| {
        server.json("POST", "/api/images/ball/segment", &json!({ "method": "tv", "marks": marks })).ok().value()
    };
    assert_eq!(click(json!({ "foreground": [MIDDLE] }))["warm"], false);
    assert_eq!(click(json!({ "foreground": [MIDDLE, [21, 18, 7]] }))["warm"], true);
    // Without a budget nothing is kept, and the answers are the same.
    let cold = Running::with(folder.path(), |config| config.warm_bytes = 0);
    let body = json!({ "method": "tv", "marks": { "foreground": [MIDDLE, [21, 18, 7]] } });
    for _ in 0..2 {
        assert_eq!(cold.json("POST", "/api/images/ball/segment", &body).ok().value()["warm"], false);
    }
    // An image that was replaced is another image.
    let other = std::fs::read(folder.path().join("cube.nrrd")).unwrap();
    server.form("PUT", "/datastore/?image=ball", &[Part::File("file", "x.nrrd", &other)]).ok();
    assert_eq!(click(json!({ "foreground": [MIDDLE] }))["warm"], false);
}

#[test]
fn a_newer_click_supersedes_the_one_in_flight() {
    let folder = study();
    // A volume on which the solver, asked for more than single precision can give, is busy until it is stopped.
    let geometry = fewmark::Geometry::unit(fewmark::Dimension::Three, [96, 96, 96]).unwrap();
    fewmark::image::write_image(folder.path().join("large.nii.gz"), &crate::support::ball(geometry)).unwrap();
    let server = Running::start(folder.path());
    let endless = json!({ "method": "tv", "settings": { "tolerance": 0, "max_iterations": 100_000_000u64 }, "marks": { "foreground": [[48, 48, 48]] } });
    let send = |client: &str, body: &Value| {
        let headers = [("x-client", client), ("content-type", "application/json")];
        server.send("POST", "/api/images/large/segment", &headers, body.to_string().as_bytes())
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| send("page", &endless));
        // Long enough for the first one to be the older one.
        std::thread::sleep(std::time::Duration::from_millis(700));
        let quick =
            json!({ "method": "tv", "settings": { "tolerance": 0.5 }, "marks": { "foreground": [[48, 48, 48]] } });
        assert_eq!(send("page", &quick).status, 200);
        let first = first.join().unwrap();
        assert_eq!(first.status, 409, "{}", first.text());
        assert!(first.value()["error"].as_str().unwrap().starts_with("superseded"));
    });
}

#[test]
fn a_listener_hears_of_steps_and_of_a_coarse_answer_first() {
    let folder = study();
    let geometry = fewmark::Geometry::unit(fewmark::Dimension::Three, [96, 80, 64]).unwrap();
    fewmark::image::write_image(folder.path().join("large.nii.gz"), &crate::support::ball(geometry)).unwrap();
    let server = Running::start(folder.path());
    let body = json!({ "method": "tv", "marks": { "foreground": [[48, 40, 32]] } }).to_string();
    let reply =
        server.send("POST", "/api/images/large/segment", &[("accept", "text/event-stream")], body.as_bytes()).ok();
    let events = reply.events();
    let at = |name: &str| events.iter().position(|(event, _)| event == name).unwrap_or_else(|| panic!("no {name}"));
    assert!(at("progress") < at("coarse") && at("coarse") < at("result"));
    let (coarse, result) = (&events[at("coarse")].1, &events[at("result")].1);
    assert_eq!((&coarse["coarse"], &result["coarse"]), (&json!(true), &json!(false)));
    let [coarse, full] = [coarse, result].map(|answer| answer["voxels"].as_f64().unwrap());
    assert!((coarse / full - 1.0).abs() < 0.2, "{coarse} {full}");
    assert!(result["trace"].as_array().is_some_and(|trace| !trace.is_empty()));

    let wrong = server
        .send("POST", "/api/images/large/segment", &[("accept", "text/event-stream")], b"{\"method\":\"tv\"}")
        .ok();
    let (name, problem) = wrong.events().pop().unwrap();
    assert_eq!((name.as_str(), &problem["status"]), ("error", &json!(422)));
}

#[test]
fn polygons_scribbles_and_slices_are_marks_too() {
    let folder = study();
    let server = Running::start(folder.path());
    let voxels =
        |body: Value| server.json("POST", "/api/images/ball/segment", &body).ok().value()["voxels"].as_u64().unwrap();
    let whole = voxels(json!({ "method": "tv", "marks": { "foreground": [MIDDLE] } }));
    let slice = voxels(json!({ "method": "elastica", "slice": 7, "marks": { "foreground": [MIDDLE] } }));
    assert!(slice > 0 && slice < whole);
    let polygon = json!({ "slice": 7, "points": [[16, 14], [24, 14], [24, 22], [16, 22]] });
    assert!(voxels(json!({ "method": "tv", "slice": 7, "marks": { "polygon": polygon } })) > 0);
    let stroke: Vec<Value> = (15..26).map(|x| json!([x, 18, 7])).collect();
    let away: Vec<Value> = (2..38).map(|x| json!([x, 2, 7])).collect();
    let scribbles = json!([{ "foreground": true, "points": stroke }, { "foreground": false, "points": away }]);
    assert!(voxels(json!({ "method": "tv", "marks": { "scribbles": scribbles } })) > 0);
    // What is sent for the page: a picture as a volume of one slice, and its facts.
    let disc = server.get("/api/images/disc").ok().value();
    assert_eq!((&disc["dimension"], &disc["size"]), (&json!(2), &json!([64, 48, 1])));
    assert!(server.get("/api/images/disc/volume").ok().body.starts_with(&[0x1f, 0x8b]));
    assert!(server.get("/api/images/ball/slice").ok().body.starts_with(b"\x89PNG"));
    assert_eq!(
        server
            .json(
                "POST",
                "/api/images/disc/segment",
                &json!({ "method": "elastica", "marks": { "foreground": [[32, 24, 0]] } })
            )
            .status,
        200
    );
}

#[test]
fn the_page_can_read_the_volumes_of_every_image() {
    let folder = study();
    let image = fewmark::image::read_image(folder.path().join("ball.nii.gz")).unwrap().with_stored(SampleType::I64);
    fewmark::image::write_image(folder.path().join("long.nii.gz"), &image).unwrap();
    let server = Running::start(folder.path());
    for (name, kind) in [("ball", 2_u16), ("long", 16)] {
        let packed = server.get(&format!("/api/images/{name}/volume")).ok().body;
        let mut head = [0; 348];
        flate2::read::GzDecoder::new(&packed[..]).read_exact(&mut head).unwrap();
        assert_eq!(u16::from_le_bytes([head[70], head[71]]), kind, "{name}");
    }
}
