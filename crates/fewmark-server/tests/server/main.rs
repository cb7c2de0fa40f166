//! The server from outside: over a port, as its clients see it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod api;
mod bad_requests;
mod batch;
mod faults;
mod fewshot;
mod slicer;
mod support;
