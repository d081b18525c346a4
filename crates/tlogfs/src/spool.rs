//! Small contents of a transaction until it is committed: their bytes in a
//! temporary file, only their places in memory.
//!
//! Always true: each content is held once, however many versions name it;
//! dropping the spool leaves nothing.

use std::collections::HashMap;
use std::fmt;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use oplog::ContentSource;
use tempfile::SpooledTempFile;
use tinyfs::ContentHash;

/// Up to this many bytes there is no file at all.
const MEMORY_BYTES: usize = 1 << 20;

/// The contents of one transaction that are small.
pub(crate) struct Spool {
    held: Mutex<Held>,
}

struct Held {
    file: SpooledTempFile,
    end: u64,
    places: HashMap<ContentHash, (u64, usize)>,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").finish_non_exhaustive()
    }
}

impl Spool {
    /// A spool whose file, should it need one, is nameless and in `directory`.
    pub(crate) fn new(directory: &Path) -> Self {
        let file = tempfile::spooled_tempfile_in(MEMORY_BYTES, directory);
        Self { held: Mutex::new(Held { file, end: 0, places: HashMap::new() }) }
    }

    /// Holds bytes that hash to `hash`.
    pub(crate) fn add(&self, hash: ContentHash, bytes: &[u8]) -> std::io::Result<()> {
        let mut held = self.held();
        if held.places.contains_key(&hash) {
            return Ok(());
        }
        let start = held.end;
        held.file.seek(SeekFrom::Start(start))?;
        held.file.write_all(bytes)?;
        held.end = start + bytes.len() as u64;
        held.places.insert(hash, (start, bytes.len()));
        Ok(())
    }

    /// The bytes with this hash; `None` when they are not held.
    pub(crate) fn get(&self, hash: ContentHash) -> std::io::Result<Option<Bytes>> {
        let mut held = self.held();
        let Some((start, len)) = held.places.get(&hash).copied() else { return Ok(None) };
        let mut bytes = vec![0; len];
        held.file.seek(SeekFrom::Start(start))?;
        held.file.read_exact(&mut bytes)?;
        Ok(Some(bytes.into()))
    }

    pub(crate) fn has(&self, hash: ContentHash) -> bool {
        self.held().places.contains_key(&hash)
    }

    /// A place is noted only after its bytes were written, so what a panic
    /// leaves behind is whole.
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ContentSource for Spool {
    async fn content(&self, hash: ContentHash) -> oplog::Result<Bytes> {
        let found = self.get(hash).map_err(|source| {
            oplog::Error::io("cannot read back what the transaction wrote", source)
        })?;
        found.ok_or_else(|| oplog::Error::BadChanges {
            what: format!("a version names content {hash}, which this transaction did not write"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_come_back_also_from_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path());
        let contents: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![n; 65_535]).collect();
        for content in contents.iter().chain(&contents) {
            spool.add(ContentHash::of(content), content).unwrap();
        }
        assert_eq!(spool.held().end, 40 * 65_535);
        for content in &contents {
            assert_eq!(spool.get(ContentHash::of(content)).unwrap().unwrap(), content);
        }
        assert_eq!(spool.get(ContentHash::of(b"other")).unwrap(), None);
        // The file has no name.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
