//! How fresh nodes are: when their newest event was, how their runs went, and
//! whether that is later than they may be.
//!
//! - The newest event of a series is the newest time in it; of a computed one
//!   it is taken from what it is computed from, and asked of its rows only
//!   where that can not tell; of a directory it is that of the series in it
//!   that lags most, but for those with a limit of their own. Of stored data
//!   and tables it is the last write, of what is only run the last good run.
//! - What has no event at all is late, and so is what can not be read.
//!
//! Deliberately not here: how it is shown.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use query::{NewestEvent, Session};
use steward::{Pond, RunRecord};
use tinyfs::{EntryType, Fs, NodeId, NodePath};

use crate::args::TimeWindowArgs;
use crate::context::{ALL_TIME, Context, View};
use crate::error::{CommandError, OrFail as _, Result};
use crate::node_limits;

/// Series of a directory without a limit that are looked at; of more the
/// newest event is left open.
const MAX_MEMBERS: usize = 64;

/// How fresh a node is. Times are microseconds since 1970 UTC.
#[derive(Clone, Debug)]
pub(crate) struct Freshness {
    /// Its path.
    pub(crate) path: String,
    /// What it is.
    pub(crate) entry_type: EntryType,
    /// The newest event, as far as it is known.
    pub(crate) event: Event,
    /// How its runs went.
    pub(crate) runs: Option<RunRecord>,
    /// How old the newest event may be, in seconds.
    pub(crate) limit_s: Option<u64>,
    /// Why it can not be said.
    pub(crate) error: Option<String>,
}

/// The newest event of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// When it was; `None`: there is none, or it is not known.
    pub(crate) us: Option<i64>,
    /// Whether it may have been earlier.
    pub(crate) or_earlier: bool,
    /// Of a directory: the path of the series whose event it is.
    pub(crate) of: Option<String>,
    /// Whether only a query would tell.
    pub(crate) is_unknown: bool,
}

impl Freshness {
    /// How old the newest event is, in seconds; less than nothing when it lies
    /// ahead.
    pub(crate) fn age_s(&self, now_us: i64) -> Option<i64> {
        Some(now_us.saturating_sub(self.event.us?).div_euclid(1_000_000))
    }

    /// Whether it is later than it may be; `None` when there is no limit.
    pub(crate) fn is_late(&self, now_us: i64) -> Option<bool> {
        let limit_s = i64::try_from(self.limit_s?).unwrap_or(i64::MAX);
        Some(self.error.is_some() || self.age_s(now_us).is_none_or(|age| age > limit_s))
    }
}

/// Tells how fresh nodes of one state are.
pub(crate) struct Watch<'a> {
    context: &'a Context,
    view: &'a View,
    session: Session,
    runs: BTreeMap<NodeId, RunRecord>,
    now_us: i64,
}

impl<'a> Watch<'a> {
    /// Over a state of a pond.
    pub(crate) fn new(context: &'a Context, pond: &Pond, view: &'a View) -> Result<Self> {
        let session = context.session(view, ALL_TIME)?;
        let now_us = context.environment().clock.now_us();
        Ok(Self { context, view, session, runs: pond.run_records(), now_us })
    }

    /// The time that ages are counted to.
    pub(crate) const fn now_us(&self) -> i64 {
        self.now_us
    }

    /// How the runs of a node went.
    pub(crate) fn runs_of(&self, node: NodeId) -> Option<&RunRecord> {
        self.runs.get(&node)
    }

    /// How fresh a node is. A limit given here goes before its own.
    pub(crate) async fn look(&self, found: &NodePath, limit_s: Option<u64>) -> Freshness {
        let own = node_limits::freshness_s(&found.node.attributes);
        let (limit_s, unreadable) = match (limit_s, own) {
            (Some(limit), _) => (Some(limit), None),
            (None, Ok(own)) => (own, None),
            (None, Err(error)) => (None, Some(error.to_string())),
        };
        let (event, error) = match self.event(found, limit_s).await {
            Ok(event) => (event, unreadable),
            Err(error) => (Event::default(), Some(error.texts().join(": "))),
        };
        Freshness {
            path: found.path.clone(),
            entry_type: found.node.entry_type,
            event,
            runs: self.runs.get(&found.id()).cloned(),
            limit_s,
            error,
        }
    }

    async fn event(&self, found: &NodePath, limit_s: Option<u64>) -> Result<Event> {
        let at = |us: Option<i64>| Event { us, ..Event::default() };
        match found.node.entry_type {
            EntryType::Data | EntryType::Table => {
                Ok(at(found.node.newest.as_ref().map(|newest| newest.written_us)))
            }
            EntryType::DynamicData => {
                Ok(at(self.runs.get(&found.id()).and_then(|record| record.ok_us)))
            }
            EntryType::Series | EntryType::DynamicSeries | EntryType::DynamicTable => {
                self.event_of_series(found, limit_s).await
            }
            _ => self.event_of_directory(found, limit_s).await,
        }
    }

    async fn event_of_series(&self, found: &NodePath, limit_s: Option<u64>) -> Result<Event> {
        let cannot = || format!("cannot tell how fresh `{}` is", found.path);
        let newest = self.session.newest_event(found).await.or_fail(cannot)?;
        let oldest_us = limit_s.map(|limit_s| {
            let limit_us = i64::try_from(limit_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            self.now_us.saturating_sub(limit_us)
        });
        let us = match (newest.event, oldest_us) {
            (NewestEvent::At(us), _) => us,
            // Late whatever a query would say, or nothing hangs on it.
            (NewestEvent::AtMost(us), limit) if limit.is_none_or(|oldest| us < oldest) => {
                return Ok(Event { us: Some(us), or_earlier: true, ..Event::default() });
            }
            (NewestEvent::Unknown, None) => {
                return Ok(Event { is_unknown: true, ..Event::default() });
            }
            // A table has no times of its own.
            (event, _) if !found.node.entry_type.is_series() => match event {
                NewestEvent::AtMost(us) => Some(us),
                _ => {
                    let what = format!("`{}` is a table without times", found.path);
                    return Err(CommandError::bad_input(what));
                }
            },
            (_, oldest_us) => {
                // What is recent first: it is little, and mostly there.
                let recent = TimeWindowArgs { time_start: oldest_us, time_end: None };
                let recent = self.context.session(self.view, recent)?;
                match recent.newest_event_asked(&newest.ask).await.or_fail(cannot)? {
                    Some(us) => Some(us),
                    None => self.session.newest_event_asked(&newest.ask).await.or_fail(cannot)?,
                }
            }
        };
        Ok(Event { us, ..Event::default() })
    }

    async fn event_of_directory(&self, found: &NodePath, limit_s: Option<u64>) -> Result<Event> {
        let mut members = Vec::new();
        series_in(&self.view.fs, &found.path, &mut members).await?;
        // Nothing hangs on it, and a directory may hold much.
        if limit_s.is_none() && members.len() > MAX_MEMBERS {
            return Ok(Event { is_unknown: true, ..Event::default() });
        }
        let mut stalest: Option<Event> = None;
        for member in members {
            let mut event = self.event_of_series(&member, limit_s).await?;
            event.of = Some(member.path);
            // One of which nothing is known tells nothing of the others.
            if event.is_unknown {
                continue;
            }
            let lags = stalest.as_ref().is_none_or(|stalest| event.us < stalest.us);
            if lags {
                stalest = Some(event);
            }
        }
        Ok(stalest.unwrap_or_default())
    }
}

/// The series in a directory, however deep, that have no limit of their own.
fn series_in<'a>(
    fs: &'a Fs,
    dir: &'a str,
    found: &'a mut Vec<NodePath>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        for entry in fs.list(dir).await.or_fail(|| format!("cannot list `{dir}`"))? {
            let own = node_limits::freshness_s(&entry.node.attributes);
            if own.or_fail(|| format!("cannot read the limit of `{}`", entry.path))?.is_some() {
                continue;
            }
            let entry_type = entry.node.entry_type;
            if entry_type.is_directory() {
                series_in(fs, &entry.path, found).await?;
            } else if entry_type.is_series() {
                found.push(entry);
            }
        }
        Ok(())
    })
}

/// All that is stored below a directory, computed nodes included, what they
/// compute not.
pub(crate) fn stored_below<'a>(
    fs: &'a Fs,
    dir: &'a str,
    found: &'a mut Vec<NodePath>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        for entry in fs.list(dir).await.or_fail(|| format!("cannot list `{dir}`"))? {
            let deeper =
                (entry.node.entry_type == EntryType::Directory).then(|| entry.path.clone());
            found.push(entry);
            if let Some(dir) = deeper {
                stored_below(fs, &dir, found).await?;
            }
        }
        Ok(())
    })
}

/// Whether a node declares a limit, or what it declares can not be read.
pub(crate) fn has_limit(found: &NodePath) -> bool {
    !matches!(node_limits::freshness_s(&found.node.attributes), Ok(None))
}
