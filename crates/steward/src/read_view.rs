//! A pond as it was at one transaction.

use std::sync::Arc;

use oplog::Snapshot;
use tinyfs::{Fs, Store};
use tlogfs::View;

use crate::as_of::AsOf;
use crate::{Error, Result};

/// One state of a pond. It never changes, however long it is held.
#[derive(Clone, Debug)]
pub struct ReadView {
    view: Arc<View>,
}

impl ReadView {
    pub(crate) const fn new(view: Arc<View>) -> Self {
        Self { view }
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        self.view.snapshot()
    }

    /// The file system.
    #[must_use]
    pub fn fs(&self) -> Fs {
        Fs::new(self.store())
    }

    /// What the file system stands on.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        let store: Arc<View> = Arc::clone(&self.view);
        store
    }

    /// The last transaction it has; 0 before the first.
    #[must_use]
    pub fn txn_seq(&self) -> u64 {
        self.snapshot().txn_seq()
    }

    /// When that transaction ended, in microseconds since 1970 UTC; for a pond
    /// without transactions, when it was made.
    ///
    /// # Errors
    /// What the log says.
    pub async fn written_us(&self) -> Result<i64> {
        let ended = self.snapshot().ended_us().await;
        let ended = ended.map_err(Error::log("cannot read the newest transaction"))?;
        Ok(ended.unwrap_or(self.snapshot().identity().created_us))
    }

    /// An earlier state.
    ///
    /// # Errors
    /// [`Error::NoSuchTransaction`] for one that is yet to come; what was
    /// pruned is refused by the log.
    pub async fn at(&self, as_of: AsOf) -> Result<Self> {
        let snapshot = match as_of {
            AsOf::Txn(txn_seq) => self.snapshot().as_of(txn_seq),
            AsOf::Time(us) => self.snapshot().as_of_time(us).await,
        };
        match snapshot {
            Ok(snapshot) => Ok(Self::new(Arc::new(View::new(snapshot)))),
            Err(oplog::Error::NoSuchTransaction { txn_seq, newest }) => {
                Err(Error::NoSuchTransaction { txn_seq, newest })
            }
            Err(source) => {
                Err(Error::Log { doing: format!("cannot show the pond as of {as_of}"), source })
            }
        }
    }
}
