//! The number types that files store samples in.

/// Number type of a stored sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are Rust's own")]
pub enum SampleType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

/// Byte order of stored samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

impl SampleType {
    /// Size of a sample in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Rust's name of the type: `u8`, `f32`...
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Decodes whole samples to `f32`; trailing bytes that do not make a sample are ignored.
    ///
    /// Integers beyond 2^24 and `f64` samples are rounded to the nearest `f32`.
    pub(crate) fn decode(self, bytes: &[u8], endian: Endian) -> Vec<f32> {
        macro_rules! decode {
            ($type:ty) => {
                bytes
                    .as_chunks::<{ size_of::<$type>() }>()
                    .0
                    .iter()
                    .map(|&chunk| match endian {
                        Endian::Little => <$type>::from_le_bytes(chunk) as f32,
                        Endian::Big => <$type>::from_be_bytes(chunk) as f32,
                    })
                    .collect()
            };
        }
        match self {
            Self::U8 => decode!(u8),
            Self::I8 => decode!(i8),
            Self::U16 => decode!(u16),
            Self::I16 => decode!(i16),
            Self::U32 => decode!(u32),
            Self::I32 => decode!(i32),
            Self::U64 => decode!(u64),
            Self::I64 => decode!(i64),
            Self::F32 => decode!(f32),
            Self::F64 => decode!(f64),
        }
    }

    /// Encodes samples in little-endian order; the caller has checked with [`SampleType::holds`] that they fit.
    pub(crate) fn encode(self, samples: impl Iterator<Item = f32>) -> Vec<u8> {
        macro_rules! encode {
            ($type:ty) => {
                samples.flat_map(|s| (s as $type).to_le_bytes()).collect()
            };
        }
        match self {
            Self::U8 => encode!(u8),
            Self::I8 => encode!(i8),
            Self::U16 => encode!(u16),
            Self::I16 => encode!(i16),
            Self::U32 => encode!(u32),
            Self::I32 => encode!(i32),
            Self::U64 => encode!(u64),
            Self::I64 => encode!(i64),
            Self::F32 => encode!(f32),
            Self::F64 => encode!(f64),
        }
    }

    /// Whether every sample can be stored in this type without loss.
    pub fn holds(self, samples: &[f32]) -> bool {
        // Upper bounds are exclusive: 2^32 and 2^64 are representable as f32, 2^32 - 1 is not.
        let (low, high) = match self {
            Self::F32 | Self::F64 => return true,
            Self::U8 => (0.0, 256.0),
            Self::I8 => (-128.0, 128.0),
            Self::U16 => (0.0, 65_536.0),
            Self::I16 => (-32_768.0, 32_768.0),
            Self::U32 => (0.0, 4_294_967_296.0),
            Self::I32 => (-2_147_483_648.0, 2_147_483_648.0),
            Self::U64 => (0.0, 18_446_744_073_709_551_616.0),
            Self::I64 => (-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0),
        };
        samples.iter().all(|&s| s >= low && s < high && s.fract() == 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_encoding() {
        let samples = [0.0, 1.0, 100.0, 127.0];
        for kind in
            [SampleType::U8, SampleType::I16, SampleType::U32, SampleType::I64, SampleType::F32, SampleType::F64]
        {
            assert!(kind.holds(&samples));
            let bytes = kind.encode(samples.iter().copied());
            assert_eq!(bytes.len(), samples.len() * kind.bytes());
            assert_eq!(kind.decode(&bytes, Endian::Little), samples);
        }
    }

    #[test]
    fn what_does_not_fit_is_seen() {
        assert!(!SampleType::U8.holds(&[256.0]));
        assert!(!SampleType::U8.holds(&[-1.0]));
        assert!(!SampleType::I16.holds(&[0.5]));
        assert!(!SampleType::I32.holds(&[f32::NAN]));
        assert!(SampleType::I16.holds(&[-32768.0, 32767.0]));
    }
}
