//! Bytes in, without ceremony: a stream, or short content at hand.
//!
//! Everything here streams: a stream of any length takes one small buffer.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::writing::stored_file;
use super::{Fs, NodePath, Target};
use crate::{Attributes, Content, EntryType, Error, NewVersion, Result, WriteStore};

/// The buffer between a stream and a store.
const BUFFER_BYTES: usize = 256 * 1024;

impl<S: WriteStore + ?Sized> Fs<S> {
    /// Puts a whole stream into the store as content that is to be named.
    ///
    /// # Errors
    /// [`Error::Io`] when the stream can not be read, and the store's.
    pub async fn content_from(&self, mut stream: impl AsyncRead + Unpin) -> Result<Content> {
        let mut writer = self.writer().await?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = stream.read(&mut buffer).await;
            let read = read.map_err(|error| Error::from_io("can not read the stream", error))?;
            if read == 0 {
                break;
            }
            let written = writer.write_all(&buffer[..read]).await;
            written.map_err(|error| Error::from_io("can not write content", error))?;
        }
        writer.finish().await
    }

    /// Puts short content into the store, to be named.
    ///
    /// # Errors
    /// The store's.
    pub async fn content(&self, bytes: impl AsRef<[u8]>) -> Result<Content> {
        let mut writer = self.writer().await?;
        let written = writer.write_all(bytes.as_ref()).await;
        written.map_err(|error| Error::from_io("can not write content", error))?;
        writer.finish().await
    }

    /// Makes `bytes` the newest content of the file at `path`: a new version
    /// where it exists, a new `file:data` where it does not. For short content.
    ///
    /// # Errors
    /// As [`Fs::write_from`].
    pub async fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<NodePath> {
        self.write_from(path, bytes.as_ref()).await
    }

    /// Makes a whole stream the newest content of the file at `path`: a new
    /// version where it exists, a new `file:data` where it does not. What is
    /// wrong with the path is said before the stream is read.
    ///
    /// # Errors
    /// As [`Fs::target`], [`Fs::append`] and [`Fs::content_from`].
    pub async fn write_from(&self, path: &str, stream: impl AsyncRead + Unpin) -> Result<NodePath> {
        match self.target(path).await? {
            Target::Existing(found) => {
                let NodePath { path, node } = stored_file(found)?;
                let version = NewVersion::bytes(self.content_from(stream).await?);
                self.store().append(node.id, version).await?;
                Ok(NodePath { path, node: self.store().node(node.id).await? })
            }
            Target::New { .. } => {
                let version = NewVersion::bytes(self.content_from(stream).await?);
                self.create_file(path, EntryType::Data, Attributes::new(), version).await
            }
        }
    }
}
