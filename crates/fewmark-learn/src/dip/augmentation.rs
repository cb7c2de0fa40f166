//! One variation of a batch.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::config::Augmentation;

/// What is done to all fields and samples of a step.
#[derive(Clone)]
pub(super) struct Variation {
    /// Along y and along x.
    mirrored: [bool; 2],
    gain: f64,
    offset: f64,
}

impl Augmentation {
    /// Draws the variation of one step.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Variation {
        let mirrored = std::array::from_fn(|_| self.mirror && random.random());
        Variation { mirrored, gain: self.gain, offset: self.offset }
    }
}

impl Variation {
    /// A field on the pixels, `[images, channels, y, x]`, mirrored; twice, and it is as it was.
    pub(super) fn field(&self, x: Tensor<4>) -> Tensor<4> {
        match self.mirrored {
            [false, false] => x,
            [true, false] => x.flip([2]),
            [false, true] => x.flip([3]),
            [true, true] => x.flip([2, 3]),
        }
    }

    /// The input of a network, mirrored, and its first channel, the image, brighter or darker, each image on its own.
    pub(super) fn input(&self, x: Tensor<4>, random: &mut ChaCha8Rng) -> Tensor<4> {
        let x = self.field(x);
        if self.gain == 0.0 && self.offset == 0.0 {
            return x;
        }
        let [images, channels, _, _] = x.dims();
        let mut draw = |most: f64, rest: f64, vary: &dyn Fn(f64) -> f64| {
            let values: Vec<f32> = (0..images * channels)
                .map(|i| {
                    if i % channels == 0 {
                        vary(most * (2.0 * random.random::<f64>() - 1.0)) as f32
                    } else {
                        rest as f32
                    }
                })
                .collect();
            Tensor::<4>::from_data(TensorData::new(values, [images, channels, 1, 1]), &x.device())
        };
        let gain = draw((1.0 + self.gain).ln(), 1.0, &f64::exp);
        let offset = draw(self.offset, 0.0, &|offset| offset);
        x * gain + offset
    }
}
