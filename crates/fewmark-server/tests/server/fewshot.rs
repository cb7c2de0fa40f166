//! Few-shot segmentation: the labels of some images are found in others.

use crate::support::{Part, Reply, Running, read, study};
use fewmark::image::{SampleType, write_image};
use fewmark::{Dimension, Geometry, Image, LabelMap};
use serde_json::{Value, json};

const SIZE: [usize; 3] = [40, 36, 14];
const VOXELS: usize = SIZE[0] * SIZE[1] * SIZE[2];

/// The voxels of the bright ball, as runs of a value.
fn ball(value: u16) -> Vec<u64> {
    let radius = [10.0, 10.0, 14.0 / 3.0];
    let inside = |at: usize| {
        let voxel = [at % SIZE[0], at / SIZE[0] % SIZE[1], at / (SIZE[0] * SIZE[1])];
        let distance: f64 =
            (0..3).map(|a| ((voxel[a] as f64 - SIZE[a] as f64 / 2.0) / f64::min(radius[a], 9.0)).powi(2)).sum();
        distance < 1.0
    };
    let mask: Vec<u16> = (0..VOXELS).map(|at| if inside(at) { value } else { 0 }).collect();
    mask.chunk_by(|a, b| a == b).flat_map(|run| [u64::from(run[0]), run.len() as u64]).collect()
}

/// Labels the ball of a volume.
pub(crate) fn save(server: &Running, id: &str, value: u16, name: &str) {
    let body = json!({ "labels": { value.to_string(): { "name": name, "colour": "#00ff00" } }, "runs": ball(value) });
    server.json("PUT", &format!("/api/images/{id}/labels/final"), &body).ok();
}

fn find(server: &Running, id: &str, method: &str, support: Value) -> Reply {
    let body = json!({ "method": method, "support": support });
    server.json("POST", &format!("/api/images/{id}/segment"), &body)
}

/// Twice the voxels in common over the voxels of both, of a value in runs against the ball.
fn dice(runs: &Value, value: u16) -> f64 {
    let dense = |runs: &[u64]| -> Vec<bool> {
        runs.as_chunks::<2>().0.iter().flat_map(|[v, n]| vec![*v == u64::from(value); *n as usize]).collect()
    };
    let found: Vec<u64> = runs.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let (found, truth) = (dense(&found), dense(&ball(value)));
    let count = |mask: &[bool]| mask.iter().filter(|m| **m).count() as f64;
    let both = found.iter().zip(&truth).filter(|(a, b)| **a && **b).count() as f64;
    2.0 * both / (count(&found) + count(&truth))
}

fn refused(reply: &Reply, status: u16, part: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    let problem = reply.value();
    assert!(problem["error"].as_str().unwrap().contains(part), "{part}: {problem}");
    assert!(!problem["hint"].as_str().unwrap().is_empty(), "{problem}");
}

#[test]
fn labels_of_one_image_are_found_in_another() {
    let folder = study();
    let server = Running::start(folder.path());
    refused(&find(&server, "cube", "fewshot", json!([])), 422, "no other image");
    let config = |server: &Running| server.get("/info/").ok().value()["models"]["fewshot"].clone();
    assert_eq!(config(&server)["type"], "segmentation");
    assert_eq!(config(&server)["config"]["support"], json!(["(last labelled)"]));

    save(&server, "ball", 5, "lesion");
    assert_eq!(config(&server)["config"]["support"], json!(["(last labelled)", "ball"]));
    assert_eq!(config(&server)["labels"], json!({ "lesion": 5 }));
    // A listener hears that the example is looked at: once, since what was found is kept.
    let stages = |server: &Running| -> (Vec<Value>, Value) {
        let body = json!({ "method": "fewshot" }).to_string();
        let accept = [("accept", "text/event-stream")];
        let mut events = server.send("POST", "/api/images/cube/segment", &accept, body.as_bytes()).ok().events();
        let (name, result) = events.pop().unwrap();
        assert_eq!(name, "result", "{result}");
        (events.into_iter().map(|(_, event)| event["stage"].clone()).collect(), result)
    };
    let (first, found) = stages(&server);
    assert!(first.contains(&json!("support")), "{first:?}");
    assert_eq!(found["labels"], json!({ "5": { "name": "lesion", "colour": "#00ff00" } }));
    let score = dice(&found["runs"], 5);
    assert!(score > 0.7, "Dice {score}");
    let (second, again) = stages(&server);
    assert!(!second.contains(&json!("support")) && !second.is_empty(), "{second:?}");
    assert_eq!(again["runs"], found["runs"]);

    // A label that was edited counts as it is now.
    save(&server, "ball", 6, "cyst");
    let (third, changed) = stages(&server);
    assert!(third.contains(&json!("support")));
    assert_eq!(changed["labels"], json!({ "6": { "name": "cyst", "colour": "#00ff00" } }));
    assert!(dice(&changed["runs"], 6) > 0.7);

    // As 3D Slicer asks for it.
    for support in ["(last labelled)", "ball", ""] {
        let params = json!({ "support": support, "label": "nothing", "result_extension": ".nii.gz" }).to_string();
        let reply = server.form("POST", "/infer/fewshot?image=cube", &[Part::Text("params", &params)]).ok();
        let (said, name, file) = reply.parts();
        // 3D Slicer takes the i-th name for the value i.
        let names = json!({ "label-1": 1, "label-2": 2, "label-3": 3, "label-4": 4, "label-5": 5, "cyst": 6 });
        assert_eq!(said["label_names"], names);
        let map = LabelMap::from_image(&read(&file, &name)).unwrap();
        assert_eq!(map.present(), [6]);
        // With a box: nothing outside of it.
        let params =
            json!({ "support": support, "roi": [0, 20, 0, 36, 7, 8], "result_extension": ".nii.gz" }).to_string();
        let reply = server.form("POST", "/infer/fewshot?image=cube", &[Part::Text("params", &params)]).ok();
        let (_, name, file) = reply.parts();
        let limited = LabelMap::from_image(&read(&file, &name)).unwrap();
        let grid = map.geometry().grid();
        for (at, (all, some)) in map.labels().iter().zip(limited.labels()).enumerate() {
            let [x, _, z] = grid.voxel(at);
            assert_eq!(*some, if x < 20 && z == 7 { *all } else { 0 });
        }
        assert!(limited.present() == [6]);
    }
}

#[test]
fn examples_that_cannot_be_are_refused() {
    let folder = study();
    let server = Running::start(folder.path());
    save(&server, "ball", 1, "lesion");
    refused(&find(&server, "ball", "fewshot", json!(["ball"])), 422, "for itself");
    refused(&find(&server, "ball", "fewshot", json!([])), 422, "no other image");
    refused(&find(&server, "ball", "fewshot", json!(["cube"])), 422, "no label");
    assert_eq!(find(&server, "ball", "fewshot", json!(["none"])).status, 404);
    refused(&find(&server, "ball", "tv", json!(["cube"])), 422, "takes no support");
    assert_eq!(find(&server, "ball", "fewshot", json!("cube")).status, 422);
    assert_eq!(find(&server, "cube", "fewshot", json!(vec!["ball"; 17])).status, 422);
    // A volume for a picture, and the reverse.
    refused(
        &find(&server, "disc", "fewshot", json!(["ball"])),
        422,
        "is a volume (3-D), the image to segment is a picture",
    );
    refused(&find(&server, "disc", "fewshot", json!([])), 422, "is a volume");
    let pixels = [0, 64 * 20, 3, 64, 0, 64 * 27];
    server.json("PUT", "/api/images/disc/labels/final", &json!({ "runs": pixels })).ok();
    refused(&find(&server, "cube", "fewshot", json!(["ball", "disc"])), 422, "is a picture (2-D)");
    // Nobody named it: it is left out.
    assert_eq!(find(&server, "cube", "fewshot", json!([])).ok().value()["labels"].as_object().unwrap().len(), 1);
    let slice = json!({ "method": "fewshot", "slice": 3 });
    refused(&server.json("POST", "/api/images/cube/segment", &slice), 422, "whole volumes");
    let setting = json!({ "method": "fewshot", "settings": { "mu": 1 } });
    assert_eq!(server.json("POST", "/api/images/cube/segment", &setting).status, 422);
    // Examples that contradict each other, and one that shows nothing.
    std::fs::copy(folder.path().join("cube.nrrd"), folder.path().join("third.nrrd")).unwrap();
    save(&server, "cube", 1, "kidney");
    refused(&find(&server, "third", "fewshot", json!(["ball", "cube"])), 422, "\"lesion\"");
    // Those that nobody named need not agree: the newer one speaks.
    let found = find(&server, "third", "fewshot", json!([])).ok().value();
    assert_eq!(found["labels"]["1"]["name"], "kidney");
    server.json("PUT", "/api/images/ball/labels/final", &json!({ "runs": [0, VOXELS] })).ok();
    refused(&find(&server, "cube", "fewshot", json!(["ball"])), 422, "no label but the background");
}

#[test]
fn an_encoder_is_trained_on_all_images_and_used_like_the_one_inside() {
    let folder = study();
    // A picture in colours cannot be learned from, and is left out.
    let colours = Geometry::unit(Dimension::Two, [32, 32, 1]).unwrap();
    let samples = (0..3 * 32 * 32).map(|at| (at % 251) as f32).collect();
    let picture = Image::new(samples, 3, colours).unwrap().with_stored(SampleType::U8);
    write_image(folder.path().join("photo.png"), &picture).unwrap();
    let server = Running::start(folder.path());
    let networks = server.get("/api/trainings/networks").ok().value();
    let fewshot = networks.as_array().unwrap().iter().find(|network| network["name"] == "fewshot").unwrap().clone();
    assert_eq!(fewshot["labels"], false);
    assert!(server.get("/info/").ok().value()["trainers"]["fewshot"]["config"]["iterations"].is_u64());
    let order = json!({ "network": "fewshot", "settings": { "training.iterations": 2, "episodes.source": "synthetic" }, "name": "mine" });
    server.json("POST", "/api/trainings", &order).ok();
    let events = server.get("/api/trainings/mine/events").ok().events();
    assert_eq!(events.last().unwrap().1, json!({ "state": "done" }), "{}", server.get("/api/trainings/mine").text());
    assert!(server.get("/logs/?text=true").ok().text().contains("photo is left out"));
    let info = server.get("/api/info").ok().value();
    let method = info["methods"].as_array().unwrap().iter().find(|method| method["name"] == "mine").unwrap().clone();
    assert_eq!((&method["marks"], &method["model"]), (&json!(["support"]), &json!(true)));
    assert_eq!(info["broken_models"], json!([]));
    assert_eq!(server.get("/api/next?strategy=uncertain").status, 409, "an encoder is sure of nothing by itself");
    save(&server, "ball", 5, "lesion");
    let found = find(&server, "cube", "mine", json!(["ball"])).ok().value();
    assert!(dice(&found["runs"], 5) > 0.5);
    // It can be gone on from by its name; files of the machine cannot.
    let model = folder.path().join("models/mine.safetensors").display().to_string();
    for (start, status) in [("mine", 201), (model.as_str(), 422), ("/etc/passwd", 422), ("tv", 422)] {
        let settings = json!({ "training.iterations": 1, "episodes.source": "synthetic", "start": start });
        let reply = server.json(
            "POST",
            "/api/trainings",
            &json!({ "network": "fewshot", "settings": settings, "name": "more" }),
        );
        assert_eq!(reply.status, status, "{start}: {}", reply.text());
        server.get("/api/trainings/more/events").ok();
    }
    // One that learns from labels needs some with that tag.
    let order = json!({ "network": "fewshot", "settings": { "episodes.source": "labels" }, "tag": "none" });
    assert_eq!(server.json("POST", "/api/trainings", &order).status, 422);
}
