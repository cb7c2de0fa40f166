//! The call sequences of 3D Slicer's module, as its client sends them.

use crate::support::{CORNER, MIDDLE, Part, Running, form, read, study};
use fewmark::Geometry;
use fewmark::LabelMap;
use fewmark::image::{Compression, SampleType, encode, read_image};
use serde_json::{Value, json};

/// The orientation fields of a NIfTI-1 header, as bytes.
fn orientation(file: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut plain).unwrap();
    // Sizes, spacings and units; qform and sform.
    [&plain[40..56], &plain[76..108], &plain[123..124], &plain[252..328]].concat()
}

fn click(extension: &str, more: Value) -> String {
    let mut params = json!({
        "label": "spleen", "foreground": [MIDDLE], "background": [CORNER],
        "result_extension": extension, "result_dtype": "uint8", "client_id": "slicer",
    });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    params.to_string()
}

#[test]
fn connect_and_next_sample() {
    let folder = study();
    let server = Running::start(folder.path());
    // 1. Connect: the module asks for authentication before every call.
    assert_eq!(server.get("/auth/").ok().value(), json!({ "enabled": false }));
    let info = server.get("/info/").ok().value();
    assert!(info.get("config").is_none(), "the module takes a top-level config for an old server");
    for (name, model) in info["models"].as_object().unwrap() {
        assert!(!model["description"].as_str().unwrap().is_empty(), "{name}");
        assert!(model["labels"].as_object().is_some_and(|labels| labels.values().all(Value::is_u64)), "{name}");
    }
    assert_eq!(info["models"]["tv"]["type"], "deepgrow");
    assert_eq!((&info["models"]["tv"]["dimension"], &info["models"]["tv-slice"]["dimension"]), (&json!(3), &json!(2)));
    assert_eq!(info["labels"], json!(["object"]));
    assert_eq!(info["datastore"], json!({ "total": 3, "completed": 0, "label_tags": {} }));
    assert!(info["strategies"].get("uncertain").is_none(), "there is no model to ask");
    assert_eq!(server.get("/info").ok().status, 200);

    // 2. Next sample.
    let next = server.json("POST", "/activelearning/first", &json!({ "client_id": "slicer" })).ok().value();
    assert_eq!((&next["id"], &next["name"]), (&json!("ball"), &json!("ball.nii.gz")));
    let path = next["path"].as_str().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), server.get("/datastore/image?image=ball").ok().body);
    assert!(
        server.get("/datastore/image?image=ball").header("content-disposition").contains("filename=\"ball.nii.gz\"")
    );
    let all = server.get("/datastore/?output=all").ok().value();
    assert!(all["objects"]["ball"]["image"]["info"]["strategy"]["first"]["ts"].is_u64());
    assert_eq!(server.get("/datastore/label?label=ball&tag=original").status, 404);
    for _ in 0..5 {
        let random = server.send("POST", "/activelearning/random", &[], b"").ok().value();
        assert!(["ball", "cube", "disc"].contains(&random["id"].as_str().unwrap()));
    }
}

#[test]
fn smart_edit_answers_in_the_geometry_of_the_image() {
    let folder = study();
    let server = Running::start(folder.path());
    let image = std::fs::read(folder.path().join("ball.nii.gz")).unwrap();

    // 3. A click in 3-D: the header's orientation is repeated to the bit.
    let params = click(".nii.gz", json!({}));
    let reply = server.form("POST", "/infer/tv?image=ball", &[Part::Text("params", &params)]).ok();
    let (said, name, file) = reply.parts();
    assert_eq!(said["label_names"], json!({ "spleen": 1 }));
    assert!(said["latencies"]["total"].as_f64().unwrap() > 0.0);
    assert_eq!(name, "tv.nii.gz");
    assert_eq!(orientation(&file), orientation(&image));
    let mask = LabelMap::from_image(&read(&file, &name)).unwrap();
    let grid = mask.geometry().grid();
    assert_eq!((mask.labels()[grid.index(MIDDLE)], mask.labels()[grid.index(CORNER)]), (1, 0));
    assert_eq!(read(&file, &name).stored(), SampleType::U8);

    // As NRRD, in which 3D Slicer asks for it: the same place in space.
    let params = click(".nrrd", json!({}));
    let (_, name, file) = server.form("POST", "/infer/tv?image=ball", &[Part::Text("params", &params)]).ok().parts();
    let place: Geometry = read(&file, &name).geometry().clone();
    read_image(folder.path().join("ball.nii.gz")).unwrap().geometry().expect_same_space(&place).unwrap();

    // A click in one slice leaves the others empty, and keeps the geometry of the volume.
    let params = click(".nii.gz", json!({ "slice": MIDDLE[2] }));
    let (_, name, file) =
        server.form("POST", "/infer/tv-slice?image=ball", &[Part::Text("params", &params)]).ok().parts();
    assert_eq!(orientation(&file), orientation(&image));
    let flat = LabelMap::from_image(&read(&file, &name)).unwrap();
    let marked: Vec<usize> =
        flat.labels().iter().enumerate().filter(|(_, l)| **l == 1).map(|(i, _)| grid.voxel(i)[2]).collect();
    assert!(!marked.is_empty() && marked.iter().all(|z| *z == MIDDLE[2]));

    // Other forms of the answer, and other ways to give clicks.
    let only = server.form("POST", "/infer/tv?image=ball&output=json", &[Part::Text("params", &params)]).ok();
    assert_eq!(only.value()["model"], "tv");
    let bytes = server
        .form("POST", "/infer/tv?image=ball&output=image", &[Part::Text("params", &click(".nii.gz", json!({})))])
        .ok();
    assert_eq!(orientation(&bytes.body), orientation(&image));
    let by_name =
        json!({ "label": "spleen", "spleen": [MIDDLE], "background": [], "result_extension": "nii.gz" }).to_string();
    assert_eq!(server.form("POST", "/infer/tv?image=ball", &[Part::Text("params", &by_name)]).ok().status, 200);
    let picture = json!({ "foreground": [[32, 24]], "result_extension": ".png" }).to_string();
    let (_, name, file) =
        server.form("POST", "/infer/tv-slice?image=disc", &[Part::Text("params", &picture)]).ok().parts();
    assert_eq!(read(&file, &name).geometry().size(), [64, 48, 1]);

    // The mask is kept where that is asked for.
    let kept = click(".nii.gz", json!({ "save_label": true, "label_tag": "original" }));
    server.form("POST", "/infer/tv?image=ball", &[Part::Text("params", &kept)]).ok();
    let original = server.get("/datastore/label?label=ball&tag=original").ok();
    assert!(original.header("content-disposition").contains("ball.nii.gz"));
    assert_eq!(orientation(&original.body), orientation(&image));
    let all = server.get("/datastore/?output=all").ok().value();
    assert_eq!(all["objects"]["ball"]["labels"]["original"]["info"]["params"]["label_names"], json!({ "spleen": 1 }));
}

#[test]
fn scribbles_come_as_labels_with_ids_by_name() {
    let folder = study();
    let server = Running::start(folder.path());
    let geometry = read_image(folder.path().join("ball.nii.gz")).unwrap().geometry().clone();
    let mut scribbles = LabelMap::new(vec![0; geometry.len()], geometry.clone()).unwrap();
    let grid = geometry.grid();
    for x in 17..24 {
        scribbles.labels_mut()[grid.index([x, 18, 7])] = 9;
        scribbles.labels_mut()[grid.index([x, 2, 7])] = 8;
    }
    let file = encode("s.nii.gz", &scribbles.to_image(), Compression::Usual).unwrap();
    let params = json!({
        "roi": [], "selected_label_name": "spleen", "result_extension": ".nii.gz",
        "label_info": [{ "name": "background_scribbles", "id": 8 }, { "name": "foreground_scribbles", "id": 9 }],
    })
    .to_string();
    let parts = [Part::Text("params", &params), Part::File("label", "/home/u/scribbles.nii.gz", &file)];
    let (said, name, file) = server.form("POST", "/infer/tv-scribbles?image=ball", &parts).ok().parts();
    assert_eq!(said["label_names"], json!({ "spleen": 1 }));
    let mask = LabelMap::from_image(&read(&file, &name)).unwrap();
    assert_eq!((mask.labels()[grid.index([20, 18, 7])], mask.labels()[grid.index([20, 2, 7])]), (1, 0));
}

#[test]
fn submit_a_label_and_train() {
    let folder = study();
    let server = Running::start(folder.path());
    // 4. Submit: the label comes in a file of another format, with the full path of the client as its name.
    let geometry = read_image(folder.path().join("ball.nii.gz")).unwrap().geometry().clone();
    let mask: Vec<u16> = (0..geometry.len()).map(|i| u16::from(i % 3 == 0) + u16::from(i % 6 == 0)).collect();
    let file =
        encode("l.nrrd", &LabelMap::new(mask.clone(), geometry).unwrap().to_image(), Compression::Usual).unwrap();
    let info =
        json!({ "label_info": [{ "name": "spleen", "idx": 1 }, { "name": "liver", "idx": 2 }], "client_id": "u" });
    let parts = [Part::File("label", "/home/u/Slicer/tmp.nrrd", &file), Part::Text("params", &info.to_string())];
    let saved = server.form("PUT", "/datastore/label?image=ball", &parts).ok().value();
    assert_eq!(saved, json!({ "image": "ball", "label": "ball" }));
    let stored = std::fs::read(folder.path().join("labels/final/ball.nii.gz")).unwrap();
    assert_eq!(orientation(&stored), orientation(&std::fs::read(folder.path().join("ball.nii.gz")).unwrap()));
    assert_eq!(LabelMap::from_image(&read(&stored, "l.nii.gz")).unwrap().labels(), mask);
    let info = server.get("/info/").ok().value();
    assert_eq!(info["labels"], json!(["spleen", "liver"]));
    assert_eq!(info["datastore"], json!({ "total": 3, "completed": 1, "label_tags": { "final": 1 } }));

    assert_eq!(server.get("/train/").status, 404);
    assert_eq!(server.send("DELETE", "/train/", &[], b"").ok().value(), Value::Null);
    let order = json!({ "iterations": "100000", "name": "train_01", "client_id": "u" });
    let task = server.json("POST", "/train/msnet", &order).ok().value();
    assert_eq!(task["status"], "RUNNING");
    assert_eq!(task["request"]["name"], "train_01");
    assert_eq!(server.json("POST", "/train/msnet", &json!({})).status, 429);
    assert_eq!(server.get("/train/?check_if_running=true").ok().value()["status"], "RUNNING");
    let stopped = server.send("DELETE", "/train/", &[], b"").ok().value();
    assert_eq!(stopped["status"], "STOPPED");
    assert!(stopped["details"].as_array().is_some_and(|details| details.last().is_some_and(Value::is_string)));
    assert_eq!(server.get("/train/?check_if_running=true").status, 404);
    let statistics = server.get("/info/").ok().value()["train_stats"]["msnet-3d"].clone();
    assert_eq!(statistics["total_epochs"], 100_000);
    assert!(statistics["total_time"].is_string());
    assert_eq!(server.get("/train/?all=true").ok().value().as_array().unwrap().len(), 1);
}

#[test]
fn a_local_volume_goes_into_a_session() {
    let folder = study();
    let server = Running::start(folder.path());
    let elsewhere = study();
    let bytes = std::fs::read(elsewhere.path().join("ball.nii.gz")).unwrap();
    // 5. A volume that the study has not.
    let opened =
        server.form("PUT", "/session/", &[Part::File("files", "C:\\scans\\..\\mine.nii.gz", &bytes)]).ok().value();
    let id = opened["session_id"].as_str().unwrap();
    let session = server.get(&format!("/session/{id}")).ok().value();
    assert_eq!((&session["name"], &session["expiry"]), (&json!(id), &json!(3600)));
    assert_eq!(server.get(&format!("/session/{id}?image=true")).ok().body, bytes);
    let params = click(".nii.gz", json!({}));
    let path = format!("/infer/tv?image=nothing&session_id={id}");
    let (_, _, file) = server.form("POST", &path, &[Part::Text("params", &params)]).ok().parts();
    assert_eq!(orientation(&file), orientation(&bytes));
    // On submit the volume is added to the study first.
    let added = server.form(
        "PUT",
        "/datastore/?image=my+scan",
        &[Part::File("file", "/elsewhere/a.nii.gz", &bytes), Part::Text("params", "{}")],
    );
    assert_eq!(added.ok().value(), json!({ "image": "my scan" }));
    assert_eq!(std::fs::read(folder.path().join("my scan.nii.gz")).unwrap(), bytes);
    let label = [Part::File("label", "l.nii.gz", &file)];
    server.form("PUT", "/datastore/label?image=my%20scan", &label).ok();
    assert!(
        server.get("/datastore/?output=train").ok().value()[0]["label"].as_str().unwrap().ends_with("my scan.nii.gz")
    );

    server.send("DELETE", &format!("/session/{id}"), &[], b"").ok();
    // The module uploads again after an empty answer.
    assert_eq!(server.get(&format!("/session/{id}")).ok().value(), json!({}));
    assert_eq!(server.get("/session/nonsense").status, 404);
    assert_eq!(server.form("POST", &path, &[Part::Text("params", &params)]).status, 404);
    // An image that is sent along is used at once.
    let parts = [Part::Text("params", &params), Part::File("file", "x.nii.gz", &bytes)];
    assert_eq!(server.form("POST", "/infer/tv", &parts).ok().status, 200);
}

#[test]
fn with_a_token_viewers_log_in_by_password() {
    let folder = study();
    let server = Running::with(folder.path(), |config| config.token = Some("a long enough token".replace(' ', "-")));
    assert_eq!(server.get("/auth/").ok().value(), json!({ "enabled": true }));
    assert_eq!(server.get("/info/").status, 401);
    assert_eq!(server.get("/auth/token/valid").status, 401);
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let wrong = server.send("POST", "/auth/token", &kind, b"username=u&password=nonsense&grant_type=password");
    assert_eq!(wrong.status, 401);
    let right = server
        .send("POST", "/auth/token", &kind, b"username=u&password=a-long-enough-token&grant_type=password")
        .ok()
        .value();
    let bearer = format!("{} {}", right["token_type"].as_str().unwrap(), right["access_token"].as_str().unwrap());
    for path in ["/info/", "/auth/token/valid", "/api/info"] {
        assert_eq!(server.send("GET", path, &[("authorization", &bearer)], b"").status, 200, "{path}");
    }
    // Once it has logged in, the Python client sends the boundary of its last form with the next one.
    let body = form(&[Part::Text("params", &json!({ "foreground": [MIDDLE] }).to_string())]);
    let stale = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=of-the-last-one")];
    assert_eq!(server.send("POST", "/infer/tv?image=ball", &stale, &body).status, 200);
    // The page itself is open, so that it can ask for the token.
    assert_eq!(server.get("/").status, 200);
}
