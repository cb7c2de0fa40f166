//! Sums of products over shifted positions, described as data: the forward pass and the input gradient are both such sums.
//!
//! Over a grid of positions `j`, `sink[o][j * spread + residue] = sum over sources i and taps t of
//! weight[o][i][t] * source[i][j * step + shift(t)]`, samples outside the source being zero. A forward pass has
//! `step = stride` and one part; an input gradient has `spread = stride` and one part for every residue of the stride, each
//! with the taps that reach it.

use crate::ConvShape;

/// A tap: which weight, and where it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    /// Index of the weight among a channel pair's
    pub(crate) weight: usize,
    /// Source voxel relative to the position's, along z, y and x
    pub(crate) shift: [isize; 3],
}

/// The sink voxels of one residue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Sink voxel of position 0
    pub(crate) residue: [usize; 3],
    pub(crate) taps: Vec<Tap>,
}

/// The sizes and taps of a sum over shifted positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Correlation {
    pub(crate) batch: usize,
    pub(crate) groups: usize,
    /// Channels that a group reads
    pub(crate) sources: usize,
    /// Channels that a group writes
    pub(crate) sinks: usize,
    /// Size of a source channel
    pub(crate) source: [usize; 3],
    /// Size of a sink channel
    pub(crate) sink: [usize; 3],
    /// Source voxels from one position to the next
    pub(crate) step: [usize; 3],
    /// Sink voxels from one position to the next
    pub(crate) spread: [usize; 3],
    pub(crate) parts: Vec<Part>,
    /// Distance in the weights from one sink to the next
    pub(crate) sink_stride: usize,
    /// Distance in the weights from one source to the next
    pub(crate) source_stride: usize,
}

/// The taps of a kernel in the order of its weights.
fn kernel_taps(kernel: [usize; 3]) -> impl Iterator<Item = (usize, [usize; 3])> {
    let [_, ky, kx] = kernel;
    (0..kernel.iter().product()).map(move |t| (t, [t / (ky * kx), t / kx % ky, t % kx]))
}

impl Correlation {
    /// The forward pass of a convolution.
    pub(crate) fn forward(shape: &ConvShape) -> Self {
        let (ins, outs) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
        let taps = kernel_taps(shape.kernel).map(|(weight, at)| {
            let shift = std::array::from_fn(|a| (at[a] * shape.dilation[a]) as isize - shape.padding[a] as isize);
            Tap { weight, shift }
        });
        Self {
            batch: shape.batch,
            groups: shape.groups,
            sources: ins,
            sinks: outs,
            source: shape.input,
            sink: shape.output(),
            step: shape.stride,
            spread: [1; 3],
            parts: vec![Part { residue: [0; 3], taps: taps.collect() }],
            sink_stride: ins * shape.taps(),
            source_stride: shape.taps(),
        }
    }

    /// The input gradient of a convolution, which is also the forward pass of a transposed one.
    ///
    /// Input voxel `i` meets output voxel `y` through tap `k` where `y stride = i + padding - k dilation`, so that the residue
    /// of `i` modulo the stride decides which taps take part.
    pub(crate) fn input_gradient(shape: &ConvShape) -> Self {
        let (ins, outs) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
        let [sz, sy, sx] = shape.stride;
        let residues = (0..sz * sy * sx).map(|r| [r / (sy * sx), r / sx % sy, r % sx]);
        let parts = residues.filter(|residue| (0..3).all(|a| residue[a] < shape.input[a])).map(|residue| {
            let taps = kernel_taps(shape.kernel).filter_map(|(weight, at)| {
                let mut shift = [0; 3];
                for a in 0..3 {
                    let from = (residue[a] + shape.padding[a]) as isize - (at[a] * shape.dilation[a]) as isize;
                    let stride = shape.stride[a] as isize;
                    if from.rem_euclid(stride) != 0 {
                        return None;
                    }
                    shift[a] = from.div_euclid(stride);
                }
                Some(Tap { weight, shift })
            });
            Part { residue, taps: taps.collect() }
        });
        Self {
            batch: shape.batch,
            groups: shape.groups,
            sources: outs,
            sinks: ins,
            source: shape.output(),
            sink: shape.input,
            step: [1; 3],
            spread: shape.stride,
            parts: parts.collect(),
            sink_stride: shape.taps(),
            source_stride: ins * shape.taps(),
        }
    }

    /// Number of positions along each axis.
    pub(crate) fn positions(&self) -> [usize; 3] {
        std::array::from_fn(|a| self.sink[a].div_ceil(self.spread[a]))
    }

    /// Positions of a part along each axis: as many as have a sink voxel.
    pub(crate) fn part_positions(&self, part: &Part) -> [usize; 3] {
        std::array::from_fn(|a| (self.sink[a] - part.residue[a]).div_ceil(self.spread[a]))
    }

    /// The smallest and the largest shift of any tap along each axis.
    pub(crate) fn reach(&self) -> ([isize; 3], [isize; 3]) {
        let taps = || self.parts.iter().flat_map(|part| &part.taps);
        let least = std::array::from_fn(|a| taps().map(|tap| tap.shift[a]).min().unwrap_or(0));
        let most = std::array::from_fn(|a| taps().map(|tap| tap.shift[a]).max().unwrap_or(0));
        (least, most)
    }

    /// Voxels of a source channel.
    pub(crate) fn source_len(&self) -> usize {
        self.source.iter().product()
    }

    /// Voxels of a sink channel.
    pub(crate) fn sink_len(&self) -> usize {
        self.sink.iter().product()
    }

    /// Weights of a group.
    pub(crate) fn group_weights(&self) -> usize {
        (self.sinks * self.sink_stride).max(self.sources * self.source_stride)
    }
}
