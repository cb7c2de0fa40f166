//! A model on many images, and the study as one file.

use std::io::Read as _;

use crate::fewshot::save;
use crate::support::{MIDDLE, Part, Running, study};
use serde_json::{Value, json};

const VOXELS: usize = 40 * 36 * 14;

fn label(server: &Running, id: &str) {
    save(server, id, 1, "box");
}

#[test]
fn a_model_without_marks_goes_over_the_images() {
    let folder = study();
    let server = Running::start(folder.path());
    label(&server, "ball");
    assert_eq!(server.get("/batch/infer/").status, 404);
    assert_eq!(server.send("DELETE", "/batch/infer", &[], b"").ok().value(), Value::Null);
    let path = "/batch/infer/fewshot?images=unlabeled&run_sync=true";
    let task = server.json("POST", path, &json!({ "support": "ball" })).ok().value();
    assert_eq!(task["status"], "DONE", "{task}");
    let images = &task["result"]["images"];
    assert!(images["cube"]["voxels"].as_u64().is_some_and(|voxels| voxels > 0), "{task}");
    // A picture has no place among volumes: the others are done all the same.
    assert!(images["disc"]["problem"].as_str().is_some_and(|problem| problem.contains("volume")), "{task}");
    assert!(images.get("ball").is_none());
    assert_eq!(task["details"].as_array().unwrap().len(), 3);
    assert_eq!(server.get("/batch/infer").ok().value(), task);
    assert_eq!(server.get("/batch/infer?all=true").ok().value(), json!([task]));
    assert_eq!(server.get("/batch/infer?check_if_running=true").status, 404);
    let all = server.get("/datastore/?output=all").ok().value();
    let info = &all["objects"]["cube"]["labels"]["original"]["info"];
    assert_eq!((&info["model"], &info["params"]["label_names"]), (&json!("fewshot"), &json!({ "box": 1 })));
    assert!(all["objects"]["disc"]["labels"].get("original").is_none());

    // Kept nowhere, of one image, under another tag.
    let task = server.json(
        "POST",
        "/batch/infer/fewshot?run_sync=1&images=all",
        &json!({ "save_label": false, "max_batch_size": "2" }),
    );
    let task = task.ok().value();
    assert_eq!(task["result"]["total"], 2);
    assert!(
        task["result"]["images"]["ball"]["problem"].as_str().is_some_and(|problem| problem.contains("no other image"))
    );
    for (path, body, status) in [
        ("/batch/infer/tv", json!({}), 422),
        ("/batch/infer/none", json!({}), 404),
        ("/batch/infer/fewshot?images=some", json!({}), 422),
        ("/batch/infer/fewshot", json!({ "label_tag": "../x" }), 422),
        ("/batch/infer/fewshot", json!({ "label_tag": "final" }), 422),
        ("/batch/infer/fewshot", json!({ "max_batch_size": -1 }), 422),
        ("/batch/infer/fewshot", json!({ "support": 7 }), 422),
        ("/batch/infer/fewshot", json!({ "roi": [1, 2] }), 422),
    ] {
        let reply = server.json("POST", path, &body);
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.text());
    }
}

#[test]
fn one_batch_runs_at_a_time_and_stops_when_it_is_asked_to() {
    let folder = study();
    for number in 0..40 {
        std::fs::copy(folder.path().join("cube.nrrd"), folder.path().join(format!("c{number:02}.nrrd"))).unwrap();
    }
    let server = Running::start(folder.path());
    label(&server, "ball");
    let task = server.json("POST", "/batch/infer/fewshot?images=unlabeled", &json!({})).ok().value();
    assert_eq!(task["status"], "RUNNING");
    assert_eq!(server.json("POST", "/batch/infer/fewshot", &json!({})).status, 429);
    assert_eq!(server.get("/batch/infer?check_if_running=true").ok().value()["id"], task["id"]);
    // Clicks are answered meanwhile.
    let click = json!({ "method": "tv", "marks": { "foreground": [MIDDLE] } });
    server.json("POST", "/api/images/ball/segment", &click).ok();
    let stopped = server.send("DELETE", "/batch/infer/", &[], b"").ok().value();
    assert_eq!(stopped["status"], "STOPPED", "{stopped}");
    assert!(stopped["result"]["done"].as_u64() < stopped["result"]["total"].as_u64());
    assert!(stopped["end_ts"].is_string());
    // A server that is to end does not wait for all images either.
    server.json("POST", "/batch/infer/fewshot?images=unlabeled", &json!({})).ok();
    let labelled = |server: &Running| {
        let task = server.get("/batch/infer").ok().value();
        let images = task["result"]["images"].as_object().unwrap().clone();
        images.into_iter().filter(|(_, image)| image["voxels"].is_u64()).collect::<serde_json::Map<_, _>>()
    };
    while labelled(&server).len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(server);

    // The next one tells how far it came, and goes on when the same is asked for again.
    let server = Running::start(folder.path());
    let before = labelled(&server);
    let task = server.get("/batch/infer").ok().value();
    assert_eq!((&task["status"], &task["result"]["total"]), (&json!("STOPPED"), &stopped["result"]["total"]));
    assert!(before.len() >= 2 && before.len() < 41, "{before:?}");
    let file = |id: &str| folder.path().join(format!("labels/original/{id}.nrrd"));
    let written = |id: &String| std::fs::metadata(file(id)).unwrap().modified().unwrap();
    let times: Vec<_> = before.keys().map(written).collect();
    let task = server.json("POST", "/batch/infer/fewshot?images=unlabeled", &json!({})).ok().value();
    assert_eq!(task["status"], "RUNNING");
    assert!(before.iter().all(|(id, found)| task["result"]["images"][id] == *found), "{task}");
    server.send("DELETE", "/batch/infer/", &[], b"").ok();
    assert_eq!(before.keys().map(written).collect::<Vec<_>>(), times);
    // A label that is gone is made again; another order begins anew.
    let gone = before.keys().next().unwrap();
    std::fs::remove_file(file(gone)).unwrap();
    let task = server.json("POST", "/batch/infer/fewshot?images=unlabeled", &json!({})).ok().value();
    assert!(!task["result"]["images"].as_object().unwrap().contains_key(gone), "{task}");
    server.send("DELETE", "/batch/infer/", &[], b"").ok();
    let other = json!({ "label_tag": "other" });
    let task = server.json("POST", "/batch/infer/fewshot?images=unlabeled", &other).ok().value();
    assert_eq!(task["result"]["done"], 0, "{task}");
}

#[test]
fn a_data_set_opens_as_a_study() {
    let folder = study();
    let server = Running::start(folder.path());
    label(&server, "ball");
    label(&server, "cube");
    server.json("PUT", "/api/images/ball/labels/original", &json!({ "runs": [0, VOXELS] })).ok();
    let unpack = |query: &str| {
        let reply = server.get(&format!("/datastore/dataset{query}")).ok();
        assert_eq!(reply.header("content-type"), "application/zip");
        assert!(reply.header("content-disposition").contains("dataset.zip"));
        let target = tempfile::TempDir::new().unwrap();
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(reply.body)).unwrap();
        for at in 0..zip.len() {
            let mut entry = zip.by_index(at).unwrap();
            let path = target.path().join(entry.enclosed_name().unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        target
    };
    let unpacked = unpack("");
    for name in ["ball.nii.gz", "cube.nrrd", "labels/final/ball.nii.gz", "labels/final/cube.nrrd"] {
        let [packed, original] = [&unpacked, &folder].map(|folder| std::fs::read(folder.path().join(name)).unwrap());
        assert_eq!(packed, original, "{name}");
    }
    let other = Running::start(unpacked.path());
    let all = other.get("/datastore/?output=all").ok().value();
    assert_eq!(all["objects"].as_object().unwrap().len(), 2);
    assert!(all["objects"]["ball"]["labels"].get("original").is_none());
    assert_eq!(other.get("/info/").ok().value()["labels"], json!(["box"]));
    let first = unpack("?limit_cases=1");
    let one = Running::start(first.path());
    assert_eq!(one.get("/api/images").ok().value().as_array().unwrap().len(), 1);
    assert_eq!(server.get("/datastore/dataset?limit_cases=0").status, 422);
    assert_eq!(server.get("/datastore/dataset?limit_cases=x").status, 422);
    // Nothing is left of it.
    assert_eq!(std::fs::read_dir(folder.path().join(".fewmark/tmp")).unwrap().count(), 0);
}

#[test]
fn a_session_takes_images_only() {
    let folder = study();
    let server = Running::start(folder.path());
    let open = |name: &str, bytes: &[u8]| server.form("PUT", "/session/", &[Part::File("files", name, bytes)]);
    let reply = open("/home/u/scan.nii.gz", b"this is no image");
    assert_eq!(reply.status, 422, "{}", reply.text());
    let detail = reply.value()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("\"scan.nii.gz\"") && !detail.contains("image-0000"), "{detail}");
    let parts = [Part::File("files", "a.dcm", b"one"), Part::File("files", "b.dcm", b"two")];
    assert_eq!(server.form("PUT", "/session/", &parts).status, 422);
    assert_eq!(std::fs::read_dir(folder.path().join(".fewmark/sessions")).unwrap().count(), 0);
    open("scan.nrrd", &std::fs::read(folder.path().join("cube.nrrd")).unwrap()).ok();
}

#[test]
fn a_folder_with_a_series_is_an_image() {
    let folder = study();
    let series = folder.path().join("chest");
    std::fs::create_dir(&series).unwrap();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fewmark-image/tests/golden/dicom/oblique");
    for entry in std::fs::read_dir(golden).unwrap().flatten() {
        std::fs::copy(entry.path(), series.join(entry.file_name())).unwrap();
    }
    // Other folders are none.
    std::fs::create_dir(folder.path().join("notes")).unwrap();
    std::fs::write(folder.path().join("notes/a.txt"), b"nothing").unwrap();
    let server = Running::start(folder.path());
    let ids: Vec<Value> =
        server.get("/api/images").ok().value().as_array().unwrap().iter().map(|image| image["id"].clone()).collect();
    assert_eq!(ids, ["ball", "chest", "cube", "disc"]);
    let facts = server.get("/api/images/chest").ok().value();
    assert_eq!(facts["dimension"], 3);
    let voxels: u64 = facts["size"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product();
    assert!(server.get("/api/images/chest/volume").ok().body.starts_with(&[0x1f, 0x8b]));
    server.json("PUT", "/api/images/chest/labels/final", &json!({ "runs": [1, 1, 0, voxels - 1] })).ok();
    assert!(folder.path().join("labels/final/chest.nii.gz").exists());
    let all = server.get("/datastore/?output=all").ok().value();
    assert_eq!(all["objects"]["chest"]["image"]["ext"], "");
    let reply = server.get("/datastore/dataset").ok();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(reply.body)).unwrap();
    let names: Vec<String> = (0..zip.len()).map(|at| zip.by_index(at).unwrap().name().unwrap().into_owned()).collect();
    assert!(names.iter().filter(|name| name.starts_with("chest/")).count() > 1, "{names:?}");
    // Viewers fetch it as one file; it is neither replaced nor removed.
    let sent = server.get("/datastore/image?image=chest").ok();
    assert!(sent.body.starts_with(&[0x1f, 0x8b]) && sent.header("content-disposition").contains("chest.nii.gz"));
    let bytes = std::fs::read(folder.path().join("cube.nrrd")).unwrap();
    assert_eq!(server.form("PUT", "/datastore/?image=chest", &[Part::File("file", "x.nrrd", &bytes)]).status, 409);
    assert_eq!(server.send("DELETE", "/datastore/?id=chest", &[], b"").status, 422);
    assert!(series.exists() && folder.path().join("labels/final/chest.nii.gz").exists());
}
