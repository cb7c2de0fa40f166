use crate::{DecodeError, Format, Image};

pub(crate) fn decode(_format: Format, _bytes: &[u8]) -> Result<Image, DecodeError> {
    Err(DecodeError::Unsupported { format: Format::Png, what: "".into(), hint: "" })
}
pub(crate) fn encode_png(_image: &Image) -> Result<Vec<u8>, String> {
    Err(String::new())
}
