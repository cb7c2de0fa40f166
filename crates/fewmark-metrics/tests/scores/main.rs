//! Scores against the field's packages, closed forms and invariants.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod case;
mod golden;
mod properties;
