//! Memory that each thread keeps from one job to the next.

use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Samples above which a thread does not keep its memory.
const KEEP: usize = 4 << 20;

/// Calls `work` with memory for `lens` samples each. Their values are whatever was left there: in debug builds NaN, so that a
/// kernel that reads what it has not written is found.
pub(crate) fn with<const N: usize, R>(lens: [usize; N], work: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    let total: usize = lens.iter().sum();
    // Taken out of its cell, so that a job that another job of this thread waits for finds its own.
    let mut memory = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
    if memory.len() < total {
        memory.resize(total, 0.0);
    }
    if cfg!(debug_assertions) {
        memory.fill(f32::NAN);
    }
    let mut rest = memory.as_mut_slice();
    let parts = lens.map(|len| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
        rest = after;
        part
    });
    let result = work(parts);
    if memory.len() <= KEEP {
        KEPT.with_borrow_mut(|kept| kept.push(memory));
    }
    result
}
