//! What OHIF does with a scan once it is loaded: it asks for masks and saves labels under the identifier of the series.

use fewmark::image::read_labels;
use serde_json::json;
use tempfile::TempDir;

use crate::dicomweb::{SERIES, STUDY, golden, scans};
use crate::support::{Part, Running, read, study};

#[test]
fn ohif_segments_and_saves_by_the_series() {
    let folder = scans("oblique");
    let server = Running::start(folder.path());
    let next = server.json("POST", "/activelearning/first", &json!({})).ok().value();
    assert_eq!(next["id"], "ball");
    // As its panel asks: the file alone, which it cannot decompress.
    let params = json!({
        "foreground": [[4, 3, 3]], "background": [[0, 0, 3]], "label": "spleen",
        "result_extension": ".nrrd", "result_dtype": "uint8", "result_compress": false, "restore_label_idx": false,
    });
    let path = format!("/infer/tv?image={SERIES}&output=image");
    let reply = server.form("POST", &path, &[Part::Text("params", &params.to_string())]).ok();
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    let end = reply.body.windows(2).position(|w| w == b"\n\n").unwrap();
    let header = String::from_utf8_lossy(&reply.body[..end]).into_owned();
    assert!(header.contains("encoding: raw") && header.contains("type: unsigned char"), "{header}");
    assert!(header.contains("sizes: 8 7 6"), "{header}");
    let mask = &reply.body[end + 2..];
    assert_eq!(mask.len(), 8 * 7 * 6);
    assert_eq!(mask[(3 * 7 + 3) * 8 + 4], 1);
    // The compressed file has the same voxels.
    let packed = json!({ "foreground": [[4, 3, 3]], "background": [[0, 0, 3]], "result_extension": ".nrrd", "result_dtype": "uint16" });
    let reply =
        server.form("POST", "/infer/tv?image=chest&output=image", &[Part::Text("params", &packed.to_string())]).ok();
    assert!(String::from_utf8_lossy(&reply.body[..400]).contains("type: unsigned short"));
    let image = read(&reply.body, "mask.nrrd");
    assert!(image.samples().iter().zip(mask).all(|(&a, &b)| a == f32::from(b)));
    let wrong = json!({ "foreground": [[4, 3, 3]], "result_dtype": "uint7" });
    let reply = server.form("POST", &path, &[Part::Text("params", &wrong.to_string())]);
    assert_eq!(reply.status, 422, "{}", reply.text());

    // Voxels without a header, saved under the image's own id with its geometry.
    let info = json!({ "label_info": [{ "name": "spleen", "idx": 1 }] }).to_string();
    let save = |bytes: &[u8]| {
        let parts = [Part::Text("params", &info), Part::File("label", "label.bin", bytes)];
        server.form("PUT", &format!("/datastore/label?image={SERIES}"), &parts)
    };
    assert_eq!(save(mask).ok().value(), json!({ "image": "chest", "label": "chest" }));
    let saved = folder.path().join("labels/final/chest.nii.gz");
    let labels = read_labels(&saved).unwrap();
    assert!(labels.labels().iter().zip(mask).all(|(&a, &b)| a == u16::from(b)));
    let geometry = fewmark::image::read_image(folder.path().join("chest")).unwrap().geometry().clone();
    geometry.expect_same_space(labels.geometry()).unwrap();
    // Two bytes a voxel, as older versions have them.
    let wide: Vec<u8> = mask.iter().flat_map(|&label| [0, label]).collect();
    save(&wide).ok();
    assert_eq!(read_labels(&saved).unwrap().present(), [256]);
    let before = std::fs::read(&saved).unwrap();
    let reply = save(&mask[1..]);
    assert_eq!(reply.status, 422);
    assert!(reply.text().contains("8 x 7 x 6") && reply.text().contains("336") && reply.text().contains("335"));
    assert_eq!(std::fs::read(&saved).unwrap(), before);

    // Everything else that takes an image takes the identifier, too.
    let head = server.send("GET", &format!("/datastore/label?label={SERIES}&tag=final"), &[], b"").ok();
    assert!(head.header("content-disposition").contains("chest.nii.gz"));
    let told = server.get(&format!("/datastore/label/info?label={SERIES}&tag=final")).ok().value();
    assert_eq!(told["label_info"][0]["name"], "spleen");
    assert_eq!(server.get(&format!("/api/images/{SERIES}")).ok().value()["id"], "chest");
    let put = [Part::Text("info", "{\"reviewed\": true}")];
    server.form("PUT", &format!("/datastore/image/info?image={SERIES}"), &put).ok();
    assert_eq!(server.get("/datastore/image/info?image=chest").ok().value()["reviewed"], true);
    let all = server.get("/datastore/?output=all").ok().value();
    assert_eq!(all["objects"].as_object().unwrap().len(), 4);
    assert!(all["objects"]["chest"]["labels"]["final"].is_object());
    server.send("DELETE", &format!("/datastore/label?id={SERIES}&tag=final"), &[], b"").ok();
    assert!(!saved.exists());
    assert_eq!(server.get(&format!("/datastore/label?label={SERIES}&tag=final")).status, 404);
    assert_eq!(server.get("/api/images/1.2.3").status, 404);
}

#[test]
fn scribbles_come_as_voxels() {
    let folder = scans("oblique");
    let server = Running::start(folder.path());
    let mut scribbles = vec![0u8; 8 * 7 * 6];
    scribbles[(3 * 7 + 3) * 8 + 4] = 3;
    scribbles[3 * 7 * 8] = 2;
    let info = json!({
        "label_info": [{ "name": "background_scribbles", "id": 2 }, { "name": "foreground_scribbles", "id": 3 }],
        "result_extension": ".nrrd", "result_compress": false,
    });
    let parts = [Part::Text("params", &info.to_string()), Part::File("label", "label.bin", &scribbles)];
    let reply = server.form("POST", &format!("/infer/tv-scribbles?image={SERIES}&output=image"), &parts).ok();
    let mask = &reply.body[reply.body.len() - scribbles.len()..];
    assert_eq!((mask[(3 * 7 + 3) * 8 + 4], mask[3 * 7 * 8]), (1, 0));
    let parts = [Part::Text("params", &info.to_string()), Part::File("label", "label.bin", &scribbles[..9])];
    let reply = server.form("POST", &format!("/infer/tv-scribbles?image={SERIES}&output=image"), &parts);
    assert_eq!(reply.status, 422);
    assert!(reply.text().contains("got 9"), "{}", reply.text());
}

#[test]
fn the_next_scan_is_told_by_its_identifiers() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("chest")).unwrap();
    std::fs::copy(golden("described/explicit.dcm"), folder.path().join("chest/1.dcm")).unwrap();
    let server = Running::start(folder.path());
    let next = server.json("POST", "/activelearning/first", &json!({})).ok().value();
    assert_eq!((&next["id"], &next["SeriesInstanceUID"]), (&json!("chest"), &json!(SERIES)));
    assert_eq!((&next["StudyInstanceUID"], &next["PatientID"]), (&json!(STUDY), &json!("A-7")));
}

#[test]
fn a_viewer_that_somebody_built_is_served() {
    let folder = study();
    let server = Running::start(folder.path());
    let reply = server.get("/ohif/");
    assert_eq!(reply.status, 404);
    assert!(reply.text().contains("--ohif"), "{}", reply.text());

    let viewer = TempDir::new().unwrap();
    std::fs::write(viewer.path().join("index.html"), b"<title>viewer</title>").unwrap();
    std::fs::write(viewer.path().join("app.js"), vec![b'x'; 3 << 20]).unwrap();
    let server = Running::with(folder.path(), |config| {
        config.ohif = Some(viewer.path().to_owned());
        config.token = Some("0123456789".into());
    });
    for path in ["/ohif", "/ohif/", "/ohif/viewer?StudyInstanceUIDs=1.2.3", "/ohif/index.html"] {
        let reply = server.get(path).ok();
        assert_eq!(
            (reply.header("content-type"), reply.text().as_str()),
            ("text/html; charset=utf-8", "<title>viewer</title>")
        );
        assert!(reply.header("content-security-policy").contains("script-src 'self'"));
    }
    let reply = server.get("/ohif/app.js").ok();
    assert_eq!((reply.header("content-type"), reply.body.len()), ("text/javascript; charset=utf-8", 3 << 20));
    for path in ["/ohif/other.js", "/ohif/..%2f..%2fetc%2fpasswd", "/ohif/../ball.nii.gz", "/ohif/%2e%2e/x.js"] {
        assert!(matches!(server.get(path).status, 401 | 404), "{path}");
    }
    // Scans still need the token.
    assert_eq!(server.get("/proxy/dicom/qido/studies").status, 401);
}
