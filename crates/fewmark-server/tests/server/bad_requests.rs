//! Requests that cannot be answered get a status, a sentence and a number, never a panic, a hang or a path of this machine.

use crate::support::{BOUNDARY, Part, Running, form, study};
use serde_json::json;

/// Method, path, headers, body, and the status that it has to get.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16);

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const SEGMENT: &str = "/api/images/ball/segment";

#[test]
fn at_least_sixty_kinds() {
    let folder = study();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    std::fs::write(folder.path().join("models/broken.safetensors"), b"no model").unwrap();
    std::fs::write(folder.path().join("cut.nii.gz"), &std::fs::read(folder.path().join("ball.nii.gz")).unwrap()[..500])
        .unwrap();
    std::fs::write(folder.path().join("empty.png"), b"").unwrap();
    let server = Running::with(folder.path(), |config| config.largest_upload = 1 << 20);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let multipart: &[(&str, &str)] = &[("content-type", &kind)];
    let long = "x".repeat(5000);
    let long_name = format!("/api/images?name={}.png", "x".repeat(300));
    let long_id = format!("/api/images/{long}");
    let big = vec![0u8; (1 << 20) + 1];
    let bomb = bomb();
    let nested = format!("{{\"method\":\"tv\",\"settings\":{{\"mu\":{}", "[".repeat(100_000));
    let deep = json!({ "method": "tv", "settings": { "a.".repeat(100_000): 1 } }).to_string();
    let many: Vec<[u32; 3]> = (0..10_001).map(|_| [1, 1, 1]).collect();
    let many = json!({ "method": "tv", "marks": { "foreground": many } }).to_string();
    let overflow = json!({ "runs": [1, u64::MAX, 1, 20161] }).to_string();
    let no_end = &form(&[Part::Text("params", "{}")])[..60];
    let params = |text: &str| form(&[Part::Text("params", text)]);
    let (bad_json, list, no_number, far) =
        (params("{"), params("[1]"), params(r#"{"foreground":[["a",1,2]]}"#), params(r#"{"foreground":[[4000,1,2]]}"#));
    let (no_clicks, extension, bad_slice, knob) = (
        params("{}"),
        params(r#"{"foreground":[[20,18,7]],"result_extension":".exe"}"#),
        params(r#"{"foreground":[[20,18,7]],"slice":"x"}"#),
        params(r#"{"foreground":[[20,18,7]],"mu":"much"}"#),
    );
    let (short_box, empty_box, far_box) = (
        params(r#"{"foreground":[[20,18,7]],"roi":[1,2,3]}"#),
        params(r#"{"foreground":[[20,18,7]],"roi":[4,4,0,36,0,14]}"#),
        params(r#"{"foreground":[[20,18,7]],"roi":[40,50,0,36,0,14]}"#),
    );
    let session = form(&[Part::File("files", "x.nii.gz", b"this is no image")]);
    let traversal = params(r#"{"foreground":[[20,18,7]],"result_extension":"/../../x.nii.gz"}"#);
    let tag = params(r#"{"foreground":[[20,18,7]],"save_label":true,"label_tag":"../../x"}"#);
    let no_image = form(&[Part::File("file", "x.nii.gz", b"this is no image")]);
    let no_ending = form(&[Part::File("file", "x", b"this is no image")]);
    let image = std::fs::read(folder.path().join("cube.nrrd")).unwrap();
    let elsewhere = form(&[Part::File("label", "x.nrrd", &image)]);
    let fields = form(&(0..100).map(|_| Part::Text("a", "b")).collect::<Vec<_>>());
    let no_label = form(&[Part::Text("params", "{}")]);

    let cases: Vec<Case<'_>> = vec![
        // Addresses.
        ("GET", "/nothing", &[], b"", 404),
        ("GET", "/api", &[], b"", 404),
        ("GET", "/api/", &[], b"", 404),
        ("GET", "/api/images/none", &[], b"", 404),
        ("GET", "/api/images/%FF", &[], b"", 400),
        ("GET", "/api/images/..%2F..%2Fetc%2Fpasswd", &[], b"", 404),
        ("GET", "/api/images/../../etc/passwd", &[], b"", 404),
        ("GET", "/assets/../../../etc/passwd", &[], b"", 404),
        ("GET", "/..%2f..%2fetc%2fpasswd", &[], b"", 404),
        ("GET", &long_id, &[], b"", 404),
        ("GET", "/api/images/ball/labels/..%2F..%2Fball", &[], b"", 404),
        ("GET", "/datastore/image?image=../ball", &[], b"", 404),
        ("GET", "/datastore/image?image=/etc/passwd", &[], b"", 404),
        ("GET", "/datastore/label?label=ball&tag=../..", &[], b"", 404),
        ("GET", "/model/..%2F..%2Fetc%2Fpasswd", &[], b"", 404),
        ("GET", "/model/broken", &[], b"", 404),
        ("GET", "/session/..%2F..%2Fx", &[], b"", 404),
        ("DELETE", "/api/images", &[], b"", 405),
        ("POST", "/api/info", &[], b"", 405),
        ("PATCH", "/datastore/", &[], b"", 405),
        ("GET", SEGMENT, &[], b"", 405),
        ("POST", "/", &[], b"", 405),
        // Queries.
        ("GET", "/api/next?strategy=psychic", &[], b"", 404),
        ("GET", "/api/next?plan=first", &[], b"", 422),
        ("GET", "/api/images/ball/slice?axis=3", &[], b"", 422),
        ("GET", "/api/images/ball/slice?axis=-1", &[], b"", 422),
        ("GET", "/api/images/ball/slice?index=14", &[], b"", 422),
        ("GET", "/api/images/ball/slice?index=99999999999999999999", &[], b"", 422),
        ("GET", "/api/images/ball/slice?low=5&high=5", &[], b"", 422),
        ("GET", "/api/images/ball/slice?low=5", &[], b"", 422),
        ("GET", "/api/images/ball/slice?low=NaN&high=inf", &[], b"", 422),
        ("GET", "/api/images/ball/scores", &[], b"", 422),
        ("GET", "/api/images/ball/scores?tag=a&against=b", &[], b"", 404),
        ("GET", "/datastore/?output=everything", &[], b"", 422),
        ("GET", "/datastore/image", &[], b"", 422),
        ("GET", "/datastore/image?image=ball&check_sum=SHA256:00", &[], b"", 404),
        ("GET", "/logs/?lines=many", &[], b"", 422),
        ("PUT", "/session/?expiry=-5", &[], b"", 422),
        ("PUT", "/session/?uncompress=true", &[], b"", 422),
        ("POST", "/api/images", &[], b"x", 422),
        // Images that are none, and names that cannot be.
        ("GET", "/api/images/cut", &[], b"", 422),
        ("GET", "/api/images/empty/volume", &[], b"", 422),
        ("POST", "/api/images?name=x.nii.gz", &[], b"no image", 422),
        ("POST", "/api/images?name=x.nii.gz", &[], b"", 422),
        ("POST", "/api/images?name=x.nii.gz", &[], &bomb, 422),
        ("POST", "/api/images?name=x.nii.gz", &[], &big, 413),
        ("POST", "/api/images?name=x.exe", &[], b"x", 422),
        ("POST", "/api/images?name=../x.png", &[], b"x", 422),
        ("POST", "/api/images?name=..%5Cx.png", &[], b"x", 422),
        ("POST", "/api/images?name=.x.png", &[], b"x", 422),
        ("POST", "/api/images?name=%00.png", &[], b"x", 422),
        ("POST", &long_name, &[], b"x", 422),
        // Bodies.
        ("POST", SEGMENT, JSON, b"", 400),
        ("POST", SEGMENT, JSON, b"{", 400),
        ("POST", SEGMENT, JSON, b"\xff\xfe", 400),
        ("POST", SEGMENT, JSON, nested.as_bytes(), 400),
        ("POST", SEGMENT, JSON, b"[]", 422),
        ("POST", SEGMENT, JSON, b"null", 422),
        ("POST", SEGMENT, JSON, b"{}", 422),
        ("POST", SEGMENT, JSON, br#"{"method":7}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","colour":"red"}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tw","marks":{"foreground":[[20,18,7]]}}"#, 404),
        ("POST", SEGMENT, JSON, br#"{"method":"broken"}"#, 404),
        ("POST", SEGMENT, JSON, br#"{"method":"../../models/broken"}"#, 404),
        ("POST", SEGMENT, JSON, br#"{"method":"tv"}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","marks":{"foreground":[[20,18]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","marks":{"foreground":[[20,18,14]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","marks":{"foreground":[[-1,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","marks":{"foreground":[[1e300,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","marks":{"foreground":[[20,18,7]],"background":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","marks":{"background":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","marks":{"polygon":{"slice":0,"points":[[1,1]]}}}"#, 422),
        ("POST", SEGMENT, JSON, many.as_bytes(), 422),
        ("POST", SEGMENT, JSON, deep.as_bytes(), 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","slice":14,"marks":{"foreground":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","slice":3,"marks":{"foreground":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"elastica","marks":{"foreground":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","settings":{"mu":-1},"marks":{"foreground":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","settings":{"mu":null},"marks":{"foreground":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","settings":{"nu":1},"marks":{"foreground":[[20,18,7]]}}"#, 422),
        (
            "POST",
            SEGMENT,
            JSON,
            br#"{"method":"tv","settings":{"solver":"magic"},"marks":{"foreground":[[20,18,7]]}}"#,
            422,
        ),
        (
            "POST",
            SEGMENT,
            JSON,
            br#"{"method":"tv","settings":{"preset":"x"},"marks":{"foreground":[[20,18,7]]}}"#,
            422,
        ),
        (
            "POST",
            SEGMENT,
            JSON,
            br#"{"method":"tv","support":{"image":"cube"},"marks":{"foreground":[[20,18,7]]}}"#,
            422,
        ),
        ("POST", SEGMENT, JSON, br#"{"method":"tv","support":["cube"],"marks":{"foreground":[[20,18,7]]}}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"fewshot"}"#, 422),
        ("POST", SEGMENT, JSON, br#"{"method":"fewshot","support":["../cube"]}"#, 404),
        ("POST", SEGMENT, JSON, br#"{"method":"fewshot","support":["cube"]}"#, 422),
        ("POST", "/api/images/none/segment", JSON, br#"{"method":"tv"}"#, 404),
        // Labels.
        ("PUT", "/api/images/ball/labels/final", JSON, br#"{"runs":[0,5]}"#, 422),
        ("PUT", "/api/images/ball/labels/final", JSON, br#"{"runs":[0]}"#, 422),
        ("PUT", "/api/images/ball/labels/final", JSON, br#"{"runs":[-1,20160]}"#, 422),
        ("PUT", "/api/images/ball/labels/final", JSON, br#"{"runs":[70000,20160]}"#, 422),
        ("PUT", "/api/images/ball/labels/final", JSON, overflow.as_bytes(), 422),
        ("PUT", "/api/images/ball/labels/final", JSON, br#"{"runs":[1,20160],"labels":{"x":{"name":"a"}}}"#, 422),
        (
            "PUT",
            "/api/images/ball/labels/final",
            JSON,
            br#"{"runs":[1,20160],"labels":{"1":{"name":"a","colour":"red"}}}"#,
            422,
        ),
        ("PUT", "/api/images/ball/labels/..", JSON, br#"{"runs":[1,20160]}"#, 422),
        ("PUT", "/api/images/ball/labels/a%2Fb", JSON, br#"{"runs":[1,20160]}"#, 422),
        ("DELETE", "/api/images/ball/labels/final", &[], b"", 404),
        // Trainings.
        ("POST", "/api/trainings", JSON, br#"{"network":"nonsense"}"#, 404),
        ("POST", "/api/trainings", JSON, br#"{"network":"dip"}"#, 422),
        ("POST", "/api/trainings", JSON, br#"{"network":"msnet"}"#, 422),
        ("POST", "/api/trainings", JSON, br#"{"network":"msnet","tag":"../x"}"#, 422),
        ("GET", "/api/trainings/none", &[], b"", 404),
        ("POST", "/api/trainings/..%2Fx/resume", &[], b"", 404),
        ("POST", "/train/none", JSON, b"{}", 404),
        ("POST", "/train/", JSON, b"{}", 422),
        ("GET", "/train/", &[], b"", 404),
        // Forms of viewers.
        ("POST", "/infer/none?image=ball", multipart, &no_clicks, 404),
        ("POST", "/infer/tv", multipart, &no_clicks, 422),
        ("POST", "/infer/tv?image=ball", multipart, &no_clicks, 422),
        ("POST", "/infer/tv?image=ball&output=dicom_seg", multipart, &no_clicks, 422),
        ("POST", "/infer/tv?image=ball", multipart, &bad_json, 422),
        ("POST", "/infer/tv?image=ball", multipart, &list, 422),
        ("POST", "/infer/tv?image=ball", multipart, &no_number, 422),
        ("POST", "/infer/tv?image=ball", multipart, &far, 422),
        ("POST", "/infer/tv?image=ball", multipart, &extension, 422),
        ("POST", "/infer/tv?image=ball", multipart, &traversal, 422),
        ("POST", "/infer/tv?image=ball", multipart, &tag, 422),
        ("POST", "/infer/tv-slice?image=ball", multipart, &bad_slice, 422),
        ("POST", "/infer/tv?image=ball", multipart, &knob, 422),
        ("POST", "/infer/tv-scribbles?image=ball", multipart, &no_clicks, 422),
        ("POST", "/infer/tv?image=ball", multipart, &short_box, 422),
        ("POST", "/infer/tv?image=ball", multipart, &empty_box, 422),
        ("POST", "/infer/tv?image=ball", multipart, &far_box, 422),
        ("POST", "/infer/fewshot?image=ball", multipart, &no_clicks, 422),
        ("POST", "/batch/infer/tv", JSON, b"{}", 422),
        ("POST", "/batch/infer/none", JSON, b"{}", 404),
        ("POST", "/batch/infer/fewshot?images=some", JSON, b"{}", 422),
        ("POST", "/batch/infer/fewshot", JSON, b"[1]", 422),
        ("GET", "/batch/infer/", &[], b"", 404),
        ("GET", "/datastore/dataset?limit_cases=-1", &[], b"", 422),
        ("POST", "/infer/tv?image=ball", multipart, no_end, 400),
        ("POST", "/infer/tv?image=ball", multipart, b"no form", 400),
        ("POST", "/infer/tv?image=ball", multipart, &fields, 422),
        ("POST", "/infer/tv?image=ball", &[("content-type", "multipart/form-data")], b"", 400),
        ("POST", "/infer/tv?session_id=x", multipart, &no_clicks, 404),
        ("PUT", "/session/", multipart, &no_label, 422),
        ("PUT", "/session/", multipart, &session, 422),
        ("PUT", "/datastore/?image=x", multipart, &no_image, 422),
        ("PUT", "/datastore/?image=x", multipart, &no_ending, 422),
        ("PUT", "/datastore/?image=../x", multipart, &elsewhere, 422),
        ("PUT", "/datastore/label?image=ball", multipart, &no_label, 422),
        ("PUT", "/datastore/label?image=none", multipart, &elsewhere, 404),
        ("PUT", "/datastore/label?image=ball", multipart, &elsewhere, 422),
        ("POST", "/scoring/magic", &[], b"", 404),
        ("POST", "/activelearning/magic", &[], b"", 404),
        ("POST", "/activelearning/first", JSON, b"[", 422),
        // Who asks, and from where.
        ("GET", "/api/info", &[("host", "evil.example")], b"", 403),
        ("GET", "/api/info", &[("host", "evil.example:80")], b"", 403),
        ("GET", "/api/info", &[("host", "127.0.0.1.evil.example")], b"", 403),
        ("GET", "/api/info", &[("origin", "https://evil.example")], b"", 403),
        ("GET", "/api/info", &[("origin", "null")], b"", 403),
        ("GET", "/info/", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], b"", 403),
        ("DELETE", "/datastore/?id=ball", &[("origin", "http://127.0.0.1:1")], b"", 403),
        ("OPTIONS", "/api/info", &[("origin", "https://evil.example")], b"", 403),
    ];
    assert!(cases.len() >= 60, "{}", cases.len());
    let secret = folder.path().display().to_string();
    for (method, path, headers, body, status) in cases {
        let reply = server.send(method, path, headers, body);
        let shown = &path[..path.len().min(100)];
        let what = format!("{method} {shown} {:?}", String::from_utf8_lossy(&body[..body.len().min(100)]));
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        let value = reply.value();
        let sentence = value["error"].as_str().or(value["detail"].as_str()).unwrap_or_default();
        assert!(!sentence.is_empty(), "{what}: {value}");
        assert_eq!(value["request"], reply.header("x-request-id"), "{what}");
        assert!(!reply.text().contains(&secret) && !reply.text().contains("/tmp"), "{what}: {value}");
    }
    // It still works, and nothing was written.
    assert_eq!(server.get("/api/images").ok().value().as_array().unwrap().len(), 5);
    assert!(!folder.path().join("labels").exists());
    let log = server.get("/logs/?text=true&lines=2000").ok().text();
    assert!(!log.contains("panicked"), "{log}");
    assert!(!log.contains(&secret));
}

/// A gzipped NIfTI header that promises far more than is there.
fn bomb() -> Vec<u8> {
    use std::io::Write as _;
    let mut header = vec![0u8; 352];
    header[..4].copy_from_slice(&348i32.to_le_bytes());
    for (i, n) in [3i16, 32_000, 32_000, 32_000, 1, 1, 1, 1].into_iter().enumerate() {
        header[40 + 2 * i..42 + 2 * i].copy_from_slice(&n.to_le_bytes());
    }
    header[70..72].copy_from_slice(&16i16.to_le_bytes());
    header[72..74].copy_from_slice(&32i16.to_le_bytes());
    for i in 0..8 {
        header[76 + 4 * i..80 + 4 * i].copy_from_slice(&1f32.to_le_bytes());
    }
    header[108..112].copy_from_slice(&352f32.to_le_bytes());
    header[344..348].copy_from_slice(b"n+1\0");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&header).unwrap();
    packed.write_all(&vec![0; 10 << 20]).unwrap();
    packed.finish().unwrap()
}

#[test]
fn what_is_no_http_does_not_disturb_the_others() {
    let folder = study();
    let server = Running::start(folder.path());
    for bytes in [
        &b"\0\0\0\0"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost\r\n\r\n",
        b"POST /api/images HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/images HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        &[b"GET / HTTP/1.1\r\nx: ", &vec![b'a'; 1 << 20][..], b"\r\n\r\n"].concat(),
    ] {
        let reply = server.raw(bytes);
        assert!(reply.status == 0 || (400..500).contains(&reply.status), "{}", reply.status);
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn slow_clients_are_let_go() {
    use std::io::{Read as _, Write as _};
    let folder = study();
    let server = Running::with(folder.path(), |config| config.patience = std::time::Duration::from_millis(200));
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST {SEGMENT} HTTP/1.1\r\nhost: {}\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn other_sites_are_served_when_they_are_named() {
    let folder = study();
    let server = Running::with(folder.path(), |config| config.origins = vec!["https://viewer.example".into()]);
    let reply = server.send("GET", "/info/", &[("origin", "https://viewer.example")], b"").ok();
    assert_eq!(reply.header("access-control-allow-origin"), "https://viewer.example");
    let preflight = server.send("OPTIONS", "/infer/tv", &[("origin", "https://viewer.example")], b"").ok();
    assert!(preflight.header("access-control-allow-methods").contains("PUT"));
    assert_eq!(server.send("GET", "/info/", &[("origin", "https://other.example")], b"").status, 403);
}

#[test]
fn an_open_address_needs_a_token() {
    let folder = study();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bind = |token: Option<&str>| {
        let mut config = fewmark_server::Config::new(folder.path());
        config.address = "0.0.0.0:0".parse().unwrap();
        config.token = token.map(str::to_owned);
        runtime.block_on(fewmark_server::Server::bind(config)).map(|_| ())
    };
    assert!(bind(None).unwrap_err().message.contains("no token"));
    assert!(bind(Some("short")).is_err());
    assert!(bind(Some(&fewmark_server::new_token())).is_ok());
}
