//! `fewmark serve` as a process: how it starts, and what is left when it is killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fewmark::{Dimension, Geometry, Image};
use serde_json::Value;

use crate::lab::Lab;

/// A server that is killed with the test.
struct Served {
    process: Child,
    address: String,
}

impl Served {
    fn start(lab: &Lab, folder: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_fewmark"))
            .args(["serve", folder, "--port", "0", "--quiet"])
            .current_dir(lab.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says where it is");
        let address =
            line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
        Self { process, address }
    }

    /// The status and the body of an answer; none when the server is gone.
    fn send(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all((head + body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_cannot_be_served_is_refused() {
    let lab = Lab::new();
    let missing = lab.run(&["serve", "nothing"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("hint:"), "{}", missing.stderr);
    lab.write("study/x.txt", "no image");
    let short = lab.run(&["serve", "study", "--token", "x"]);
    assert!(short.code == 1 && short.stderr.contains("token"), "{}", short.stderr);
}

#[test]
fn a_server_that_is_killed_while_it_saves_leaves_whole_files() {
    let lab = Lab::new();
    let geometry = Geometry::unit(Dimension::Three, [120, 100, 40]).unwrap();
    let samples = (0..geometry.len()).map(|i| (i % 251) as f32).collect();
    std::fs::create_dir(lab.path("study")).unwrap();
    lab.write_image("study/scan.nii.gz", &Image::new(samples, 1, geometry).unwrap());
    for round in 0..5u64 {
        let served = Served::start(&lab, "study");
        let (_, facts) = served.send("GET", "/api/images/scan", "").unwrap();
        let facts: Value = serde_json::from_str(&facts).unwrap();
        let voxels: u64 = facts["size"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product();
        std::thread::scope(|scope| {
            let server = &served;
            for client in 1..=2 {
                scope.spawn(move || {
                    // Until the server is gone.
                    let body = format!("{{\"runs\":[{client},{},0,{}]}}", voxels / 2, voxels - voxels / 2);
                    while server.send("PUT", "/api/images/scan/labels/final", &body).is_some() {}
                });
            }
            std::thread::sleep(Duration::from_millis(150 + 70 * round));
            // SIGKILL: nothing can be tidied up.
            let killed = Command::new("kill").args(["-9", &server.process.id().to_string()]).status().unwrap();
            assert!(killed.success());
        });
        drop(served);
        for entry in std::fs::read_dir(lab.path("study/labels/final")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            assert!(name == "scan.nii.gz" || name.starts_with(".fewmark-"), "{name}");
        }
        let labels = fewmark::image::read_labels(lab.path("study/labels/final/scan.nii.gz")).unwrap();
        assert_eq!(labels.labels().len() as u64, voxels);
        let index = std::fs::read(lab.path("study/datastore_v2.json")).unwrap();
        serde_json::from_slice::<Value>(&index).unwrap();
        let again = Served::start(&lab, "study");
        assert_eq!(again.send("GET", "/api/images/scan/labels/final", "").unwrap().0, 200);
    }
}
