//! The supervised loss.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use super::LossConfig;
use crate::Loss;

/// The weighted sum of the soft Dice loss of every image, averaged over images, and the cross-entropy, averaged over voxels.
///
/// `logits` and `classes` are `[images, classes, ...]`; `classes` is 1 for the class of a voxel, and a voxel without a class does not
/// count. The soft Dice loss of an image is, with `p` the softmax over the classes,
///
/// ```text
/// 1 - mean over classes c of (2 sum_j p_cj y_cj + e) / (sum_j p_cj + sum_j y_cj + e)
/// ```
pub fn supervised<const R: usize>(logits: Tensor<R>, classes: Tensor<R>, config: &LossConfig) -> Loss {
    let dims = logits.dims();
    let voxels = dims[2..].iter().product::<usize>();
    let flat = [dims[0], dims[1], voxels];
    let log_p = log_softmax(logits.reshape(flat), 1);
    let y = classes.reshape(flat);
    let known = y.clone().sum_dim(1);
    let mut terms = Vec::new();
    if config.dice > 0.0 {
        let p = log_p.clone().exp() * known.clone();
        // [images, classes, 1]
        let both = (p.clone() * y.clone()).sum_dim(2).mul_scalar(2.0).add_scalar(config.smooth);
        let each = (p.sum_dim(2) + y.clone().sum_dim(2)).add_scalar(config.smooth);
        let first = usize::from(!config.background);
        let dice = (both / each).narrow(1, first, dims[1] - first).mean();
        terms.push(("dice", dice.neg().add_scalar(1.0).mul_scalar(config.dice)));
    }
    if config.cross_entropy > 0.0 {
        let sum = (log_p * y).sum().neg();
        terms.push(("cross_entropy", (sum / known.sum().clamp_min(1.0)).mul_scalar(config.cross_entropy)));
    }
    let total = terms.iter().map(|(_, term)| term.clone()).reduce(|sum, term| sum + term);
    Loss { total: total.expect("a loss of at least one term, as the configuration is checked"), terms }
}
