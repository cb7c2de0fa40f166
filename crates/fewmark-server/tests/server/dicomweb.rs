//! Scans found and loaded over DICOMweb, as OHIF does it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::expect_documented;
use crate::support::{Reply, Running, study};

pub(crate) const STUDY: &str = "1.2.826.0.1.3680043.8.498.1.0";
pub(crate) const SERIES: &str = "1.2.826.0.1.3680043.8.498.1";
const QIDO: &str = "/proxy/dicom/qido";
const WADO: &str = "/proxy/dicom/wado";

pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fewmark-image/tests/golden/dicom").join(name)
}

/// Whether a route is tried here.
pub(crate) fn is_ours(route: &str) -> bool {
    route.starts_with("/proxy/") || route.starts_with("/ohif")
}

/// A study in which the folder `chest` holds files of DICOM.
pub(crate) fn scans(name: &str) -> TempDir {
    let folder = study();
    let chest = folder.path().join("chest");
    std::fs::create_dir(&chest).unwrap();
    let files = match golden(name) {
        file if file.is_file() => vec![file],
        series => std::fs::read_dir(series).unwrap().map(|entry| entry.unwrap().path()).collect(),
    };
    for file in files {
        std::fs::copy(&file, chest.join(file.file_name().unwrap())).unwrap();
    }
    folder
}

fn texts(list: &Value, tag: &str) -> Vec<Value> {
    list.as_array().unwrap().iter().map(|entry| entry[tag]["Value"][0].clone()).collect()
}

/// The pieces of a `multipart/related` answer: their heads and bytes.
fn pieces(reply: &Reply) -> Vec<(String, Vec<u8>)> {
    let kind = reply.header("content-type");
    assert!(kind.starts_with("multipart/related; type=\""), "{kind}");
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    let boundary = kind.split_once("boundary=").unwrap().1;
    let mut rest = reply.body.as_slice();
    let mut found = Vec::new();
    let begin = format!("--{boundary}\r\n");
    while let Some(part) = rest.strip_prefix(begin.as_bytes()) {
        let head = part.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let text = String::from_utf8_lossy(&part[..head]).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
        let (bytes, after) = part[head + 4..].split_at(length);
        found.push((text, bytes.to_vec()));
        rest = after.strip_prefix(b"\r\n").unwrap();
    }
    assert_eq!(rest, format!("--{boundary}--\r\n").as_bytes());
    found
}

#[test]
fn a_viewer_finds_a_scan_and_loads_it() {
    let folder = scans("oblique");
    let server = Running::start(folder.path());
    // As OHIF asks for its list of studies.
    let list = format!(
        "{QIDO}/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
    );
    let reply = server.send("GET", &list, &[("accept", "application/dicom+json")], b"").ok();
    assert_eq!(reply.header("content-type"), "application/dicom+json");
    let studies = reply.value();
    assert_eq!(texts(&studies, "0020000D"), [STUDY]);
    assert_eq!(studies[0]["00080061"], json!({ "vr": "CS", "Value": ["CT"] }));
    assert_eq!((&studies[0]["00201206"]["Value"][0], &studies[0]["00201208"]["Value"][0]), (&json!(1), &json!(6)));

    let series = server.get(&format!("{QIDO}/studies/{STUDY}/series?includefield=0008103E,00080021")).ok().value();
    assert_eq!(texts(&series, "0020000E"), [SERIES]);
    assert_eq!(series[0]["00201209"]["Value"], json!([6]));
    let within = format!("/studies/{STUDY}/series/{SERIES}");
    let instances = server.get(&format!("{QIDO}{within}/instances")).ok().value();
    assert_eq!(instances.as_array().unwrap().len(), 6);
    assert_eq!(instances[0]["00083002"]["Value"], json!(["1.2.840.10008.1.2.1"]));

    let metadata = server.get(&format!("{WADO}{within}/metadata")).ok().value();
    let mut numbers: Vec<i64> = texts(&metadata, "00200013").iter().map(|n| n.as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    // Some versions ask for it where they search.
    assert_eq!(server.get(&format!("{QIDO}{within}/metadata")).ok().value(), metadata);
    assert_eq!(server.get(&format!("{WADO}/studies/{STUDY}/metadata")).ok().value(), metadata);

    // Every slice's frame is the end of its file, and the file itself is handed out as it is.
    for uid in texts(&metadata, "00080018") {
        let instance = format!("{WADO}{within}/instances/{}", uid.as_str().unwrap());
        let accept = "multipart/related; type=application/octet-stream; transfer-syntax=*";
        let frames = pieces(&server.send("GET", &format!("{instance}/frames/1"), &[("accept", accept)], b"").ok());
        let whole = pieces(&server.get(&instance).ok());
        let ([(head, frame)], [(kind, file)]) = (&frames[..], &whole[..]) else { panic!("one each") };
        assert!(head.contains("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"), "{head}");
        assert!(kind.contains("Content-Type: application/dicom;"), "{kind}");
        assert_eq!((frame.len(), &file[file.len() - 112..]), (112, &frame[..]));
        assert!(
            std::fs::read_dir(golden("oblique")).unwrap().any(|e| std::fs::read(e.unwrap().path()).unwrap() == *file)
        );
        let plain = server.send("GET", &instance, &[("accept", "application/dicom")], b"").ok();
        assert_eq!((plain.body, plain.headers.iter().any(|(n, _)| n == "content-length")), (file.clone(), true));
    }
    assert_eq!(pieces(&server.get(&format!("{WADO}{within}")).ok()).len(), 6);
    assert_eq!(pieces(&server.get(&format!("{WADO}/studies/{STUDY}")).ok()).len(), 6);
    let told = server.get(&format!("{WADO}{within}/instances/{SERIES}.2/metadata")).ok().value();
    assert_eq!(texts(&told, "00200013"), [2]);
}

#[test]
fn what_a_file_says_is_what_pydicom_makes_of_it() {
    for name in ["explicit", "implicit", "big_endian"] {
        let folder = scans(&format!("described/{name}.dcm"));
        let server = Running::start(folder.path());
        let mut found = server.get(&format!("{WADO}/studies/{STUDY}/metadata")).ok().value()[0].take();
        let found = found.as_object_mut().unwrap();
        assert!(found.remove("00083002").is_some());
        let bytes = std::fs::read(golden("described/expected.json")).unwrap();
        let mut expected: Value = serde_json::from_slice(&bytes).unwrap();
        // JSON is in UTF-8.
        expected["00080005"]["Value"][0] = "ISO_IR 192".into();
        assert_eq!(Value::Object(found.clone()), expected, "{name}");
        let named = |query: &str| server.get(&format!("{QIDO}/studies?{query}")).ok().value().as_array().unwrap().len();
        for (query, expected) in [
            ("PatientName=*M%C3%BCller*", 1),
            ("PatientName=j%C3%B6&fuzzymatching=true", 1),
            ("PatientName=j%C3%B6", 0),
            ("00100020=A-7", 1),
            ("PatientID=*B*", 0),
            ("StudyDate=20240101-20241231", 1),
            ("StudyDate=19700102-20230101", 0),
            ("ModalitiesInStudy=MR%5CCT", 1),
            ("StudyInstanceUID=1.2.3", 0),
            ("AccessionNumber=", 1),
            ("limit=0", 0),
            ("offset=1", 0),
        ] {
            assert_eq!(named(query), expected, "{query}");
        }
    }
}

#[test]
fn frames_of_every_kind_are_handed_out() {
    for (name, count, syntax) in
        [("multi_frame.dcm", 4, "1.2.840.10008.1.2.1"), ("rle_explicit.dcm", 1, "1.2.840.10008.1.2.5")]
    {
        let folder = scans(name);
        let server = Running::start(folder.path());
        let instance = format!("{WADO}/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1");
        let list = (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let frames = pieces(&server.get(&format!("{instance}/frames/{list}")).ok());
        assert_eq!(frames.len(), count);
        assert!(frames.iter().all(|(head, bytes)| head.contains(syntax) && !bytes.is_empty()), "{name}");
        let outside = server.get(&format!("{instance}/frames/{}", count + 1));
        assert_eq!(outside.status, 404, "{}", outside.text());
        assert!(outside.text().contains(&format!("the file has {count}")), "{}", outside.text());
    }
}

#[test]
fn what_is_not_there_or_not_done_is_said() {
    let folder = scans("oblique");
    let server = Running::start(folder.path());
    let within = format!("/studies/{STUDY}/series/{SERIES}");
    assert_eq!(server.get(&format!("{QIDO}/studies/1.2.3/series")).ok().value(), json!([]));
    for (path, status) in [
        (format!("{WADO}/studies/1.2.3/metadata"), 404),
        (format!("{WADO}/studies/1.2.3"), 404),
        (format!("{WADO}{within}/instances/1.2.3"), 404),
        (format!("{WADO}/studies/..%2f..%2fetc/series/x/metadata"), 404),
        (format!("{WADO}{within}/instances/{SERIES}.1/frames/0"), 400),
        (format!("{WADO}{within}/instances/{SERIES}.1/frames/1,x"), 400),
        (format!("{WADO}{within}/instances/{SERIES}.1/frames/2"), 404),
        (format!("{WADO}{within}/instances/{SERIES}.1/rendered"), 404),
        (format!("{QIDO}/studies?limit=-1"), 400),
        (format!("{QIDO}/studies?Patient=x"), 400),
    ] {
        let reply = server.get(&path);
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        assert!(reply.value()["request"].is_string() && !reply.text().contains(&*folder.path().to_string_lossy()));
    }
    let picture = [("accept", "multipart/related; type=\"image/jpeg\"")];
    let instance = format!("{WADO}{within}/instances/{SERIES}.1");
    assert_eq!(server.send("GET", &format!("{instance}/frames/1"), &picture, b"").status, 406);
    assert_eq!(server.send("GET", &format!("{WADO}{within}/metadata"), &picture, b"").status, 406);
    for path in ["/proxy/dicom/stow/studies", "/proxy/dicom/stow/studies/1.2"] {
        let reply = server.send("POST", path, &[("content-type", "multipart/related")], b"x");
        assert_eq!(reply.status, 501);
        assert!(reply.value()["hint"].as_str().unwrap().contains("folder"), "{}", reply.text());
    }
    let reply = server.get(&format!("{QIDO}/studies?Rows=512")).ok();
    assert!(reply.header("warning").contains("00280010"), "{}", reply.header("warning"));

    // A file that changes is read again.
    let file = folder.path().join("chest/a.dcm");
    std::fs::write(&file, b"no longer DICOM").unwrap();
    let left = server.get(&format!("{QIDO}{within}/instances")).ok().value();
    assert_eq!(left.as_array().unwrap().len(), 5);

    let server = Running::with(folder.path(), |config| config.token = Some("0123456789".into()));
    assert_eq!(server.get(&format!("{QIDO}/studies")).status, 401);
    let token = [("authorization", "Bearer 0123456789")];
    server.send("GET", &format!("{QIDO}/studies"), &token, b"").ok();
    let elsewhere = [("authorization", "Bearer 0123456789"), ("origin", "https://elsewhere.example")];
    assert_eq!(server.send("GET", &format!("{WADO}/studies/{STUDY}"), &elsewhere, b"").status, 403);
}

#[test]
fn every_route_answers_as_it_is_described() {
    let folder = scans("oblique");
    let viewer = TempDir::new().unwrap();
    std::fs::write(viewer.path().join("index.html"), b"<title>viewer</title>").unwrap();
    let server = Running::with(folder.path(), |config| config.ohif = Some(viewer.path().to_owned()));
    let document = server.get("/openapi.json").ok().value();
    let mut tried = 0;
    for (route, methods) in document["paths"].as_object().unwrap() {
        if !is_ours(route) {
            continue;
        }
        for method in methods.as_object().unwrap().keys() {
            let path = [
                ("{op}", "wado"),
                ("{study}", STUDY),
                ("{series}", SERIES),
                ("{instance}", &format!("{SERIES}.2")),
                ("{frames}", "1"),
                ("{path}", "viewer"),
            ]
            .iter()
            .fold(route.clone(), |path, (name, value)| path.replace(name, value));
            let reply = server.send(&method.to_uppercase(), &path, &[], b"");
            let expected = if route.contains("/stow/") { 501 } else { 200 };
            assert_eq!(reply.status, expected, "{method} {path}: {}", reply.text());
            expect_documented(&document, route, method, &reply);
            tried += 1;
        }
    }
    assert_eq!(tried, 18);
}

#[test]
fn a_series_may_lie_in_several_folders() {
    let folder = scans("oblique");
    let other = folder.path().join("more");
    std::fs::create_dir(&other).unwrap();
    std::fs::rename(folder.path().join("chest/b.dcm"), other.join("b.dcm")).unwrap();
    let server = Running::start(folder.path());
    let within = format!("/studies/{STUDY}/series/{SERIES}");
    let instances = server.get(&format!("{QIDO}{within}/instances")).ok().value();
    assert_eq!(instances.as_array().unwrap().len(), 6);
    assert_eq!(server.get(&format!("{WADO}{within}/metadata")).ok().value().as_array().unwrap().len(), 6);
    for uid in texts(&instances, "00080018") {
        let frame = format!("{WADO}{within}/instances/{}/frames/1", uid.as_str().unwrap());
        assert_eq!(pieces(&server.get(&frame).ok())[0].1.len(), 112);
    }
}
