//! The sizes of one convolution.

use crate::ConvError;

/// The sizes of one convolution over three axes, z, y and x. A 2-D convolution has size, kernel and stride 1 and padding 0
/// along z, so that one set of kernels serves both.
///
/// A transposed convolution is described by the convolution whose input gradient it is: its input is this shape's output.
///
/// Layouts, all row-major: input `[batch, in_channels, z, y, x]`, weights `[out_channels, in_channels / groups, z, y, x]`,
/// output `[batch, out_channels, z, y, x]`. As in every deep-learning library the kernel is not flipped (a correlation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Number of images
    pub batch: usize,
    /// Channels of the input
    pub in_channels: usize,
    /// Channels of the output
    pub out_channels: usize,
    /// Groups that divide both kinds of channels
    pub groups: usize,
    /// Size of the input in voxels
    pub input: [usize; 3],
    /// Size of the kernel in taps
    pub kernel: [usize; 3],
    /// Step between output voxels, in input voxels
    pub stride: [usize; 3],
    /// Zeros put before and after the input
    pub padding: [usize; 3],
    /// Step between taps, in input voxels
    pub dilation: [usize; 3],
}

impl ConvShape {
    /// Size of the output in voxels: `(input + 2 padding - dilation (kernel - 1) - 1) / stride + 1` along each axis.
    ///
    /// Meaningful only for a [valid](Self::validate) shape.
    pub fn output(&self) -> [usize; 3] {
        std::array::from_fn(|axis| {
            let padded = self.input[axis] + 2 * self.padding[axis];
            (padded - self.reach(axis)) / self.stride[axis] + 1
        })
    }

    /// Voxels that the kernel spans along an axis.
    fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Number of taps of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Whether every output voxel is computed from the input voxel at its place alone, over all channels.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.groups == 1 && self.taps() == 1 && self.stride == [1; 3] && self.padding == [0; 3]
    }

    /// Samples of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.in_channels * self.input.iter().product::<usize>()
    }

    /// Samples of the output.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_channels * self.output().iter().product::<usize>()
    }

    /// Number of weights.
    pub fn weights_len(&self) -> usize {
        self.out_channels * (self.in_channels / self.groups) * self.taps()
    }

    /// Multiplications and additions of a forward pass, those with padding included.
    pub fn flops(&self) -> u64 {
        2 * self.output_len() as u64 * (self.in_channels / self.groups * self.taps()) as u64
    }

    /// Checks that every size is positive, that the groups divide the channels and that the kernel fits the padded input.
    ///
    /// # Errors
    /// The first of these that does not hold, with its axis and numbers.
    pub fn validate(&self) -> Result<(), ConvError> {
        let named = [("in_channels", self.in_channels), ("out_channels", self.out_channels), ("groups", self.groups)];
        for (what, value) in named {
            if value == 0 {
                return Err(ConvError::Zero { what });
            }
        }
        for (what, sizes) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)] {
            if sizes.contains(&0) {
                return Err(ConvError::Zero { what });
            }
        }
        for (what, channels) in [("in_channels", self.in_channels), ("out_channels", self.out_channels)] {
            if !channels.is_multiple_of(self.groups) {
                return Err(ConvError::Groups { what, channels, groups: self.groups });
            }
        }
        for axis in 0..3 {
            let padded = self.input[axis] + 2 * self.padding[axis];
            if self.input[axis] == 0 || padded < self.reach(axis) {
                return Err(ConvError::KernelTooLarge { axis, kernel: self.reach(axis), padded });
            }
        }
        Ok(())
    }
}
