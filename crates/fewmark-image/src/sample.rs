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

/// Converts whole samples of the type that a [`SampleType`] names, each by the same expression.
macro_rules! convert {
    ($kind:expr, $bytes:expr, $endian:expr, |$sample:ident| $value:expr) => {{
        macro_rules! of {
            ($type:ty) => {{
                let chunks = $bytes.as_chunks::<{ size_of::<$type>() }>().0.iter();
                match $endian {
                    Endian::Little => chunks.map(|&c| <$type>::from_le_bytes(c)).map(|$sample| $value).collect(),
                    Endian::Big => chunks.map(|&c| <$type>::from_be_bytes(c)).map(|$sample| $value).collect(),
                }
            }};
        }
        match $kind {
            Self::U8 => of!(u8),
            Self::I8 => of!(i8),
            Self::U16 => of!(u16),
            Self::I16 => of!(i16),
            Self::U32 => of!(u32),
            Self::I32 => of!(i32),
            Self::U64 => of!(u64),
            Self::I64 => of!(i64),
            Self::F32 => of!(f32),
            Self::F64 => of!(f64),
        }
    }};
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
        convert!(self, bytes, endian, |sample| sample as f32)
    }

    /// Decodes whole samples to `slope * sample + intercept`, computed in `f64` and rounded once.
    pub(crate) fn decode_scaled(self, bytes: &[u8], endian: Endian, slope: f64, intercept: f64) -> Vec<f32> {
        convert!(self, bytes, endian, |sample| (slope * sample as f64 + intercept) as f32)
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
    fn scaling_is_rounded_once() {
        // 2^31 and the intercept cancel to 1: an `f32` in between would give 0.
        let bytes = 2_147_483_649_u32.to_be_bytes();
        assert_eq!(SampleType::U32.decode_scaled(&bytes, Endian::Big, 1.0, -2_147_483_648.0), [1.0]);
        assert_eq!(SampleType::I16.decode_scaled(&[254, 255], Endian::Little, 0.5, 3.0), [2.0]);
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
