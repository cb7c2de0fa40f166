//! Which vector instructions run the kernels: chosen once, at run time.
//!
//! Every kernel is written once over [`pulp::Simd`]. The token of that trait can only be made where the processor has the
//! instructions, so holding one is the proof that they may be used, and none of this needs unsafe code here.

use std::sync::atomic::{AtomicU8, Ordering};

use pulp::{Scalar, Simd, WithSimd};

/// A set of vector instructions that the kernels can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// No vectors: any processor, and the one that the others are tested against
    Portable,
    /// 4 samples, AArch64
    Neon,
    /// 8 samples with fused multiply-add, x86-64 since 2013
    Avx2,
    /// 16 samples, x86-64 of servers and recent desktops
    Avx512,
}

/// The forced level plus 1, or 0 where none is forced.
static FORCED: AtomicU8 = AtomicU8::new(0);

impl Level {
    /// All levels, the slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// The level that the kernels use now: the forced one, or the fastest that this processor has.
    pub fn current() -> Self {
        let forced = FORCED.load(Ordering::Relaxed);
        match forced.checked_sub(1) {
            Some(index) => Self::ALL[usize::from(index)],
            None => Self::ALL.into_iter().rev().find(|level| level.is_available()).unwrap_or(Self::Portable),
        }
    }

    /// Makes every kernel of this process use `level`, or again the fastest one with `None`. For comparisons and tests.
    ///
    /// # Errors
    /// The level, if this processor does not have it; nothing is changed then.
    pub fn force(level: Option<Self>) -> Result<(), Self> {
        match level {
            Some(level) if !level.is_available() => return Err(level),
            Some(level) => FORCED.store(level as u8 + 1, Ordering::Relaxed),
            None => FORCED.store(0, Ordering::Relaxed),
        }
        Ok(())
    }

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::is_available(),
            #[allow(unreachable_patterns, reason = "which levels remain depends on the processor")]
            _ => false,
        }
    }

    /// Runs `op` with this level's vectors, or with none where the processor has not got them.
    pub fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "aarch64")]
            Self::Neon => {
                if let Some(simd) = pulp::aarch64::Neon::try_new() {
                    return Simd::vectorize(simd, op);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                if let Some(simd) = pulp::x86::V3::try_new() {
                    return Simd::vectorize(simd, op);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                if let Some(simd) = pulp::x86::V4::try_new() {
                    return Simd::vectorize(simd, op);
                }
            }
            _ => {}
        }
        Simd::vectorize(Scalar, op)
    }

    /// Samples of one vector.
    pub fn lanes(self) -> usize {
        match self {
            Self::Portable => 1,
            Self::Neon => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Rows of the widest tile: with three vectors a row (two where there are 16 registers) they fill the registers.
    pub(crate) fn rows(self) -> usize {
        match self {
            Self::Avx512 | Self::Neon => 8,
            Self::Avx2 | Self::Portable => 4,
        }
    }

    /// Bytes of the second-level cache of a core: what the smaller ones among processors have of which this is the fastest level.
    pub(crate) fn second_cache(self) -> usize {
        match self {
            Self::Avx512 => 1 << 20,
            Self::Avx2 | Self::Neon | Self::Portable => 1 << 19,
        }
    }
}
