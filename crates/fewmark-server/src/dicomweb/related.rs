//! `multipart/related`: several pieces of one type in an answer (RFC 2387).

use std::path::PathBuf;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream::{iter, once};

use crate::error::Problem;
use crate::sending;

/// A piece of the answer.
pub(super) struct Part {
    /// Its type, with parameters.
    pub(super) kind: String,
    pub(super) content: Content,
}

/// What it holds.
pub(super) enum Content {
    Bytes(Bytes),
    /// So many bytes of a file, which is opened when its turn comes.
    File(PathBuf, u64),
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

/// The pieces one after the other, with their length told beforehand. Files are sent as they are read.
pub(super) fn response(kind: &str, parts: Vec<Part>) -> Result<Response, Problem> {
    let boundary = format!("fewmark-{}", crate::random::token());
    let mut pieces = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        let before = if at == 0 { "" } else { "\r\n" };
        let length = part.content.length();
        let head = format!("{before}--{boundary}\r\nContent-Type: {}\r\nContent-Length: {length}\r\n\r\n", part.kind);
        pieces.extend([Content::Bytes(head.into()), part.content]);
    }
    pieces.push(Content::Bytes(format!("\r\n--{boundary}--\r\n").into()));
    body(&format!("multipart/related; type=\"{kind}\"; boundary={boundary}"), pieces)
}

/// One piece by itself.
pub(super) fn plain(part: Part) -> Result<Response, Problem> {
    body(&part.kind, vec![part.content])
}

fn body(kind: &str, pieces: Vec<Content>) -> Result<Response, Problem> {
    let length: u64 = pieces.iter().map(Content::length).sum();
    let chunks = iter(pieces).flat_map(|piece| match piece {
        Content::Bytes(bytes) => once(async { Ok(bytes) }).boxed(),
        Content::File(path, length) => sending::chunks_of(path, length).boxed(),
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).map_err(|_| Problem::bug())?);
    headers.insert(header::CONTENT_LENGTH, length.into());
    Ok(response)
}
