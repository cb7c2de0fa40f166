//! The server from outside: over a port, as its clients see it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod bad_requests;
mod faults;
mod slicer;
mod support;
