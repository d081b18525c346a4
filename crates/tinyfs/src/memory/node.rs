//! What a memory store keeps of each node.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{Attributes, Entry, EntryType, Name, Node, NodeId, Version};

/// A node in memory.
#[derive(Clone, Debug)]
pub enum MemoryNode {
    /// A directory.
    Directory(MemoryDirectory),
    /// A symlink.
    Symlink(MemorySymlink),
    /// A stored file.
    File(MemoryFile),
    /// A node that a factory computes.
    Computed(MemoryComputed),
}

/// A directory in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryDirectory {
    pub(super) entries: BTreeMap<Name, Entry>,
    pub(super) attributes: Attributes,
}

/// A symlink in memory.
#[derive(Clone, Debug)]
pub struct MemorySymlink {
    pub(super) target: String,
    pub(super) attributes: Attributes,
}

/// A stored file in memory, with all its versions.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    pub(super) entry_type: EntryType,
    pub(super) attributes: Attributes,
    /// At each version's number less one.
    pub(super) versions: Vec<(Version, Bytes)>,
}

/// A node that a factory computes, in memory: its configuration alone. Nothing
/// here runs factories, so as a directory it is empty.
#[derive(Clone, Debug)]
pub struct MemoryComputed {
    pub(super) factory: String,
    pub(super) configuration: MemoryFile,
}

impl MemoryDirectory {
    /// Its entries, ordered by the bytes of their names.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

impl MemorySymlink {
    /// Where it points, as it was written.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl MemoryFile {
    /// Its versions, ascending, with their bytes.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = (&Version, &Bytes)> {
        self.versions.iter().map(|(version, bytes)| (version, bytes))
    }

    fn newest(&self) -> Option<Version> {
        self.versions.last().map(|(version, _)| version.clone())
    }
}

impl MemoryComputed {
    /// The factory's name.
    #[must_use]
    pub fn factory(&self) -> &str {
        &self.factory
    }

    /// The factory's configuration.
    #[must_use]
    pub const fn configuration(&self) -> &MemoryFile {
        &self.configuration
    }
}

impl MemoryNode {
    /// What it is.
    #[must_use]
    pub const fn entry_type(&self) -> EntryType {
        match self {
            Self::Directory(_) => EntryType::Directory,
            Self::Symlink(_) => EntryType::Symlink,
            Self::File(file) => file.entry_type,
            Self::Computed(computed) => computed.configuration.entry_type,
        }
    }

    /// The file whose versions it has.
    pub(super) const fn file(&self) -> Option<&MemoryFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Computed(computed) => Some(&computed.configuration),
            Self::Directory(_) | Self::Symlink(_) => None,
        }
    }

    pub(super) const fn attributes_mut(&mut self) -> &mut Attributes {
        match self {
            Self::Directory(directory) => &mut directory.attributes,
            Self::Symlink(symlink) => &mut symlink.attributes,
            Self::File(file) => &mut file.attributes,
            Self::Computed(computed) => &mut computed.configuration.attributes,
        }
    }

    /// What is known of it, under its id.
    pub(super) fn describe(&self, id: NodeId) -> Node {
        let (attributes, factory) = match self {
            Self::Directory(directory) => (&directory.attributes, None),
            Self::Symlink(symlink) => (&symlink.attributes, None),
            Self::File(file) => (&file.attributes, None),
            Self::Computed(computed) => {
                (&computed.configuration.attributes, Some(computed.factory.clone()))
            }
        };
        Node {
            id,
            entry_type: self.entry_type(),
            attributes: attributes.clone(),
            factory,
            newest: self.file().and_then(MemoryFile::newest),
        }
    }
}
