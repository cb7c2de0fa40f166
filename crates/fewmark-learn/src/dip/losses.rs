//! Losses (2) and (3) of the paper, as means over the pixels of an image and sums over images.

use burn::tensor::Tensor;

use crate::Loss;

/// Loss (2): `sum_j mean(r u) + coupling mean((u_dip - u_vm)^2)` with `u = u_dip u_vm`, all `[images, 1, y, x]`.
pub fn coupled(u_vm: Tensor<4>, u_dip: Tensor<4>, r: Tensor<4>, coupling: f64) -> Loss {
    let data = sum_of_means(r * u_dip.clone() * u_vm.clone());
    let apart = u_dip - u_vm;
    let coupling = sum_of_means(apart.clone() * apart).mul_scalar(coupling);
    Loss { total: data.clone() + coupling.clone(), terms: vec![("data", data), ("coupling", coupling)] }
}

/// Loss (3): `sum_j mu mean(g sqrt(|Du|^2 + eps^2)) + mean(r u)`; `u`, `r` and `g` are `[images, 1, y, x]`, `mu` is
/// `[images, 1, 1, 1]`.
///
/// `D` takes forward differences, 0 in the last row and column.
pub fn regularised(u: Tensor<4>, r: Tensor<4>, g: Tensor<4>, mu: Tensor<4>, epsilon: f64) -> Loss {
    let data = sum_of_means(r * u.clone());
    let squared = |axis| {
        let d = forward_difference(u.clone(), axis);
        d.clone() * d
    };
    let length = (squared(2) + squared(3)).add_scalar(epsilon * epsilon).sqrt();
    let length = sum_of_means(mu * g * length);
    Loss { total: length.clone() + data.clone(), terms: vec![("data", data), ("length", length)] }
}

/// Means over the pixels of each image, added up.
fn sum_of_means(x: Tensor<4>) -> Tensor<1> {
    let images = x.dims()[0];
    x.mean().mul_scalar(images as f64)
}

fn forward_difference(u: Tensor<4>, axis: usize) -> Tensor<4> {
    let n = u.dims()[axis];
    if n == 1 {
        return u.zeros_like();
    }
    let last = u.clone().narrow(axis, n - 1, 1).zeros_like();
    let inner = u.clone().narrow(axis, 1, n - 1) - u.narrow(axis, 0, n - 1);
    Tensor::cat(vec![inner, last], axis)
}
