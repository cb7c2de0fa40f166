//! Memory of results that nobody needs any more, kept for the next ones.
//!
//! A network makes the same results again and again, each as large as an image. From the allocator their memory comes as zeros that are
//! overwritten at once, on pages that the system has cleared, all of it by one thread.

use std::sync::{Mutex, PoisonError};

/// Buffers that are kept, the one given last at the end.
static KEPT: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Samples of all buffers together beyond which the oldest are let go: 256 MiB.
const KEEP: usize = 64 << 20;

/// Samples below which the allocator is as fast.
const FEWEST: usize = 4 * 1024;

/// Memory for `len` samples. Their values are whatever was left there: in debug builds NaN, so that a kernel that leaves a sample
/// out is found.
pub(crate) fn take(len: usize) -> Vec<f32> {
    let mut samples = kept(len).unwrap_or_else(|| vec![0.0; len]);
    if cfg!(debug_assertions) {
        samples.fill(f32::NAN);
    }
    samples
}

fn kept(len: usize) -> Option<Vec<f32>> {
    if len < FEWEST {
        return None;
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let at = kept.iter().rposition(|samples| samples.len() == len)?;
    Some(kept.remove(at))
}

/// Keeps memory for [`take`].
pub(crate) fn give(samples: Vec<f32>) {
    if samples.len() < FEWEST {
        return;
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(samples);
    let mut all: usize = kept.iter().map(Vec::len).sum();
    let oldest = kept.iter().take_while(|samples| {
        let over = all > KEEP;
        all -= samples.len();
        over
    });
    let oldest = oldest.count();
    kept.drain(..oldest);
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, since the second half empties what all tests share.
    #[test]
    fn memory_is_used_again_and_bounded() {
        // A length that no other test uses.
        let len = FEWEST + 12_345;
        let samples = take(len);
        let address = samples.as_ptr();
        give(samples);
        let [other, same] = [len + 1, len].map(take);
        assert_ne!(other.as_ptr(), address);
        assert_eq!(same.as_ptr(), address);

        give(vec![0.0; KEEP - 1]);
        give(vec![0.0; FEWEST]);
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(kept.iter().map(Vec::len).sum::<usize>() <= KEEP);
    }
}
