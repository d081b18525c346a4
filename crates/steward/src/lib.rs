//! The life of one pond: made, opened, read, written, kept up, checked,
//! recovered.
//!
//! [`Pond::read`] and [`Pond::write`] are the only doors. A [`ReadView`] is
//! one state of the pond and answers for its history; a [`WriteView`] is one
//! transaction.
//!
//! Always true: one process writes at a time and readers wait for nobody; an
//! acknowledged transaction is on the disk; a crash leaves the state before or
//! the state after; upkeep never fails the commit it follows; `control/` may
//! be deleted when no process uses the pond.
//!
//! Deliberately not here: SQL (`query`), and whatever prints (`cmd`).

mod as_of;
mod control;
mod environment;
mod error;
mod fsck;
mod history;
mod intent;
mod journal;
mod layout;
mod lock;
mod maintain;
mod pond;
mod read_view;
mod recover;
mod runs;
mod salvage;
mod settings;
mod status;
mod watermark;
mod write;

pub use as_of::AsOf;
pub use environment::{Clock, Environment, ManualClock, SystemClock, TimeOrderedIds};
pub use error::{Error, Result, TailFound};
pub use fsck::{Finding, FsckReport};
pub use history::{
    Change, ChangeKind, Difference, DifferenceKind, FileVersion, PathHistory, StoredVersion,
    Transaction,
};
pub use intent::{Intent, redact};
pub use journal::{Upkeep, Work};
pub use lock::Holder;
pub use maintain::{MaintainOptions, MaintenancePlan, MaintenanceReport, Step};
pub use oplog::{Disk, Identity, Medium, TxnKind};
pub use pond::{Notice, Pond};
pub use read_view::ReadView;
pub use recover::{RecoverOptions, RecoveryReport};
pub use runs::RunRecord;
pub use salvage::SalvageReport;
pub use settings::{Kind, SETTINGS, Setting, Settings};
pub use status::Status;
pub use write::{Commit, WriteView, Written};
