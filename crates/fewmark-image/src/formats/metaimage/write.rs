use super::ELEMENT_TYPES;
use crate::formats::layout::encode_interleaved;
use crate::formats::stream;
use crate::formats::text::join;
use crate::formats::world::{axes_to_store, flip_xy};
use crate::{Compression, Image};

/// Writes a `.mha` file, usually with compressed data; the channels of a voxel lie together.
///
/// # Errors
/// None in practice; a sentence should the compressor fail.
pub(crate) fn encode(image: &Image, compression: Compression) -> Result<Vec<u8>, String> {
    let samples = encode_interleaved(image);
    let (told, samples) = match compression {
        Compression::Usual => {
            let packed = stream::zlib(&samples)?;
            (format!("CompressedData = True\nCompressedDataSize = {}\n", packed.len()), packed)
        }
        Compression::None => ("CompressedData = False\n".to_owned(), samples),
    };
    Ok([header(image, &told).as_bytes(), &samples].concat())
}

fn header(image: &Image, compression: &str) -> String {
    let geometry = image.geometry();
    let n = axes_to_store(geometry);
    let direction = flip_xy(geometry.direction());
    let origin = flip_xy(geometry.origin().map(|o| [o]));
    let by_columns = (0..n).flat_map(|column| direction[..n].iter().map(move |row| row[column]));
    let sizes: Vec<String> = geometry.size()[..n].iter().map(usize::to_string).collect();
    let kind = image.exact_type();
    let element = ELEMENT_TYPES.iter().find(|(_, of)| *of == kind).map_or("", |(name, _)| name);
    let channels = match image.channels() {
        1 => String::new(),
        count => format!("ElementNumberOfChannels = {count}\n"),
    };
    format!(
        "ObjectType = Image\nNDims = {n}\nBinaryData = True\nBinaryDataByteOrderMSB = False\n{compression}\
         TransformMatrix = {}\nOffset = {}\nCenterOfRotation = {}\n\
         ElementSpacing = {}\nDimSize = {}\n{channels}ElementType = {element}\nElementDataFile = LOCAL\n",
        join(by_columns, " "),
        join(origin[..n].iter().map(|o| o[0]), " "),
        join(std::iter::repeat_n(0.0, n), " "),
        join(geometry.spacing()[..n].iter().copied(), " "),
        sizes.join(" "),
    )
}
