//! A pond: made, opened, read and written.
//!
//! Always true: [`Pond::read`] and [`Pond::write`] are the only doors to what
//! is in it; opening makes nothing; one process writes at a time, and readers
//! wait for nobody; a transaction is whole or leaves nothing.
//!
//! Deliberately not here: what upkeep does ([`crate::MaintenancePlan`]), and
//! the history ([`ReadView`]).

mod init;

pub(crate) use init::must_be_pond;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oplog::{Location, Log};
use tlogfs::View;
use tokio::sync::Mutex;

use crate::control::Control;
use crate::environment::Environment;
use crate::error::TailFound;
use crate::journal::{Journal, Work};
use crate::layout::Layout;
use crate::lock::WriterLock;
use crate::read_view::ReadView;
use crate::settings::Settings;
use crate::watermark::Watermark;
use crate::{Error, Identity, Result};

/// A pond that is open.
#[derive(Debug)]
pub struct Pond {
    pub(crate) layout: Layout,
    pub(crate) environment: Environment,
    pub(crate) control: Control,
    pub(crate) journal: Journal,
    /// As new as the last look at it. It is held for a look only, never for as
    /// long as a transaction: readers wait for nobody.
    log: Mutex<Log>,
    identity: Identity,
    lock_timeout: Option<Duration>,
    notices: Vec<Notice>,
}

/// Something an open pond has to say before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The newest transactions are gone; nothing is written before the
    /// operator has said so to `recover`.
    LostTail {
        /// The newest transaction that this replica has seen.
        expected: u64,
        /// What the log ends with.
        found: TailFound,
    },
    /// A command was cut short. Its transaction is whole or left nothing.
    Interrupted(Work),
}

impl Pond {
    /// Opens the pond in `dir`. Nothing is made, not even a file.
    ///
    /// # Errors
    /// [`Error::NoSuchDirectory`], [`Error::NotADirectory`],
    /// [`Error::NotAPond`], [`Error::NewerFormat`], and what the log says.
    pub async fn open(dir: &Path, environment: Environment) -> Result<Self> {
        let layout = Layout::new(dir);
        must_be_pond(&layout)?;
        let log = Log::open(&Location::Local(layout.data()), environment.log_options())
            .await
            .map_err(|error| opening(dir, error))?;
        Self::from_log(layout, log, environment).await
    }

    pub(crate) async fn from_log(
        layout: Layout,
        log: Log,
        environment: Environment,
    ) -> Result<Self> {
        let control = Control::new(&layout, &environment.medium);
        let journal = Journal::new(control.clone());
        let identity = log.identity().clone();
        let mut pond = Self {
            layout,
            environment,
            control,
            journal,
            log: Mutex::new(log),
            identity,
            lock_timeout: None,
            notices: Vec::new(),
        };
        pond.notices = pond.look_around().await?;
        Ok(pond)
    }

    /// Waits this long for another writer, whatever the settings say.
    #[must_use]
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = Some(timeout);
        self
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.layout.root()
    }

    /// The directory of what can be computed again. It need not be there.
    #[must_use]
    pub fn cache_dir(&self) -> PathBuf {
        self.layout.cache()
    }

    /// Which pond it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it was opened with.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What was found when it was opened that the user should know.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The newest state of the pond. It takes no lock and never changes.
    ///
    /// # Errors
    /// What the log says.
    pub async fn read(&self) -> Result<ReadView> {
        let log = self.newest().await?;
        Ok(ReadView::new(Arc::new(View::new(log.snapshot()))))
    }

    /// The settings of this replica.
    ///
    /// # Errors
    /// [`Error::BadSettings`] and its like when their file was damaged.
    pub fn settings(&self) -> Result<Settings> {
        Settings::load(&self.control)
    }

    /// Chooses the value of a setting.
    ///
    /// # Errors
    /// [`Error::NoSuchSetting`], [`Error::BadSetting`], [`Error::Io`].
    pub fn set_setting(&self, key: &str, value: &str) -> Result<()> {
        let _turn = self.control.turn()?;
        let mut settings = self.settings()?;
        settings.set(key, value)?;
        settings.store(&self.control)
    }

    /// Brings back the default of a setting.
    ///
    /// # Errors
    /// [`Error::NoSuchSetting`], [`Error::Io`].
    pub fn unset_setting(&self, key: &str) -> Result<()> {
        let _turn = self.control.turn()?;
        let mut settings = self.settings()?;
        settings.unset(key)?;
        settings.store(&self.control)
    }

    /// Takes the writer's lock and the newest state of the log.
    pub(crate) async fn lock(&self, command: &str) -> Result<Locked> {
        let settings = self.settings()?;
        let timeout = self.lock_timeout.unwrap_or_else(|| settings.lock_timeout());
        let lock = WriterLock::take(&self.layout, command, timeout, &self.environment).await?;
        Ok(Locked { log: self.newest().await?, settings, _lock: lock })
    }

    /// The log as it is now.
    pub(crate) async fn newest(&self) -> Result<Log> {
        let mut log = self.log.lock().await;
        log.refresh().await.map_err(Error::log("cannot read the pond's log"))?;
        Ok(log.clone())
    }

    /// Gives what was committed under the lock to whoever looks next, who need
    /// not read it back.
    pub(crate) async fn publish(&self, locked: &Locked) {
        *self.log.lock().await = locked.log.clone();
    }

    /// What is wrong with the end of the log, by the watermark.
    pub(crate) async fn lost_tail(&self, log: &Log) -> Result<Option<(u64, TailFound)>> {
        let Some(watermark) = Watermark::load(&self.control) else { return Ok(None) };
        // Before the first transaction there is none to be lost.
        if watermark.txn_seq == 0 {
            return Ok(None);
        }
        let newest = log.head().txn_seq;
        let hash = match newest.cmp(&watermark.txn_seq) {
            Ordering::Less => None,
            // What the log says of its newest file; the file need not be opened.
            Ordering::Equal => Some(log.head().hash),
            Ordering::Greater => match log.snapshot().transaction(watermark.txn_seq).await {
                Ok(row) => Some(row.row.hash),
                Err(oplog::Error::Pruned { .. }) => None,
                // The tail is there. That its rows are damaged is told to who
                // asks for them, and must not keep everybody else out.
                Err(error) if error.is_damage() => None,
                Err(error) => return Err(Error::log("cannot read the newest transactions")(error)),
            },
        };
        Ok(watermark.compare(newest, hash).map(|found| (watermark.txn_seq, found)))
    }

    async fn look_around(&self) -> Result<Vec<Notice>> {
        let mut notices = Vec::new();
        let log = self.log.lock().await.clone();
        if let Some((expected, found)) = self.lost_tail(&log).await? {
            notices.push(Notice::LostTail { expected, found });
        }
        if let Some(work) = self.journal.under_way()
            && WriterLock::is_free(&self.layout)
        {
            notices.push(Notice::Interrupted(work));
        }
        Ok(notices)
    }
}

/// The lock, and the log it protects.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) log: Log,
    pub(crate) settings: Settings,
    _lock: WriterLock,
}

/// Why a log can not be opened, in terms of the pond.
pub(crate) fn opening(dir: &Path, error: oplog::Error) -> Error {
    let path = dir.to_owned();
    match error {
        oplog::Error::NotFound { .. } => {
            Error::NotAPond { path, reason: "its `data` has no log".to_owned() }
        }
        oplog::Error::NotADirectory { .. } => {
            Error::NotAPond { path, reason: "its `data` is not a directory".to_owned() }
        }
        oplog::Error::NotAPond { reason, .. } => Error::NotAPond { path, reason },
        oplog::Error::NewerFormat { found, supported } => {
            Error::NewerFormat { path, found, supported }
        }
        source => {
            Error::Log { doing: format!("cannot open the pond at `{}`", dir.display()), source }
        }
    }
}
