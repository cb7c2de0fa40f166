//! A server on a port of its own, a study of synthetic images, and a client that can also send what no library would.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fewmark::image::{SampleType, write_image};
use fewmark::{Dimension, Geometry, Image};
use fewmark_server::{Config, Server};
use serde_json::Value;
use tempfile::TempDir;

/// A study: a volume in an oblique frame, a volume in NRRD, and a picture.
pub(crate) fn study() -> TempDir {
    let folder = TempDir::new().unwrap();
    let (c, s) = (0.3f64.cos(), 0.3f64.sin());
    let oblique = [[-c, s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
    let geometry =
        |origin| Geometry::from_parts(Dimension::Three, [40, 36, 14], [0.7, 0.8, 2.5], origin, oblique).unwrap();
    write_image(folder.path().join("ball.nii.gz"), &ball(geometry([12.25, -33.5, 101.125]))).unwrap();
    write_image(folder.path().join("cube.nrrd"), &ball(geometry([1.5, 2.5, -3.5]))).unwrap();
    let flat = Geometry::unit(Dimension::Two, [64, 48, 1]).unwrap();
    write_image(folder.path().join("disc.png"), &ball(flat)).unwrap();
    folder
}

/// A bright ball or disc in the middle, on a dark ground with some texture.
pub(crate) fn ball(geometry: Geometry) -> Image {
    let size = geometry.size();
    let radius = size[0].min(size[1]) as f64 / 4.0;
    let grid = geometry.grid();
    let samples = (0..geometry.len()).map(|at| {
        let voxel = grid.voxel(at);
        let distance: f64 = (0..3)
            .map(|a| {
                let scale = if size[a] > 1 { radius.min(size[a] as f64 / 3.0) } else { 1.0 };
                ((voxel[a] as f64 - size[a] as f64 / 2.0) / scale).powi(2)
            })
            .filter(|d| d.is_finite())
            .sum();
        let texture = ((at * 7919) % 13) as f32;
        if distance - if size[2] == 1 { 0.25 } else { 0.0 } < 1.0 { 180.0 + texture } else { 40.0 + texture }
    });
    let samples: Vec<f32> = samples.collect();
    Image::new(samples, 1, geometry).unwrap().with_stored(SampleType::U8)
}

/// A server that ends with the test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(studies: &Path) -> Self {
        Self::with(studies, |_| {})
    }

    pub(crate) fn with(studies: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(studies);
        config.address.set_port(0);
        config.warm_bytes = 256 << 20;
        change(&mut config);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Server::bind(config)).unwrap();
        let address = server.address();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(server.serve(async {
                let _ = stopped.await;
            }));
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.raw(&[head.as_bytes(), b"\r\n", body].concat())
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// A form as the Python client builds it, boundary and all.
    pub(crate) fn form(&self, method: &str, path: &str, parts: &[Part<'_>]) -> Reply {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send(method, path, &[("content-type", &kind)], &form(parts))
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        // A server that refuses a body may close before all of it is sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Reply::parse(&answer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The boundary of the Python client, `$` and all.
pub(crate) const BOUNDARY: &str = "----------lImIt_of_THE_fIle_eW_$";

/// A part of a form.
pub(crate) enum Part<'a> {
    Text(&'a str, &'a str),
    File(&'a str, &'a str, &'a [u8]),
}

pub(crate) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        match part {
            Part::Text(name, text) => body.extend(
                format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n").bytes(),
            ),
            Part::File(name, file, bytes) => {
                let head = format!(
                    "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
                     content-type: application/octet-stream\r\n\r\n"
                );
                body.extend(head.bytes());
                body.extend_from_slice(bytes);
                body.extend(b"\r\n");
            }
        }
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
            .collect();
        let body = bytes.get(end + 4..).unwrap_or_default();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        Self { status, body: if chunked { unchunked(body) } else { body.to_vec() }, headers }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The answer of a request that has to succeed.
    pub(crate) fn ok(self) -> Self {
        assert!(self.status == 200 || self.status == 201, "{}: {}", self.status, self.text());
        self
    }

    /// The JSON and the file of an answer of `/infer`.
    pub(crate) fn parts(&self) -> (Value, String, Vec<u8>) {
        let boundary = self.header("content-type").split_once("boundary=").unwrap().1.to_owned();
        assert_eq!(self.header("content-length"), self.body.len().to_string());
        assert_eq!(self.header("transfer-encoding"), "");
        let marker = format!("--{boundary}\r\n");
        let starts: Vec<usize> =
            (0..self.body.len()).filter(|&i| self.body[i..].starts_with(marker.as_bytes())).collect();
        let end = self.body.len() - format!("\r\n--{boundary}--\r\n").len();
        let part = |from: usize, to: usize| {
            let part = &self.body[from + marker.len()..to];
            let head = part.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
            (String::from_utf8_lossy(&part[..head]).into_owned(), part[head + 4..].to_vec())
        };
        let (_, params) = part(starts[0], starts[1] - 2);
        let (head, file) = part(starts[1], end);
        let name = head.split_once("filename=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
        (serde_json::from_slice(&params).unwrap(), name, file)
    }

    /// The events of a stream: names and data.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let text = self.text();
        let event = |block: &str| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).unwrap()))
        };
        text.split("\n\n").filter_map(event).collect()
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") {
        let Ok(length) = usize::from_str_radix(&String::from_utf8_lossy(&bytes[..end]), 16) else { break };
        let Some(chunk) = bytes.get(end + 2..end + 2 + length) else { break };
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + length..).unwrap_or_default();
    }
    body
}

/// Writes bytes to a file with an ending and reads the image in it.
pub(crate) fn read(bytes: &[u8], name: &str) -> Image {
    let folder = TempDir::new().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    fewmark::image::read_image(path).unwrap()
}

/// The middle of the volumes, and a corner.
pub(crate) const MIDDLE: [usize; 3] = [20, 18, 7];
pub(crate) const CORNER: [usize; 3] = [2, 2, 7];
