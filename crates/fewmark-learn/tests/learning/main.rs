//! Learning, driven from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fewshot;
mod labelled;
mod losses;
mod methods;
mod runs;
mod supervised;
mod support;
