//! Tensors and a header in one `.safetensors` file: what models and checkpoints have in common.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use fewmark_image::{memory, write_atomically};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// The key of the metadata that holds our header as JSON.
const HEADER: &str = "fewmark";

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stored {
    /// Numbers in row-major order.
    F32 {
        /// Sizes along all axes.
        shape: Vec<usize>,
        /// The numbers.
        samples: Vec<f32>,
    },
    /// Anything.
    Bytes(Vec<u8>),
}

/// Writes a file whole or not at all. `kind` is "model" or "checkpoint".
pub(crate) fn write(
    path: &Path,
    kind: &str,
    header: &impl Serialize,
    tensors: BTreeMap<String, Stored>,
) -> Result<(), Error> {
    let broken = |problem: String| Error::File { path: path.to_owned(), expected: "place for a model", problem };
    let header = serde_json::to_string(&(kind, header)).map_err(|e| broken(e.to_string()))?;
    let raw: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, tensor)| match tensor {
            Stored::F32 { shape, samples } => {
                (name, Dtype::F32, shape, samples.iter().flat_map(|s| s.to_le_bytes()).collect())
            }
            Stored::Bytes(bytes) => (name, Dtype::U8, vec![bytes.len()], bytes),
        })
        .collect();
    let views = raw
        .iter()
        .map(|(name, kind, shape, bytes)| Ok((name.as_str(), TensorView::new(*kind, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| broken(e.to_string()))?;
    let metadata = HashMap::from([(HEADER.to_owned(), header)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| broken(e.to_string()))?;
    Ok(write_atomically(path, &bytes)?)
}

/// Reads the header and the tensors of a file that [`write`] wrote.
pub(crate) fn read<H: DeserializeOwned>(
    path: &Path,
    kind: &'static str,
) -> Result<(H, BTreeMap<String, Stored>), Error> {
    let failed = |source| fewmark_image::Error::Io { action: "read", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    // The bytes of the file, and the numbers made of them.
    memory::plan(format!("reading {path:?}"), 2 * size)?;
    parse(&std::fs::read(path).map_err(failed)?, path, kind)
}

/// The header and the tensors of the bytes of such a file; `path` is what errors call it.
pub(crate) fn parse<H: DeserializeOwned>(
    bytes: &[u8],
    path: &Path,
    kind: &'static str,
) -> Result<(H, BTreeMap<String, Stored>), Error> {
    let broken = |problem: String| Error::File { path: path.to_owned(), expected: kind, problem };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| broken(e.to_string()))?;
    let header = metadata.metadata().as_ref().and_then(|entries| entries.get(HEADER));
    let header = header.ok_or_else(|| broken("it was written by another program".into()))?;
    // What the header is for is read first: the header of another kind would only give a puzzling error.
    let (found, header): (String, serde_json::Value) =
        serde_json::from_str(header).map_err(|e| broken(format!("its header cannot be read: {e}")))?;
    if found != kind {
        return Err(broken(format!("it is a {found}")));
    }
    let header = serde_json::from_value(header).map_err(|e| broken(format!("its header cannot be read: {e}")))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| broken(e.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let tensor = match view.dtype() {
            Dtype::F32 => Stored::F32 {
                shape: view.shape().to_vec(),
                samples: view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            },
            Dtype::U8 => Stored::Bytes(view.data().to_vec()),
            other => return Err(broken(format!("the tensor {name:?} holds {other:?}"))),
        };
        tensors.insert(name.to_owned(), tensor);
    }
    Ok((header, tensors))
}
