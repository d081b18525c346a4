//! What happened in a pond: its transactions, what each touched, the versions
//! of a file, and the difference between two states.
//!
//! Everything is told from the rows of the log, which live as long as the
//! history does.
//!
//! Deliberately not here: rows of tables. Which versions differ is said here;
//! what is in them is for whoever reads them.

mod change;
mod difference;
mod paths;
mod versions;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use oplog::{Stamped, TransactionRow, TxnKind};
use uuid::Uuid;

pub use change::{Change, ChangeKind};
pub use difference::{Difference, DifferenceKind};
pub use versions::{FileVersion, PathHistory, StoredVersion};

pub(crate) use change::changes_of;
pub(crate) use paths::Paths;

use crate::read_view::ReadView;
use crate::{Error, Result};

/// Transactions read at first, when they are told newest first; then more and
/// more at once: most who ask want the last few.
const FIRST_CHUNK: u64 = 8;
const CHUNK: u64 = 256;

/// A transaction, as the history tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its number.
    pub txn_seq: u64,
    /// Its id.
    pub txn_id: Uuid,
    /// Who caused it.
    pub kind: TxnKind,
    /// The command line.
    pub command: String,
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// When it began, in microseconds since 1970 UTC.
    pub started_us: i64,
    /// When it ended, in microseconds since 1970 UTC.
    pub ended_us: i64,
    /// Names that it set or took away.
    pub links: u64,
    /// Versions and properties that it wrote.
    pub versions: u64,
    /// Bytes that its versions name.
    pub content_bytes: u64,
    /// Its hash, which the next transaction's covers.
    pub hash: tinyfs::ContentHash,
}

impl From<Stamped<TransactionRow>> for Transaction {
    fn from(stamped: Stamped<TransactionRow>) -> Self {
        let Stamped { txn_seq, row, .. } = stamped;
        Self {
            txn_seq,
            txn_id: row.txn_id,
            kind: row.kind,
            command: row.command,
            user: row.user,
            host: row.host,
            started_us: row.started_us,
            ended_us: row.ended_us,
            links: row.counts.links,
            versions: row.counts.versions,
            content_bytes: row.counts.content_bytes,
            hash: row.hash,
        }
    }
}

impl ReadView {
    /// The transactions up to this state, newest first.
    #[must_use]
    pub fn log(&self) -> BoxStream<'static, Result<Transaction>> {
        let snapshot = self.snapshot().clone();
        let last = snapshot.txn_seq();
        let chunks = stream::try_unfold((last, FIRST_CHUNK), move |(last, chunk)| {
            let snapshot = snapshot.clone();
            async move {
                if last == 0 {
                    return Ok(None);
                }
                let first = last.saturating_sub(chunk - 1).max(1);
                let more = CHUNK.min(chunk * 4);
                let mut chunk: Vec<_> = snapshot
                    .transactions(first..=last)
                    .map_err(Error::log("cannot read the transactions"))
                    .try_collect()
                    .await?;
                chunk.reverse();
                let chunk = stream::iter(chunk.into_iter().map(|row| Ok(Transaction::from(row))));
                Ok::<_, Error>(Some((chunk, (first - 1, more))))
            }
        });
        chunks.try_flatten().boxed()
    }

    /// One transaction and what it touched.
    ///
    /// # Errors
    /// [`Error::NoSuchTransaction`], and what the log says.
    pub async fn show(&self, txn_seq: u64) -> Result<(Transaction, Vec<Change>)> {
        let row = self.snapshot().transaction(txn_seq).await.map_err(|error| match error {
            oplog::Error::NoSuchTransaction { txn_seq, newest } => {
                Error::NoSuchTransaction { txn_seq, newest }
            }
            error => Error::log(format!("cannot read transaction {txn_seq}"))(error),
        })?;
        Ok((row.into(), change::changes_in(self.snapshot(), txn_seq).await?))
    }

    /// The transaction of this number; `None` when it was pruned or is yet to come.
    pub(crate) async fn transaction(&self, txn_seq: u64) -> Result<Option<Transaction>> {
        match self.snapshot().transaction(txn_seq).await {
            Ok(row) => Ok(Some(row.into())),
            Err(oplog::Error::NoSuchTransaction { .. } | oplog::Error::Pruned { .. }) => Ok(None),
            Err(error) => Err(Error::log(format!("cannot read transaction {txn_seq}"))(error)),
        }
    }
}
