//! How the samples of a volume lie in a file, whatever the format.

use std::borrow::Cow;

use super::{bad_field, check_memory};
use crate::sample::Endian;
use crate::{DecodeError, Format, Image, SampleType};

/// Most samples that a header may declare: 2^40, so that no product of sizes overflows.
const MAX_SAMPLES: u128 = 1 << 40;

/// What a header says about the samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    /// Voxels along x, y and z.
    pub(crate) size: [usize; 3],
    pub(crate) channels: usize,
    pub(crate) kind: SampleType,
    pub(crate) endian: Endian,
    /// Whether the channels of a voxel lie together; otherwise whole channels follow one another.
    pub(crate) interleaved: bool,
}

impl Layout {
    fn samples(&self) -> Result<u64, DecodeError> {
        let factors = self.size.into_iter().chain([self.channels]);
        let count = factors.fold(1u128, |n, s| n.saturating_mul(s as u128));
        if count > MAX_SAMPLES {
            let found = format!("{:?} with {} channels", self.size, self.channels);
            return Err(bad_field(self.format, "size", "at most 2^40 samples", found));
        }
        Ok(count as u64)
    }

    /// Length of the samples in bytes.
    ///
    /// # Errors
    /// [`DecodeError::Field`] for more than 2^40 samples.
    pub(crate) fn bytes(&self) -> Result<u64, DecodeError> {
        Ok(self.samples()? * self.kind.bytes() as u64)
    }

    /// Decodes the samples to `[channel, z, y, x]`, as `slope * sample + intercept` where a scale is given.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] when they would not fit into the memory.
    pub(crate) fn decode(&self, raw: &[u8], scale: Option<(f64, f64)>) -> Result<Vec<f32>, DecodeError> {
        let copies = if self.interleaved { 2 } else { 1 };
        check_memory(self.format, self.samples()? * size_of::<f32>() as u64 * copies)?;
        let samples = match scale {
            Some((slope, intercept)) => self.kind.decode_scaled(raw, self.endian, slope, intercept),
            None => self.kind.decode(raw, self.endian),
        };
        Ok(self.planar(samples))
    }

    /// Samples in the order of the file as `[channel, z, y, x]`.
    pub(crate) fn planar(&self, samples: Vec<f32>) -> Vec<f32> {
        if !self.interleaved || self.channels == 1 {
            return samples;
        }
        (0..self.channels).flat_map(|c| samples.iter().skip(c).step_by(self.channels).copied()).collect()
    }
}

/// The samples of an image with the channels of each voxel together, in the type that holds them all, little endian.
pub(crate) fn encode_interleaved(image: &Image) -> Vec<u8> {
    let (samples, channels) = (image.samples(), image.channels());
    let voxels = image.geometry().len();
    let ordered = if channels == 1 {
        Cow::Borrowed(samples)
    } else {
        (0..voxels).flat_map(|v| (0..channels).map(move |c| samples[c * voxels + v])).collect()
    };
    image.exact_type().encode(ordered.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dimension, Geometry};

    fn layout(size: [usize; 3], channels: usize) -> Layout {
        let (kind, endian) = (SampleType::U8, Endian::Little);
        Layout { format: Format::Nrrd, size, channels, kind, endian, interleaved: true }
    }

    #[test]
    fn interleaved_channels_are_separated_and_joined() {
        let raw = [1, 10, 2, 20, 3, 30];
        let samples = layout([3, 1, 1], 2).decode(&raw, None).unwrap();
        assert_eq!(samples, [1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
        let geometry = Geometry::unit(Dimension::Two, [3, 1, 1]).unwrap();
        assert_eq!(encode_interleaved(&Image::from_parts(samples, 2, geometry, SampleType::U8)), raw);
    }

    #[test]
    fn a_size_that_overflows_is_refused() {
        for (size, channels) in [([usize::MAX; 3], usize::MAX), ([1 << 20, 1 << 20, 2], 1), ([1 << 40, 1, 1], 2)] {
            assert!(matches!(layout(size, channels).bytes(), Err(DecodeError::Field { .. })));
        }
        assert_eq!(layout([1 << 20, 1 << 20, 1], 1).bytes().unwrap(), 1 << 40);
    }
}
