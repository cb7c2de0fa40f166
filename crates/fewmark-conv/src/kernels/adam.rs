//! One step of Adam.

use multiversion::multiversion;
use rayon::prelude::*;

use super::activation::CHUNK;

/// The numbers of one step, the same for all of a parameter's entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Decay of the mean gradient
    pub beta_1: f32,
    /// Decay of the mean squared gradient
    pub beta_2: f32,
    /// `learning rate / (1 - beta_1^t)`
    pub rate: f32,
    /// `1 / sqrt(1 - beta_2^t)`
    pub correction: f32,
    /// Added to the root
    pub epsilon: f32,
    /// This times the parameter is added to the gradient
    pub weight_decay: f32,
}

impl Step {
    /// Moves the parameters `p` and the moments `m` and `v` by one step along the gradient `g`.
    pub(crate) fn run(&self, g: &[f32], p: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        p.par_chunks_mut(CHUNK)
            .zip(g.par_chunks(CHUNK))
            .zip(m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK)))
            .for_each(|((p, g), (m, v))| run_chunk(self, g, p, m, v));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn run_chunk(step: &Step, g: &[f32], p: &mut [f32], m: &mut [f32], v: &mut [f32]) {
    let Step { beta_1, beta_2, rate, correction, epsilon, weight_decay } = *step;
    for ((p, &g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
        let g = g + weight_decay * *p;
        *m = beta_1 * *m + (1.0 - beta_1) * g;
        *v = beta_2 * *v + (1.0 - beta_2) * (g * g);
        *p -= rate * *m / (v.sqrt() * correction + epsilon);
    }
}
