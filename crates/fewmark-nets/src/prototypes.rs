//! The head of ALPNet: classes by the similarity of features to prototypes, without parameters.

use burn::tensor::{Int, Tensor, TensorData};
use fewmark_conv::ops::softmax;
use serde::{Deserialize, Serialize};

/// Where the prototypes of a class come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prototypes {
    /// One, the mean of the features under the mask (PANet)
    Mask,
    /// The mean of each window that lies in the mask; where none does, as `Mask`
    Grid,
    /// Those and the mean under the mask, where the mask holds a window; where not, as `Mask`
    GridPlus,
}

/// How classes are told apart by prototypes (Ouyang and others, Self-supervision with superpixels: training few-shot medical image
/// segmentation without annotation, ECCV 2020, equations 1 to 5).
///
/// A class has local prototypes `p_k`, means of the features over windows. With `d_k = scale * cos(p_k, f)`, its score at a feature `f` is
///
/// ```text
/// sum over k of softmax_k(d) d_k
/// ```
///
/// the similarity to those prototypes that are most similar; with one prototype it is that similarity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrototypeHead {
    /// Prototypes of the object
    pub foreground: Prototypes,
    /// Prototypes of everything else
    pub background: Prototypes,
    /// A window lies in a mask whose mean over it is more than this (0.95)
    pub threshold: f32,
    /// Features along each side of the window that a mask must hold for [`Prototypes::GridPlus`] (4)
    pub whole_window: usize,
    /// What cosines are multiplied by (20)
    pub scale: f32,
}

impl Default for PrototypeHead {
    fn default() -> Self {
        Self {
            foreground: Prototypes::GridPlus,
            background: Prototypes::Grid,
            threshold: 0.95,
            whole_window: 4,
            scale: 20.0,
        }
    }
}

/// Least length by which a feature is divided.
const LEAST_NORM: f32 = 1e-4;

/// Added to the size of a mask, so that the mean under an empty one is 0.
const EMPTY: f32 = 1e-5;

/// A mask on the grid of some features: its share of each, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMask {
    /// From 0 to 1
    pub share: Vec<f32>,
    /// Rows and columns
    pub size: [usize; 2],
}

impl FeatureMask {
    /// Everything else.
    pub fn inverse(&self) -> Self {
        Self { share: self.share.iter().map(|share| 1.0 - share).collect(), size: self.size }
    }

    /// The means over windows of `window` x `window` side by side; what is left behind the last ones is not looked at.
    fn pooled(&self, window: usize) -> Vec<f32> {
        let [rows, columns] = self.size;
        let mut means = Vec::with_capacity((rows / window) * (columns / window));
        for row in 0..rows / window {
            for column in 0..columns / window {
                let line = |y: usize| &self.share[(row * window + y) * columns + column * window..][..window];
                let sum: f32 = (0..window).map(|y| line(y).iter().sum::<f32>()).sum();
                means.push(sum / (window * window) as f32);
            }
        }
        means
    }
}

impl PrototypeHead {
    /// The prototypes `[count, channels]` of the object, or of everything else, in features `[channels, y, x]` with a mask of the
    /// object, from windows of `window` x `window` features.
    ///
    /// # Panics
    /// If mask and features have different sizes, or a window is larger than them.
    pub fn prototypes(&self, features: Tensor<3>, mask: &FeatureMask, object: bool, window: usize) -> Tensor<2> {
        let [channels, rows, columns] = features.dims();
        assert_eq!([rows, columns], mask.size, "a mask of another size than the features");
        let inverse;
        let (mode, mask) = if object {
            (self.foreground, mask)
        } else {
            inverse = mask.inverse();
            (self.background, &inverse)
        };
        let held = |window: usize, holds: &dyn Fn(f32) -> bool| -> Vec<i32> {
            let indices = (0..).zip(mask.pooled(window));
            indices.filter(|&(_, share)| holds(share)).map(|(index, _)| index).collect()
        };
        let local = match mode {
            Prototypes::Mask => Vec::new(),
            Prototypes::Grid => held(window, &|share| share > self.threshold),
            Prototypes::GridPlus => {
                if held(self.whole_window, &|share| share >= self.threshold).is_empty() {
                    Vec::new()
                } else {
                    held(window, &|share| share > self.threshold)
                }
            }
        };
        let whole = || {
            let sum = mask.share.iter().sum::<f32>() + EMPTY;
            let weights: Vec<f32> = mask.share.iter().map(|share| share / sum).collect();
            let weights = Tensor::<2>::from_data(TensorData::new(weights, [rows * columns, 1]), &features.device());
            features.clone().reshape([channels, rows * columns]).matmul(weights).transpose()
        };
        if local.is_empty() {
            return whole();
        }
        let count = local.len();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(local, [count]), &features.device());
        let cells = pooled(features.clone(), window).select(1, indices).transpose();
        if mode == Prototypes::GridPlus { Tensor::cat(vec![cells, whole()], 0) } else { cells }
    }

    /// The scores of classes with these prototypes, `[count, channels]` each, at each of the features `[channels, places]`: `[1, places]` each.
    pub fn scores<const N: usize>(&self, prototypes: [Tensor<2>; N], features: Tensor<2>) -> [Tensor<2>; N] {
        let features = unit(features, 0);
        prototypes.map(|prototypes| {
            let similarity = unit(prototypes, 1).mul_scalar(self.scale).matmul(features.clone());
            let [count, places] = similarity.dims();
            if count == 1 {
                return similarity;
            }
            let weights = softmax(similarity.clone().reshape([1, count, places]), 1).reshape([count, places]);
            (weights * similarity).sum_dim(0)
        })
    }
}

/// The means `[channels, windows]` of features `[channels, y, x]` over windows side by side.
fn pooled(features: Tensor<3>, window: usize) -> Tensor<2> {
    let [channels, rows, columns] = features.dims();
    let (down, across) = (rows / window, columns / window);
    assert!(down > 0 && across > 0, "a window of {window} for {rows} x {columns} features");
    let features = features.narrow(1, 0, down * window).narrow(2, 0, across * window);
    let summed = features.reshape([channels * down, window, across, window]).sum_dim(3).sum_dim(1);
    summed.reshape([channels, down * across]).div_scalar((window * window) as f32)
}

/// Vectors along an axis, of length 1.
fn unit(x: Tensor<2>, axis: usize) -> Tensor<2> {
    // The root comes last: at 0 its gradient is infinite.
    let norm = x.clone().square().sum_dim(axis).clamp_min(LEAST_NORM * LEAST_NORM).sqrt();
    x / norm
}
