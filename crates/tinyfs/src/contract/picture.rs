//! All that can be seen of a store, as a value to compare.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::{
    Attributes, ContentHash, EntryType, Format, NodeId, Reader, Result, Store, TimeRange,
    VerifiedReader, Version, path,
};

/// All that a store holds and promises to keep, by path.
///
/// Two stores with equal pictures are the same to every reader. When and by
/// which transaction a version was written, and where its bytes lie, are not in
/// it: those may differ in a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What is at each path, the root included.
    pub nodes: BTreeMap<String, Pictured>,
}

/// One node in a [`Picture`].
#[derive(Clone, Debug, PartialEq)]
pub struct Pictured {
    /// Its id.
    pub id: NodeId,
    /// What it is.
    pub entry_type: EntryType,
    /// Its properties.
    pub attributes: Attributes,
    /// Its factory.
    pub factory: Option<String>,
    /// Where it points, for symlinks.
    pub target: Option<String>,
    /// Its versions, for files.
    pub versions: Vec<PicturedVersion>,
}

/// One version in a [`Picture`]; its bytes had its hash.
#[derive(Clone, Debug, PartialEq)]
pub struct PicturedVersion {
    /// Its number.
    pub number: u64,
    /// The versions that it stands for, when it is a run.
    pub covers: Option<RangeInclusive<u64>>,
    /// Its size.
    pub size_bytes: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// Its format.
    pub format: Format,
    /// Its rows.
    pub rows: Option<u64>,
    /// Its event times.
    pub time_range: Option<TimeRange>,
    /// Its properties.
    pub attributes: Attributes,
}

impl Picture {
    /// Takes a picture of all there is, reading every version whole.
    ///
    /// # Errors
    /// The store's, and [`Error::Damaged`](crate::Error::Damaged).
    pub async fn of<S: Store + ?Sized>(store: &Arc<S>) -> Result<Self> {
        let mut nodes = BTreeMap::new();
        let mut left = vec![(path::ROOT.to_owned(), store.root())];
        while let Some((at, id)) = left.pop() {
            let pictured = Pictured::of(store, id).await?;
            if pictured.entry_type.is_directory() {
                let entries = store.list(id).await?.into_iter();
                left.extend(
                    entries.map(|entry| (path::join(&at, entry.name.as_str()), entry.node)),
                );
            }
            nodes.insert(at, pictured);
        }
        Ok(Self { nodes })
    }
}

impl Pictured {
    async fn of<S: Store + ?Sized>(store: &Arc<S>, id: NodeId) -> Result<Self> {
        let node = store.node(id).await?;
        let mut versions = Vec::new();
        if node.newest.is_some() {
            for version in store.versions(id).await? {
                let reader = Reader::new(Arc::clone(store), id, version.clone());
                VerifiedReader::new(reader).drain().await?;
                versions.push(PicturedVersion::of(version));
            }
        }
        let target = match node.entry_type {
            EntryType::Symlink => Some(store.read_link(id).await?),
            _ => None,
        };
        Ok(Self {
            id,
            entry_type: node.entry_type,
            attributes: node.attributes,
            factory: node.factory,
            target,
            versions,
        })
    }
}

impl PicturedVersion {
    fn of(version: Version) -> Self {
        Self {
            number: version.number,
            covers: version.covers,
            size_bytes: version.size_bytes,
            hash: version.hash,
            format: version.format,
            rows: version.rows,
            time_range: version.time_range,
            attributes: version.attributes,
        }
    }
}
