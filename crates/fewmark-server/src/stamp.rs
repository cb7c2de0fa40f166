//! What tells that a file is the same as before.

use std::path::Path;
use std::time::SystemTime;

/// When a file was last written, and its length: clocks of file systems are coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) modified: SystemTime,
    length: u64,
}

impl Stamp {
    /// That of a file, or of a folder.
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self::from(&std::fs::metadata(path)?))
    }
}

impl From<&std::fs::Metadata> for Stamp {
    fn from(facts: &std::fs::Metadata) -> Self {
        Self { modified: facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), length: facts.len() }
    }
}
