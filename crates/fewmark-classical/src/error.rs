/// Why a segmentation could not be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field whose length is not the number of voxels of its grid.
    #[error("{what} has {found} samples, the grid {expected}")]
    Length {
        /// The field.
        what: &'static str,
        /// Voxels of the grid.
        expected: usize,
        /// Samples of the field.
        found: usize,
    },
    /// Samples that are not finite where they must be.
    #[error("{what} has {count} samples that are not finite")]
    NotFinite {
        /// The field.
        what: &'static str,
        /// Number of such samples.
        count: usize,
    },
    /// No foreground click was given.
    #[error("no foreground click")]
    NoClick,
    /// A click outside the image.
    #[error("click {click:?} lies outside the image of size {size:?}")]
    Outside {
        /// The voxel clicked, x, y, z.
        click: [i64; 3],
        /// Size of the image.
        size: [usize; 3],
    },
    /// A parameter that makes no sense.
    #[error("{name} = {found}: expected {expected}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: f64,
    },
    /// The method does not work in this many dimensions.
    #[error("{method} works on 2-D images, this one has size {size:?}")]
    Dimension {
        /// The method.
        method: &'static str,
        /// Size of the grid.
        size: [usize; 3],
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// Checks the length of a field against its grid.
    pub(crate) fn check_length(what: &'static str, grid: &crate::Grid, found: usize) -> Result<(), Self> {
        let expected = grid.len();
        if found == expected { Ok(()) } else { Err(Self::Length { what, expected, found }) }
    }

    /// What the user can do about it, where something can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFinite { what: "image", .. } => {
                Some("replace what is no number by that of the background, with what exported the image".into())
            }
            _ => None,
        }
    }
}
