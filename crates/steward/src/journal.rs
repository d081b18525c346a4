//! What this replica was doing, so that the next open can say what was cut
//! short, and what of its upkeep failed.
//!
//! Always true: the journal is a hint and never the authority. A transaction
//! is committed when the log has it, whatever the journal says.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Result;
use crate::control::Control;
use crate::intent::Intent;

const UNDER_WAY: &str = "under-way.json";
const INTERRUPTED: &str = "interrupted.json";
const UPKEEP: &str = "upkeep.json";
/// The most that is remembered of interrupted work; the oldest goes first.
const INTERRUPTED_MAX: usize = 50;

/// Work that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The id of its transaction.
    pub txn_id: Uuid,
    /// The command.
    pub command: String,
    /// Who asked for it.
    pub user: String,
    /// The id of its process.
    pub pid: u32,
    /// When it began, in microseconds since 1970 UTC.
    pub started_us: i64,
}

impl Work {
    pub(crate) fn new(txn_id: Uuid, intent: &Intent, started_us: i64) -> Self {
        Self {
            txn_id,
            command: intent.command.clone(),
            user: intent.user.clone(),
            pid: std::process::id(),
            started_us,
        }
    }
}

/// How automatic upkeep went when it last had something to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// When it last ran to its end, in microseconds since 1970 UTC.
    pub done_us: Option<i64>,
    /// When it last failed, if that was later.
    pub failed_us: Option<i64>,
    /// Why it failed, causes included.
    pub failure: Option<String>,
    /// The newest transaction when upkeep of the log was last seen through.
    #[serde(default)]
    pub(crate) log_done_txn: u64,
}

/// The journal of a replica.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    control: Control,
}

impl Journal {
    pub(crate) const fn new(control: Control) -> Self {
        Self { control }
    }

    /// Notes work that begins. Under the writer's lock, whatever is noted
    /// there already was cut short.
    pub(crate) fn begin(&self, work: &Work) {
        self.note_interrupted();
        self.note(self.control.write_hint(UNDER_WAY, work));
    }

    /// Notes that work came to an end, good or bad.
    pub(crate) fn end(&self) {
        self.note(self.control.remove(UNDER_WAY));
    }

    /// Moves work that was cut short to the list of such.
    pub(crate) fn note_interrupted(&self) {
        let Some(work) = self.under_way() else { return };
        let mut all = self.interrupted();
        all.push(work);
        let excess = all.len().saturating_sub(INTERRUPTED_MAX);
        all.drain(..excess);
        self.note(self.control.write_hint(INTERRUPTED, &all));
        self.note(self.control.remove(UNDER_WAY));
    }

    /// Work that is under way, or was when its process died.
    pub(crate) fn under_way(&self) -> Option<Work> {
        self.read(UNDER_WAY)
    }

    /// Work that was cut short, the oldest first.
    pub(crate) fn interrupted(&self) -> Vec<Work> {
        self.read(INTERRUPTED).unwrap_or_default()
    }

    pub(crate) fn forget_interrupted(&self) -> Result<()> {
        self.control.remove(INTERRUPTED)
    }

    /// Who looked without the writer's lock was told of interrupted work. That
    /// it is told again where nothing can be written is no harm.
    pub(crate) fn told_of_interrupted(&self) {
        self.note(self.forget_interrupted());
    }

    /// How upkeep went.
    pub(crate) fn upkeep(&self) -> Upkeep {
        self.read(UPKEEP).unwrap_or_default()
    }

    pub(crate) fn set_upkeep(&self, upkeep: &Upkeep) {
        self.note(self.control.write_hint(UPKEEP, upkeep));
    }

    /// Takes away what writes that were cut short left in `control/`.
    pub(crate) fn sweep(&self, now_us: i64) {
        self.note(self.control.sweep(now_us));
    }

    /// An entry that can not be read is as good as none: it is only a hint.
    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        match self.control.read_json(name) {
            Ok(found) => found,
            Err(error) => {
                diagnostics::log_debug!("the journal is left aside: {error}", error);
                None
            }
        }
    }

    /// That a note could not be written must not hinder the work it is about.
    #[expect(clippy::unused_self, reason = "belongs to the journal")]
    fn note(&self, result: Result<()>) {
        if let Err(error) = result {
            diagnostics::log_debug!("the journal misses an entry: {error}", error);
        }
    }
}
