//! `pond check-freshness`: what is later than it may be.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tinyfs::{EntryType, NodePath};

use crate::args::{self, ListFormatArg};
use crate::context::{Context, View};
use crate::error::{CommandError, OrFail as _, Result};
use crate::freshness::{Freshness, Watch, has_limit, stored_below};
use crate::output::{ListFormat, Stdout, Style, TextTable, print_list};
use crate::{node_limits, quantity, quote, time_arg};

/// Check that what should be fresh is
///
/// Looks at each node that declares a limit (`metadata.freshness: 3h` in
/// `pond apply`), prints those whose newest event is older, and exits with 1
/// when there are any. What has no event yet is late, and so is what can not
/// be read.
///
/// PATTERN is a path or a glob; of a directory without a limit of its own all
/// that is below it is looked at. With --limit every series that it names has
/// this limit, whatever it declares.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond check-freshness                           for cron: mails what is late
  pond check-freshness '/sensors/**' --limit 3h
  pond check-freshness --format json | jq -r '.[].path'
  pond -v check-freshness                        also what is fresh")]
pub(crate) struct CheckFreshnessArgs {
    /// What to look at; a path or glob
    #[arg(value_name = "PATTERN", default_value = "/", add = args::pond_path())]
    pattern: String,
    /// How old the newest event of each series may be, such as 3h or 2d
    #[arg(long, value_name = "DURATION", value_parser = quantity::parse_duration)]
    limit: Option<Duration>,
    #[command(flatten)]
    format: ListFormatArg,
}

/// A node as `pond check-freshness --format json` and `ndjson` print it; only
/// late ones, with --verbose all that were looked at.
#[derive(Debug, Serialize)]
struct Checked {
    /// Its path.
    path: String,
    /// Whether its newest event is older than it may be.
    late: bool,
    /// The newest event, RFC 3339; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<String>,
    /// Whether `last_event` is exact; if not, it was then or earlier.
    last_event_exact: bool,
    /// Of a directory: the series in it that lags most.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    /// How old the newest event is, in seconds; negative when it lies ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<i64>,
    /// How old it may be, in seconds.
    limit_seconds: u64,
    /// Why it can not be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Checks it.
pub(crate) async fn run(context: &Context, args: &CheckFreshnessArgs) -> Result<()> {
    let pond = context.open().await?;
    let view = context.view(&pond, None).await?;
    let nodes = nodes(&view, args).await?;
    let watch = Watch::new(context, &pond, &view)?;
    let limit_s = args.limit.map(|limit| limit.as_secs().max(1));
    let mut checked = Vec::with_capacity(nodes.len());
    for found in &nodes {
        let freshness = watch.look(found, limit_s).await;
        // A computed directory may hold files alone.
        let holds_none = found.node.entry_type.is_directory()
            && freshness.error.is_none()
            && freshness.event.of.is_none();
        if has_limit(found) || !holds_none {
            checked.push(shown(freshness, watch.now_us()));
        }
    }
    if checked.is_empty() {
        let what = match args.limit {
            Some(_) => format!("there is no series in `{}`", args.pattern),
            None => format!("nothing in `{}` declares how fresh it has to be", args.pattern),
        };
        return Err(CommandError::not_found(what).hint(
            "say it: `metadata: { path: .., freshness: 3h }` in `pond apply`, or --limit 3h",
        ));
    }
    let looked_at = checked.len() as u64;
    let late = checked.iter().filter(|one| one.late).count() as u64;
    checked.retain(|one| one.late || context.is_verbose());
    print(context, args.format.format, checked)?;
    let all = quantity::counted(looked_at, "node");
    if late > 0 {
        let are = if late == 1 { "is" } else { "are" };
        return Err(CommandError::failure(format!("{late} of {all} {are} late"))
            .hint("`pond status` shows how their runs went"));
    }
    context.say(&format!("{all}, none late"));
    Ok(())
}

/// What is looked at.
async fn nodes(view: &View, args: &CheckFreshnessArgs) -> Result<Vec<NodePath>> {
    // What a computed directory holds is judged by its series that lags most.
    let is_wanted = |one: &NodePath| {
        let kind = one.node.entry_type;
        let has_times = kind.is_series() || kind == EntryType::DynamicDirectory;
        has_limit(one) || (args.limit.is_some() && has_times)
    };
    let mut nodes = Vec::new();
    for found in super::expand(&view.fs, &args.pattern).await? {
        let found = match found.node.entry_type.is_symlink() {
            true => match view.fs.resolve(&found.path).await {
                Ok(target) => target,
                // A link that leads nowhere names nothing.
                Err(error) if error.is_absence() => continue,
                Err(error) => {
                    return Err(error).or_fail(|| format!("cannot follow `{}`", found.path));
                }
            },
            false => found,
        };
        if found.node.entry_type == EntryType::Directory && !has_limit(&found) {
            let mut below = Vec::new();
            stored_below(&view.fs, &found.path, &mut below).await?;
            below.retain(is_wanted);
            nodes.append(&mut below);
        } else if is_wanted(&found) {
            nodes.push(found);
        }
    }
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes.dedup_by(|a, b| a.path == b.path);
    Ok(nodes)
}

fn shown(freshness: Freshness, now_us: i64) -> Checked {
    Checked {
        late: freshness.is_late(now_us).unwrap_or(true),
        last_event: freshness.event.us.map(time_arg::text),
        last_event_exact: !freshness.event.or_earlier,
        age_seconds: freshness.age_s(now_us),
        limit_seconds: freshness.limit_s.unwrap_or_default(),
        member: freshness.event.of,
        error: freshness.error,
        path: freshness.path,
    }
}

fn print(context: &Context, format: ListFormat, checked: Vec<Checked>) -> Result<()> {
    if format != ListFormat::Text {
        return print_list(format, checked, |_, _| Ok(()));
    }
    if checked.is_empty() {
        return Ok(());
    }
    let style = context.output_style();
    let mut table = TextTable::new("<<>>>");
    table.push(["state", "last event", "age", "limit", "path"].map(|text| style.heading(text)));
    for one in &checked {
        table.push(row(one, style));
    }
    let mut out = Stdout::new();
    table.print(&mut out)?;
    out.finish()
}

fn row(one: &Checked, style: Style) -> [String; 5] {
    let mut path = quote::terminal(&one.path).into_owned();
    if let Some(member) = &one.member {
        path.push_str(&format!(" (by {})", quote::terminal(member)));
    }
    if let Some(error) = &one.error {
        path.push_str(&format!(": {}", quote::terminal(error)));
    }
    [
        if one.late { style.error("late") } else { "fresh".to_owned() },
        last_event(one.last_event.as_deref(), one.last_event_exact),
        one.age_seconds.map(age).unwrap_or_default(),
        node_limits::limit_text(one.limit_seconds),
        path,
    ]
}

/// The newest event, in words.
pub(super) fn last_event(when: Option<&str>, is_exact: bool) -> String {
    match (when, is_exact) {
        (None, _) => "none".to_owned(),
        (Some(when), true) => when.to_owned(),
        (Some(when), false) => format!("{when} or earlier"),
    }
}

/// An age for people.
pub(super) fn age(seconds: i64) -> String {
    let shown = quantity::about_duration(seconds.unsigned_abs());
    if seconds < 0 { format!("{shown} ahead") } else { shown }
}
