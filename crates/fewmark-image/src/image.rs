use crate::{Error, Geometry, SampleType};

/// Samples on a voxel grid, with their place in the patient.
///
/// # Shape
/// `[channel, z, y, x]`, x running fastest; a 2-D image has one slice. Samples are `f32` after the file's rescaling
/// (Hounsfield units for CT).
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    samples: Vec<f32>,
    channels: usize,
    geometry: Geometry,
    stored: SampleType,
}

impl Image {
    /// An image from its samples, `[channel, z, y, x]`.
    ///
    /// # Errors
    /// [`Error::SampleCount`] unless there is a sample for each voxel of each of one or more channels.
    pub fn new(samples: Vec<f32>, channels: usize, geometry: Geometry) -> Result<Self, Error> {
        let expected = geometry.len().checked_mul(channels).unwrap_or(0);
        if expected == 0 || samples.len() != expected {
            return Err(Error::SampleCount { expected, found: samples.len() });
        }
        Ok(Self { samples, channels, geometry, stored: SampleType::F32 })
    }

    /// An image whose sample count is known to fit.
    pub(crate) fn from_parts(samples: Vec<f32>, channels: usize, geometry: Geometry, stored: SampleType) -> Self {
        debug_assert_eq!(samples.len(), channels * geometry.len());
        Self { samples, channels, geometry, stored }
    }

    /// The same image, marked as stored in `stored`: the type that a writer uses where it holds every sample exactly.
    pub fn with_stored(mut self, stored: SampleType) -> Self {
        self.stored = stored;
        self
    }

    /// All samples, `[channel, z, y, x]`.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// All samples, to be changed in place.
    pub fn samples_mut(&mut self) -> &mut [f32] {
        &mut self.samples
    }

    /// The samples of one channel, `[z, y, x]`.
    ///
    /// # Panics
    /// When there is no such channel.
    pub fn channel(&self, channel: usize) -> &[f32] {
        let n = self.geometry.len();
        &self.samples[channel * n..(channel + 1) * n]
    }

    /// Number of channels, at least 1.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Where the voxels lie.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The type to write the samples in: the stored one where it holds every sample exactly, `f32` otherwise.
    pub fn exact_type(&self) -> SampleType {
        if self.stored.holds(&self.samples) { self.stored } else { SampleType::F32 }
    }

    /// Number type of the samples in the file that the image came from.
    pub fn stored(&self) -> SampleType {
        self.stored
    }
}
