//! Changing a pond: lock, work, commit, upkeep.

use std::fmt;
use std::sync::Arc;

use oplog::{Changes, Committed, Log, Outcome, TransactionMeta, TxnKind};
use tinyfs::{Fs, WriteStore};
use tlogfs::{Transaction, View};

use crate::history::{Change, changes_of};
use crate::intent::Intent;
use crate::journal::Work;
use crate::maintain::due_series;
use crate::pond::{Locked, Pond};
use crate::watermark::Watermark;
use crate::{Error, Result};

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Nothing was different, so there is no transaction.
    Nothing,
    /// It is on the disk.
    Committed {
        /// Its number.
        txn_seq: u64,
    },
}

/// What the work gave, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// What the work gave.
    pub value: T,
    /// What came of it.
    pub commit: Commit,
}

/// The pond as one transaction sees and changes it.
pub struct WriteView {
    transaction: Arc<Transaction>,
}

impl fmt::Debug for WriteView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteView").field("txn_seq", &self.base_txn_seq()).finish()
    }
}

impl Drop for WriteView {
    /// The file system may have been handed out and live on; what the
    /// transaction leaves is cleared here, while the lock is held.
    fn drop(&mut self) {
        self.transaction.discard();
    }
}

impl WriteView {
    /// The file system. What is changed through it is seen through it at once
    /// and by others when it is committed.
    #[must_use]
    pub fn fs(&self) -> Fs<dyn WriteStore> {
        let store: Arc<Transaction> = Arc::clone(&self.transaction);
        Fs::new(store)
    }

    pub(crate) const fn transaction(&self) -> &Arc<Transaction> {
        &self.transaction
    }

    /// The transaction whose state it began with.
    #[must_use]
    pub fn base_txn_seq(&self) -> u64 {
        self.transaction.base().snapshot().txn_seq()
    }
}

impl Pond {
    /// Runs `work` as one transaction: takes the writer's lock, waiting for it,
    /// gives `work` the newest state to change, and commits what it changed.
    /// When `work` fails, nothing is changed.
    ///
    /// # Errors
    /// What `work` says; [`Error::Locked`], [`Error::ReadOnly`],
    /// [`Error::LostTail`], [`Error::NotCommitted`], [`Error::Unknown`].
    pub async fn write<T, E>(
        &self,
        intent: Intent,
        work: impl AsyncFnOnce(&WriteView) -> Result<T, E>,
    ) -> Result<Written<T>, E>
    where
        E: From<Error>,
    {
        let mut locked = self.lock(&intent.command).await?;
        self.must_be_whole(&locked.log).await?;
        let started_us = self.environment.clock.now_us();
        let txn_id = self.environment.ids.next_id();
        self.journal.begin(&Work::new(txn_id, &intent, started_us));
        let view = match self.begin(&locked.log) {
            Ok(view) => view,
            Err(error) => {
                self.journal.end();
                return Err(error.into());
            }
        };
        let value = match work(&view).await {
            Ok(value) => value,
            Err(error) => {
                self.journal.end();
                return Err(error);
            }
        };
        let meta = TransactionMeta {
            txn_id,
            kind: TxnKind::User,
            command: intent.command,
            user: intent.user,
            host: intent.host,
            started_us,
            ended_us: self.environment.clock.now_us(),
        };
        let series = view.transaction.appended_to().await;
        let commit = self.commit(&mut locked, &view.transaction, meta).await;
        self.journal.end();
        let commit = commit?;
        if commit != Commit::Nothing {
            let due = due_series(&series, &locked.settings);
            self.keep_up(&mut locked, &due).await;
            self.publish(&locked).await;
        }
        Ok(Written { value, commit })
    }

    /// Runs `work` without lock and without committing, and says what it
    /// would have changed.
    ///
    /// # Errors
    /// What `work` says.
    pub async fn rehearse<T, E>(
        &self,
        work: impl AsyncFnOnce(&WriteView) -> Result<T, E>,
    ) -> Result<(T, Vec<Change>), E>
    where
        E: From<Error>,
    {
        let view = self.begin(&self.newest().await?)?;
        view.transaction.leave();
        let value = work(&view).await?;
        let changes = self.rehearsed(&view).await?;
        Ok((value, changes))
    }

    async fn rehearsed(&self, view: &WriteView) -> Result<Vec<Change>> {
        let now_us = self.environment.clock.now_us();
        let meta = TransactionMeta {
            txn_id: self.environment.ids.next_id(),
            kind: TxnKind::User,
            command: String::new(),
            user: String::new(),
            host: String::new(),
            started_us: now_us,
            ended_us: now_us,
        };
        let Changes { links, versions, .. } = view.transaction.into_changes(meta).await?;
        changes_of(view.transaction.base().snapshot(), links, versions).await
    }

    /// A transaction over the newest state.
    pub(crate) fn begin(&self, log: &Log) -> Result<WriteView> {
        let base = Arc::new(View::new(log.snapshot()));
        let ids = Arc::clone(&self.environment.ids);
        let transaction =
            Transaction::begin(base, log.large_files(), ids, self.control.directory()?);
        Ok(WriteView { transaction: Arc::new(transaction) })
    }

    /// Refuses to write after transactions that are gone.
    pub(crate) async fn must_be_whole(&self, log: &Log) -> Result<()> {
        match self.lost_tail(log).await? {
            None => Ok(()),
            Some((expected, found)) => {
                Err(Error::LostTail { path: self.path().to_owned(), expected, found })
            }
        }
    }

    /// Commits a transaction.
    pub(crate) async fn commit(
        &self,
        locked: &mut Locked,
        transaction: &Transaction,
        meta: TransactionMeta,
    ) -> Result<Commit> {
        let changes = transaction.into_changes(meta).await?;
        if changes.links.is_empty() && changes.versions.is_empty() {
            return Ok(Commit::Nothing);
        }
        let before = locked.log.head();
        if before.txn_seq == 0 {
            self.sync_names()?;
        }
        // From here on it may be committed even if nobody waits for the answer
        // (a dropped future stops no work that is on its way to the disk), so
        // what it wrote stays until it is known that it was not.
        transaction.keep();
        let committed = match locked.log.commit(&changes).await {
            Outcome::Committed(committed) => committed,
            Outcome::NotCommitted(source) => {
                transaction.release();
                return Err(Error::NotCommitted { source });
            }
            Outcome::Unknown { txn_id, error: source } => {
                return Err(Error::Unknown { txn_id, source });
            }
        };
        // The commit stands whatever becomes of the watermark.
        let Committed { txn_seq, hash, .. } = committed;
        let watermark = Watermark::new(txn_seq, hash);
        // After a recovery there is none, and perhaps not for certain.
        let follows = Watermark::load(&self.control)
            .is_some_and(|last| last == Watermark::new(before.txn_seq, before.hash));
        let stored = if follows {
            watermark.store(&self.control)
        } else {
            watermark.store_durable(&self.control)
        };
        if let Err(error) = stored {
            diagnostics::log_debug!("the watermark is behind: {error}", error);
        }
        Ok(Commit::Committed { txn_seq })
    }
}
