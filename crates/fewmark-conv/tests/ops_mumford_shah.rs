//! The updates of an unrolled Mumford-Shah network against the same updates composed of Burn's own operations.

mod common;

use common::{Leaf, random, values};
use fewmark_conv::ops::{composed, label_update, operator_update};

fn check<const R: usize>(field: [usize; R], kernel: [usize; R], groups: usize) {
    for factors in [[1.0, 1.0, -1.0], [0.0, 1.0, -1.0], [0.0, 1.0, 1.0], [1.0, 0.5, -0.25]] {
        let fields @ [base, u, v, w] = &[(); 4].map(|()| random(field));
        let kernels @ [t1, t2] = &[(); 2].map(|()| random(kernel));
        let fields_of = || [u.clone(), v.clone(), w.clone()];
        let kernels_of = || [t1.clone(), t2.clone()];
        common::check(
            operator_update(base.clone(), fields_of(), kernels_of(), factors),
            composed::operator_update(base.clone(), fields_of(), kernels_of(), factors),
            &fields.iter().chain(kernels).map(|leaf| leaf as &dyn Leaf).collect::<Vec<_>>(),
        );
    }
    for eps in [1.0, 2.5] {
        let fields = &[(); 4].map(|()| random(field));
        let k = random(kernel);
        common::check(
            label_update(fields.clone(), k.clone(), eps, groups),
            composed::label_update(fields.clone(), k.clone(), eps, groups),
            &fields.iter().chain([&k]).map(|leaf| leaf as &dyn Leaf).collect::<Vec<_>>(),
        );
    }
}

#[test]
fn both_updates_and_their_gradients_are_those_of_the_composed_ones() {
    check([2, 16, 33, 37], [16, 16, 3, 3], 1);
    check([1, 8, 1, 5], [8, 8, 3, 5], 2);
    check([1, 6, 3, 10, 9], [6, 6, 3, 3, 3], 3);
    check([2, 4, 1, 8, 8], [4, 4, 1, 3, 3], 1);
}

/// Without neighbours, that is with kernels of one tap, the softmax of one group has a closed form.
#[test]
fn labels_of_two_channels_are_a_sigmoid() {
    let [f, u, v, w] = [(); 4].map(|()| random([1, 2, 4, 4]));
    let k = random([2, 2, 1, 1]);
    let y = label_update([f.clone(), u.clone(), v.clone(), w.clone()], k.clone(), 1.0, 1);
    let y = values(&y);
    let [f, u, v, w, k] = [f, u, v, w, k].map(|x| values(&x).iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    for i in 0..16 {
        let energy = |c: usize| {
            let at = c * 16 + i;
            let sides = k[2 * c] * (1.0 - 2.0 * v[i]) + k[2 * c + 1] * (1.0 - 2.0 * v[16 + i]);
            0.5 * (f[at] - u[at]).powi(2) + 0.5 * w[at].powi(2) + sides
        };
        let expected = 1.0 / (1.0 + (energy(0) - energy(1)).exp());
        assert!((f64::from(y[i]) - expected).abs() < 1e-6, "voxel {i}: {} instead of {expected}", y[i]);
    }
}
