use crate::{DecodeError, Format, Image};

pub(crate) fn decode(_bytes: &[u8]) -> Result<Image, DecodeError> {
    Err(DecodeError::Unsupported { format: Format::Dicom, what: "".into(), hint: "" })
}
pub(crate) fn read_folder(_p: &std::path::Path) -> Result<Image, crate::Error> {
    todo!()
}
pub(crate) fn read_files(_p: &[std::path::PathBuf]) -> Result<Image, crate::Error> {
    todo!()
}
