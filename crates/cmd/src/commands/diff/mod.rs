//! `pond diff A B [PATH]`: what is different between two moments.

mod rows;

use arrow::datatypes::{DataType, Schema};
use clap::Args;
use query::{Rows, Session};
use serde::Serialize;
use steward::{AsOf, Difference, DifferenceKind};
use tinyfs::SeriesSpec;

use crate::args::{self, ListFormatArg};
use crate::context::{ALL_TIME, Context, View};
use crate::error::{OrFail as _, Result};
use crate::output::{Stdout, Style, print_list};
use crate::{quantity, quote, time_arg};
use rows::RowDiff;

/// Show what is different between two moments
///
/// Names that came, went, moved or changed; and for tables and series the rows
/// that were added, removed and changed, with a few examples. Rows are told
/// apart by the key of their series, or by all their values where there is no
/// key.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond diff 41 42
  pond diff 2026-03-01 2026-03-08 /sensors
  pond diff 41 42 /sensors/dock.series
  pond diff --names-only 1 42")]
pub(crate) struct DiffArgs {
    /// The earlier moment: a transaction or a time
    #[arg(value_name = "A", value_parser = time_arg::parse_as_of)]
    before: AsOf,
    /// The later moment
    #[arg(value_name = "B", value_parser = time_arg::parse_as_of)]
    after: AsOf,
    /// Only what is at this path and below
    #[arg(value_name = "PATH", add = args::pond_path())]
    path: Option<String>,
    /// Do not look into tables and series
    #[arg(long)]
    names_only: bool,
    #[command(flatten)]
    format: ListFormatArg,
}

/// One difference as `pond diff --format json` and `ndjson` print it.
#[derive(Debug, Serialize)]
struct ShownDifference {
    /// Where it is at the later moment; where it was, when it is gone.
    path: String,
    /// `added`, `removed`, `moved`, `replaced`, `versions` or `attributes`.
    difference: &'static str,
    /// What it is, or was.
    #[serde(rename = "type")]
    entry_type: &'static str,
    /// The path it had, of a move; what was there, of a replacement.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The newest version at the earlier moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_version: Option<u64>,
    /// The newest version at the later moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_version: Option<u64>,
    /// Columns that only the later moment has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns_added: Vec<String>,
    /// Columns that only the earlier moment has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns_removed: Vec<String>,
    /// How the rows differ, of tables and series.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<RowDiff>,
}

/// Shows it.
pub(crate) async fn run(context: &Context, args: &DiffArgs) -> Result<()> {
    let pond = context.open().await?;
    let before = context.view(&pond, Some(args.before)).await?;
    let after = context.view(&pond, Some(args.after)).await?;
    let fail = || format!("cannot compare {} with {}", args.before, args.after);
    let differences = before.state.diff(&after.state, args.path.as_deref()).await.or_fail(fail)?;
    let mut shown = Vec::with_capacity(differences.len());
    for difference in differences {
        let mut one = show(difference);
        let is_table = one.entry_type.contains("table") || one.entry_type.contains("series");
        if one.difference == "versions" && is_table && !args.names_only {
            rows_of(context, &before, &after, &mut one).await?;
        }
        shown.push(one);
    }
    let (count, style) = (shown.len() as u64, context.output_style());
    print_list(args.format.format, shown, |out, one| text(out, one, style))?;
    context.say(&quantity::counted(count, "difference"));
    Ok(())
}

fn show(difference: Difference) -> ShownDifference {
    let mut shown = ShownDifference {
        path: difference.path,
        difference: "changed",
        entry_type: "",
        from: None,
        from_version: None,
        to_version: None,
        columns_added: Vec::new(),
        columns_removed: Vec::new(),
        rows: None,
    };
    match difference.kind {
        DifferenceKind::Added { entry_type } => {
            shown.difference = "added";
            shown.entry_type = entry_type.as_str();
        }
        DifferenceKind::Removed { entry_type } => {
            shown.difference = "removed";
            shown.entry_type = entry_type.as_str();
        }
        DifferenceKind::Moved { from, entry_type } => {
            shown.difference = "moved";
            shown.entry_type = entry_type.as_str();
            shown.from = Some(from);
        }
        DifferenceKind::Replaced { from, to } => {
            shown.difference = "replaced";
            shown.entry_type = to.as_str();
            shown.from = Some(from.to_string());
        }
        DifferenceKind::Versions { entry_type, from, to } => {
            shown.difference = "versions";
            shown.entry_type = entry_type.as_str();
            shown.from_version = from;
            shown.to_version = to;
        }
        DifferenceKind::Attributes { entry_type } => {
            shown.difference = "attributes";
            shown.entry_type = entry_type.as_str();
        }
        _ => {}
    }
    shown
}

/// Looks into a table that both moments have.
async fn rows_of(
    context: &Context,
    before: &View,
    after: &View,
    shown: &mut ShownDifference,
) -> Result<()> {
    let path = shown.path.clone();
    let fail = || format!("cannot compare the rows of `{path}`");
    // Under a path that moved as well, the earlier rows lie elsewhere.
    let earlier = match before.fs.file(&path).await {
        Ok(earlier) => earlier,
        Err(error) if error.is_absence() => return Ok(()),
        Err(error) => return Err(error).or_fail(fail),
    };
    let later = after.fs.file(&path).await.or_fail(fail)?;
    if earlier.id() != later.id() {
        return Ok(());
    }
    let sessions = (context.session(before, ALL_TIME)?, context.session(after, ALL_TIME)?);
    let schemas = (
        sessions.0.schema_of(&path).await.or_fail(fail)?,
        sessions.1.schema_of(&path).await.or_fail(fail)?,
    );
    shown.columns_removed = missing_in(&schemas.0, &schemas.1);
    shown.columns_added = missing_in(&schemas.1, &schemas.0);
    let spec = SeriesSpec::read_from(&later.node.attributes).or_fail(fail)?;
    let key: Vec<String> =
        spec.filter(|spec| !spec.append).map(|spec| spec.key).unwrap_or_default();
    let columns = common_columns(&schemas.0, &schemas.1, &key);
    if columns.is_empty() {
        return Ok(());
    }
    let key_columns =
        match key.iter().filter(|name| columns.iter().any(|c| c.name == **name)).count() {
            0 => columns.len(),
            count => count,
        };
    let earlier = sorted(&sessions.0, &path, &columns, key_columns).await?;
    let later = sorted(&sessions.1, &path, &columns, key_columns).await?;
    shown.rows = Some(rows::compare(earlier, later, key_columns).await?);
    Ok(())
}

fn missing_in(from: &Schema, other: &Schema) -> Vec<String> {
    let names = from.fields().iter().map(|field| field.name().clone());
    names.filter(|name| other.field_with_name(name).is_err()).collect()
}

/// A column that both sides have, and what it is compared as.
struct Column {
    name: String,
    cast: Option<&'static str>,
}

/// The columns of both, those of the key first.
fn common_columns(before: &Schema, after: &Schema, key: &[String]) -> Vec<Column> {
    let mut columns: Vec<Column> = after
        .fields()
        .iter()
        .filter_map(|field| {
            let earlier = before.field_with_name(field.name()).ok()?;
            let cast = cast_of(earlier.data_type(), field.data_type());
            Some(Column { name: field.name().clone(), cast })
        })
        .collect();
    columns.sort_by_key(|column| {
        key.iter().position(|name| *name == column.name).unwrap_or(key.len())
    });
    columns
}

/// What two types are compared as where they differ.
fn cast_of(before: &DataType, after: &DataType) -> Option<&'static str> {
    if before == after {
        return None;
    }
    Some(if before.is_numeric() && after.is_numeric() { "DOUBLE" } else { "VARCHAR" })
}

async fn sorted(
    session: &Session,
    path: &str,
    columns: &[Column],
    key_columns: usize,
) -> Result<Rows> {
    let selected: Vec<String> = columns
        .iter()
        .map(|column| {
            let name = quote::sql_name(&column.name);
            column
                .cast
                .map_or_else(|| name.clone(), |cast| format!("CAST({name} AS {cast}) AS {name}"))
        })
        .collect();
    let order: Vec<String> = (1..=key_columns).map(|at| format!("{at} ASC NULLS FIRST")).collect();
    let text = format!(
        "SELECT {} FROM {} ORDER BY {}",
        selected.join(", "),
        quote::sql_name(path),
        order.join(", ")
    );
    session.sql(&text).await.or_fail(|| format!("cannot compare the rows of `{path}`"))
}

fn text(out: &mut Stdout, one: &ShownDifference, style: Style) -> Result<()> {
    let path = quote::terminal(&one.path).into_owned();
    let line = match one.difference {
        "added" => style.added(format!("+ {path}  {}", one.entry_type)),
        "removed" => style.removed(format!("- {path}  {}", one.entry_type)),
        "moved" => {
            let from = quote::terminal(one.from.as_deref().unwrap_or_default()).into_owned();
            style.changed(format!("> {path}  moved from {from}"))
        }
        "replaced" => style.changed(format!(
            "! {path}  another {} in place of the {}",
            one.entry_type,
            one.from.as_deref().unwrap_or_default()
        )),
        "versions" => style.changed(format!("~ {path}  {}", versions_text(one))),
        other => style.changed(format!("~ {path}  {other}")),
    };
    out.line(&line)?;
    for (names, verb) in [(&one.columns_added, "added"), (&one.columns_removed, "removed")] {
        if !names.is_empty() {
            out.line(&format!("    columns {verb}: {}", quote::terminal(&names.join(", "))))?;
        }
    }
    one.rows.as_ref().map_or(Ok(()), |rows| rows_text(out, rows, style))
}

fn versions_text(one: &ShownDifference) -> String {
    match (one.from_version, one.to_version) {
        (Some(from), Some(to)) => format!("version {from} -> {to}"),
        (None, Some(to)) => format!("version {to}"),
        (Some(from), None) => format!("back to before version {from}"),
        (None, None) => "versions differ".to_owned(),
    }
}

fn rows_text(out: &mut Stdout, rows: &RowDiff, style: Style) -> Result<()> {
    if rows.is_empty() {
        return out.line("    rows are the same");
    }
    out.line(&format!(
        "    {} added, {} removed, {} changed",
        quantity::counted(rows.added, "row"),
        quantity::count(rows.removed),
        quantity::count(rows.changed)
    ))?;
    for row in &rows.added_examples {
        out.line(&style.added(format!("      + {row}")))?;
    }
    for row in &rows.removed_examples {
        out.line(&style.removed(format!("      - {row}")))?;
    }
    for (before, after) in &rows.changed_examples {
        out.line(&style.removed(format!("      < {before}")))?;
        out.line(&style.added(format!("      > {after}")))?;
    }
    Ok(())
}
