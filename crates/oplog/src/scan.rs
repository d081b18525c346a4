//! Streams over the whole history, in the order it was written.
//!
//! Merged files are sorted by node, so a scan reads such a file in windows of
//! transactions, each small enough to be sorted in memory: several passes over
//! a large file rather than all of its rows at once.

use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use crate::columns::kind;
use crate::file::LiveFile;
use crate::reader::{Block, Reads};
use crate::{LinkRow, Result, Snapshot, Stamped, VersionRow};

/// Rows that a window holds, roughly.
const WINDOW_ROWS: u64 = 131_072;

/// Transactions of one file that are read together.
#[derive(Clone, Debug)]
struct Window {
    file: LiveFile,
    from: u64,
    to: u64,
}

impl Snapshot {
    /// Every link row, in order.
    pub fn scan_links(&self) -> BoxStream<'static, Result<Stamped<LinkRow>>> {
        self.scan(0, kind::LINK, |block| block.links)
    }

    /// Every version row, in order.
    pub fn scan_versions(&self) -> BoxStream<'static, Result<Stamped<VersionRow>>> {
        self.scan(0, kind::VERSION, |block| block.versions)
    }

    /// Every link row of the transactions after one, in order.
    pub fn links_since(&self, txn_seq: u64) -> BoxStream<'static, Result<Stamped<LinkRow>>> {
        self.scan(txn_seq, kind::LINK, |block| block.links)
    }

    /// Every version row of the transactions after one, in order.
    pub fn versions_since(&self, txn_seq: u64) -> BoxStream<'static, Result<Stamped<VersionRow>>> {
        self.scan(txn_seq, kind::VERSION, |block| block.versions)
    }

    /// What one transaction wrote, as far as it was not pruned.
    ///
    /// # Errors
    /// [`Error::NoSuchTransaction`](crate::Error::NoSuchTransaction),
    /// [`Error::Pruned`](crate::Error::Pruned), I/O and damage.
    pub async fn changes(
        &self,
        txn_seq: u64,
    ) -> Result<(Vec<Stamped<LinkRow>>, Vec<Stamped<VersionRow>>)> {
        self.transaction(txn_seq).await?;
        let before = txn_seq - 1;
        let one = Self::new(Arc::clone(&self.reads), self.state.clone(), txn_seq);
        let links = one.links_since(before).try_collect().await?;
        Ok((links, one.versions_since(before).try_collect().await?))
    }

    fn scan<T: Send + 'static>(
        &self,
        after: u64,
        kind: &'static str,
        take: fn(Block) -> Vec<Stamped<T>>,
    ) -> BoxStream<'static, Result<Stamped<T>>> {
        let last = self.txn_seq();
        let files: Vec<_> = self
            .metadata_files()
            .filter(|file| file.from <= last && after < file.to)
            .cloned()
            .collect();
        let reads = Arc::clone(&self.reads);
        let windows = {
            let reads = Arc::clone(&reads);
            futures::stream::iter(files).then(move |file| {
                let reads = Arc::clone(&reads);
                async move {
                    let windows = windows(&reads, file, after + 1, last).await?;
                    Ok::<_, crate::Error>(futures::stream::iter(windows.into_iter().map(Ok)))
                }
            })
        };
        windows
            .try_flatten()
            .map_ok(move |window| {
                let reads = Arc::clone(&reads);
                async move {
                    let rows = load(&reads, &window, kind, take).await?;
                    Ok::<_, crate::Error>(futures::stream::iter(rows.into_iter().map(Ok)))
                }
            })
            .try_buffered(2)
            .try_flatten()
            .boxed()
    }
}

/// Cuts the part of a file between two transactions into windows.
async fn windows(reads: &Reads, file: LiveFile, first: u64, last: u64) -> Result<Vec<Window>> {
    let (first, last) = (first.max(file.from), last.min(file.to));
    if file.rows <= WINDOW_ROWS || first == last {
        return Ok(vec![Window { file, from: first, to: last }]);
    }
    let mut windows = Vec::new();
    let mut from = first;
    let mut rows = 0;
    let footer = reads.footer(&file).await?;
    for (group, about) in footer.groups.iter().enumerate() {
        if !about.may_have(kind::TRANSACTION) {
            continue;
        }
        let block = reads.read_kind(&file, &footer, group, kind::TRANSACTION).await?;
        for row in block.transactions {
            if row.txn_seq < from || row.txn_seq > last {
                continue;
            }
            let more = row.row.counts.links + row.row.counts.versions;
            if rows + more > WINDOW_ROWS && row.txn_seq > from {
                windows.push(Window { file: file.clone(), from, to: row.txn_seq - 1 });
                from = row.txn_seq;
                rows = 0;
            }
            rows += more;
        }
    }
    windows.push(Window { file, from, to: last });
    Ok(windows)
}

/// The rows of a window, in order.
async fn load<T>(
    reads: &Reads,
    window: &Window,
    kind: &'static str,
    take: fn(Block) -> Vec<Stamped<T>>,
) -> Result<Vec<Stamped<T>>> {
    let footer = reads.footer(&window.file).await?;
    let mut rows = Vec::new();
    for (group, about) in footer.groups.iter().enumerate() {
        if !about.may_have_metadata() || !about.may_have(kind) {
            continue;
        }
        let found = take(reads.read_kind(&window.file, &footer, group, kind).await?);
        rows.extend(
            found.into_iter().filter(|row| (window.from..=window.to).contains(&row.txn_seq)),
        );
    }
    rows.sort_by_key(Stamped::order);
    Ok(rows)
}
