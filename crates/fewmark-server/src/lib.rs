//! The server of Fewmark: a folder of images, segmented by clicks over HTTP.
//!
//! ```text
//! listen    accepts connections, with time limits for slow ones, and ends gracefully
//! guard     what every request passes: host and origin, token, request id, panics, the shape of errors
//! api       our own JSON interface, which the page speaks (openapi.json describes it)
//! monai     the protocol of MONAI Label, which 3D Slicer, OHIF and the client `monailabel` speak
//! dicomweb  the study's DICOM files, searched and handed out, for viewers that load scans by themselves
//! page      the web page, embedded
//! ohif      the viewer OHIF, where the user has one
//! segment   one segmentation: image, slice, marks, method, labelled examples, coarse answer, being superseded
//! warm      decoded images, encoded examples and solver states, bounded, least recently used leaves
//! datastore the study folder in MONAI Label's layout
//! jobs      trainings
//! batch     a method on many images, one after the other
//! ```
//!
//! Handlers wait, they do not compute: images are decoded, segmented and written on threads of their own.

mod active;
mod api;
mod app;
mod batch;
mod body;
mod clock;
mod datastore;
mod dicomweb;
mod error;
mod facts;
mod flight;
mod guard;
mod jobs;
mod listen;
mod log;
mod methods;
mod monai;
mod ohif;
mod page;
mod pictures;
mod random;
mod routes;
mod runs;
mod schema;
mod scores;
mod segment;
mod sending;
mod sessions;
mod stamp;
mod warm;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use listen::Server;
pub use random::token as new_token;

/// The description of the interfaces, in OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The study folder: images at its root, labels in `labels/TAG/`, models in `models/`.
    pub studies: PathBuf,
    /// Where it listens; port 0 for any free one.
    pub address: SocketAddr,
    /// What every request must bring, where one is set. An address that other machines reach needs one.
    pub token: Option<String>,
    /// Other sites whose pages may use the server, such as `https://viewer.example.org`.
    pub origins: Vec<String>,
    /// A folder with a built OHIF viewer, served under `/ohif/`.
    pub ohif: Option<PathBuf>,
    /// The largest upload, in bytes.
    pub largest_upload: u64,
    /// Memory for decoded images and solver states, in bytes.
    pub warm_bytes: u64,
    /// How long a client may be silent while it sends a request.
    pub patience: std::time::Duration,
}

impl Config {
    /// A server for this computer only, on port 8000.
    pub fn new(studies: impl Into<PathBuf>) -> Self {
        Self {
            studies: studies.into(),
            address: SocketAddr::from(([127, 0, 0, 1], 8000)),
            token: None,
            origins: Vec::new(),
            ohif: None,
            largest_upload: 4 << 30,
            warm_bytes: fewmark::image::memory::free().map_or(1 << 30, |free| (free / 4).min(2 << 30)),
            patience: std::time::Duration::from_secs(30),
        }
    }
}

/// Why a server could not be started.
#[derive(Debug)]
pub struct StartError {
    /// What is wrong.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}

/// What the handlers share.
pub(crate) type Shared = Arc<app::App>;
