//! One function of the samples of several fields, applied to all of them in one pass.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::activation::CHUNK;
use crate::level::Level;

/// Calls `f` for every sample with that of each of `outs`, to be changed, and of each of `ins`.
pub(crate) fn for_each<const O: usize, const I: usize>(
    outs: [&mut [f32]; O],
    ins: [&[f32]; I],
    f: impl Fn([&mut f32; O], [f32; I]) + Sync,
) {
    let len = outs[0].len();
    let mut chunks = outs.map(|out| out.chunks_mut(CHUNK));
    let jobs: Vec<_> = (0..len.div_ceil(CHUNK))
        .map(|i| {
            let outs = chunks.each_mut().map(|chunks| chunks.next().unwrap_or_default());
            (outs, ins.map(|samples| &samples[i * CHUNK..len.min((i + 1) * CHUNK)]))
        })
        .collect();
    let level = Level::current();
    jobs.into_par_iter().for_each(|(outs, ins)| level.run(Chunk { outs, ins, f: &f }));
}

struct Chunk<'a, F, const O: usize, const I: usize> {
    outs: [&'a mut [f32]; O],
    ins: [&'a [f32]; I],
    f: &'a F,
}

impl<F: Fn([&mut f32; O], [f32; I]), const O: usize, const I: usize> WithSimd for Chunk<'_, F, O, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let len = self.outs.iter().map(|out| out.len()).min().unwrap_or(0);
        let mut outs = self.outs.map(|out| &mut out[..len]);
        let ins = self.ins.map(|samples| &samples[..len]);
        for i in 0..len {
            (self.f)(outs.each_mut().map(|out| &mut out[i]), ins.map(|samples| samples[i]));
        }
    }
}
