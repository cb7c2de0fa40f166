//! Sums of many numbers, accurate and in an order of their own.

/// Numbers added in single precision before they join the sum in double precision.
const BLOCK: usize = 1024;

/// Running sums of a block: enough for two of the widest vectors.
const LANES: usize = 32;

/// The sum of `N` terms of each of the first `len` indices; `terms` gives those of one index.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "a lane of every sum at once, as vectors do it")]
pub(super) fn sums<const N: usize>(len: usize, terms: impl Fn(usize) -> [f32; N]) -> [f64; N] {
    let mut sums = [0.0; N];
    for start in (0..len).step_by(BLOCK) {
        let end = (start + BLOCK).min(len);
        let mut lanes = [[0.0f32; LANES]; N];
        let whole = start + (end - start) / LANES * LANES;
        for at in (start..whole).step_by(LANES) {
            for lane in 0..LANES {
                let term = terms(at + lane);
                for n in 0..N {
                    lanes[n][lane] += term[n];
                }
            }
        }
        for at in whole..end {
            let term = terms(at);
            for n in 0..N {
                lanes[n][at - whole] += term[n];
            }
        }
        for n in 0..N {
            sums[n] += lanes[n].iter().map(|&x| f64::from(x)).sum::<f64>();
        }
    }
    sums
}
