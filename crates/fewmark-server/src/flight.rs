//! Segmentations under way, and which of them a newer one makes useless.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const GOING: u8 = 0;
const SUPERSEDED: u8 = 1;
const ABANDONED: u8 = 2;

/// Whether a piece of work is still wanted.
#[derive(Clone, Default)]
pub(crate) struct Wanted(Arc<AtomicU8>);

impl Wanted {
    /// Whether somebody waits for it.
    pub(crate) fn still(&self) -> bool {
        self.0.load(Ordering::Relaxed) == GOING
    }

    /// Whether a newer request came for the same image from the same client.
    pub(crate) fn superseded(&self) -> bool {
        self.0.load(Ordering::Relaxed) == SUPERSEDED
    }

    /// Nobody waits for it any more.
    pub(crate) fn give_up(&self) {
        self.end(ABANDONED);
    }

    fn end(&self, how: u8) {
        let _ = self.0.compare_exchange(GOING, how, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Gives the work up when it is dropped, as it is when the client has gone.
pub(crate) struct Waiting(Wanted);

impl Waiting {
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self(wanted)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// The newest segmentation of each client for each image.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<(String, String), Wanted>>);

/// Entries above which those that have ended are forgotten.
const MOST: usize = 256;

impl Flights {
    /// Begins a segmentation, which supersedes the one under way for the same client and image. Without a client it supersedes nothing.
    pub(crate) fn begin(&self, client: Option<&str>, image: &str) -> Wanted {
        let wanted = Wanted::default();
        let Some(client) = client else { return wanted };
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.len() >= MOST {
            // Only this table holds what has ended.
            flights.retain(|_, wanted| Arc::strong_count(&wanted.0) > 1);
        }
        if let Some(older) = flights.insert((client.to_owned(), image.to_owned()), wanted.clone()) {
            older.end(SUPERSEDED);
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_request_supersedes_the_older_of_the_same_client_and_image_only() {
        let flights = Flights::default();
        let first = flights.begin(Some("a"), "scan");
        let others = [flights.begin(Some("b"), "scan"), flights.begin(Some("a"), "other"), flights.begin(None, "scan")];
        assert!(first.still());
        let second = flights.begin(Some("a"), "scan");
        assert!(!first.still() && first.superseded() && second.still());
        assert!(others.iter().all(Wanted::still));
        drop(Waiting::new(second.clone()));
        assert!(!second.still() && !second.superseded());
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let flights = Flights::default();
        for client in 0..10 * MOST {
            flights.begin(Some(&client.to_string()), "scan");
        }
        assert!(flights.0.lock().unwrap().len() <= MOST);
    }
}
