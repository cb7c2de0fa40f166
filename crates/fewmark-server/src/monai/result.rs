//! The file that a mask is sent in, as the client asks for it.

use std::path::Path;

use fewmark::LabelMap;
use fewmark::image::{Compression, Format, SampleType, encode};
use serde_json::Value;

use super::Params;
use crate::error::Problem;

/// Number types by the names that clients write, which are those of NumPy.
const TYPES: [(&str, SampleType); 10] = [
    ("uint8", SampleType::U8),
    ("int8", SampleType::I8),
    ("uint16", SampleType::U16),
    ("int16", SampleType::I16),
    ("uint32", SampleType::U32),
    ("int32", SampleType::I32),
    ("uint64", SampleType::U64),
    ("int64", SampleType::I64),
    ("float32", SampleType::F32),
    ("float64", SampleType::F64),
];

/// The mask as a file, and its name: `result_extension` (`.nii.gz` by default), `result_dtype` where it holds every label (the smallest
/// type that does by default), and samples as they are when `result_compress` is false.
///
/// # Errors
/// 422 for an ending or a type that is none, or a format that cannot hold the mask.
pub(super) fn file(name: &str, params: &Params, labels: &LabelMap) -> Result<(String, Vec<u8>), Problem> {
    let ending = params.get("result_extension").and_then(Value::as_str).unwrap_or(".nii.gz");
    let ending = format!(".{}", ending.trim_start_matches('.'));
    let name = format!("{name}{ending}");
    if Format::of_name(Path::new(&name)).is_none() || ending.contains(['/', '\\']) {
        return Err(Problem::wrong(format!("result_extension = {ending:?}: the ending tells no known format"))
            .hint("endings that can be written: .nrrd .nii.gz .nii .mha .tif .png .npy"));
    }
    let mut image = labels.to_image();
    if let Some(kind) = number_type(params)?.filter(|kind| kind.holds(image.samples())) {
        image = image.with_stored(kind);
    }
    // OHIF cannot read packed samples.
    let plain = params.get("result_compress") == Some(&Value::Bool(false));
    let file = encode(&name, &image, if plain { Compression::None } else { Compression::Usual })?;
    Ok((name, file))
}

fn number_type(params: &Params) -> Result<Option<SampleType>, Problem> {
    let asked = match params.get("result_dtype") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(asked)) => asked.as_str(),
        Some(other) => return Err(Problem::wrong(format!("result_dtype = {other}: expected the name of a type"))),
    };
    match TYPES.iter().find(|(name, _)| *name == asked) {
        Some((_, kind)) => Ok(Some(*kind)),
        None => Err(Problem::wrong(format!("result_dtype = {asked:?}: expected uint8, uint16, int16 or the like"))),
    }
}
