//! `pond status`: what pond this is, and how it is.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use steward::{Pond, Status};
use tinyfs::{EntryType, NodeId, NodePath, SeriesSpec};

use super::check_freshness;
use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::{OrFail as _, Result};
use crate::freshness::{Event, Freshness, Watch, has_limit, stored_below};
use crate::output::{Stdout, Style, TextTable, print_object};
use crate::{node_limits, quantity, quote, time_arg};

/// Series without a limit that the text shows.
const PLAIN_LINES: usize = 40;

/// Say what pond this is and how it is
///
/// Its identity, what is in it, how much room it takes, when it was last
/// written, what maintenance would do, and how fresh its series and computed
/// nodes are: the newest event, how the last run went, and whether that is
/// older than a limit that is declared. Of what is computed the newest event is
/// told from what it is computed from; a query is asked only where a limit
/// hangs on it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond status
  pond status --format json | jq .live_bytes
  pond status --format json | jq -r '.freshness[] | select(.late) | .path'")]
pub(crate) struct StatusArgs {
    /// Do not look at each computed node
    #[arg(long)]
    no_freshness: bool,
    #[command(flatten)]
    format: ListFormatArg,
}

/// A pond as `pond status --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownStatus {
    /// Its directory.
    path: String,
    /// Its id.
    pond: String,
    /// Where it was made.
    birthplace: String,
    /// When it was made, RFC 3339.
    created: String,
    /// The version of what lies on the disk.
    format_version: u32,
    /// The newest transaction; 0 before the first.
    transaction: u64,
    /// The oldest transaction whose state can be seen.
    oldest_transaction: u64,
    /// When the newest transaction ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_write: Option<String>,
    /// Its command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_command: Option<String>,
    /// How many names there are, by type.
    entries: BTreeMap<&'static str, u64>,
    /// Versions of files.
    versions: u64,
    /// Bytes of what is visible now: newest versions, and all versions of series.
    live_bytes: u64,
    /// Bytes of all versions.
    version_bytes: u64,
    /// Bytes of all files in the pond's directory.
    disk_bytes: u64,
    /// What maintenance would do, in words.
    maintenance: Vec<String>,
    /// When maintenance last ran to its end, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    maintained: Option<String>,
    /// Why maintenance last failed, if it did since.
    #[serde(skip_serializing_if = "Option::is_none")]
    maintenance_failure: Option<String>,
    /// Commands that were cut short.
    interrupted: Vec<String>,
    /// How fresh series and computed nodes are; absent with --no-freshness.
    #[serde(skip_serializing_if = "Option::is_none")]
    freshness: Option<Vec<ShownFreshness>>,
}

/// How fresh a node is, as `pond status --format json` prints it. What is not
/// known is absent.
#[derive(Debug, Serialize)]
struct ShownFreshness {
    /// Its path.
    path: String,
    /// Its type.
    #[serde(rename = "type")]
    entry_type: &'static str,
    /// The newest event, RFC 3339: of a series the newest time in it, of a
    /// computed one in what it is computed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<String>,
    /// Whether `last_event` is exact; if not, it was then or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_exact: Option<bool>,
    /// When its last run began, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<String>,
    /// When a run last ended well, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ok: Option<String>,
    /// Why the last run failed, or why the newest event can not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// How old the newest event may be, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_seconds: Option<u64>,
    /// Whether it is older; only where there is a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<bool>,
    #[serde(skip)]
    age_s: Option<i64>,
    #[serde(skip)]
    ran_well: bool,
    #[serde(skip)]
    is_unknown: bool,
}

impl ShownFreshness {
    fn new(freshness: Freshness, now_us: i64) -> Self {
        let runs = freshness.runs.as_ref();
        let failure = runs.and_then(|record| record.last_failure()).map(str::to_owned);
        Self {
            entry_type: freshness.entry_type.as_str(),
            last_event: freshness.event.us.map(time_arg::text),
            last_event_exact: freshness.event.us.map(|_| !freshness.event.or_earlier),
            last_run: runs.map(|record| time_arg::text(record.began_us)),
            last_ok: runs.and_then(|record| record.ok_us).map(time_arg::text),
            limit_seconds: freshness.limit_s,
            late: freshness.is_late(now_us),
            age_s: freshness.age_s(now_us),
            ran_well: runs.is_some_and(|record| !record.is_open() && failure.is_none()),
            is_unknown: freshness.event.is_unknown,
            last_error: freshness.error.or(failure),
            path: freshness.path,
        }
    }
}

impl From<Status> for ShownStatus {
    fn from(status: Status) -> Self {
        Self {
            path: status.path.to_string_lossy().into_owned(),
            pond: status.identity.pond_id.to_string(),
            birthplace: status.identity.birthplace,
            created: time_arg::text(status.identity.created_us),
            format_version: status.identity.format_version,
            transaction: status.newest.as_ref().map_or(0, |newest| newest.txn_seq),
            oldest_transaction: status.oldest_txn_seq,
            last_write: status.newest.as_ref().map(|newest| time_arg::text(newest.ended_us)),
            last_command: status.newest.map(|newest| newest.command),
            entries: status.entries.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
            versions: status.versions,
            live_bytes: status.live_bytes,
            version_bytes: status.version_bytes,
            disk_bytes: status.disk_bytes,
            maintenance: status.due.steps.iter().map(ToString::to_string).collect(),
            maintained: status.upkeep.done_us.map(time_arg::text),
            maintenance_failure: status.upkeep.failure,
            interrupted: status.interrupted.into_iter().map(|work| work.command).collect(),
            freshness: None,
        }
    }
}

/// Says it.
pub(crate) async fn run(context: &Context, args: &StatusArgs) -> Result<()> {
    let pond = context.open().await?;
    let status = pond.status().await.or_fail(|| "cannot tell how the pond is".to_owned())?;
    let style = context.output_style();
    let newest_events = status.newest_events.clone();
    let mut shown = ShownStatus::from(status);
    if !args.no_freshness {
        shown.freshness = Some(freshness(context, &pond, &newest_events).await?);
    }
    print_object(args.format.format, &shown, |out, shown| text(out, shown, style))
}

/// How fresh everything is that has event times or runs. One by one are looked
/// at what declares a limit, what is computed and what was run; of all other
/// series the versions have told.
async fn freshness(
    context: &Context,
    pond: &Pond,
    newest_events: &BTreeMap<NodeId, i64>,
) -> Result<Vec<ShownFreshness>> {
    let view = context.view(pond, None).await?;
    let watch = Watch::new(context, pond, &view)?;
    let mut below = Vec::new();
    stored_below(&view.fs, "/", &mut below).await?;
    let mut all = Vec::new();
    for found in below {
        let entry_type = found.node.entry_type;
        let runs = watch.runs_of(found.id());
        let is_idle = entry_type == EntryType::DynamicData && runs.is_none();
        if is_idle && !has_limit(&found) {
            // A step of others, or a text: it has no events.
            continue;
        }
        if has_limit(&found) || entry_type.is_dynamic() || runs.is_some() {
            all.push(watch.look(&found, None).await);
        } else if entry_type == EntryType::Series {
            all.push(told_by_versions(found, newest_events));
        }
    }
    Ok(all.into_iter().map(|one| ShownFreshness::new(one, watch.now_us())).collect())
}

/// How fresh a series is by the times of its versions.
fn told_by_versions(found: NodePath, newest_events: &BTreeMap<NodeId, i64>) -> Freshness {
    let (spec, error) = match SeriesSpec::read_from(&found.node.attributes) {
        Ok(spec) => (spec, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (start_us, end_us) = spec.map(|spec| spec.visible_us()).unwrap_or_default();
    let stored = newest_events.get(&found.id()).copied();
    let us = stored.filter(|us| start_us.is_none_or(|start| start <= *us));
    let or_earlier = us.zip(end_us).is_some_and(|(us, end)| end < us);
    let us = if or_earlier { end_us } else { us };
    Freshness {
        entry_type: found.node.entry_type,
        path: found.path,
        event: Event { us, or_earlier, ..Event::default() },
        runs: None,
        limit_s: None,
        error,
    }
}

fn text(out: &mut Stdout, shown: &ShownStatus, style: Style) -> Result<()> {
    let mut table = TextTable::new("<<");
    let mut line = |name: &str, value: String| {
        table.push([style.faint(name), quote::terminal(&value).into_owned()]);
    };
    line("pond", shown.path.clone());
    line("id", shown.pond.clone());
    line("made", format!("{} at {}", shown.created, shown.birthplace));
    match (&shown.last_write, &shown.last_command) {
        (Some(when), Some(command)) => {
            line("last write", format!("transaction {}, {when}: {command}", shown.transaction));
        }
        _ => line("last write", "none so far".to_owned()),
    }
    if shown.oldest_transaction > 1 {
        line("history", format!("since transaction {}", shown.oldest_transaction));
    }
    let entries: Vec<String> = shown
        .entries
        .iter()
        .map(|(kind, count)| format!("{} {kind}", quantity::count(*count)))
        .collect();
    line("entries", if entries.is_empty() { "none".to_owned() } else { entries.join(", ") });
    line(
        "versions",
        format!("{}, {}", quantity::count(shown.versions), quantity::bytes(shown.version_bytes)),
    );
    line("live", quantity::bytes(shown.live_bytes));
    line("on disk", quantity::bytes(shown.disk_bytes));
    for command in &shown.interrupted {
        line("cut short", command.clone());
    }
    if let Some(failure) = &shown.maintenance_failure {
        line("upkeep failed", failure.clone());
    }
    for step in &shown.maintenance {
        line("due", step.clone());
    }
    if shown.maintenance.is_empty() {
        line("maintenance", "nothing is due".to_owned());
    }
    table.print(out)?;
    match &shown.freshness {
        Some(all) if !all.is_empty() => freshness_text(out, all, style),
        _ => Ok(()),
    }
}

/// How fresh nodes are, a line each; of series without limits no more than fit
/// on a page.
fn freshness_text(out: &mut Stdout, all: &[ShownFreshness], style: Style) -> Result<()> {
    let is_plain = |one: &ShownFreshness| {
        one.entry_type == EntryType::Series.as_str()
            && one.limit_seconds.is_none()
            && one.last_run.is_none()
    };
    let plain = all.iter().filter(|one| is_plain(one)).count();
    let mut left = PLAIN_LINES;
    out.line("")?;
    let mut table = TextTable::new("<>><<<");
    table.push(
        ["last event", "age", "limit", "state", "last run", "path"].map(|text| style.heading(text)),
    );
    for one in all {
        if is_plain(one) {
            if left == 0 {
                continue;
            }
            left -= 1;
        }
        let when = match one.is_unknown {
            true => String::new(),
            false => check_freshness::last_event(
                one.last_event.as_deref(),
                one.last_event_exact.unwrap_or(true),
            ),
        };
        let run = match (&one.last_run, &one.last_ok) {
            (None, _) => String::new(),
            (Some(_), Some(ok)) if one.ran_well => ok.clone(),
            (Some(began), _) => format!("{began}, not well"),
        };
        let mut path = quote::terminal(&one.path).into_owned();
        if let Some(error) = &one.last_error {
            path.push_str(&format!(": {}", quote::terminal(error)));
        }
        table.push([
            when,
            one.age_s.map(check_freshness::age).unwrap_or_default(),
            one.limit_seconds.map(node_limits::limit_text).unwrap_or_default(),
            match one.late {
                Some(true) => style.error("late"),
                Some(false) => "fresh".to_owned(),
                None => String::new(),
            },
            run,
            path,
        ]);
    }
    table.print(out)?;
    if plain > PLAIN_LINES {
        let more = quantity::count((plain - PLAIN_LINES) as u64);
        out.line(&format!("and {more} series without a limit; --format json shows all"))?;
    }
    Ok(())
}
