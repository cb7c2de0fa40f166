//! What must not be lost when things go wrong.

use crate::support::{MIDDLE, Part, Running, study};
use serde_json::{Value, json};

const VOXELS: u64 = 40 * 36 * 14;

fn label(value: u64) -> Value {
    json!({ "labels": { "1": { "name": "spleen", "colour": "#112233" } }, "runs": [value, VOXELS] })
}

#[test]
fn a_broken_or_missing_index_loses_no_label() {
    let folder = study();
    let index = folder.path().join("datastore_v2.json");
    {
        let server = Running::start(folder.path());
        server.json("PUT", "/api/images/ball/labels/final", &label(1)).ok();
        assert!(index.exists());
        // While the server runs.
        std::fs::write(&index, b"{ \"objects\": ").unwrap();
        assert_eq!(server.get("/api/images/ball/labels/final").ok().value()["runs"], json!([1, VOXELS]));
        assert!(folder.path().join("datastore_v2.json.broken").exists());
        // One more does not take its place.
        std::fs::write(&index, b"[").unwrap();
        server.get("/info/").ok();
        assert_eq!(std::fs::read(folder.path().join("datastore_v2.json.broken")).unwrap(), b"{ \"objects\": ");
        assert_eq!(std::fs::read(folder.path().join("datastore_v2.json.broken.1")).unwrap(), b"[");
        server.json("PUT", "/api/images/cube/labels/final", &label(1)).ok();
    }
    std::fs::remove_file(&index).unwrap();
    let server = Running::start(folder.path());
    let info = server.get("/info/").ok().value();
    assert_eq!(info["datastore"]["completed"], 2);
    for shape in [
        "[]",
        "{\"objects\":[]}",
        "{\"objects\":{\"ball\":7}}",
        "{\"objects\":{\"ball\":{\"labels\":{\"final\":{\"info\":[]}}}}}",
    ] {
        std::fs::write(&index, shape).unwrap();
        assert_eq!(
            server.get("/datastore/?output=all").ok().value()["objects"]["ball"]["image"]["ext"],
            ".nii.gz",
            "{shape}"
        );
        server.json("PUT", "/api/images/ball/labels/final", &label(2)).ok();
    }
}

#[test]
fn a_label_that_somebody_else_saved_is_not_replaced_unseen() {
    let folder = study();
    let server = Running::start(folder.path());
    let saved = |version: Option<u64>| {
        let mut body = label(1);
        body["version"] = json!(version);
        server.json("PUT", "/api/images/ball/labels/final", &body)
    };
    let first = saved(Some(0)).ok().value()["version"].as_u64().unwrap();
    assert_eq!(server.get("/api/images/ball/labels/final").ok().value()["version"], first);
    // Where there was none when it was opened, and where there was another.
    assert_eq!(saved(Some(0)).status, 409);
    assert_eq!(saved(Some(first + 1)).status, 409);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let second = saved(Some(first)).ok().value()["version"].as_u64().unwrap();
    assert!(second > first);
    assert_eq!(saved(Some(first)).status, 409);
    // Who does not ask replaces it.
    saved(None).ok();
}

#[test]
fn a_study_of_monai_label_opens_as_it_is_and_keeps_what_is_not_ours() {
    let folder = study();
    std::fs::create_dir_all(folder.path().join("labels/original")).unwrap();
    std::fs::copy(folder.path().join("ball.nii.gz"), folder.path().join("labels/original/ball.nii.gz")).unwrap();
    let index = json!({
        "name": "theirs", "description": "study", "images_dir": ".", "labels_dir": "labels",
        "objects": { "ball": {
            "image": { "ext": ".nii.gz", "info": { "ts": 5, "name": "ball.nii.gz", "checksum": "SHA256:1" } },
            "labels": { "original": { "ext": ".nii.gz", "info": { "params": { "label_names": { "liver": 2 } }, "ts": 6 } } }
        } },
        "extra": [1, 2]
    });
    std::fs::write(folder.path().join("datastore_v2.json"), index.to_string()).unwrap();
    let server = Running::start(folder.path());
    let all = server.get("/datastore/?output=all").ok().value();
    assert_eq!(all["objects"]["ball"]["image"]["info"]["checksum"], "SHA256:1");
    assert_eq!(server.get("/info/").ok().value()["labels"], json!(["liver"]));
    server.json("PUT", "/api/images/ball/labels/final", &label(1)).ok();
    let text = std::fs::read(folder.path().join("datastore_v2.json")).unwrap();
    let written: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&written["name"], &written["extra"]), (&json!("theirs"), &json!([1, 2])));
    assert_eq!(written["objects"]["ball"]["labels"]["original"]["info"]["ts"], 6);
    assert_eq!(written["objects"]["ball"]["labels"]["final"]["info"]["label_info"][0]["name"], "spleen");
}

#[test]
fn two_clients_that_save_the_same_label_leave_one_whole_file() {
    let folder = study();
    let server = Running::start(folder.path());
    std::thread::scope(|scope| {
        for client in 1..=2u64 {
            let server = &server;
            scope.spawn(move || {
                for i in 0..15 {
                    let image = if i % 3 == 0 { "cube" } else { "ball" };
                    server.json("PUT", &format!("/api/images/{image}/labels/final"), &label(client)).ok();
                }
            });
        }
    });
    for image in ["ball", "cube"] {
        let found = server.get(&format!("/api/images/{image}/labels/final")).ok().value();
        assert!([json!([1, VOXELS]), json!([2, VOXELS])].contains(&found["runs"]), "{found}");
    }
    let index: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("datastore_v2.json")).unwrap()).unwrap();
    assert_eq!(index["objects"].as_object().unwrap().len(), 2);
    let left: Vec<_> =
        std::fs::read_dir(folder.path().join("labels/final")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn an_image_that_is_deleted_under_the_server_is_not_there() {
    let folder = study();
    let server = Running::start(folder.path());
    let click = json!({ "method": "tv", "marks": { "foreground": [MIDDLE] } });
    server.json("POST", "/api/images/ball/segment", &click).ok();
    std::fs::remove_file(folder.path().join("ball.nii.gz")).unwrap();
    assert_eq!(server.json("POST", "/api/images/ball/segment", &click).status, 404);
    assert_eq!(server.json("PUT", "/api/images/ball/labels/final", &label(1)).status, 404);
    assert_eq!(server.form("POST", "/infer/tv?image=ball", &[Part::Text("params", "{}")]).status, 404);
    assert_eq!(server.get("/datastore/image?image=ball").status, 404);
    assert_eq!(server.get("/api/images").ok().value().as_array().unwrap().len(), 2);
}

#[cfg(unix)]
#[test]
fn a_label_that_cannot_be_written_leaves_the_one_before() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = study();
    let server = Running::start(folder.path());
    server.json("PUT", "/api/images/ball/labels/final", &label(1)).ok();
    let labels = folder.path().join("labels/final");
    std::fs::set_permissions(&labels, std::fs::Permissions::from_mode(0o555)).unwrap();
    // Whoever may do everything may write here too: then there is nothing to see.
    let writable = std::fs::write(labels.join("probe"), b"").is_ok();
    let reply = server.json("PUT", "/api/images/ball/labels/final", &label(2));
    std::fs::set_permissions(&labels, std::fs::Permissions::from_mode(0o755)).unwrap();
    if !writable {
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert_eq!(server.get("/api/images/ball/labels/final").ok().value()["runs"], json!([1, VOXELS]));
    }
}

/// On a file system of a few hundred KiB, which is mounted where the machine lets the test do so.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_breaks_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=300k", "none"])
        .arg(folder.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let study = study();
    std::fs::copy(study.path().join("ball.nii.gz"), folder.path().join("ball.nii.gz")).unwrap();
    {
        let server = Running::start(folder.path());
        server.json("PUT", "/api/images/ball/labels/final", &label(1)).ok();
        // Fill what is left.
        let _ = std::fs::write(folder.path().join("filler"), vec![1u8; 1 << 20]);
        let noise: Vec<u64> = (0..VOXELS).flat_map(|i| [i * i % 251 % 7, 1]).collect();
        let reply = server.json("PUT", "/api/images/ball/labels/final", &json!({ "runs": noise }));
        assert_eq!(reply.status, 507, "{}", reply.text());
        assert!(reply.value()["hint"].as_str().unwrap().contains("space"), "{}", reply.text());
        let upload = server.send("POST", "/api/images?name=new.nii.gz", &[], &vec![0; 500_000]);
        assert_eq!(upload.status, 507, "{}", upload.text());
        assert_eq!(server.get("/api/images/ball/labels/final").ok().value()["runs"], json!([1, VOXELS]));
        std::fs::remove_file(folder.path().join("filler")).unwrap();
        assert_eq!(server.json("PUT", "/api/images/ball/labels/final", &json!({ "runs": noise })).status, 200);
    }
    let _ = std::process::Command::new("umount").arg(folder.path()).output();
}

#[test]
fn a_client_that_leaves_gives_the_work_up() {
    use std::io::Write as _;
    let folder = study();
    let geometry = fewmark::Geometry::unit(fewmark::Dimension::Three, [96, 96, 96]).unwrap();
    fewmark::image::write_image(folder.path().join("large.nii.gz"), &crate::support::ball(geometry)).unwrap();
    let server = Running::start(folder.path());
    let endless = json!({ "method": "tv", "settings": { "tolerance": 0, "max_iterations": 100_000_000u64 }, "marks": { "foreground": [[48, 48, 48]] } }).to_string();
    // As many as there are workers: were they not given up, nobody would be served again.
    for _ in 0..std::thread::available_parallelism().map_or(4, usize::from) {
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        let head = format!(
            "POST /api/images/large/segment HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{endless}",
            server.address,
            endless.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    server
        .json("POST", "/api/images/ball/segment", &json!({ "method": "tv", "marks": { "foreground": [MIDDLE] } }))
        .ok();
}

#[test]
fn trainings_survive_the_server() {
    let folder = study();
    {
        let server = Running::start(folder.path());
        server.json("PUT", "/api/images/ball/labels/final", &json!({ "runs": [0, VOXELS / 2, 1, VOXELS / 2] })).ok();
        let order = json!({ "network": "msnet", "settings": { "training.iterations": 6, "training.checkpoint_every": 1 }, "name": "run" });
        server.json("POST", "/api/trainings", &order).ok();
        // The server ends while it trains, and stops it at a checkpoint.
    }
    let server = Running::start(folder.path());
    let found = server.get("/api/trainings/run").ok().value();
    assert_eq!((&found["network"], &found["iterations"]), (&json!("msnet-3d"), &json!(6)), "{found}");
    if found["state"] == "stopped" {
        server.json("POST", "/api/trainings/run/resume", &json!({})).ok();
        server.get("/api/trainings/run/events").ok();
    }
    let done = server.get("/api/trainings/run").ok().value();
    assert_eq!(done["state"], "done", "{done}");
    let iterations: Vec<u64> =
        done["curve"].as_array().unwrap().iter().map(|p| p["iteration"].as_u64().unwrap()).collect();
    assert_eq!(iterations, [1, 2, 3, 4, 5, 6]);

    // A model that a person put there is not replaced by one of the same name.
    let model = |name: &str| folder.path().join(format!("models/{name}.safetensors"));
    std::fs::copy(model("run"), model("mine")).unwrap();
    let order = json!({ "network": "msnet", "settings": { "training.iterations": 1 }, "name": "mine" });
    server.json("POST", "/api/trainings", &order).ok();
    server.get("/api/trainings/mine-2/events").ok();
    assert_eq!(std::fs::read(model("mine")).unwrap(), std::fs::read(model("run")).unwrap());
    assert!(model("mine-2").exists());
}
