//! How the nodes that do something when they are run got on with it: when each
//! was last begun, last came to a good end, and last failed.
//!
//! Always true: a record is of this replica and a hint, kept in `control/`
//! beside the journal; that one can not be read or written hinders no run; a
//! node keeps its record when it gets another path.
//!
//! Deliberately not here: what a run changed, which the history tells, and
//! what of it is late, which depends on the times of the rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tinyfs::NodeId;

use crate::Pond;
use crate::control::Control;

const RUNS: &str = "runs.json";
/// The most records that are kept; the one begun the longest ago goes first.
const MAX_RECORDS: usize = 2_000;
/// The most of a failure that is kept, in characters.
const FAILURE_MAX_CHARS: usize = 1_000;

/// How a node's runs went. Times are microseconds since 1970 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The path it was last run by.
    pub path: String,
    /// When its last run began.
    pub began_us: i64,
    /// When its last run that came to an end did.
    pub ended_us: Option<i64>,
    /// When it last ended and nothing had failed.
    pub ok_us: Option<i64>,
    /// When it last ended and something had failed.
    pub failed_us: Option<i64>,
    /// What failed then, causes included.
    pub failure: Option<String>,
}

impl RunRecord {
    /// Why its last run failed; `None` when that came to a good end, or to
    /// none.
    #[must_use]
    pub fn last_failure(&self) -> Option<&str> {
        let failure = self.failure.as_deref()?;
        (self.failed_us.is_some() && self.failed_us >= self.ok_us && !self.is_open())
            .then_some(failure)
    }

    /// Whether its last run has not come to an end: it is under way, or was
    /// cut short.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended_us.is_none_or(|ended_us| ended_us < self.began_us)
    }
}

impl Pond {
    /// How the runs of nodes went, as far as this replica remembers.
    #[must_use]
    pub fn run_records(&self) -> BTreeMap<NodeId, RunRecord> {
        read(&self.control)
            .into_iter()
            .filter_map(|(node, record)| Some((node.parse().ok()?, record)))
            .collect()
    }

    /// Notes that the node at `path` begins to run.
    pub fn note_run_began(&self, node: NodeId, path: &str) {
        let now_us = self.environment.clock.now_us();
        self.note_run(node, |record| {
            path.clone_into(&mut record.path);
            record.began_us = now_us;
        });
    }

    /// Notes that a node's run came to an end, and what failed in it.
    pub fn note_run_ended(&self, node: NodeId, failure: Option<&str>) {
        let now_us = self.environment.clock.now_us();
        self.note_run(node, |record| {
            record.ended_us = Some(now_us);
            match failure {
                None => record.ok_us = Some(now_us),
                Some(failure) => {
                    record.failed_us = Some(now_us);
                    record.failure = Some(failure.chars().take(FAILURE_MAX_CHARS).collect());
                }
            }
        });
    }

    fn note_run(&self, node: NodeId, change: impl FnOnce(&mut RunRecord)) {
        let noted = || {
            let _turn = self.control.turn()?;
            let mut all = read(&self.control);
            change(all.entry(node.to_string()).or_default());
            while all.len() > MAX_RECORDS
                && let Some(oldest) = oldest(&all)
            {
                all.remove(&oldest);
            }
            self.control.write_hint(RUNS, &all)
        };
        if let Err(error) = noted() {
            diagnostics::log_debug!("the record of a run is missing: {error}", error);
        }
    }
}

/// All records, by the node's id. A file that can not be read is as good as
/// none: it is only a hint.
fn read(control: &Control) -> BTreeMap<String, RunRecord> {
    match control.read_json(RUNS) {
        Ok(found) => found.unwrap_or_default(),
        Err(error) => {
            diagnostics::log_debug!("the records of runs are left aside: {error}", error);
            BTreeMap::new()
        }
    }
}

fn oldest(all: &BTreeMap<String, RunRecord>) -> Option<String> {
    all.iter().min_by_key(|(_, record)| record.began_us).map(|(node, _)| node.clone())
}
