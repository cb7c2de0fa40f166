use crate::{DecodeError, Format, Image};

pub(crate) fn decode(_bytes: &[u8]) -> Result<Image, DecodeError> {
    Err(DecodeError::Unsupported { format: Format::Nifti, what: "".into(), hint: "" })
}
pub(crate) fn encode(_image: &Image, _gzip: bool) -> Result<Vec<u8>, String> {
    Err(String::new())
}
