//! Ctrl-C and the system's request to end: the work ends at the next step, and what is done is kept.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

/// Whether the user wants the work to end.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on: the first Ctrl-C is seen here, a second one ends the program at once.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let came = Arc::new(AtomicBool::new(false));
        let seen = came.clone();
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        })
        .map_err(|e| Failure::work(format!("cannot listen for Ctrl-C: {e}")))?;
        Ok(Self(came))
    }

    /// Whether it came.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether to go on.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.came() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The end of work on several files, of which so many are done.
    pub(crate) fn told(&self, done: usize, all: usize, what: &str) -> Result<(), Failure> {
        if self.came() && done < all {
            return Err(Failure::interrupted(format!("stopped after {done} of {all} {what}; what is done is kept")));
        }
        Ok(())
    }
}
