//! Convolutions and whole networks.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Distribution, Int, Tensor};
use fewmark_conv::nn::{Conv, ConvConfig};
use fewmark_conv::ops::softmax;
use fewmark_conv::optim::AdamConfig;
use fewmark_nets::{DipNet, DipNetConfig, MsNet, MsNetConfig, UNet, UNetConfig, VmNet, VmNetConfig};

use crate::case::{Case, Failure, Work};

/// One convolution, with padding that keeps the size at stride 1.
#[derive(Clone, Copy)]
struct ConvCase<const R: usize> {
    name: &'static str,
    channels: [usize; 2],
    batch: usize,
    /// z, y, x; z is 1 in 2-D
    size: [usize; 3],
    kernel: usize,
    stride: usize,
    dilation: usize,
}

impl<const R: usize> ConvCase<R> {
    const fn new(name: &'static str, channels: [usize; 2], batch: usize, size: [usize; 3]) -> Self {
        Self { name, channels, batch, size, kernel: 3, stride: 1, dilation: 1 }
    }
}

const CONVS_2D: [ConvCase<4>; 9] = [
    ConvCase::new("conv2d/16x16/128/b4", [16, 16], 4, [1, 128, 128]),
    ConvCase::new("conv2d/32x32/128/b1", [32, 32], 1, [1, 128, 128]),
    ConvCase::new("conv2d/64x64/128/b1", [64, 64], 1, [1, 128, 128]),
    ConvCase::new("conv2d/128x128/64/b1", [128, 128], 1, [1, 64, 64]),
    ConvCase::new("conv2d/256x256/32/b1", [256, 256], 1, [1, 32, 32]),
    ConvCase::new("conv2d/512x512/16/b1", [512, 512], 1, [1, 16, 16]),
    ConvCase { stride: 2, ..ConvCase::new("conv2d/16x16/128/b4/stride2", [16, 16], 4, [1, 128, 128]) },
    ConvCase { dilation: 2, ..ConvCase::new("conv2d/256x256/32/b1/dilation2", [256, 256], 1, [1, 32, 32]) },
    ConvCase { kernel: 1, ..ConvCase::new("conv2d/1024x256/32/b1/1x1", [1024, 256], 1, [1, 32, 32]) },
];

const CONV_3D: ConvCase<5> = ConvCase::new("conv3d/16x16/16x128x128/b1", [16, 16], 1, [16, 128, 128]);

/// The cases of this room.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = CONVS_2D.into_iter().flat_map(conv_cases).collect();
    cases.extend(conv_cases(CONV_3D));
    cases.extend(network_cases("msnet2d/128/b4", [4, 3, 128, 128], 3, |device| {
        Ok(MsNetConfig::new(3, 3).init::<4>(device)?)
    }));
    // An image of white blood cells, as a user's prediction has it.
    let [infer, _] =
        network_cases("msnet2d/120/b1", [1, 3, 120, 120], 3, |device| Ok(MsNetConfig::new(3, 3).init::<4>(device)?));
    cases.push(infer);
    cases.extend(network_cases("msnet3d/16x128x128/b1", [1, 1, 16, 128, 128], 4, |device| {
        Ok(MsNetConfig::new(1, 4).init::<5>(device)?)
    }));
    cases.extend(network_cases("unet/128/b1", [1, 3, 128, 128], 3, |device| Ok(UNetConfig::new(3, 3).init(device)?)));
    // One image is segmented, two are trained on.
    let vm_net = |device: &Device| Ok(VmNetConfig::default().init(2, device)?);
    let [infer, _] = network_cases("vmnet16/256/b1", [1, 2, 256, 256], 1, vm_net);
    let [_, step] = network_cases("vmnet16/256/b2", [2, 2, 256, 256], 1, vm_net);
    cases.extend([infer, step]);
    let paper = |device: &Device| Ok(DipNetConfig::paper().init(device)?);
    let light = |device: &Device| Ok(DipNetConfig::light().init(device)?);
    cases.extend(network_cases("dipnet/256/b1", [1, 32, 256, 256], 1, paper));
    cases.extend(network_cases("dipnet-light/256/b1", [1, 32, 256, 256], 1, light));
    cases
}

fn conv_cases<const R: usize>(case: ConvCase<R>) -> [Case; 2] {
    let forward = move || -> Result<Work, Failure> {
        let (conv, x) = conv_and_input(case, &Device::flex());
        Ok(Box::new(move || {
            std::hint::black_box(conv.forward(x.clone()));
            Ok(())
        }))
    };
    let both = move || -> Result<Work, Failure> {
        let (conv, x) = conv_and_input(case, &Device::flex().autodiff());
        let x = x.require_grad();
        Ok(Box::new(move || {
            let gradients = conv.forward(x.clone()).sum().backward();
            let weight = conv.weight.grad(&gradients).ok_or("no gradient to the weights")?;
            let bias = conv.bias.as_ref().and_then(|b| b.grad(&gradients)).ok_or("no gradient to the bias")?;
            let input = x.grad(&gradients).ok_or("no gradient to the input")?;
            std::hint::black_box((weight, bias, input));
            Ok(())
        }))
    };
    let operations = operations(case);
    [
        Case::new(format!("{}/forward", case.name), forward).with_operations(operations),
        Case::new(format!("{}/forward+backward", case.name), both).with_operations(3 * operations),
    ]
}

/// Multiplications and additions of a forward pass; each of the two gradients has as many.
fn operations<const R: usize>(case: ConvCase<R>) -> u64 {
    let outputs: usize = case.size.iter().map(|n| n.div_ceil(case.stride)).product();
    let taps = case.kernel.pow(R as u32 - 2);
    2 * (case.batch * case.channels[0] * case.channels[1] * outputs * taps) as u64
}

fn conv_and_input<const R: usize>(case: ConvCase<R>, device: &Device) -> (Conv<R>, Tensor<R>) {
    let conv = ConvConfig::new(case.channels, [case.kernel; 3])
        .with_stride([case.stride; 3])
        .with_dilation([case.dilation; 3])
        .with_padding([case.dilation * (case.kernel / 2); 3])
        .init::<R>(device);
    let all = [case.batch, case.channels[0], case.size[0], case.size[1], case.size[2]];
    let shape: [usize; R] = std::array::from_fn(|axis| if axis < 2 { all[axis] } else { all[axis + 5 - R] });
    (conv, normal(shape, device))
}

fn normal<const R: usize>(shape: [usize; R], device: &Device) -> Tensor<R> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// A network of this program.
trait Network<const R: usize>: Module + 'static {
    fn logits(&self, image: Tensor<R>) -> Tensor<R>;
}

impl<const R: usize> Network<R> for MsNet<R> {
    fn logits(&self, image: Tensor<R>) -> Tensor<R> {
        self.forward(image)
    }
}

impl Network<4> for UNet {
    fn logits(&self, image: Tensor<4>) -> Tensor<4> {
        self.forward(image)
    }
}

impl Network<4> for VmNet {
    fn logits(&self, image: Tensor<4>) -> Tensor<4> {
        self.forward(image)
    }
}

impl Network<4> for DipNet {
    fn logits(&self, image: Tensor<4>) -> Tensor<4> {
        self.forward(image)
    }
}

fn network_cases<const R: usize, N: Network<R>>(
    name: &str,
    shape: [usize; R],
    classes: usize,
    make: fn(&Device) -> Result<N, Failure>,
) -> [Case; 2] {
    let infer = move || -> Result<Work, Failure> {
        let device = Device::flex();
        let (network, x) = (make(&device)?, normal(shape, &device));
        Ok(Box::new(move || {
            std::hint::black_box(network.logits(x.clone()));
            Ok(())
        }))
    };
    let step = move || -> Result<Work, Failure> {
        let device = Device::flex().autodiff();
        let (mut network, x) = (Some(make(&device)?), normal(shape, &device));
        let truth = one_hot(shape, classes, &device);
        let mut adam = AdamConfig::new().init();
        Ok(Box::new(move || {
            let current = network.take().ok_or("an earlier step failed")?;
            let loss = dice_loss(current.logits(x.clone()), truth.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &current);
            network = Some(adam.step(1e-3, current, gradients));
            Ok(())
        }))
    };
    [Case::new(format!("{name}/infer"), infer), Case::new(format!("{name}/train-step"), step)]
}

/// Random classes for every voxel of images of this shape, one channel a class; a mask where there is only one.
fn one_hot<const R: usize>(shape: [usize; R], classes: usize, device: &Device) -> Tensor<R> {
    if classes == 1 {
        return one_hot(shape, 2, device).narrow(1, 1, 1);
    }
    let mut dims = shape;
    dims[1] = 1;
    let class: Tensor<R, Int> = Tensor::<R>::random(dims, Distribution::Uniform(0.0, classes as f64), device)
        .int()
        .clamp(0, classes as i64 - 1);
    let channels = (0..classes).map(|c| class.clone().equal_elem(c as i64).float()).collect();
    Tensor::cat(channels, 1)
}

/// `1 - mean over classes of (2 sum p y + e) / (sum p + sum y + e)`, the sums over all voxels of the batch; a single class
/// stands beside a background without a channel.
fn dice_loss<const R: usize>(logits: Tensor<R>, truth: Tensor<R>) -> Tensor<1> {
    let over_voxels = |x: Tensor<R>| {
        let axes: Vec<usize> = (0..R).filter(|&axis| axis != 1).collect();
        x.sum_dims(&axes)
    };
    let p = if logits.dims()[1] == 1 { sigmoid(logits) } else { softmax(logits, 1) };
    let overlap = over_voxels(p.clone() * truth.clone()) * 2.0 + 1e-5;
    1.0 - (overlap / (over_voxels(p) + over_voxels(truth) + 1e-5)).mean()
}
