//! JPEG streams, as files of their own and as frames of DICOM: baseline, extended of 8 bits, progressive and lossless.
//!
//! A stream that is cut short is an error; decoders that fill what is missing with grey would make a picture of it.

use jpeg_decoder::{CodingProcess, ColorTransform, Decoder, ImageInfo, PixelFormat};

use super::{CUT_SHORT, check_memory};
use crate::{DecodeError, Format};

/// A stream whose header has been read.
pub(crate) struct Jpeg<'a> {
    decoder: Decoder<&'a [u8]>,
    info: ImageInfo,
    format: Format,
    length: u64,
}

impl<'a> Jpeg<'a> {
    /// Reads the header; errors name `format`, in whose file the stream lies.
    ///
    /// # Errors
    /// [`DecodeError::Broken`].
    pub(crate) fn open(format: Format, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.read_info().map_err(|e| broken(format, e))?;
        let info = decoder.info().ok_or_else(|| broken(format, "a JPEG stream has no header"))?;
        Ok(Self { decoder, info, format, length: bytes.len() as u64 })
    }

    /// Columns, rows and samples of a pixel: 1, 3 or 4.
    pub(crate) fn size(&self) -> [usize; 3] {
        let samples = match self.info.pixel_format {
            PixelFormat::L8 | PixelFormat::L16 => 1,
            PixelFormat::RGB24 => 3,
            PixelFormat::CMYK32 => 4,
        };
        [self.info.width.into(), self.info.height.into(), samples]
    }

    /// Whether samples have 16 bits; 8 otherwise.
    pub(crate) fn is_wide(&self) -> bool {
        self.info.pixel_format == PixelFormat::L16
    }

    /// Whether colours are stored without loss, which leaves them as they are.
    pub(crate) fn is_lossless(&self) -> bool {
        self.info.coding_process == CodingProcess::Lossless
    }

    /// Takes the colours for RGB, whatever the numbers of the components suggest.
    pub(crate) fn assume_rgb(&mut self) {
        self.decoder.set_color_transform(ColorTransform::RGB);
    }

    /// The samples, those of a pixel beside each other; YCbCr becomes RGB unless the stream is lossless.
    ///
    /// # Errors
    /// [`DecodeError::Broken`], also for a size that so short a stream cannot have; [`DecodeError::TooLarge`].
    pub(crate) fn decode<T: From<u8> + From<u16>>(mut self) -> Result<Vec<T>, DecodeError> {
        let [columns, rows, samples] = self.size();
        // A Huffman code has at least one bit: for each sample of a lossless stream, for each block of 8 x 8 otherwise.
        let pixels_per_byte = if self.is_lossless() { 8 } else { 8 * 64 };
        if (columns * rows) as u64 > self.length.saturating_mul(pixels_per_byte) {
            let message = format!("{columns} x {rows} pixels of JPEG cannot come from {} bytes", self.length);
            return Err(broken(self.format, message));
        }
        let count = columns * rows * samples;
        let bytes = count * if self.is_wide() { 2 } else { 1 };
        // The result, coefficients of 16 bits, and the samples of each component.
        check_memory(self.format, 4 * bytes as u64)?;
        self.decoder.set_max_decoding_buffer_size(bytes);
        let decoded = self.decoder.decode().map_err(|e| broken(self.format, e))?;
        // Lossless samples of less than 8 bits come as 16, although the header announces 8.
        match decoded.len() {
            n if n == count => Ok(decoded.into_iter().map(T::from).collect()),
            n if n == 2 * count => Ok(decoded.as_chunks().0.iter().map(|&b| u16::from_ne_bytes(b).into()).collect()),
            n => Err(broken(self.format, format!("a JPEG stream has {n} bytes of samples for {count} samples"))),
        }
    }
}

fn broken(format: Format, error: impl std::fmt::Display) -> DecodeError {
    let message = match error.to_string() {
        message if message.contains("failed to fill whole buffer") => CUT_SHORT.into(),
        message => message,
    };
    DecodeError::Broken { format, message }
}
