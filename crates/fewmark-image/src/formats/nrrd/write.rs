use crate::formats::layout::encode_interleaved;
use crate::formats::stream;
use crate::formats::text::join;
use crate::formats::world::{axes_to_store, flip_xy};
use crate::{Compression, Image, SampleType};

/// Writes an attached NRRD file in LPS, usually gzipped, as 3D Slicer does; the channels of a voxel lie together.
///
/// # Errors
/// None in practice; a sentence should the compressor fail.
pub(crate) fn encode(image: &Image, compression: Compression) -> Result<Vec<u8>, String> {
    let samples = encode_interleaved(image);
    let (encoding, samples) = match compression {
        Compression::Usual => ("gzip", stream::gzip([&samples, &[]])?),
        Compression::None => ("raw", samples),
    };
    Ok([header(image, encoding).as_bytes(), &samples].concat())
}

fn header(image: &Image, encoding: &str) -> String {
    let geometry = image.geometry();
    let axes = axes_to_store(geometry);
    let lps = flip_xy(geometry.affine());
    let vector = |column: usize| format!("({})", join(lps[..axes].iter().map(|row| row[column]), ","));
    let space = if axes == 3 { "space: left-posterior-superior" } else { "space dimension: 2" };
    let mut sizes: Vec<String> = geometry.size()[..axes].iter().map(usize::to_string).collect();
    let mut directions: Vec<String> = (0..axes).map(vector).collect();
    let mut kinds = vec!["domain"; axes];
    if image.channels() > 1 {
        sizes.insert(0, image.channels().to_string());
        directions.insert(0, "none".into());
        kinds.insert(0, "vector");
    }
    let kind = image.exact_type();
    let endian = if kind.bytes() > 1 { "endian: little\n" } else { "" };
    format!(
        "NRRD0004\ntype: {}\ndimension: {}\n{space}\nsizes: {}\nspace directions: {}\nkinds: {}\n{endian}\
         encoding: {encoding}\nspace origin: {}\n\n",
        type_name(kind),
        sizes.len(),
        sizes.join(" "),
        directions.join(" "),
        kinds.join(" "),
        vector(3),
    )
}

fn type_name(kind: SampleType) -> &'static str {
    match kind {
        SampleType::U8 => "unsigned char",
        SampleType::I8 => "signed char",
        SampleType::U16 => "unsigned short",
        SampleType::I16 => "short",
        SampleType::U32 => "unsigned int",
        SampleType::I32 => "int",
        SampleType::U64 => "unsigned long long int",
        SampleType::I64 => "long long int",
        SampleType::F32 => "float",
        SampleType::F64 => "double",
    }
}
