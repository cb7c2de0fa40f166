//! The most multiplications and additions that this machine does in a second.

use std::hint::black_box;
use std::time::Instant;

use fewmark_conv::Level;
use pulp::{Simd, WithSimd};

/// Sums that do not wait for one another: more than latency times issue width of today's processors, fewer than their
/// registers.
const SUMS: usize = 12;
/// Fused multiply-additions of each sum in one run: some hundredths of a second.
const STEPS: usize = 1 << 22;

/// Fused multiply-additions on registers alone.
struct Multiply;

impl WithSimd for Multiply {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        // Nothing here is known to the compiler, and the sums stay finite: they converge to b / (1 - a).
        let a = simd.splat_f32s(black_box(0.999));
        let b = simd.splat_f32s(black_box(0.001));
        let mut sums = [simd.splat_f32s(black_box(0.5)); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, a, b);
            }
        }
        sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum()
    }
}

/// Floating-point operations a second of all threads together, with the vectors that the kernels use: the best of some runs.
pub(crate) fn operations_per_second() -> f64 {
    let level = Level::current();
    let once = || {
        let started = Instant::now();
        rayon::broadcast(|_| black_box(level.run(Multiply)));
        (2 * level.lanes() * SUMS * STEPS * rayon::current_num_threads()) as f64 / started.elapsed().as_secs_f64()
    };
    (0..7).map(|_| once()).fold(0.0, f64::max)
}
