//! Files on their way to a client, a piece at a time.

use std::fs::File;
use std::io::{Read, Result};
use std::path::PathBuf;

use axum::body::Bytes;
use futures_util::stream::{Stream, TryStreamExt as _, once, unfold};

/// How much of a file is read at a time.
const CHUNK: usize = 1 << 20;

/// The chunks of a file that is open, to its end.
pub(crate) fn chunks(file: impl Read + Send + 'static) -> impl Stream<Item = Result<Bytes>> + Send {
    unfold(Some(file), |file| async move {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let count = file.read(&mut chunk)?;
            chunk.truncate(count);
            Ok::<_, std::io::Error>((chunk, file))
        });
        match read.await {
            Ok(Ok((chunk, _))) if chunk.is_empty() => None,
            Ok(Ok((chunk, file))) => Some((Ok(Bytes::from(chunk)), Some(file))),
            Ok(Err(e)) => Some((Err(e), None)),
            Err(e) => Some((Err(std::io::Error::other(e)), None)),
        }
    })
}

/// The chunks of the first bytes of a file, which is opened when the first of them is wanted.
pub(crate) fn chunks_of(path: PathBuf, length: u64) -> impl Stream<Item = Result<Bytes>> + Send {
    let open = async move {
        let open = tokio::task::spawn_blocking(move || File::open(path));
        open.await.map_err(std::io::Error::other)?.map(|file| chunks(file.take(length)))
    };
    once(open).try_flatten()
}
