use super::{bad, unsupported};
use crate::DecodeError;
use crate::sample::Endian;

/// Length of a NIfTI-1 header in bytes, without the four that announce extensions.
pub(super) const NIFTI_1_LENGTH: u64 = 348;
/// Length of a NIfTI-2 header in bytes, without the four that announce extensions.
pub(super) const NIFTI_2_LENGTH: u64 = 540;

/// The fields that say what the samples are and where they lie, in the widths of NIfTI-2.
///
/// 32-bit numbers of a NIfTI-1 header are converted back without loss.
pub(super) struct Header {
    pub(super) endian: Endian,
    length: u64,
    pub(super) dim: [i64; 8],
    pub(super) datatype: i16,
    pub(super) pixdim: [f64; 8],
    pub(super) vox_offset: f64,
    scl_slope: f64,
    scl_inter: f64,
    pub(super) xyzt_units: i32,
    pub(super) qform_code: i16,
    pub(super) sform_code: i16,
    pub(super) quatern: [f64; 3],
    pub(super) qoffset: [f64; 3],
    pub(super) srow: [[f64; 4]; 3],
}

/// Whether the first bytes, in either order, are the header length of NIfTI-2.
pub(super) fn is_nifti_2(bytes: &[u8]) -> bool {
    byte_order(bytes, NIFTI_2_LENGTH).is_some()
}

/// The byte order in which the first four bytes are `length`.
fn byte_order(bytes: &[u8], length: u64) -> Option<Endian> {
    let first = *bytes.first_chunk()?;
    if u64::from(u32::from_le_bytes(first)) == length {
        Some(Endian::Little)
    } else if u64::from(u32::from_be_bytes(first)) == length {
        Some(Endian::Big)
    } else {
        None
    }
}

impl Header {
    /// Parses the whole header of either version.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        if let Some(endian) = byte_order(bytes, NIFTI_2_LENGTH) {
            check_magic(&bytes[4..8], b"n+2\0", b"ni2\0")?;
            return Self::nifti_2(&Fields { bytes, endian });
        }
        let Some(endian) = byte_order(bytes, NIFTI_1_LENGTH) else {
            return Err(bad(
                "sizeof_hdr",
                "348 or 540",
                i32::from_le_bytes(Fields { bytes, endian: Endian::Little }.raw(0)),
            ));
        };
        check_magic(&bytes[344..348], b"n+1\0", b"ni1\0")?;
        Ok(Self::nifti_1(&Fields { bytes, endian }))
    }

    fn nifti_1(f: &Fields<'_>) -> Self {
        Self {
            endian: f.endian,
            length: NIFTI_1_LENGTH,
            dim: std::array::from_fn(|i| f.i16(40 + 2 * i).into()),
            datatype: f.i16(70),
            pixdim: f.f32s(76),
            vox_offset: f.f32(108),
            scl_slope: f.f32(112),
            scl_inter: f.f32(116),
            xyzt_units: f.bytes[123].into(),
            qform_code: f.i16(252),
            sform_code: f.i16(254),
            quatern: f.f32s(256),
            qoffset: f.f32s(268),
            srow: [f.f32s(280), f.f32s(296), f.f32s(312)],
        }
    }

    fn nifti_2(f: &Fields<'_>) -> Result<Self, DecodeError> {
        let code = |name, at| i16::try_from(f.i32(at)).map_err(|_| bad(name, "a small code", f.i32(at)));
        Ok(Self {
            endian: f.endian,
            length: NIFTI_2_LENGTH,
            dim: std::array::from_fn(|i| f.i64(16 + 8 * i)),
            datatype: f.i16(12),
            pixdim: f.f64s(104),
            vox_offset: f.i64(168) as f64,
            scl_slope: f.f64(176),
            scl_inter: f.f64(184),
            xyzt_units: f.i32(500),
            qform_code: code("qform_code", 344)?,
            sform_code: code("sform_code", 348)?,
            quatern: f.f64s(352),
            qoffset: f.f64s(376),
            srow: [f.f64s(400), f.f64s(432), f.f64s(464)],
        })
    }

    /// Lengths of the seven axes; axes beyond `dim[0]` have length 1.
    pub(super) fn axes(&self) -> Result<[usize; 7], DecodeError> {
        let count = self.dim[0];
        if !(1..=7).contains(&count) {
            return Err(bad("dim[0]", "1 to 7", count));
        }
        if count == 1 {
            return Err(unsupported("a one-dimensional image", "give an image of two or three dimensions"));
        }
        let mut axes = [1; 7];
        for (i, axis) in axes.iter_mut().enumerate().take(count as usize) {
            let length = self.dim[i + 1];
            let usable = usize::try_from(length).ok().filter(|&n| n > 0);
            *axis = usable.ok_or_else(|| bad(format!("dim[{}]", i + 1), "a positive number", length))?;
        }
        Ok(axes)
    }

    /// Position of the first sample in the file.
    pub(super) fn samples_at(&self) -> Result<u64, DecodeError> {
        // A float may hold anything: it is turned into an integer only when it is one, and one that `f64` holds.
        let first = (self.length + 4) as f64;
        let valid = self.vox_offset >= first && self.vox_offset < (1u64 << 53) as f64 && self.vox_offset.fract() == 0.0;
        if !valid {
            return Err(bad("vox_offset", &format!("a whole number, {first} or more"), self.vox_offset));
        }
        Ok(self.vox_offset as u64)
    }

    /// Slope and intercept of the samples, `None` where they are stored as they are.
    ///
    /// As in nibabel, a slope of 0 or one that is not finite means that the samples are not scaled.
    pub(super) fn scale(&self) -> Result<Option<(f64, f64)>, DecodeError> {
        let (slope, intercept) = (self.scl_slope, self.scl_inter);
        if slope == 0.0 || !slope.is_finite() || (slope, intercept) == (1.0, 0.0) {
            return Ok(None);
        }
        if !intercept.is_finite() {
            return Err(bad("scl_inter", "a finite number", intercept));
        }
        Ok(Some((slope, intercept)))
    }
}

/// Single files are read, pairs are told apart from rubbish.
fn check_magic(magic: &[u8], single: &[u8], pair: &[u8]) -> Result<(), DecodeError> {
    if magic == single {
        Ok(())
    } else if magic == pair {
        Err(unsupported("a pair of header and data file (.hdr and .img)", "convert it to a single .nii.gz file"))
    } else {
        Err(bad("magic", &single.escape_ascii().to_string(), magic.escape_ascii()))
    }
}

/// Numbers at fixed positions of a header whose length has been checked.
struct Fields<'a> {
    bytes: &'a [u8],
    endian: Endian,
}

macro_rules! number {
    ($($name:ident: $type:ty => $wide:ty),*) => {$(
        fn $name(&self, at: usize) -> $wide {
            match self.endian {
                Endian::Little => <$type>::from_le_bytes(self.raw(at)).into(),
                Endian::Big => <$type>::from_be_bytes(self.raw(at)).into(),
            }
        }
    )*};
}

impl Fields<'_> {
    number!(i16: i16 => i16, i32: i32 => i32, i64: i64 => i64, f32: f32 => f64, f64: f64 => f64);

    fn raw<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|i| self.bytes[at + i])
    }

    fn f32s<const N: usize>(&self, at: usize) -> [f64; N] {
        std::array::from_fn(|i| self.f32(at + 4 * i))
    }

    fn f64s<const N: usize>(&self, at: usize) -> [f64; N] {
        std::array::from_fn(|i| self.f64(at + 8 * i))
    }
}
