//! Convolutions as their definition says, in double precision and as slow as that is: what the kernels are tested against.

use crate::ConvShape;

/// Calls `visit(input index, weight index, output index)` for every product of the convolution.
fn for_each_product(shape: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let (input, output, kernel) = (shape.input, shape.output(), shape.kernel);
    let (ins, outs) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let voxel = |at: [usize; 3], size: [usize; 3]| (at[0] * size[1] + at[1]) * size[2] + at[2];
    let all = |size: [usize; 3]| {
        (0..size.iter().product()).map(move |i| [i / (size[1] * size[2]), i / size[2] % size[1], i % size[2]])
    };
    for n in 0..shape.batch {
        for o in 0..shape.out_channels {
            for i in 0..ins {
                let in_channel = o / outs * ins + i;
                for y in all(output) {
                    for k in all(kernel) {
                        let x: [Option<usize>; 3] = std::array::from_fn(|a| {
                            let at = y[a] * shape.stride[a] + k[a] * shape.dilation[a];
                            at.checked_sub(shape.padding[a]).filter(|&at| at < input[a])
                        });
                        if let [Some(z), Some(row), Some(column)] = x {
                            visit(
                                (n * shape.in_channels + in_channel) * input.iter().product::<usize>()
                                    + voxel([z, row, column], input),
                                (o * ins + i) * shape.taps() + voxel(k, kernel),
                                (n * shape.out_channels + o) * output.iter().product::<usize>() + voxel(y, output),
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The convolution of `x` with `weights`.
pub(crate) fn forward(shape: &ConvShape, x: &[f32], weights: &[f32]) -> Vec<f64> {
    let mut y = vec![0.0; shape.output_len()];
    for_each_product(shape, |i, k, o| y[o] += f64::from(x[i]) * f64::from(weights[k]));
    y
}

/// The gradient to the input of a loss whose gradient to the output is `dy`.
pub(crate) fn input_gradient(shape: &ConvShape, dy: &[f32], weights: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    for_each_product(shape, |i, k, o| dx[i] += f64::from(dy[o]) * f64::from(weights[k]));
    dx
}

/// The gradient to the weights of a loss whose gradient to the output is `dy`.
pub(crate) fn weight_gradient(shape: &ConvShape, x: &[f32], dy: &[f32]) -> Vec<f64> {
    let mut dw = vec![0.0; shape.weights_len()];
    for_each_product(shape, |i, k, o| dw[k] += f64::from(x[i]) * f64::from(dy[o]));
    dw
}
