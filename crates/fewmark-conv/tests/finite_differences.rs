//! Every operation against its formula written out in double precision, and its gradients against central differences of
//! that formula.

mod common;

use burn::tensor::{Tensor, TensorData};
use common::{device, values};
use fewmark_conv::{
    Activation,
    ops::{
        ConvOptions, PoolOptions, batch_norm, conv, conv_transpose, instance_norm, interpolate_linear, label_update,
        max_pool, operator_update, reflect_pad, softmax,
    },
};

/// Numbers in -1..1 that look random and are the same in every run, so that none ever falls on a kink.
fn wave(seed: usize, len: usize) -> Vec<f32> {
    let phase = 1.3 * seed as f64;
    (0..len).map(|i| (0.61 * (i * i) as f64 + 1.7 * i as f64 + phase).sin() as f32).collect()
}

/// Checks an operation and its gradients to all arguments, which are given flat, with `lens` samples each.
fn check(lens: &[usize], formula: impl Fn(&[Vec<f64>]) -> Vec<f64>, operation: impl Fn(&[Tensor<1>]) -> Tensor<1>) {
    let samples: Vec<Vec<f32>> = lens.iter().enumerate().map(|(seed, &len)| wave(seed, len)).collect();
    let tensor =
        |samples: &[f32]| Tensor::<1>::from_data(TensorData::new(samples.to_vec(), [samples.len()]), &device());
    let leaves: Vec<Tensor<1>> = samples.iter().map(|samples| tensor(samples).require_grad()).collect();
    let mut arguments: Vec<Vec<f64>> =
        samples.iter().map(|samples| samples.iter().map(|&x| f64::from(x)).collect()).collect();

    let ours = operation(&leaves);
    let expected = formula(&arguments);
    close("the result", &values(&ours), &expected, 1e-5);

    let functional = wave(99, expected.len());
    let grads = (ours * tensor(&functional)).sum().backward();
    let loss = |arguments: &[Vec<f64>]| -> f64 {
        formula(arguments).iter().zip(&functional).map(|(y, &c)| y * f64::from(c)).sum()
    };
    for at in 0..arguments.len() {
        let slopes: Vec<f64> = (0..arguments[at].len())
            .map(|i| {
                let (x, h) = (arguments[at][i], 1e-6);
                let mut moved = |to: f64| {
                    arguments[at][i] = to;
                    loss(&arguments)
                };
                let slope = (moved(x + h) - moved(x - h)) / (2.0 * h);
                arguments[at][i] = x;
                slope
            })
            .collect();
        let gradient = leaves[at].grad(&grads).expect("a leaf of the graph");
        close(&format!("the gradient to argument {at}"), &values(&gradient), &slopes, 1e-4);
    }
}

/// Asserts that no difference is larger than so many parts of the largest absolute value.
fn close(what: &str, ours: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    assert!(largest > 1e-3, "{what} is nowhere more than {largest}: nothing is compared");
    for (i, (&ours, expected)) in ours.iter().zip(expected).enumerate() {
        let error = (f64::from(ours) - expected).abs();
        assert!(error <= tolerance * largest, "{what}: sample {i} is {ours} instead of {expected}");
    }
}

/// Size of a field: batch, channels, z, y, x.
type Size = [usize; 5];

fn len(size: Size) -> usize {
    size.iter().product()
}

/// Index of a sample, if it lies within the field.
fn index(size: Size, n: usize, c: usize, at: [isize; 3]) -> Option<usize> {
    let [_, channels, depth, height, width] = size;
    let inside = at.iter().zip([depth, height, width]).all(|(&at, size)| (0..size as isize).contains(&at));
    inside.then(|| (((n * channels + c) * depth + at[0] as usize) * height + at[1] as usize) * width + at[2] as usize)
}

/// Batch and channel, and place, of every sample of a field.
fn places([batch, channels, depth, height, width]: Size) -> impl Iterator<Item = (usize, usize, [isize; 3])> {
    (0..batch * channels * depth * height * width).map(move |i| {
        let channel = i / (depth * height * width);
        let at = [i / (height * width) % depth, i / width % height, i % width];
        (channel / channels, channel % channels, at.map(|at| at as isize))
    })
}

/// A convolution of stride 1 that keeps the size, between as many channels; `kernel` is its size. A transposed one reads the
/// kernel from behind and with its channels exchanged.
fn same_conv(x: &[f64], k: &[f64], size: Size, kernel: [usize; 3], transposed: bool) -> Vec<f64> {
    let channels = size[1];
    let mut y = vec![0.0; x.len()];
    for (out, (n, o, at)) in y.iter_mut().zip(places(size)) {
        for i in 0..channels {
            for (tap, (.., from)) in places([1, 1, kernel[0], kernel[1], kernel[2]]).enumerate() {
                let shift: [isize; 3] = std::array::from_fn(|a| from[a] - kernel[a] as isize / 2);
                let (weight, sign) = if transposed { ((i * channels + o), -1) } else { ((o * channels + i), 1) };
                let from = std::array::from_fn(|a| at[a] + sign * shift[a]);
                if let Some(from) = index(size, n, i, from) {
                    *out += k[weight * kernel.iter().product::<usize>() + tap] * x[from];
                }
            }
        }
    }
    y
}

/// The softmax over each of `groups` runs of channels.
fn softmax_formula(x: &[f64], size: Size, groups: usize) -> Vec<f64> {
    let run = size[1] / groups;
    let exponentials = |n: usize, c: usize, at: [isize; 3]| -> f64 {
        (c / run * run..).take(run).filter_map(|c| index(size, n, c, at)).map(|i| x[i].exp()).sum()
    };
    places(size).zip(x).map(|((n, c, at), x)| x.exp() / exponentials(n, c, at)).collect()
}

/// The tensor of rank 5.
fn field(x: &Tensor<1>, size: Size) -> Tensor<5> {
    x.clone().reshape(size)
}

fn flat(x: Tensor<5>) -> Tensor<1> {
    x.flatten(0, 4)
}

/// Fields of 3-D and of 2-D images, one voxel thick, each with a kernel.
const SIZES: [(Size, [usize; 3]); 2] = [([1, 4, 2, 3, 4], [3, 3, 3]), ([2, 2, 1, 4, 3], [1, 3, 5])];

/// The size of a kernel's tensor.
fn kernel_size(size: Size, [z, y, x]: [usize; 3]) -> Size {
    [size[1], size[1], z, y, x]
}

#[test]
fn the_update_of_the_features() {
    for (size, kernel) in SIZES {
        let kernels = kernel_size(size, kernel);
        for factors in [[1.0f32, 0.5, -0.5], [0.0, 1.0, 1.0]] {
            check(
                &[len(size), len(size), len(size), len(size), len(kernels), len(kernels)],
                |arguments| {
                    let [base, u, v, w, t1, t2] = arguments else { unreachable!("six arguments") };
                    let product: Vec<f64> = v.iter().zip(w).map(|(v, w)| v * w).collect();
                    let hidden = same_conv(&product, t1, size, kernel, true);
                    let hidden: Vec<f64> = hidden.into_iter().map(|x| x.max(0.0)).collect();
                    let adjoint = same_conv(&hidden, t2, size, kernel, true);
                    let [a, b, c] = factors.map(f64::from);
                    (0..u.len()).map(|i| a * u[i] + b * base[i] + c * (v[i] * u[i] + adjoint[i])).collect()
                },
                |arguments| {
                    let [base, u, v, w] = std::array::from_fn(|i| field(&arguments[i], size));
                    let kernels = std::array::from_fn(|i| field(&arguments[4 + i], kernels));
                    flat(operator_update(base, [u, v, w], kernels, factors))
                },
            );
        }
    }
}

#[test]
fn the_update_of_the_labels() {
    for (size, kernel) in SIZES {
        let kernels = kernel_size(size, kernel);
        for (eps, groups) in [(1.0f32, 1), (2.5, 2)] {
            if groups == size[1] {
                // A softmax of one channel is 1 whatever it is given.
                continue;
            }
            check(
                &[len(size), len(size), len(size), len(size), len(kernels)],
                |arguments| {
                    let [f, u, v, w, k] = arguments else { unreachable!("five arguments") };
                    let sides: Vec<f64> = v.iter().map(|v| 1.0 - 2.0 * v).collect();
                    let sides = same_conv(&sides, k, size, kernel, false);
                    let energy = |i: usize| 0.5 * (f[i] - u[i]).powi(2) + 0.5 * w[i].powi(2) + sides[i];
                    let exponents: Vec<f64> = (0..f.len()).map(|i| -energy(i) / f64::from(eps)).collect();
                    softmax_formula(&exponents, size, groups)
                },
                |arguments| {
                    let fields = std::array::from_fn(|i| field(&arguments[i], size));
                    flat(label_update(fields, field(&arguments[4], kernels), eps, groups))
                },
            );
        }
    }
}

#[test]
fn convolutions_with_bias_and_leaky_relu() {
    let leaky = |x: f64| if x > 0.0 { x } else { f64::from(0.2f32) * x };
    let (size, kernel) = SIZES[0];
    let kernels = kernel_size(size, kernel);
    for transposed in [false, true] {
        check(
            &[len(size), len(kernels), size[1]],
            |arguments| {
                let [x, k, bias] = arguments else { unreachable!("three arguments") };
                let y = same_conv(x, k, size, kernel, transposed);
                places(size).zip(y).map(|((_, c, _), y)| leaky(y + bias[c])).collect()
            },
            |arguments| {
                let (x, k) = (field(&arguments[0], size), field(&arguments[1], kernels));
                let (bias, options) = (Some(arguments[2].clone()), ConvOptions::same(kernel));
                let activation = Activation::LeakyRelu(0.2);
                flat(if transposed {
                    conv_transpose(x, k, bias, options, [0; 3], activation)
                } else {
                    conv(x, k, bias, options, activation)
                })
            },
        );
    }
}

#[test]
fn normalisation_of_a_batch() {
    let size = [2, 3, 2, 3, 4];
    for activation in [Activation::None, Activation::LeakyRelu(0.2)] {
        check(
            &[len(size), 3, 3],
            |arguments| {
                let [x, gamma, beta] = arguments else { unreachable!("three arguments") };
                let statistics = |channel: usize| {
                    let samples = || places(size).zip(x).filter(|((_, c, _), _)| *c == channel).map(|(_, x)| x);
                    let count = samples().count() as f64;
                    let mean = samples().sum::<f64>() / count;
                    (mean, samples().map(|x| (x - mean).powi(2)).sum::<f64>() / count)
                };
                let statistics = [statistics(0), statistics(1), statistics(2)];
                let normalised = places(size).zip(x).map(|((_, c, _), x)| {
                    let (mean, variance) = statistics[c];
                    gamma[c] * (x - mean) / (variance + 1e-3).sqrt() + beta[c]
                });
                match activation {
                    Activation::LeakyRelu(slope) => normalised.map(|y| y.max(f64::from(slope) * y)).collect(),
                    _ => normalised.collect(),
                }
            },
            |arguments| {
                let [gamma, beta] = [arguments[1].clone(), arguments[2].clone()];
                flat(batch_norm(field(&arguments[0], size), gamma, beta, 1e-3, activation).0)
            },
        );
    }
}

#[test]
fn instance_normalisation_and_its_activation() {
    for (size, activation) in [
        ([2, 3, 2, 4, 3], Activation::LeakyRelu(0.2)),
        ([3, 2, 1, 5, 4], Activation::None),
        ([1, 4, 1, 4, 4], Activation::Relu),
    ] {
        let channels = size[1];
        check(
            &[len(size), channels, channels],
            |arguments| {
                let [x, gamma, beta] = [&arguments[0], &arguments[1], &arguments[2]];
                let plane: usize = size[2..].iter().product();
                let normalised = x.chunks(plane).enumerate().flat_map(|(at, x)| {
                    let mean = x.iter().sum::<f64>() / plane as f64;
                    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / plane as f64;
                    let (gamma, beta) = (gamma[at % channels], beta[at % channels]);
                    x.iter().map(move |x| gamma * (x - mean) / (variance + 1e-3).sqrt() + beta)
                });
                let slope = match activation {
                    Activation::None => 1.0,
                    Activation::Relu => 0.0,
                    Activation::LeakyRelu(slope) => f64::from(slope),
                };
                normalised.map(|y| y.max(slope * y)).collect()
            },
            |arguments| {
                let [gamma, beta] = [arguments[1].clone(), arguments[2].clone()];
                flat(instance_norm(field(&arguments[0], size), gamma, beta, 1e-3, activation))
            },
        );
    }
}

#[test]
fn padding_by_reflection() {
    // The last is longer than the axis along z and y, and the axis along x has one voxel.
    for (size, padding) in [
        ([2, 2, 1, 4, 3], [[0, 0], [1, 1], [1, 1]]),
        ([1, 3, 3, 4, 5], [[2, 0], [1, 3], [0, 4]]),
        ([1, 2, 2, 3, 1], [[3, 2], [5, 7], [1, 2]]),
    ] {
        let sizes: [usize; 3] = [size[2], size[3], size[4]];
        let padded: [usize; 3] = std::array::from_fn(|axis| sizes[axis] + padding[axis][0] + padding[axis][1]);
        // Reflected until it lies within the axis.
        let mirrored = |axis: usize, place: isize| {
            let (last, mut at) = (sizes[axis] as isize - 1, place - padding[axis][0] as isize);
            while at < 0 || at > last {
                at = if last == 0 { 0 } else { if at < 0 { -at } else { 2 * last - at } };
            }
            at
        };
        check(
            &[len(size)],
            |arguments| {
                places([size[0], size[1], padded[0], padded[1], padded[2]])
                    .map(|(n, c, at)| {
                        let from = std::array::from_fn(|axis| mirrored(axis, at[axis]));
                        arguments[0][index(size, n, c, from).expect("a voxel of the field")]
                    })
                    .collect()
            },
            |arguments| flat(reflect_pad(field(&arguments[0], size), padding)),
        );
    }
}

#[test]
fn softmax_over_channels() {
    let size = [2, 6, 2, 3, 2];
    for groups in [1, 2] {
        check(
            &[len(size)],
            |arguments| softmax_formula(&arguments[0], size, groups),
            |arguments| flat(softmax(field(&arguments[0], size), groups)),
        );
    }
}

#[test]
fn pooling_by_the_largest() {
    let size = [2, 2, 3, 5, 6];
    let (options, pooled) = (PoolOptions { kernel: [2, 3, 2], stride: [1, 2, 2], padding: [0, 1, 0] }, [2, 2, 2, 3, 3]);
    check(
        &[len(size)],
        |arguments| {
            let window = |n: usize, c: usize, at: [isize; 3]| {
                places([1, 1, 2, 3, 2]).filter_map(move |(.., tap)| {
                    index(size, n, c, [at[0] + tap[0], 2 * at[1] - 1 + tap[1], 2 * at[2] + tap[2]])
                })
            };
            let largest = |(n, c, at)| window(n, c, at).map(|i| arguments[0][i]).fold(f64::NEG_INFINITY, f64::max);
            places(pooled).map(largest).collect()
        },
        |arguments| {
            let y = max_pool(field(&arguments[0], size), options);
            assert_eq!(y.dims(), pooled);
            flat(y)
        },
    );
}

#[test]
fn linear_interpolation() {
    let size = [2, 2, 2, 3, 4];
    for (to, align_corners) in [([4, 6, 7], false), ([3, 2, 9], true), ([1, 5, 3], false)] {
        // The voxels that a new one lies between, and the weight of the second.
        let between = |axis: usize, at: isize| {
            let (from, to) = (size[axis + 2] as f64, to[axis] as f64);
            let at = if align_corners {
                at as f64 * (from - 1.0) / (to - 1.0)
            } else {
                ((at as f64 + 0.5) * from / to - 0.5).clamp(0.0, from - 1.0)
            };
            (at.floor() as isize, (at.floor() as isize + 1).min(from as isize - 1), at.fract())
        };
        check(
            &[len(size)],
            |arguments| {
                places([2, 2, to[0], to[1], to[2]])
                    .map(|(n, c, at)| {
                        let axes: [_; 3] = std::array::from_fn(|axis| between(axis, at[axis]));
                        (0..8)
                            .map(|corner| {
                                let second = |axis: usize| corner >> axis & 1 == 1;
                                let place = std::array::from_fn(|a| if second(a) { axes[a].1 } else { axes[a].0 });
                                let weight = |a: usize| if second(a) { axes[a].2 } else { 1.0 - axes[a].2 };
                                let x = arguments[0][index(size, n, c, place).expect("a voxel of the field")];
                                weight(0) * weight(1) * weight(2) * x
                            })
                            .sum()
                    })
                    .collect()
            },
            |arguments| flat(interpolate_linear(field(&arguments[0], size), to, align_corners)),
        );
    }
}
