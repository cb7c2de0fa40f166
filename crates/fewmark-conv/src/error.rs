//! What can be wrong with a convolution's sizes.

/// A convolution that cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvError {
    /// A size that must be positive is zero
    #[error("{what} of a convolution must be at least 1, got 0")]
    Zero {
        /// The size
        what: &'static str,
    },
    /// The groups do not divide the channels
    #[error("{what} of a convolution must be a multiple of its {groups} groups, got {channels}")]
    Groups {
        /// Which channels
        what: &'static str,
        /// Their number
        channels: usize,
        /// The number of groups
        groups: usize,
    },
    /// The kernel spans more voxels than the padded input has
    #[error("the kernel spans {kernel} voxels along axis {axis} (z, y, x), the padded input has {padded}")]
    KernelTooLarge {
        /// 0 for z, 1 for y, 2 for x
        axis: usize,
        /// Voxels spanned by the kernel with its dilation
        kernel: usize,
        /// Voxels of the input with its padding
        padded: usize,
    },
}
