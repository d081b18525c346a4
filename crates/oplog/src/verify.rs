//! Checking a whole log against its own hashes.
//!
//! Every live data file against the BLAKE3 in its entry, every inline content
//! and every large file against the hash in its version, every transaction
//! against the one before it and against its rows, every version against the
//! content it names. Damage is a finding, not a reason to stop: the check goes
//! on with what is readable.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use diagnostics::{Monitor, Progress, Unit};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tinyfs::{ContentHash, NodeId};

use crate::canonical::{link_hash, rows_hash, transaction_hash, version_hash};
use crate::columns::kind;
use crate::file::{LiveFile, Parts};
use crate::large::large_path;
use crate::reader::Block;
use crate::{Error, Log, Result, Stamped, TransactionRow};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A data file, a commit file or a checkpoint.
    File {
        /// Its path, relative to the log.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The content of a version.
    Content {
        /// The node.
        node: NodeId,
        /// The version.
        version: u64,
        /// The file that its bytes are in, or should be.
        path: Option<String>,
        /// What is wrong with it.
        what: String,
    },
    /// A transaction.
    Transaction {
        /// Its number.
        txn_seq: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A name.
    Link {
        /// The directory.
        parent: NodeId,
        /// The name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, what } => write!(f, "`{path}`: {what}"),
            Self::Content { node, version, path: None, what } => {
                write!(f, "version {version} of node {node}: {what}")
            }
            Self::Content { node, version, path: Some(path), what } => {
                write!(f, "version {version} of node {node} (`{path}`): {what}")
            }
            Self::Transaction { txn_seq, what } => write!(f, "transaction {txn_seq}: {what}"),
            Self::Link { parent, name, what } => {
                write!(f, "`{}` in directory {parent}: {what}", name.escape_debug())
            }
        }
    }
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Data files.
    pub files: u64,
    /// Inline contents.
    pub contents: u64,
    /// Large files.
    pub large_files: u64,
    /// Transactions.
    pub transactions: u64,
    /// Bytes hashed.
    pub bytes: u64,
}

impl Log {
    /// Checks everything that the log holds, and hands over what is found.
    ///
    /// # Errors
    /// None for damage; [`Error::Io`] when the disk can not be read at all.
    pub async fn verify(
        &self,
        monitor: &Arc<dyn Monitor>,
        findings: &mut (dyn FnMut(Finding) + Send),
    ) -> Result<Verified> {
        let mut check = Check {
            log: self,
            findings,
            verified: Verified::default(),
            inline: HashSet::new(),
            large: HashMap::new(),
            nodes: HashSet::new(),
        };
        check.commits().await?;
        let total = self.state.files.iter().map(|file| file.size_bytes).sum();
        let progress = monitor.begin("checking the log", Some(total), Unit::Bytes);
        for file in self.state.files.iter() {
            check.file(file, &*progress).await?;
        }
        drop(progress);
        check.metadata().await?;
        check.contents().await?;
        check.names().await?;
        check.large_files(monitor).await?;
        Ok(check.verified)
    }
}

struct Check<'a> {
    log: &'a Log,
    findings: &'a mut (dyn FnMut(Finding) + Send),
    verified: Verified,
    /// Fingerprints of inline contents that versions name and no file has
    /// shown yet.
    inline: HashSet<u64>,
    /// Large files by hash, with a version that names each.
    large: HashMap<ContentHash, (NodeId, u64, u64)>,
    /// Fingerprints of nodes that have a version row.
    nodes: HashSet<u64>,
}

fn fingerprint(key: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Damage as words, or the error that is no damage.
fn as_damage(error: Error) -> Result<String> {
    match error {
        Error::DamagedFile { what, .. } | Error::DamagedCommit { what, .. } => Ok(what),
        Error::DamagedContent { what, .. } => Ok(what),
        Error::MissingLargeFile { .. } => Ok("it is missing".into()),
        other => Err(other),
    }
}

impl Check<'_> {
    fn found(&mut self, finding: Finding) {
        (self.findings)(finding);
    }

    fn found_file(&mut self, path: &str, what: impl Into<String>) {
        self.found(Finding::File { path: path.to_owned(), what: what.into() });
    }

    /// The commit files and checkpoints that lie in the log's directory.
    async fn commits(&mut self) -> Result<()> {
        for (path, what) in self.log.delta.check_files(&self.log.state).await? {
            self.found_file(&path, what);
        }
        Ok(())
    }

    /// One data file against its entry.
    async fn file(&mut self, file: &LiveFile, progress: &dyn Progress) -> Result<()> {
        self.verified.files += 1;
        match self.hash(&file.path, progress).await? {
            None => self.found_data_file(file, "it is missing"),
            Some((_, size)) if size != file.size_bytes => {
                let what = format!("it has {size} bytes, not {}", file.size_bytes);
                self.found_data_file(file, &what);
            }
            Some((hash, _)) if hash != file.hash => {
                self.found_data_file(file, &format!("it hashes to {hash}, not to {}", file.hash));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn found_data_file(&mut self, file: &LiveFile, what: &str) {
        let rows = match file.parts {
            Parts::All => "rows",
            Parts::Metadata => "names and versions",
            Parts::Content => "contents",
        };
        let transactions = if file.from == file.to {
            format!("transaction {}", file.from)
        } else {
            format!("transactions {} to {}", file.from, file.to)
        };
        self.found_file(&file.path, format!("{what}; it holds the {rows} of {transactions}"));
    }

    /// The hash and size of a file; `None` when it is missing.
    async fn hash(
        &mut self,
        path: &str,
        progress: &dyn Progress,
    ) -> Result<Option<(ContentHash, u64)>> {
        let doing = || format!("reading `{path}`");
        let found = match self.log.delta.store.get(&Path::from(path)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Error::io(doing(), error)),
        };
        let mut stream = found.into_stream();
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        while let Some(bytes) =
            stream.try_next().await.map_err(|error| Error::io(doing(), error))?
        {
            hasher.update(&bytes);
            size += bytes.len() as u64;
            progress.advance(bytes.len() as u64);
        }
        self.verified.bytes += size;
        Ok(Some((ContentHash::new(*hasher.finalize().as_bytes()), size)))
    }

    /// The rows of links, versions and transactions.
    async fn metadata(&mut self) -> Result<()> {
        let horizon = self.log.state.horizon;
        let mut chain = Chain { next: horizon.oldest.max(1), hash: Some(horizon.anchor) };
        let files: Vec<_> = self.log.snapshot().metadata_files().cloned().collect();
        for file in &files {
            self.metadata_file(file, &mut chain).await?;
        }
        let newest = self.log.head().txn_seq;
        if chain.next <= newest {
            self.found(Finding::Transaction {
                txn_seq: chain.next,
                what: format!("it and those up to {newest} can not be read"),
            });
        }
        Ok(())
    }

    async fn metadata_file(&mut self, file: &LiveFile, chain: &mut Chain) -> Result<()> {
        let footer = match self.log.reads.footer(file).await {
            Ok(footer) => footer,
            Err(error) => {
                let what = as_damage(error)?;
                self.found_file(&file.path, format!("its footer can not be read: {what}"));
                chain.hash = None;
                return Ok(());
            }
        };
        let mut transactions = Vec::new();
        let mut rows: HashMap<u64, Vec<(u32, ContentHash)>> = HashMap::new();
        let mut whole = true;
        for (group, about) in footer.groups.iter().enumerate() {
            if !about.may_have_metadata() {
                continue;
            }
            let block = match self.log.reads.read_block(file, &footer, group).await {
                Ok(block) => block,
                Err(error) => {
                    let what = as_damage(error)?;
                    self.found_file(&file.path, format!("row group {group}: {what}"));
                    whole = false;
                    continue;
                }
            };
            for link in &block.links {
                let hash = link_hash(link.position, &link.row);
                rows.entry(link.txn_seq).or_default().push((link.position, hash));
            }
            for version in &block.versions {
                let hash = version_hash(version.position, &version.row);
                rows.entry(version.txn_seq).or_default().push((version.position, hash));
                self.note_version(version);
            }
            transactions.extend(block.transactions);
        }
        // What lies before the horizon only waits to be rewritten.
        transactions.retain(|row| row.txn_seq >= self.log.state.horizon.oldest);
        transactions.sort_by_key(Stamped::order);
        for transaction in &transactions {
            self.verified.transactions += 1;
            let rows = rows.remove(&transaction.txn_seq).unwrap_or_default();
            let exact = whole && file.level == 0;
            self.transaction(transaction, rows, exact, chain);
        }
        if !whole {
            chain.hash = None;
        } else if chain.hash.is_some_and(|hash| hash != file.chain) && !transactions.is_empty() {
            self.found_file(&file.path, "its last transaction is not the one in its entry");
        }
        Ok(())
    }

    fn note_version(&mut self, version: &Stamped<crate::VersionRow>) {
        let row = &version.row;
        self.nodes.insert(fingerprint(row.node));
        let Some(hash) = row.hash else { return };
        if !row.inline {
            self.large.entry(hash).or_insert((row.node, row.version, row.size_bytes));
        } else if row.size_bytes > 0 {
            self.inline.insert(fingerprint((row.node, row.version, hash)));
        }
    }

    fn transaction(
        &mut self,
        transaction: &Stamped<TransactionRow>,
        mut rows: Vec<(u32, ContentHash)>,
        exact: bool,
        chain: &mut Chain,
    ) {
        let (txn_seq, row) = (transaction.txn_seq, &transaction.row);
        let mut wrong = |what: &str| {
            (self.findings)(Finding::Transaction { txn_seq, what: what.to_owned() });
        };
        if txn_seq != chain.next {
            wrong(&format!("transaction {} is expected before it", chain.next));
        } else if chain.hash.is_some_and(|hash| hash != row.previous_hash) {
            wrong("it does not follow the transaction before it");
        }
        if transaction_hash(txn_seq, row) != row.hash {
            wrong("its row does not match its hash");
        }
        let expected = row.counts.links + row.counts.versions;
        // A prune or a merged run may have taken rows of merged files.
        if rows.len() as u64 == expected {
            rows.sort_unstable_by_key(|(position, _)| *position);
            if rows_hash(rows.into_iter().map(|(_, hash)| hash)) != row.rows_hash {
                wrong("its rows do not match its hash");
            }
        } else if exact || rows.len() as u64 > expected {
            wrong(&format!("it has {} rows of {expected}", rows.len()));
        }
        chain.next = txn_seq + 1;
        chain.hash = Some(row.hash);
    }

    /// Every inline content against its hash, and every version that names
    /// one against what is there.
    async fn contents(&mut self) -> Result<()> {
        let files: Vec<_> =
            self.log.state.files.iter().filter(|file| file.parts.has_content()).cloned().collect();
        for file in &files {
            self.content_file(file).await?;
        }
        if self.inline.is_empty() {
            return Ok(());
        }
        // Of the files that can not be read it has been found already.
        let mut lost = Vec::new();
        let take: fn(Block) -> Vec<_> = |block| block.versions;
        for file in self.metadata_files() {
            let look = |version: Stamped<crate::VersionRow>| {
                let row = version.row;
                let Some(hash) = row.hash else { return };
                if row.inline && self.inline.contains(&fingerprint((row.node, row.version, hash))) {
                    lost.push((row.node, row.version));
                }
            };
            self.each_readable(&file, kind::VERSION, take, look).await?;
        }
        for (node, version) in lost {
            let what = "its bytes can not be read from any file".into();
            self.found(Finding::Content { node, version, path: None, what });
        }
        Ok(())
    }

    fn metadata_files(&self) -> Vec<LiveFile> {
        self.log.snapshot().metadata_files().cloned().collect()
    }

    /// Looks at the rows of a kind in a file, as far as they can be read.
    async fn each_readable<T>(
        &self,
        file: &LiveFile,
        kind: &str,
        take: fn(Block) -> Vec<Stamped<T>>,
        look: impl FnMut(Stamped<T>),
    ) -> Result<()> {
        let mut look = look;
        let footer = match self.log.reads.footer(file).await {
            Ok(footer) => footer,
            Err(error) => return as_damage(error).map(drop),
        };
        for (group, about) in footer.groups.iter().enumerate() {
            if !about.may_have_metadata() || !about.may_have(kind) {
                continue;
            }
            match self.log.reads.read_block(file, &footer, group).await {
                Ok(block) => take(block).into_iter().for_each(&mut look),
                Err(error) => drop(as_damage(error)?),
            }
        }
        Ok(())
    }

    async fn content_file(&mut self, file: &LiveFile) -> Result<()> {
        let footer = match self.log.reads.footer(file).await {
            Ok(footer) => footer,
            Err(error) => {
                let what = as_damage(error)?;
                if !file.parts.has_metadata() {
                    self.found_file(&file.path, format!("its footer can not be read: {what}"));
                }
                return Ok(());
            }
        };
        for (group, about) in footer.groups.iter().enumerate() {
            if !about.may_have(kind::CONTENT) {
                continue;
            }
            let rows = match self.log.reads.read_contents(file, &footer, group).await {
                Ok(rows) => rows,
                Err(error) => {
                    let what = as_damage(error)?;
                    self.found_file(&file.path, format!("row group {group}: {what}"));
                    continue;
                }
            };
            for row in rows {
                self.verified.contents += 1;
                let row = row.row;
                self.inline.remove(&fingerprint((row.node, row.version, row.hash)));
                let actual = ContentHash::of(&row.bytes);
                if actual != row.hash {
                    self.found(Finding::Content {
                        node: row.node,
                        version: row.version,
                        path: Some(file.path.clone()),
                        what: format!("its bytes hash to {actual}, not to {}", row.hash),
                    });
                }
            }
        }
        Ok(())
    }

    /// Every name that stands for a file must have a node that is written.
    async fn names(&mut self) -> Result<()> {
        // The newest row of each name that is in doubt, or was.
        let mut newest = HashMap::<u64, ((u64, u32), Option<(NodeId, String)>)>::new();
        for file in self.metadata_files() {
            let look = |link: Stamped<crate::LinkRow>| {
                let order = link.order();
                let row = link.row;
                let child = row.child.filter(|_| row.entry_type.is_file()).map(fingerprint);
                let key = fingerprint((row.parent, &row.name));
                let doubtful = child.is_some_and(|child| !self.nodes.contains(&child));
                let doubt = doubtful.then_some((row.parent, row.name));
                match newest.get_mut(&key) {
                    Some(known) if known.0 < order => *known = (order, doubt),
                    Some(_) => {}
                    None => drop(newest.insert(key, (order, doubt))),
                }
            };
            self.each_readable(&file, kind::LINK, |block| block.links, look).await?;
        }
        for (parent, name) in newest.into_values().filter_map(|(_, doubt)| doubt) {
            let what = "nothing is known of the node that it stands for".into();
            self.found(Finding::Link { parent, name, what });
        }
        Ok(())
    }

    async fn large_files(&mut self, monitor: &Arc<dyn Monitor>) -> Result<()> {
        let mut large: Vec<_> = std::mem::take(&mut self.large).into_iter().collect();
        large.sort_unstable();
        let total = large.iter().map(|(_, (_, _, size))| size).sum();
        let progress = monitor.begin("checking large files", Some(total), Unit::Bytes);
        for (hash, (node, version, size)) in large {
            self.verified.large_files += 1;
            let path = large_path(hash);
            let what = match self.hash(&path, &*progress).await? {
                None => "its large file is missing".to_owned(),
                Some((_, actual)) if actual != size => {
                    format!("its large file has {actual} bytes, not {size}")
                }
                Some((actual, _)) if actual != hash => {
                    format!("its large file hashes to {actual}")
                }
                Some(_) => continue,
            };
            self.found(Finding::Content { node, version, path: Some(path), what });
        }
        Ok(())
    }
}

/// What the next transaction must be, and what it must follow.
struct Chain {
    next: u64,
    /// `None` after a file that could not be read.
    hash: Option<ContentHash>,
}
