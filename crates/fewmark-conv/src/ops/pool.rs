//! Max pooling.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension, tensor::FloatTensor,
    },
    tensor::{Shape, Tensor},
};
use burn_flex::FlexTensor;

use super::{
    composed,
    flex::{contiguous, filled, runs_on, samples, spatial, with_size},
    record::{Saved, record},
};
use crate::kernels::pool::Windows;

/// Windows of a pooling. Axes are z, y and x; in 2-D nobody looks at z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Size of a window in voxels
    pub kernel: [usize; 3],
    /// Step between windows, in voxels
    pub stride: [usize; 3],
    /// Voxels by which the first window starts before the input and the last may end after it; at most half a window
    pub padding: [usize; 3],
}

impl PoolOptions {
    /// Windows of two voxels along every axis, side by side.
    pub const HALVES: Self = Self { kernel: [2; 3], stride: [2; 3], padding: [0; 3] };

    fn windows(self, rank: usize, input: [usize; 3]) -> Windows {
        let Self { mut kernel, mut stride, mut padding } = self;
        if rank == 4 {
            (kernel[0], stride[0], padding[0]) = (1, 1, 0);
        }
        for axis in 0..3 {
            assert!(kernel[axis] > 0 && stride[axis] > 0, "a window and its step must be at least 1 along axis {axis}");
            assert!(2 * padding[axis] <= kernel[axis], "the padding along axis {axis} is more than half a window");
            let padded = input[axis] + 2 * padding[axis];
            assert!(
                input[axis] > 0 && kernel[axis] <= padded,
                "a window of {} voxels along axis {axis} (z, y, x), the padded input has {padded}",
                kernel[axis]
            );
        }
        Windows { input, kernel, stride, padding }
    }
}

/// The largest sample of every window of `[batch, channels, ...]`.
///
/// The gradient goes to the first sample of a window that is its largest.
///
/// # Panics
/// If a window is larger than the padded input or the padding larger than half a window.
pub fn max_pool<const R: usize>(x: Tensor<R>, options: PoolOptions) -> Tensor<R> {
    if !runs_on(&x) {
        return composed::max_pool(x, options);
    }
    let windows = options.windows(R, spatial(&x.dims()));
    Tensor::from_dispatch(Dispatch::max_pooling(x.into_dispatch(), windows))
}

/// The pooling as Burn's backends see it.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait PoolOps: Backend {
    fn max_pooling(x: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self>;
}

impl PoolOps for Flex {
    fn max_pooling(x: FlexTensor, windows: Windows) -> FlexTensor {
        let x = contiguous(x);
        let shape: Shape = with_size(&x, windows.output());
        filled(shape, |y| windows.max(samples(&x), y))
    }
}

impl<C: CheckpointStrategy> PoolOps for Autodiff<Flex, C> {
    fn max_pooling(x: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self> {
        record::<C, _, _>([x], |[x], _| {
            let x = contiguous(x);
            let y = Flex::max_pooling(x.clone(), windows);
            (y.clone(), Largest { x, y, windows })
        })
    }
}

/// The largest samples are found again where the input equals them.
#[derive(Clone, Debug)]
struct Largest {
    x: FlexTensor,
    y: FlexTensor,
    windows: Windows,
}

impl Saved<1> for Largest {
    fn gradients(self, dy: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Self { x, y, windows } = self;
        [Some(filled(x.shape(), |dx| windows.max_gradient(samples(&dy), samples(&x), samples(&y), dx)))]
    }
}
