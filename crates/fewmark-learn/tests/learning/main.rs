//! Learning, driven from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod losses;
mod methods;
mod runs;
mod support;
