use super::ELEMENT_TYPES;
use crate::Image;
use crate::formats::layout::encode_interleaved;
use crate::formats::stream;
use crate::formats::text::join;
use crate::formats::world::{axes_to_store, flip_xy};

/// Writes a `.mha` file with compressed data; the channels of a voxel lie together.
///
/// # Errors
/// None in practice; a sentence should the compressor fail.
pub(crate) fn encode(image: &Image) -> Result<Vec<u8>, String> {
    let packed = stream::zlib(&encode_interleaved(image))?;
    Ok([header(image, packed.len()).as_bytes(), &packed].concat())
}

fn header(image: &Image, packed: usize) -> String {
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
        "ObjectType = Image\nNDims = {n}\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\n\
         CompressedDataSize = {packed}\nTransformMatrix = {}\nOffset = {}\nCenterOfRotation = {}\n\
         ElementSpacing = {}\nDimSize = {}\n{channels}ElementType = {element}\nElementDataFile = LOCAL\n",
        join(by_columns, " "),
        join(origin[..n].iter().map(|o| o[0]), " "),
        join(std::iter::repeat_n(0.0, n), " "),
        join(geometry.spacing()[..n].iter().copied(), " "),
        sizes.join(" "),
    )
}
