//! The last lines of what the server did, for `/logs` and for whoever runs it.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::clock;

/// Lines that are kept.
const LINES: usize = 2000;

/// The last lines.
#[derive(Default)]
pub(crate) struct Log(Mutex<VecDeque<String>>);

impl Log {
    /// Adds a line, with the time before it. Control characters of requests do not become part of it.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        let text: String = text.as_ref().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(format!("[{}] {text}", clock::text(clock::now())));
    }

    /// The last `count` lines.
    pub(crate) fn tail(&self, count: usize) -> String {
        let lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let skip = lines.len().saturating_sub(count);
        lines.iter().skip(skip).fold(String::new(), |text, line| text + line + "\n")
    }
}
