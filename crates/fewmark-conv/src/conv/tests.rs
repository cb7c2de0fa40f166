//! The contract of the kernels: the reference's numbers on every level and however the work is divided, the same bits
//! however often and on however many threads.

use std::sync::LazyLock;

use proptest::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::correlation::Correlation;
use super::engine::Pass;
use super::reference;
use super::tile::segment_channels;
use super::weight_gradient::{self as weights, WeightGradient};
use super::{forward, forward_affine, input_gradient, pointwise, transposed, weight_gradient};
use crate::{Activation, ConvError, ConvShape, Division, Level, Recipe};

/// Most products of a case, so that the reference takes milliseconds.
const PRODUCTS: usize = 400_000;

/// A shape that is made valid and small enough by changing its input.
fn fitted(mut shape: ConvShape) -> ConvShape {
    for axis in 0..3 {
        let reach = shape.dilation[axis] * (shape.kernel[axis] - 1) + 1;
        shape.input[axis] = shape.input[axis].max(reach.saturating_sub(2 * shape.padding[axis]));
    }
    let products = |shape: &ConvShape| shape.flops() as usize / 2;
    while products(&shape) > PRODUCTS {
        let axis = (0..3).max_by_key(|&axis| shape.input[axis]).unwrap();
        let smaller = ConvShape { input: shape.input.map(|n| n.min(shape.input[axis] * 2 / 3)), ..shape };
        if smaller.validate().is_err() {
            break;
        }
        shape = smaller;
    }
    assert_eq!(shape.validate(), Ok(()), "{shape:?}");
    shape
}

/// Groups and the channels of one: none of the usual multiples of 8 and 16 is favoured, and depthwise is one of them.
fn channels() -> impl Strategy<Value = [usize; 3]> {
    prop_oneof![
        4 => (Just(1), 1..=40usize, 1..=40usize),
        2 => (2..=4usize, 1..=10usize, 1..=10usize),
        1 => (1..=40usize, Just(1), 1..=2usize),
    ]
    .prop_map(|(groups, ins, outs)| [groups, ins, outs])
}

/// Size, kernel, stride, padding and dilation of one axis.
fn axis(size: usize, kernels: &'static [usize]) -> impl Strategy<Value = [usize; 5]> {
    (1..=size, prop::sample::select(kernels), 1..=3usize, 0..=4usize, 1..=3usize)
        .prop_map(|(size, kernel, stride, padding, dilation)| [size, kernel, stride, padding, dilation])
}

fn shape(axes: impl Strategy<Value = [[usize; 5]; 3]>) -> impl Strategy<Value = ConvShape> {
    (1..=2usize, channels(), axes).prop_map(|(batch, [groups, ins, outs], axes)| {
        let [input, kernel, stride, padding, dilation] = std::array::from_fn(|i| axes.map(|axis| axis[i]));
        let (in_channels, out_channels) = (groups * ins, groups * outs);
        fitted(ConvShape { batch, in_channels, out_channels, groups, input, kernel, stride, padding, dilation })
    })
}

fn flat_shape() -> impl Strategy<Value = ConvShape> {
    let in_plane = || axis(24, &[1, 2, 3, 5, 7]);
    shape((in_plane(), in_plane()).prop_map(|(y, x)| [[1, 1, 1, 0, 1], y, x]))
}

/// Three rows of taps, rows of more than a vector, and enough channels: what is computed by pairs of rows.
fn paired_shape() -> impl Strategy<Value = ConvShape> {
    let sizes = (1..=2usize, 1..=2usize, 1..=6usize, 24..=27usize, 1..=3usize, 1..=12usize, 16..=35usize);
    (sizes, 1..=3usize, prop::sample::select(&[1usize, 2, 3, 5])).prop_map(|(sizes, dilation, kernel)| {
        let (batch, groups, ins, outs, planes, rows, columns) = sizes;
        let (in_channels, out_channels) = (groups * ins, groups * outs);
        let kernel = [if planes > 1 { 3 } else { 1 }, 3, kernel];
        let padding = kernel.map(|k| k / 2 * dilation);
        let input = [planes, rows, columns];
        let shape = ConvShape {
            batch,
            in_channels,
            out_channels,
            groups,
            input,
            kernel,
            stride: [1; 3],
            padding,
            dilation: [dilation; 3],
        };
        assert_eq!(shape.validate(), Ok(()), "{shape:?}");
        shape
    })
}

fn solid_shape() -> impl Strategy<Value = ConvShape> {
    let axis = || axis(12, &[1, 2, 3, 5]);
    shape((axis(), axis(), axis()).prop_map(|(z, y, x)| [z, y, x]))
}

fn activation() -> impl Strategy<Value = Activation> {
    prop::sample::select(&[Activation::None, Activation::Relu, Activation::LeakyRelu(0.1)])
}

/// Numbers in -1..1 that look random.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    // The mixing function of SplitMix64.
    let mix = |mut z: u64| {
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    };
    let sample = |i: u64| mix((seed << 32 | i).wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 40;
    (0..len as u64).map(|i| sample(i) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// The operands of a case.
struct Case {
    shape: ConvShape,
    x: Vec<f32>,
    weights: Vec<f32>,
    dy: Vec<f32>,
    /// For each output channel
    bias: Vec<f32>,
    /// For each input channel
    transposed_bias: Vec<f32>,
}

impl Case {
    fn new(shape: ConvShape, seed: u64) -> Self {
        let seed = 8 * (seed & 0xFF_FFFF);
        Self {
            x: noise(seed, shape.input_len()),
            weights: noise(seed + 1, shape.weights_len()),
            dy: noise(seed + 2, shape.output_len()),
            bias: noise(seed + 3, shape.out_channels),
            transposed_bias: noise(seed + 4, shape.in_channels),
            shape,
        }
    }

    fn forward(&self, recipe: Recipe, activation: Activation) -> Vec<f32> {
        let mut y = vec![f32::NAN; self.shape.output_len()];
        let correlation = &Correlation::forward(&self.shape);
        let (source, weights, bias) = (self.x.as_slice(), &*self.weights, Some(&*self.bias));
        Pass { correlation, recipe, source, weights, bias, finish: activation }.run(&mut y);
        y
    }

    fn transposed(&self, recipe: Recipe, activation: Activation) -> Vec<f32> {
        let mut dx = vec![f32::NAN; self.shape.input_len()];
        let correlation = &Correlation::input_gradient(&self.shape);
        let (source, weights, bias) = (self.dy.as_slice(), &*self.weights, Some(&*self.transposed_bias));
        Pass { correlation, recipe, source, weights, bias, finish: activation }.run(&mut dx);
        dx
    }

    fn weight_gradient(&self, recipe: Recipe) -> Vec<f32> {
        let mut dw = vec![f32::NAN; self.shape.weights_len()];
        let correlation = &Correlation::forward(&self.shape);
        WeightGradient { correlation, recipe, x: self.x.as_slice(), dy: &self.dy }.run(&mut dw);
        dw
    }
}

/// The reference's `activation(y + bias)`.
fn finished(mut y: Vec<f64>, bias: &[f32], activation: Activation, batch: usize) -> Vec<f64> {
    let voxels = y.len() / (batch * bias.len());
    for (i, y) in y.iter_mut().enumerate() {
        *y += f64::from(bias[i / voxels % bias.len()]);
        *y = match activation {
            Activation::None => *y,
            Activation::Relu => y.max(0.0),
            Activation::LeakyRelu(slope) => y.max(f64::from(slope) * *y),
        };
    }
    y
}

/// The largest difference over the largest absolute value.
fn relative(ours: &[f32], reference: &[f64]) -> f64 {
    assert_eq!(ours.len(), reference.len());
    assert!(ours.iter().all(|y| y.is_finite()), "a result is missing or read what nobody wrote");
    let largest = reference.iter().fold(1e-3f64, |largest, y| largest.max(y.abs()));
    ours.iter().zip(reference).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / largest
}

fn bits(samples: Vec<f32>) -> Vec<u32> {
    samples.into_iter().map(f32::to_bits).collect()
}

fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_available())
}

/// Every kind of division, with and without pairs of rows, and tiles of every size, whatever the plan would choose.
fn recipes(correlation: &Correlation, designed: Recipe) -> Vec<Recipe> {
    let [planes, rows, _] = correlation.positions();
    // The voxels of a band must be contiguous: see `plan::bands`.
    let least = if correlation.spread[0] > 1 { rows } else { 1 };
    let divisions = [
        designed.division,
        Division::Channels,
        Division::Bands { planes: 1, rows: least },
        Division::Bands { planes: 1, rows: (rows / 2).max(least) },
        Division::Bands { planes: 2.min(planes), rows },
        Division::Bands { planes, rows },
    ];
    let tiles = [designed.tile, designed.tile, 1, 4, 8, designed.tile];
    let recipe = |((division, tile), row_pairs)| Recipe { division, tile, row_pairs, ..designed };
    let with_pairs = if designed.row_pairs { [false, true].as_slice() } else { &[false] };
    let all = |&row_pairs: &bool| divisions.into_iter().zip(tiles).map(move |way| (way, row_pairs));
    with_pairs.iter().flat_map(all).map(recipe).collect()
}

fn agrees_with_the_reference(case: &Case, activation: Activation) -> Result<(), TestCaseError> {
    let Case { shape, x, weights, dy, .. } = case;
    let y = finished(reference::forward(shape, x, weights), &case.bias, activation, shape.batch);
    let dx = finished(reference::input_gradient(shape, dy, weights), &case.transposed_bias, activation, shape.batch);
    let dw = reference::weight_gradient(shape, x, dy);
    let (ahead, back) = (Correlation::forward(shape), Correlation::input_gradient(shape));
    for level in levels() {
        // Products are added in one order, so not a bit depends on the division or the tile, unless rows are paired.
        let mut first = None;
        for recipe in recipes(&ahead, Recipe::design(&ahead, level)) {
            let ours = case.forward(recipe, activation);
            let error = relative(&ours, &y);
            prop_assert!(error < 1e-5, "forward by {recipe:?}: {error}");
            let ours = bits(ours);
            let same = recipe.row_pairs || *first.get_or_insert_with(|| ours.clone()) == ours;
            prop_assert!(same, "forward by {recipe:?}: other bits");
        }
        let mut first = None;
        for recipe in recipes(&back, Recipe::design(&back, level)) {
            let ours = case.transposed(recipe, activation);
            let error = relative(&ours, &dx);
            prop_assert!(error < 1e-4, "transposed by {recipe:?}: {error}");
            let ours = bits(ours);
            let same = recipe.row_pairs || *first.get_or_insert_with(|| ours.clone()) == ours;
            prop_assert!(same, "transposed by {recipe:?}: other bits");
        }
        for recipe in recipes(&ahead, weights::design(&ahead, level)) {
            let error = relative(&case.weight_gradient(recipe), &dw);
            prop_assert!(error < 1e-4, "weight gradient by {recipe:?}: {error}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn images_agree_with_the_reference(shape in flat_shape(), activation in activation(), seed: u64) {
        agrees_with_the_reference(&Case::new(shape, seed), activation)?;
    }

    #[test]
    fn volumes_agree_with_the_reference(shape in solid_shape(), activation in activation(), seed: u64) {
        agrees_with_the_reference(&Case::new(shape, seed), activation)?;
    }

    #[test]
    fn the_functions_on_slices_agree_with_the_reference(
        shape in prop_oneof![flat_shape(), solid_shape()],
        activation in activation(),
        seed: u64,
    ) {
        let case = Case::new(shape, seed);
        let Case { x, weights, dy, bias, transposed_bias, .. } = &case;
        let mut y = vec![f32::NAN; shape.output_len()];
        let plain = reference::forward(&shape, x, weights);
        forward(&shape, x, weights, Some(bias), activation, &mut y);
        prop_assert!(relative(&y, &finished(plain.clone(), bias, activation, shape.batch)) < 1e-5);
        let scale = noise(seed & 0xFFFF, shape.out_channels);
        let voxels = plain.len() / (shape.batch * shape.out_channels);
        let scaled = plain.iter().enumerate().map(|(i, y)| y * f64::from(scale[i / voxels % scale.len()])).collect();
        y.fill(f32::NAN);
        forward_affine(&shape, x, weights, [&scale, bias], activation, &mut y);
        let largest = plain.iter().fold(1e-3f64, |largest, y| largest.max(y.abs()));
        let expected = finished(scaled, bias, activation, shape.batch);
        let error = y.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        prop_assert!(error < 1e-5 * largest.max(1.0), "scaled: {}", error / largest);
        let mut dx = vec![f32::NAN; shape.input_len()];
        let plain = reference::input_gradient(&shape, dy, weights);
        input_gradient(&shape, dy, weights, &mut dx);
        prop_assert!(relative(&dx, &plain) < 1e-4);
        // A transposed convolution is the input gradient, and what follows.
        let by_hand: Vec<f32> = {
            let voxels = dx.len() / (shape.batch * shape.in_channels);
            let with_bias = |(i, dx): (usize, &f32)| dx + transposed_bias[i / voxels % shape.in_channels];
            dx.iter().enumerate().map(with_bias).map(|y| activation.apply(y)).collect()
        };
        transposed(&shape, dy, weights, Some(transposed_bias), activation, &mut dx);
        prop_assert!(relative(&dx, &finished(plain, transposed_bias, activation, shape.batch)) < 1e-4);
        prop_assert!(relative(&dx, &by_hand.into_iter().map(f64::from).collect::<Vec<_>>()) < 1e-5);
        let mut dw = vec![f32::NAN; shape.weights_len()];
        weight_gradient(&shape, x, dy, &mut dw);
        prop_assert!(relative(&dw, &reference::weight_gradient(&shape, x, dy)) < 1e-4);
    }
}

proptest! {
    // Each case is computed many times.
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pairs_of_rows_agree_with_the_reference(shape in paired_shape(), activation in activation(), seed: u64) {
        agrees_with_the_reference(&Case::new(shape, seed), activation)?;
    }

    #[test]
    fn neither_reruns_nor_threads_change_a_bit(
        shape in prop_oneof![flat_shape(), solid_shape(), paired_shape()],
        seed: u64,
    ) {
        static POOLS: LazyLock<[ThreadPool; 3]> = LazyLock::new(|| {
            [1, 2, 3].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
        });
        let case = Case::new(shape, seed);
        let (ahead, back) = (Correlation::forward(&shape), Correlation::input_gradient(&shape));
        for level in levels() {
            let of = |recipes: Vec<Recipe>, at: usize| recipes[at % recipes.len()];
            for at in [0, 1, 2, 3, 6, 9] {
                let run = || {
                    let [forward, transposed, gradient] = [
                        of(recipes(&ahead, Recipe::design(&ahead, level)), at),
                        of(recipes(&back, Recipe::design(&back, level)), at),
                        of(recipes(&ahead, weights::design(&ahead, level)), at),
                    ];
                    [
                        bits(case.forward(forward, Activation::LeakyRelu(0.2))),
                        bits(case.transposed(transposed, Activation::None)),
                        bits(case.weight_gradient(gradient)),
                    ]
                };
                let first = POOLS[0].install(run);
                for pool in &*POOLS {
                    prop_assert!(pool.install(run) == first, "{level:?}, {} threads", pool.current_num_threads());
                }
            }
        }
    }

    #[test]
    fn bands_of_a_plan_are_contiguous(shape in prop_oneof![flat_shape(), solid_shape()]) {
        for correlation in [Correlation::forward(&shape), Correlation::input_gradient(&shape)] {
            let [all_planes, all_rows, _] = correlation.positions();
            for level in Level::ALL {
                for recipe in [Recipe::design(&correlation, level), weights::design(&correlation, level)] {
                    if let Division::Bands { planes, rows } = recipe.division {
                        prop_assert!((1..=all_planes).contains(&planes) && (1..=all_rows).contains(&rows));
                        prop_assert!(rows == all_rows || planes == 1 && correlation.spread[0] == 1, "{recipe:?}");
                    }
                }
            }
        }
    }
}

/// A "same" convolution of stride 1.
fn same(channels: [usize; 2], kernel: usize, input: [usize; 3]) -> ConvShape {
    let kernel = input.map(|n| if n == 1 { 1 } else { kernel });
    ConvShape {
        batch: 1,
        in_channels: channels[0],
        out_channels: channels[1],
        groups: 1,
        input,
        kernel,
        stride: [1; 3],
        padding: kernel.map(|k| k / 2),
        dilation: [1; 3],
    }
}

#[test]
fn what_is_not_a_number_stays_visible_where_it_is_seen() {
    let shape = ConvShape { groups: 2, stride: [1, 2, 1], dilation: [1, 1, 2], ..same([4, 6], 3, [1, 9, 11]) };
    let mut case = Case::new(shape, 1);
    case.x[4 * 11 + 5] = f32::NAN;
    let [_, rows, columns] = shape.output();
    let correlation = Correlation::forward(&shape);
    for level in levels() {
        for recipe in recipes(&correlation, Recipe::design(&correlation, level)) {
            for activation in [Activation::None, Activation::Relu, Activation::LeakyRelu(0.1)] {
                for (i, y) in case.forward(recipe, activation).into_iter().enumerate() {
                    let (channel, row, column) = (i / (rows * columns), i / columns % rows, i % columns);
                    // The sample is in the first group; rows 3, 4 and 5 of the padded input and every second column.
                    let in_row = (0..3).any(|k| row * 2 + k == 4 + 1);
                    let in_column = (0..3).any(|k| column + 2 * k == 5 + 1);
                    let seen = channel < 3 && in_row && in_column;
                    assert_eq!(y.is_nan(), seen, "{recipe:?}, {activation:?}: channel {channel}, {row}, {column}: {y}");
                }
            }
        }
    }
}

#[test]
fn segments_hold_as_many_channels_as_divide_them_and_have_few_taps() {
    for (channels, taps, expected) in [(16, 9, 8), (12, 9, 12), (3, 27, 3), (17, 9, 1), (512, 1, 128), (2, 343, 1)] {
        assert_eq!(segment_channels(channels, taps), expected, "{channels} channels with {taps} taps");
    }
}

#[test]
fn plans_of_named_shapes() {
    let design = |shape: ConvShape, level| Recipe::design(&Correlation::forward(&shape), level);
    for level in Level::ALL {
        let rows = level.rows();
        let expect = |shape, division, tile, row_pairs| {
            assert_eq!(design(shape, level), Recipe { level, division, tile, row_pairs }, "{shape:?}");
        };
        let bands = |planes, rows| Division::Bands { planes, rows };
        // 18 rows would make 8 bands of 128, but 8 of 16 are of one size.
        let narrow = level.lanes() <= 8;
        expect(same([16, 16], 3, [1, 128, 128]), bands(1, 16), rows, narrow);
        expect(same([16, 24], 3, [1, 128, 128]), bands(1, 16), rows, true);
        expect(same([3, 16], 3, [1, 128, 128]), bands(1, 16), rows, narrow);
        expect(same([16, 3], 3, [1, 128, 128]), bands(1, 16), 4, false);
        expect(same([16, 1], 1, [1, 128, 128]), bands(1, 16), 1, false);
        expect(same([512, 512], 3, [1, 8, 8]), Division::Channels, rows, false);
        if rows == 8 {
            expect(same([512, 512], 3, [1, 16, 16]), Division::Channels, rows, false);
        }
        // 3 rows fit the larger cache, 4 nearly, and make 8 bands of one size.
        expect(same([1024, 256], 1, [1, 32, 32]), bands(1, if narrow { 1 } else { 4 }), rows, false);
        // 14 rows of 16 channels with 3 planes of sources are what the larger cache holds, and 10 bands of 13 are more even.
        expect(same([16, 16], 3, [16, 128, 128]), bands(1, if narrow { 6 } else { 13 }), rows, narrow);
        // The largest bands of whole planes of which there are 8; their rows are too short for the widest vectors.
        expect(same([16, 24], 3, [16, 8, 8]), bands(2, 8), rows, narrow);
        // Pairs are two rows apart, which needs four rows for two of them.
        let dilated = ConvShape { padding: [0, 2, 2], dilation: [1, 2, 2], ..same([32, 32], 3, [1, 256, 256]) };
        expect(dilated, bands(1, if narrow { 4 } else { 8 }), rows, true);
        // Whole pairs would make bands much larger.
        let far = ConvShape { padding: [0, 12, 12], dilation: [1, 12, 12], ..same([64, 64], 3, [1, 128, 128]) };
        assert!(!design(far, level).row_pairs);
    }
}

#[test]
fn weight_gradients_of_one_tap_on_large_maps() {
    for (batch, channels, input) in [(1, [5, 7], [1, 67, 71]), (2, [6, 4], [3, 31, 33]), (1, [1, 1], [1, 64, 64])] {
        let shape = ConvShape {
            batch,
            in_channels: channels[0],
            out_channels: channels[1],
            groups: 1,
            input,
            kernel: [1; 3],
            stride: [1; 3],
            padding: [0; 3],
            dilation: [1; 3],
        };
        assert!(pointwise::suits(&shape));
        let Case { x, dy, .. } = Case::new(shape, 3);
        let expected = reference::weight_gradient(&shape, &x, &dy);
        for level in levels() {
            let gradient = |threads| {
                let mut dw = vec![f32::NAN; shape.weights_len()];
                let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| pointwise::weight_gradient(&shape, &x, &dy, &mut dw, level));
                dw
            };
            let dw = gradient(1);
            assert!(relative(&dw, &expected) < 1e-4, "{level:?}: {shape:?}");
            assert_eq!(bits(dw), bits(gradient(3)), "{level:?}: {shape:?}");
        }
    }
}

#[test]
fn plans_of_weight_gradients_depend_on_the_number_of_weights() {
    let design = |shape: ConvShape, level| weights::design(&Correlation::forward(&shape), level).division;
    for level in Level::ALL {
        assert_eq!(design(same([512, 512], 3, [1, 16, 16]), level), Division::Channels);
        assert_eq!(design(same([16, 16], 3, [1, 128, 128]), level), Division::Bands { planes: 1, rows: 16 });
        // So many weights, but too few tiles of output channels to share.
        assert!(matches!(design(same([2048, 4], 3, [1, 16, 16]), level), Division::Bands { .. }));
    }
}

#[test]
fn levels_have_the_vectors_of_their_processors() {
    let table = Level::ALL.map(|level| (level, level.lanes(), level.rows()));
    let expected = [(Level::Portable, 1, 4), (Level::Neon, 4, 8), (Level::Avx2, 8, 4), (Level::Avx512, 16, 8)];
    assert_eq!(table, expected);
    assert!(Level::Portable.is_available());
    assert!(Level::current().is_available());
    if let Some(missing) = Level::ALL.into_iter().find(|level| !level.is_available()) {
        assert_eq!(Level::force(Some(missing)), Err(missing));
    }
}

#[test]
fn shapes_that_make_no_convolution_are_refused() {
    let good = same([4, 6], 3, [1, 8, 8]);
    assert_eq!(good.validate(), Ok(()));
    let refused = |shape: ConvShape, error| assert_eq!(shape.validate(), Err(error), "{shape:?}");
    refused(ConvShape { in_channels: 0, ..good }, ConvError::Zero { what: "in_channels" });
    refused(ConvShape { out_channels: 0, ..good }, ConvError::Zero { what: "out_channels" });
    refused(ConvShape { groups: 0, ..good }, ConvError::Zero { what: "groups" });
    refused(ConvShape { kernel: [1, 0, 3], ..good }, ConvError::Zero { what: "kernel" });
    refused(ConvShape { stride: [1, 1, 0], ..good }, ConvError::Zero { what: "stride" });
    refused(ConvShape { dilation: [0, 1, 1], ..good }, ConvError::Zero { what: "dilation" });
    refused(ConvShape { groups: 3, ..good }, ConvError::Groups { what: "in_channels", channels: 4, groups: 3 });
    refused(ConvShape { groups: 4, ..good }, ConvError::Groups { what: "out_channels", channels: 6, groups: 4 });
    let large = ConvShape { kernel: [1, 3, 7], padding: [0; 3], dilation: [1, 1, 2], ..good };
    refused(large, ConvError::KernelTooLarge { axis: 2, kernel: 13, padded: 8 });
    assert_eq!(ConvShape { padding: [0, 0, 3], ..large }.validate(), Ok(()));
    let empty = ConvShape { input: [1, 0, 8], padding: [0, 2, 1], ..good };
    refused(empty, ConvError::KernelTooLarge { axis: 1, kernel: 3, padded: 4 });
}

#[test]
#[should_panic(expected = "samples of the output")]
fn slices_of_another_length_are_refused() {
    let shape = same([1, 1], 3, [1, 4, 4]);
    forward(&shape, &[0.0; 16], &[0.0; 9], None, Activation::None, &mut [0.0; 15]);
}
