//! What a room of this program offers to be timed.

use std::error::Error;

/// Why a case could not be run.
pub(crate) type Failure = Box<dyn Error>;

/// The timed work of a case, ready to be run again and again.
pub(crate) type Work = Box<dyn FnMut() -> Result<(), Failure>>;

/// A case: its name, and how to get ready for it. Nothing is allocated before it is prepared, so that the memory of a process
/// that runs one case is the memory of that case.
pub(crate) struct Case {
    /// What `--only` selects by, and what the other side's program calls the same
    pub(crate) name: String,
    /// Floating-point operations of one run, where they are a matter of counting
    pub(crate) operations: Option<u64>,
    /// Whether the case has no image to run on
    pub(crate) lacks_image: bool,
    prepare: Box<dyn FnOnce() -> Result<Work, Failure>>,
}

impl Case {
    /// A case that can be run.
    pub(crate) fn new(name: String, prepare: impl FnOnce() -> Result<Work, Failure> + 'static) -> Self {
        Self { name, operations: None, lacks_image: false, prepare: Box::new(prepare) }
    }

    /// A case that cannot be run without `--image`.
    pub(crate) fn without_image(name: String) -> Self {
        Self { lacks_image: true, ..Self::new(name, || Err("--image is missing".into())) }
    }

    /// The case with its floating-point operations counted.
    pub(crate) fn with_operations(self, operations: u64) -> Self {
        Self { operations: Some(operations), ..self }
    }

    /// The work.
    pub(crate) fn prepare(self) -> Result<Work, Failure> {
        (self.prepare)()
    }
}
