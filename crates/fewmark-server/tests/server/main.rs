//! The server from outside: over a port, as its clients see it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod api;
mod bad_requests;
mod batch;
mod dicomweb;
mod faults;
mod fewshot;
mod ohif;
mod slicer;
mod support;
