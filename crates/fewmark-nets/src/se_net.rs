//! SE-Net: a network that is shown a labelled slice through a network beside it.

use burn::module::{Module, Param};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, activation};
use fewmark_conv::nn::{Conv, ConvConfig};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::layers::{NormLayer, Style};

/// Halvings of the size on the way down.
const LEVELS: usize = 4;

/// Slope of the activations below zero at first.
const SLOPE: f64 = 0.25;

/// Everything that decides a [`SeNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeNetConfig {
    /// Channels of the network that sees the support (16)
    pub conditioner: usize,
    /// Channels of the network that sees the query (64)
    pub segmenter: usize,
}

impl Default for SeNetConfig {
    fn default() -> Self {
        Self { conditioner: 16, segmenter: 64 }
    }
}

impl SeNetConfig {
    /// Sizes of images are multiples of this.
    pub const STRIDE: usize = 1 << LEVELS;

    /// Makes the network with PyTorch's random first weights.
    ///
    /// # Errors
    /// If a number of channels is zero.
    pub fn init(&self, device: &Device) -> Result<SeNet, ConfigError> {
        ConfigError::expect_some("conditioner", self.conditioner)?;
        ConfigError::expect_some("segmenter", self.segmenter)?;
        let style = Style { normalised_bias: true, ..Style::pytorch() };
        let point = |channels| style.conv(&ConvConfig::new(channels, [1; 3]), device);
        Ok(SeNet {
            conditioner: Arm::new(2, self.conditioner, &style, device),
            squeeze: (0..=2 * LEVELS).map(|_| point([self.conditioner, 1])).collect(),
            segmenter: Arm::new(1, self.segmenter, &style, device),
            out: point([self.segmenter, 2]),
        })
    }
}

/// Squeeze and excite guided few-shot segmentation (Roy, Siddiqui, Pölsterl, Navab and Wachinger, Medical Image Analysis 2020): 875,261
/// parameters.
///
/// | part | layers |
/// |---|---|
/// | arm, of w channels | four times B(w) and max pooling, B(w), four times unpooling and B(w) |
/// | conditioner | an arm of the support and its mask; after each of the nine levels a convolution of one tap and a sigmoid |
/// | segmenter | an arm of the query, multiplied at each level by what the conditioner says there |
/// | out | a convolution of one tap to background and object |
///
/// B is a convolution of 5x5 taps with bias, a ReLU with a learnt slope, and batch norm. Pooling remembers where the largest sample was, and
/// unpooling puts samples there. The authors' code declares skips that it does not feed, and uses its third encoder twice; here there are no
/// skips, which their paper found to be worse, and each level has its own block.
#[derive(Module, Debug)]
pub struct SeNet {
    conditioner: Arm,
    squeeze: Vec<Conv<4>>,
    segmenter: Arm,
    out: Conv<4>,
}

#[derive(Module, Debug)]
struct Arm {
    down: Vec<Block>,
    bottom: Block,
    up: Vec<Block>,
}

#[derive(Module, Debug)]
struct Block {
    conv: Conv<4>,
    slope: Param<Tensor<1>>,
    norm: NormLayer,
}

impl SeNet {
    /// Logits `[batch, 2, y, x]` of background and object in grey queries `[batch, 1, y, x]`, by supports of that size and their masks.
    ///
    /// # Panics
    /// If sizes differ or are no multiples of [`SeNetConfig::STRIDE`].
    pub fn forward(&self, support: Tensor<4>, mask: Tensor<4>, query: Tensor<4>) -> Tensor<4> {
        let mut excited = Vec::new();
        self.conditioner.forward(Tensor::cat(vec![support, mask], 1), &mut |level, x| {
            excited.push(activation::sigmoid(self.squeeze[level].forward(x.clone())));
            x
        });
        self.out.forward(self.segmenter.forward(query, &mut |level, x| x * excited[level].clone()))
    }
}

impl Arm {
    fn new(channels: usize, width: usize, style: &Style, device: &Device) -> Self {
        let block = |channels| {
            let config = ConvConfig::new([channels, width], [5; 3]).with_padding([2; 3]);
            Block {
                conv: style.conv(&config, device),
                slope: Param::from_tensor(Tensor::full([1], SLOPE, device)),
                norm: style.norm(width, device),
            }
        };
        Self {
            down: (0..LEVELS).map(|level| block(if level == 0 { channels } else { width })).collect(),
            bottom: block(width),
            up: (0..LEVELS).map(|_| block(width)).collect(),
        }
    }

    /// The features of the last level; those of each level go through `at_level` before they go on.
    fn forward(&self, x: Tensor<4>, at_level: &mut dyn FnMut(usize, Tensor<4>) -> Tensor<4>) -> Tensor<4> {
        let mut places = Vec::new();
        let mut x = x;
        for (level, block) in self.down.iter().enumerate() {
            let (halved, place) = Place::halve(block.forward(x));
            places.push(place);
            x = at_level(level, halved);
        }
        x = at_level(LEVELS, self.bottom.forward(x));
        for (level, (block, place)) in self.up.iter().zip(places.into_iter().rev()).enumerate() {
            x = at_level(LEVELS + 1 + level, block.forward(place.double(x)));
        }
        x
    }
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(x);
        self.norm.forward(activation::prelu(x, self.slope.val()))
    }
}

/// Where the largest of each 2 x 2 samples lies.
struct Place {
    /// `[windows, 1]`, from 0 to 3
    index: Tensor<2, Int>,
    /// Of what was pooled
    dims: [usize; 4],
}

impl Place {
    /// The largest of each 2 x 2 samples, and where they were.
    fn halve(x: Tensor<4>) -> (Tensor<4>, Self) {
        let dims = x.dims();
        let [batch, channels, height, width] = dims;
        assert!(height.is_multiple_of(2) && width.is_multiple_of(2), "{height} x {width} features cannot be halved");
        let [down, across] = [height / 2, width / 2];
        let windows = x.reshape([batch * channels * down, 2, across, 2]).swap_dims(1, 2);
        let windows = windows.reshape([batch * channels * down * across, 4]);
        let index = windows.clone().argmax(1);
        (windows.gather(1, index.clone()).reshape([batch, channels, down, across]), Self { index, dims })
    }

    /// Samples at those places, 0 elsewhere.
    fn double(self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = self.dims;
        let count = batch * channels * (height / 2) * (width / 2);
        let windows = Tensor::<2>::zeros([count, 4], &x.device());
        let windows = windows.scatter(1, self.index, x.reshape([count, 1]), IndexingUpdateOp::Add);
        let windows = windows.reshape([batch * channels * (height / 2), width / 2, 2, 2]).swap_dims(1, 2);
        windows.reshape(self.dims)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn samples_come_back_to_where_they_were() {
        let device = Device::flex().autodiff();
        let samples: Vec<f32> = vec![1.0, 5.0, 2.0, 0.0, 3.0, 4.0, -1.0, 2.5];
        let x = Tensor::<4>::from_data(TensorData::new(samples, [1, 1, 2, 4]), &device).require_grad();
        let (halved, place) = Place::halve(x.clone());
        assert_eq!(halved.clone().into_data().try_to_vec::<f32>().unwrap(), [5.0, 2.5]);
        let doubled = place.double(halved);
        let expected = [0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.5];
        assert_eq!(doubled.clone().into_data().try_to_vec::<f32>().unwrap(), expected);
        let gradients = (doubled.clone() * doubled).sum().backward();
        let gradient = x.grad(&gradients).expect("a leaf");
        assert_eq!(gradient.into_data().try_to_vec::<f32>().unwrap(), expected.map(|x| 2.0 * x));
    }
}
