//! A file system that takes changes, until they are committed or given up.
//!
//! Always true: reads see the transaction's own writes; nobody else sees them
//! before they are committed; dropping a transaction leaves nothing.
//!
//! Deliberately not here: the writer's lock and the commit, which are the
//! steward's.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use oplog::{Changes, LargeFiles, TransactionMeta};
use tinyfs::{
    Attributes, Content, ContentHash, ContentWriter, Entry, EntryType, Error, IdSource, Name,
    NewNode, NewVersion, Node, NodeId, Place, Result, Store, Version, WriteStore,
};
use tokio::sync::Mutex;

use crate::content::{TransactionWriter, Written};
use crate::node_rows::NodeRows;
use crate::overlay::{NodeChange, Overlay};
use crate::spool::Spool;
use crate::view::{View, place_of, slice, unnamed};

/// Changes over a view.
pub struct Transaction {
    base: Arc<View>,
    ids: Arc<dyn IdSource>,
    spool: Arc<Spool>,
    written: Arc<Written>,
    /// Held across reads of the base, so that looking and changing are one step.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    overlay: Overlay,
    ended: bool,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Transaction {
    /// Begins a transaction over `base`, whose log has `files`. Small contents that do not fit into
    /// memory go to a nameless file in `spool_directory`.
    #[must_use]
    pub fn begin(
        base: Arc<View>,
        files: LargeFiles,
        ids: Arc<dyn IdSource>,
        spool_directory: &Path,
    ) -> Self {
        let written = Arc::new(Written::new(files));
        Self {
            base,
            ids,
            spool: Arc::new(Spool::new(spool_directory)),
            written,
            state: Mutex::default(),
        }
    }

    /// The view it changes.
    #[must_use]
    pub const fn base(&self) -> &Arc<View> {
        &self.base
    }

    /// Ends the transaction and gives what it changed, to be committed. After
    /// that it takes no more changes, and shows its own no longer.
    ///
    /// # Errors
    /// [`crate::Error::Ended`] when it has ended before.
    pub async fn into_changes(&self, transaction: TransactionMeta) -> crate::Result<Changes> {
        let mut state = self.state.lock().await;
        if std::mem::replace(&mut state.ended, true) {
            return Err(crate::Error::Ended);
        }
        let (links, versions) = std::mem::take(&mut state.overlay).into_rows();
        let contents: Arc<Spool> = Arc::clone(&self.spool);
        Ok(Changes { links, versions, contents, transaction })
    }

    /// The series this transaction appended to, each with the numbers of the
    /// versions added.
    pub async fn appended_to(&self) -> Vec<(NodeId, RangeInclusive<u64>)> {
        self.state.lock().await.overlay.series_appended_to()
    }

    /// Tells the transaction that it was, or may have been, committed: what it
    /// wrote stays when it is dropped.
    pub fn keep(&self) {
        self.written.keep();
    }

    /// Takes [`Transaction::keep`] back: it was certainly not committed.
    pub fn release(&self) {
        self.written.release();
    }

    /// Takes away the large contents that it made and that nothing committed
    /// names. It happens on dropping too; whoever holds the pond's lock calls
    /// it before letting go, for after that another writer may have named them.
    pub fn discard(&self) {
        self.written.discard();
    }

    /// Leaves large contents that it made to vacuum: for a transaction without
    /// the pond's lock, which can not know who else names them.
    pub fn leave(&self) {
        self.written.leave();
    }

    /// Adds a run that stands for versions `covers` of a series, without
    /// changing what the series says.
    ///
    /// # Errors
    /// As [`WriteStore::append`].
    pub async fn merge(
        &self,
        series: NodeId,
        covers: RangeInclusive<u64>,
        from_txn: u64,
        run: NewVersion,
    ) -> Result<()> {
        let mut state = self.changing().await?;
        self.versioned(&state.overlay, series).await?;
        let mut run = self.version_of(run)?;
        run.number = *covers.end();
        run.covers = Some(covers);
        self.change(&mut state.overlay, series).await?.merge(run, from_txn);
        Ok(())
    }

    async fn changing(&self) -> Result<tokio::sync::MutexGuard<'_, State>> {
        let state = self.state.lock().await;
        if state.ended {
            return Err(Error::io("cannot change the pond", crate::Error::Ended));
        }
        Ok(state)
    }

    /// What is known of a node with all changes.
    async fn rows(&self, overlay: &Overlay, id: NodeId) -> Result<NodeRows> {
        match overlay.node(id) {
            Some(change) => Ok(change.rows.clone()),
            None => Ok(self.base.rows(id).await?.as_ref().clone()),
        }
    }

    /// A node to change. What the view says of it is copied the first time
    /// only: a series may have very many versions.
    async fn change<'a>(&self, overlay: &'a mut Overlay, id: NodeId) -> Result<&'a mut NodeChange> {
        if overlay.node(id).is_none() {
            overlay.take_up(id, self.base.rows(id).await?.as_ref().clone());
        }
        overlay.change(id).ok_or(Error::NoSuchNode { id })
    }

    async fn entry_type(&self, overlay: &Overlay, id: NodeId) -> Result<EntryType> {
        match overlay.node(id) {
            Some(change) => Ok(change.rows.entry_type),
            None => Ok(self.base.rows(id).await?.entry_type),
        }
    }

    async fn directory(&self, overlay: &Overlay, id: NodeId) -> Result<()> {
        let entry_type = self.entry_type(overlay, id).await?;
        if entry_type.is_directory() { Ok(()) } else { Err(Error::NotADirectoryNode { id }) }
    }

    async fn versioned(&self, overlay: &Overlay, id: NodeId) -> Result<()> {
        let entry_type = self.entry_type(overlay, id).await?;
        let versioned = entry_type.is_file() || entry_type.is_dynamic();
        if versioned { Ok(()) } else { Err(Error::NoSuchNode { id }) }
    }

    /// A name with all changes, and what it is underneath when that was read.
    async fn find(&self, overlay: &Overlay, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        if let Some(found) = overlay.name(dir, name) {
            return Ok(found.cloned());
        }
        match overlay.node(dir) {
            // Made here, so there is nothing of it underneath.
            Some(change) if change.is_created() => {
                self.directory(overlay, dir).await?;
                Ok(None)
            }
            _ => self.base.lookup(dir, name).await,
        }
    }

    async fn entries(&self, overlay: &Overlay, dir: NodeId) -> Result<Vec<Entry>> {
        self.directory(overlay, dir).await?;
        let before = match overlay.node(dir) {
            Some(change) if change.is_created() => Vec::new(),
            _ => self.base.list(dir).await?,
        };
        Ok(overlay.list(dir, before))
    }

    /// A name that must be free.
    async fn free(&self, overlay: &Overlay, dir: NodeId, name: &Name) -> Result<()> {
        self.directory(overlay, dir).await?;
        match self.find(overlay, dir, name.as_str()).await? {
            None => Ok(()),
            Some(_) => Err(Error::NameTaken { dir, name: name.to_string() }),
        }
    }

    /// A version of content that was finished here.
    fn version_of(&self, version: NewVersion) -> Result<Version> {
        let NewVersion { content, format, rows, time_range, attributes } = version;
        let Content { hash, size_bytes } = content;
        if !self.has(hash, size_bytes) {
            return Err(Error::UnknownContent { hash });
        }
        self.written.name(hash);
        Ok(Version {
            number: 1,
            covers: None,
            txn_seq: self.base.snapshot().txn_seq() + 1,
            // Known when it is committed.
            written_us: 0,
            size_bytes,
            hash,
            format,
            place: place_of(size_bytes),
            rows,
            time_range,
            attributes,
        })
    }

    fn has(&self, hash: ContentHash, size_bytes: u64) -> bool {
        match place_of(size_bytes) {
            Place::Inline => self.spool.has(hash),
            Place::Large => self.written.has(hash),
        }
    }

    /// Content that was finished here, by range; `None` when it was not.
    async fn read_own(
        &self,
        node: NodeId,
        version: &Version,
        range: Range<u64>,
    ) -> Result<Option<Bytes>> {
        match version.place {
            Place::Inline => {
                let found = self.spool.get(version.hash).map_err(|source| {
                    Error::io("cannot read back what the transaction wrote", source)
                })?;
                let Some(bytes) = found else { return Ok(None) };
                if ContentHash::of(&bytes) != version.hash {
                    let what = "the temporary file holds other bytes".to_owned();
                    return Err(Error::Damaged { node, version: version.number, what });
                }
                slice(&bytes, node, version, range).map(Some)
            }
            Place::Large if self.written.has(version.hash) => {
                self.base.read(node, version, range).await.map(Some)
            }
            Place::Large => Ok(None),
        }
    }
}

#[async_trait]
impl Store for Transaction {
    fn root(&self) -> NodeId {
        self.base.root()
    }

    async fn node(&self, id: NodeId) -> Result<Node> {
        let state = self.state.lock().await;
        match state.overlay.node(id) {
            Some(change) => Ok(change.rows.node(id)),
            None => self.base.node(id).await,
        }
    }

    async fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        let state = self.state.lock().await;
        self.find(&state.overlay, dir, name).await
    }

    async fn list(&self, dir: NodeId) -> Result<Vec<Entry>> {
        let state = self.state.lock().await;
        self.entries(&state.overlay, dir).await
    }

    async fn read_link(&self, link: NodeId) -> Result<String> {
        let rows = {
            let state = self.state.lock().await;
            self.rows(&state.overlay, link).await?
        };
        let target = rows.versions.last().filter(|_| rows.entry_type == EntryType::Symlink);
        let version = target.ok_or(Error::NoSuchNode { id: link })?;
        match self.read_own(link, version, 0..version.size_bytes).await? {
            Some(bytes) => String::from_utf8(bytes.into()).map_err(|_| Error::Damaged {
                node: link,
                version: version.number,
                what: "a symlink's target is UTF-8".to_owned(),
            }),
            None => self.base.read_link(link).await,
        }
    }

    async fn versions(&self, file: NodeId) -> Result<Vec<Version>> {
        let state = self.state.lock().await;
        let Some(change) = state.overlay.node(file) else {
            return self.base.versions(file).await;
        };
        if !change.rows.has_versions() {
            return Ok(Vec::new());
        }
        let mut versions =
            if change.is_created() { Vec::new() } else { self.base.versions(file).await? };
        versions.extend_from_slice(change.added());
        Ok(versions)
    }

    async fn version(&self, file: NodeId, number: u64) -> Result<Option<Version>> {
        let state = self.state.lock().await;
        match state.overlay.node(file) {
            Some(change) => match change.rows.version(number) {
                Some(version) => Ok(Some(version.clone())),
                None if change.is_created() => Ok(None),
                None => self.base.version(file, number).await,
            },
            None => self.base.version(file, number).await,
        }
    }

    async fn runs(&self, series: NodeId) -> Result<Vec<Version>> {
        let state = self.state.lock().await;
        match state.overlay.node(series) {
            Some(change) => Ok(change.rows.runs.clone()),
            None => self.base.runs(series).await,
        }
    }

    async fn read(&self, file: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes> {
        match self.read_own(file, version, range.clone()).await? {
            Some(bytes) => Ok(bytes),
            None => self.base.read(file, version, range).await,
        }
    }
}

#[async_trait]
impl WriteStore for Transaction {
    async fn writer(&self) -> Result<Box<dyn ContentWriter>> {
        Ok(Box::new(TransactionWriter::open(&self.spool, &self.written)))
    }

    async fn read_content(&self, content: &Content, range: Range<u64>) -> Result<Bytes> {
        let version = unnamed(content.hash, content.size_bytes);
        let found = self.read_own(self.root(), &version, range).await?;
        found.ok_or(Error::UnknownContent { hash: content.hash })
    }

    async fn create(&self, dir: NodeId, name: &Name, node: NewNode) -> Result<NodeId> {
        // Written before the lock is taken: the spool has its own.
        let (entry_type, attributes, factory, version) = match node {
            NewNode::Directory => (EntryType::Directory, Attributes::new(), None, None),
            NewNode::Symlink { target } => {
                let hash = ContentHash::of(target.as_bytes());
                self.spool
                    .add(hash, target.as_bytes())
                    .map_err(|source| Error::io("cannot keep a symlink's target", source))?;
                let content = Content { hash, size_bytes: target.len() as u64 };
                let version = NewVersion::bytes(content);
                (EntryType::Symlink, Attributes::new(), None, Some(version))
            }
            NewNode::File { entry_type, attributes, version } => {
                (entry_type, attributes, None, Some(version))
            }
            NewNode::Dynamic { entry_type, factory, version } => {
                (entry_type, Attributes::new(), Some(factory), Some(version))
            }
        };
        let mut state = self.changing().await?;
        self.free(&state.overlay, dir, name).await?;
        let versions = version.map(|version| self.version_of(version)).transpose()?;
        let id = NodeId::new(self.ids.next_id());
        let rows = NodeRows {
            entry_type,
            attributes,
            factory,
            versions: versions.into_iter().collect(),
            runs: Vec::new(),
        };
        state.overlay.create(id, rows);
        let entry = Entry { name: name.clone(), node: id, entry_type };
        // The name was free: it is no name underneath, or one taken away here,
        // and of that the overlay has kept what it was.
        state.overlay.set_name(dir, name.as_str(), None, Some(entry));
        Ok(id)
    }

    async fn append(&self, file: NodeId, version: NewVersion) -> Result<u64> {
        let mut state = self.changing().await?;
        self.versioned(&state.overlay, file).await?;
        let version = self.version_of(version)?;
        Ok(self.change(&mut state.overlay, file).await?.append(version))
    }

    async fn set_attributes(&self, node: NodeId, attributes: Attributes) -> Result<()> {
        let mut state = self.changing().await?;
        self.change(&mut state.overlay, node).await?.set_attributes(attributes);
        Ok(())
    }

    async fn unlink(&self, dir: NodeId, name: &str) -> Result<()> {
        let mut state = self.changing().await?;
        let entry = self.must_find(&state.overlay, dir, name).await?;
        if entry.entry_type == EntryType::Directory
            && !self.entries(&state.overlay, entry.node).await?.is_empty()
        {
            return Err(Error::DirectoryNotEmpty { id: entry.node });
        }
        state.overlay.set_name(dir, name, Some(entry), None);
        Ok(())
    }

    async fn rename(&self, dir: NodeId, name: &str, to_dir: NodeId, to_name: &Name) -> Result<()> {
        let mut state = self.changing().await?;
        let entry = self.must_find(&state.overlay, dir, name).await?;
        self.free(&state.overlay, to_dir, to_name).await?;
        let moved = Entry { name: to_name.clone(), ..entry.clone() };
        state.overlay.set_name(dir, name, Some(entry), None);
        state.overlay.set_name(to_dir, to_name.as_str(), None, Some(moved));
        Ok(())
    }
}

impl Transaction {
    async fn must_find(&self, overlay: &Overlay, dir: NodeId, name: &str) -> Result<Entry> {
        let found = self.find(overlay, dir, name).await?;
        found.ok_or_else(|| Error::NoSuchName { dir, name: name.to_owned() })
    }
}
