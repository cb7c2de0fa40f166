use crate::{DecodeError, Format, Image};

pub(crate) fn decode(
    _bytes: &[u8],
    _data_file: &mut dyn FnMut(&str) -> Result<Vec<u8>, DecodeError>,
) -> Result<Image, DecodeError> {
    Err(DecodeError::Unsupported { format: Format::MetaImage, what: "".into(), hint: "" })
}
pub(crate) fn encode(_image: &Image) -> Result<Vec<u8>, String> {
    Err(String::new())
}
