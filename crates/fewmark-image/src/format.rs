//! The file formats, and how one is recognised.

use std::path::Path;

/// A file format of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the formats' own")]
pub enum Format {
    Nifti,
    Nrrd,
    MetaImage,
    Dicom,
    Png,
    Jpeg,
    Bmp,
    Tiff,
    Npy,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 9] = [
        Self::Nifti,
        Self::Nrrd,
        Self::MetaImage,
        Self::Dicom,
        Self::Png,
        Self::Jpeg,
        Self::Bmp,
        Self::Tiff,
        Self::Npy,
    ];

    /// File name endings, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Nifti => &["nii.gz", "nii"],
            Self::Nrrd => &["nrrd", "nhdr"],
            Self::MetaImage => &["mha", "mhd"],
            Self::Dicom => &["dcm"],
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Bmp => &["bmp"],
            Self::Tiff => &["tif", "tiff"],
            Self::Npy => &["npy"],
        }
    }

    /// File name endings under which the format is written; none for a format that is only read.
    pub fn writable_extensions(self) -> &'static [&'static str] {
        match self {
            Self::Dicom | Self::Jpeg | Self::Bmp => &[],
            Self::Nrrd => &["nrrd"],
            Self::MetaImage => &["mha"],
            _ => self.extensions(),
        }
    }

    /// The format that a file name tells by its ending, in either case.
    pub fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|f| f.extensions().iter().any(|e| name.strip_suffix(e).is_some_and(|s| s.ends_with('.'))))
    }

    /// The format that the first bytes of a file tell.
    ///
    /// Gzip is taken for NIfTI, the only one of these formats that is compressed as a whole.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(magic));
        let signatures: [(Self, usize, &[u8]); 14] = [
            (Self::Nifti, 344, b"n+1\0"),
            (Self::Nifti, 344, b"ni1\0"),
            (Self::Nifti, 4, b"n+2\0"),
            (Self::Nifti, 0, &[0x1f, 0x8b]),
            (Self::Nrrd, 0, b"NRRD000"),
            (Self::Dicom, 128, b"DICM"),
            (Self::Png, 0, b"\x89PNG\r\n\x1a\n"),
            (Self::Jpeg, 0, &[0xff, 0xd8, 0xff]),
            (Self::Bmp, 0, b"BM"),
            (Self::Tiff, 0, b"II*\0"),
            (Self::Tiff, 0, b"MM\0*"),
            (Self::Tiff, 0, b"II+\0"),
            (Self::Tiff, 0, b"MM\0+"),
            (Self::Npy, 0, b"\x93NUMPY"),
        ];
        let by_signature = signatures.into_iter().find(|&(_, offset, magic)| at(offset, magic)).map(|(f, ..)| f);
        let looks_like_meta = || at(0, b"ObjectType") || at(0, b"NDims") || at(0, b"Comment");
        by_signature.or_else(|| looks_like_meta().then_some(Self::MetaImage))
    }

    pub(crate) fn list(extensions: impl Fn(Self) -> &'static [&'static str]) -> String {
        let all: Vec<_> = Self::ALL.into_iter().flat_map(extensions).map(|e| format!(".{e}")).collect();
        all.join(" ")
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nifti => "NIfTI",
            Self::Nrrd => "NRRD",
            Self::MetaImage => "MetaImage",
            Self::Dicom => "DICOM",
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Npy => "NumPy",
        })
    }
}
