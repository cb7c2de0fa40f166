//! What can be wrong with the configuration of a network.

/// A network that cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number that must be positive is zero
    #[error("{what} must be at least 1, got 0")]
    Zero {
        /// The field
        what: &'static str,
    },
    /// A value that must be positive and finite is not
    #[error("{what} must be positive and finite, got {value}")]
    NotPositive {
        /// The field
        what: &'static str,
        /// Its value
        value: f64,
    },
    /// A probability that is not at least 0 and below 1
    #[error("{what} must be at least 0 and below 1, got {value}")]
    Probability {
        /// The field
        what: &'static str,
        /// Its value
        value: f64,
    },
    /// A name that no architecture has
    #[error("there is no architecture {name:?}; there are {}", names.join(", "))]
    UnknownArchitecture {
        /// The name asked for
        name: String,
        /// The names that there are
        names: Vec<&'static str>,
    },
    /// An architecture for images where one for volumes is needed, or the other way round
    #[error("{name} is for {dimensions}-D images, one for {expected}-D images is needed")]
    Rank {
        /// The architecture
        name: &'static str,
        /// Spatial dimensions of its images
        dimensions: usize,
        /// Spatial dimensions of the images at hand
        expected: usize,
    },
    /// The softmax groups do not divide the channels
    #[error("softmax_groups must divide the {channels} channels, got {groups}")]
    SoftmaxGroups {
        /// Channels of the features
        channels: usize,
        /// Groups asked for
        groups: usize,
    },
    /// A residual network of a depth that there is none of
    #[error("depth must be 18, 34, 50 or 101, got {depth}")]
    Depth {
        /// Layers asked for
        depth: usize,
    },
    /// The way down and the way up have not as many scales
    #[error("down and up must have as many scales, got {down} and {up}")]
    Scales {
        /// Widths on the way down
        down: usize,
        /// Widths on the way up
        up: usize,
    },
}

impl ConfigError {
    /// Checks that a number of things is not zero.
    pub(crate) fn expect_some(what: &'static str, value: usize) -> Result<(), Self> {
        if value == 0 { Err(Self::Zero { what }) } else { Ok(()) }
    }

    /// Checks that a value is positive and finite.
    pub(crate) fn expect_positive(what: &'static str, value: f64) -> Result<(), Self> {
        if value.is_finite() && value > 0.0 { Ok(()) } else { Err(Self::NotPositive { what, value }) }
    }

    /// Checks that something happens with a probability below 1.
    pub(crate) fn expect_probability(what: &'static str, value: f64) -> Result<(), Self> {
        if (0.0..1.0).contains(&value) { Ok(()) } else { Err(Self::Probability { what, value }) }
    }
}
