//! The gradients of activations, and the sums over planes that are the gradient to a bias.

use multiversion::multiversion;
use rayon::prelude::*;

use super::sum::sums;
use crate::Activation;

/// Samples of one task of an elementwise pass.
pub(super) const CHUNK: usize = 1 << 14;

/// `dx = dy activation'(x)`, with the sign of `x` read from the activation's output `y`.
pub(crate) fn gradient(dy: &[f32], y: &[f32], activation: Activation, dx: &mut [f32]) {
    let slope = slope(activation);
    dx.par_chunks_mut(CHUNK)
        .zip(dy.par_chunks(CHUNK).zip(y.par_chunks(CHUNK)))
        .for_each(|(dx, (dy, y))| gradient_chunk(dy, y, slope, dx));
}

/// The derivative of an activation where its output is not positive.
pub(super) fn slope(activation: Activation) -> f32 {
    match activation {
        Activation::None => 1.0,
        Activation::Relu => 0.0,
        Activation::LeakyRelu(slope) => slope,
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn gradient_chunk(dy: &[f32], y: &[f32], slope: f32, dx: &mut [f32]) {
    for (dx, (&dy, &y)) in dx.iter_mut().zip(dy.iter().zip(y)) {
        *dx = if y > 0.0 { dy } else { slope * dy };
    }
}

/// `db`, the sums of `dy` over the voxels and images of every channel.
pub(crate) fn bias_gradient(dy: &[f32], plane: usize, db: &mut [f32]) {
    let channels = db.len();
    db.par_iter_mut().enumerate().for_each(|(channel, db)| {
        let planes = dy.chunks_exact(plane).skip(channel).step_by(channels);
        *db = planes.map(plane_sum).sum::<f64>() as f32;
    });
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn plane_sum(plane: &[f32]) -> f64 {
    sums(plane.len(), |at| [plane[at]])[0]
}
