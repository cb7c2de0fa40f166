//! Normalisation of channels, its activation and their gradients.

use multiversion::multiversion;
use rayon::prelude::*;

use super::{
    activation::slope,
    planes::{by_channel, of_channel},
    sum::sums,
};
use crate::Activation;

/// `y = activation(gamma (x - mean) / sqrt(variance + epsilon) + beta)` with the mean and the (biased) variance of every
/// channel, which are written too.
pub(crate) struct Normalisation<'a> {
    /// Voxels of a channel of an image
    pub plane: usize,
    /// Scale of every channel
    pub gamma: &'a [f32],
    /// Added to the variance
    pub epsilon: f64,
    /// Applied to the normalised samples
    pub activation: Activation,
}

impl Normalisation<'_> {
    /// The forward pass.
    pub(crate) fn forward(&self, x: &[f32], beta: &[f32], y: &mut [f32], mean: &mut [f32], variance: &mut [f32]) {
        let channels = self.gamma.len();
        by_channel(y, channels, self.plane)
            .into_par_iter()
            .zip(mean.par_iter_mut().zip(variance))
            .enumerate()
            .for_each(|(channel, (y, (mean, variance)))| {
                let planes = || of_channel(x, channel, channels, self.plane);
                let moments = moments(planes());
                (*mean, *variance) = (moments.0 as f32, moments.1 as f32);
                let scale = f64::from(self.gamma[channel]) / (moments.1 + self.epsilon).sqrt();
                for (y, x) in y.into_iter().zip(planes()) {
                    affine_plane(x, *mean, scale as f32, beta[channel], self.activation, y);
                }
            });
    }

    /// The gradients `dx`, `dgamma` and `dbeta` from that to `y`.
    ///
    /// With `g = dy activation'` and `n` samples of a channel, `dbeta = sum g`, `dgamma = sum g xhat` and
    /// `dx = gamma / sd (g - dbeta / n - xhat dgamma / n)`.
    #[expect(clippy::too_many_arguments, reason = "three tensors in, three out, and two statistics")]
    pub(crate) fn gradient(
        &self,
        dy: &[f32],
        x: &[f32],
        y: &[f32],
        mean: &[f32],
        variance: &[f32],
        dx: &mut [f32],
        dgamma: &mut [f32],
        dbeta: &mut [f32],
    ) {
        let n = (x.len() / self.gamma.len()) as f64;
        gradient(dy, x, y, self.plane, self.activation, mean, dx, dgamma, dbeta, |channel, [g, gx]| {
            let inverse = (f64::from(variance[channel]) + self.epsilon).sqrt().recip();
            let scale = f64::from(self.gamma[channel]) * inverse;
            Linear {
                dx: [scale, -scale * inverse * inverse * gx / n, -scale * g / n].map(|factor| factor as f32),
                dscale: gx * inverse,
                dshift: g,
            }
        });
    }
}

/// `y = activation(scale x + shift)` with a scale and a shift for every channel.
pub(crate) fn affine(x: &[f32], plane: usize, scale: &[f32], shift: &[f32], activation: Activation, y: &mut [f32]) {
    let channels = scale.len();
    y.par_chunks_mut(plane).zip(x.par_chunks(plane)).enumerate().for_each(|(at, (y, x))| {
        affine_plane(x, 0.0, scale[at % channels], shift[at % channels], activation, y);
    });
}

/// The gradients of [`affine`].
#[expect(clippy::too_many_arguments, reason = "four tensors in, three out")]
pub(crate) fn affine_gradient(
    dy: &[f32],
    x: &[f32],
    y: &[f32],
    plane: usize,
    scale: &[f32],
    activation: Activation,
    dx: &mut [f32],
    dscale: &mut [f32],
    dshift: &mut [f32],
) {
    let centre = vec![0.0; scale.len()];
    gradient(dy, x, y, plane, activation, &centre, dx, dscale, dshift, |channel, [g, gx]| Linear {
        dx: [scale[channel], 0.0, 0.0],
        dscale: gx,
        dshift: g,
    });
}

/// The gradients of one channel.
struct Linear {
    /// `dx` is the first times `g`, the second times `x - centre`, and the third
    dx: [f32; 3],
    dscale: f64,
    dshift: f64,
}

/// Gradients of a map that is affine in every channel: `of` gives them from the sums of `g` and of `g (x - centre)`.
#[expect(clippy::too_many_arguments, reason = "four tensors in, three out")]
fn gradient(
    dy: &[f32],
    x: &[f32],
    y: &[f32],
    plane: usize,
    activation: Activation,
    centre: &[f32],
    dx: &mut [f32],
    dscale: &mut [f32],
    dshift: &mut [f32],
    of: impl Fn(usize, [f64; 2]) -> Linear + Sync,
) {
    let (channels, slope) = (centre.len(), slope(activation));
    by_channel(dx, channels, plane).into_par_iter().zip(dscale.par_iter_mut().zip(dshift)).enumerate().for_each(
        |(channel, (dx, (dscale, dshift)))| {
            let of_channel = |x| of_channel(x, channel, channels, plane);
            let planes = || of_channel(dy).zip(of_channel(x).zip(of_channel(y)));
            let mut total = [0.0; 2];
            for (dy, (x, y)) in planes() {
                let sums = gradient_sums(dy, x, y, slope, centre[channel]);
                total = [total[0] + sums[0], total[1] + sums[1]];
            }
            let linear = of(channel, total);
            (*dscale, *dshift) = (linear.dscale as f32, linear.dshift as f32);
            for (dx, (dy, (x, y))) in dx.into_iter().zip(planes()) {
                gradient_plane(dy, x, y, slope, centre[channel], linear.dx, dx);
            }
        },
    );
}

/// Mean and variance of all samples of a channel, which are not empty.
fn moments<'a>(planes: impl Iterator<Item = &'a [f32]>) -> (f64, f64) {
    let mut planes = planes.peekable();
    // Sums about a sample of the channel lose nothing when the mean is far from zero.
    let about = planes.peek().map_or(0.0, |plane| plane[0]);
    let (mut n, mut sum, mut squares) = (0, 0.0, 0.0);
    for plane in planes {
        let [first, second] = moment_sums(plane, about);
        n += plane.len();
        sum += first;
        squares += second;
    }
    let mean = sum / n as f64;
    (f64::from(about) + mean, (squares / n as f64 - mean * mean).max(0.0))
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn moment_sums(x: &[f32], about: f32) -> [f64; 2] {
    sums(x.len(), |at| {
        let x = x[at] - about;
        [x, x * x]
    })
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn affine_plane(x: &[f32], centre: f32, scale: f32, shift: f32, activation: Activation, y: &mut [f32]) {
    // The activation is chosen outside the loop, so that every loop is one for vectors.
    match activation {
        Activation::None => affine_loop(x, centre, scale, shift, |y| y, y),
        Activation::Relu => affine_loop(x, centre, scale, shift, |y| Activation::Relu.apply(y), y),
        Activation::LeakyRelu(slope) => {
            affine_loop(x, centre, scale, shift, |y| Activation::LeakyRelu(slope).apply(y), y);
        }
    }
}

#[inline(always)]
fn affine_loop(x: &[f32], centre: f32, scale: f32, shift: f32, activation: impl Fn(f32) -> f32, y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = activation((x - centre) * scale + shift);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn gradient_sums(dy: &[f32], x: &[f32], y: &[f32], slope: f32, centre: f32) -> [f64; 2] {
    let (x, y) = (&x[..dy.len()], &y[..dy.len()]);
    sums(dy.len(), |at| {
        let g = if y[at] > 0.0 { dy[at] } else { slope * dy[at] };
        [g, g * (x[at] - centre)]
    })
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn gradient_plane(dy: &[f32], x: &[f32], y: &[f32], slope: f32, centre: f32, [a, b, c]: [f32; 3], dx: &mut [f32]) {
    for (dx, (&dy, (&x, &y))) in dx.iter_mut().zip(dy.iter().zip(x.iter().zip(y))) {
        let g = if y > 0.0 { dy } else { slope * dy };
        *dx = a * g + (b * (x - centre) + c);
    }
}
