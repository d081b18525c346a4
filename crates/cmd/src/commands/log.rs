//! `pond log`: what was done, newest first.

use clap::Args;
use futures::TryStreamExt as _;
use serde::Serialize;
use steward::Transaction;

use crate::args::{AsOfArg, ListFormatArg};
use crate::context::Context;
use crate::error::{OrFail as _, Result};
use crate::output::{ListFormat, Stdout, Style};
use crate::{quantity, quote, time_arg};

/// List the transactions, newest first
///
/// Every change of the pond is a transaction with its command line, who ran it
/// and when. Those that maintenance made are marked.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond log
  pond log -n 5
  pond log --format ndjson | jq -r 'select(.kind == \"user\") | .command'
  pond log --as-of 2026-03-01 -n 1")]
pub(crate) struct LogArgs {
    /// Show at most so many
    #[arg(short = 'n', long, value_name = "N")]
    max_count: Option<usize>,
    #[command(flatten)]
    format: ListFormatArg,
    #[command(flatten)]
    as_of: AsOfArg,
}

/// One transaction as `pond log --format json` and `ndjson` print it.
#[derive(Debug, Serialize)]
pub(crate) struct LoggedTransaction {
    /// Its number.
    pub(crate) transaction: u64,
    /// Its id.
    pub(crate) id: String,
    /// `user` or `maintenance`.
    pub(crate) kind: String,
    /// The command line, secrets removed.
    pub(crate) command: String,
    /// Who ran it.
    pub(crate) user: String,
    /// On which machine.
    pub(crate) host: String,
    /// When it began, RFC 3339.
    pub(crate) started: String,
    /// When it ended, RFC 3339.
    pub(crate) ended: String,
    /// Names set or taken away.
    pub(crate) names: u64,
    /// Versions and properties written.
    pub(crate) versions: u64,
    /// Bytes of content in them.
    pub(crate) content_bytes: u64,
    #[serde(skip)]
    pub(crate) ended_us: i64,
}

impl From<Transaction> for LoggedTransaction {
    fn from(transaction: Transaction) -> Self {
        Self {
            transaction: transaction.txn_seq,
            id: transaction.txn_id.to_string(),
            kind: transaction.kind.to_string(),
            command: transaction.command,
            user: transaction.user,
            host: transaction.host,
            started: time_arg::text(transaction.started_us),
            ended: time_arg::text(transaction.ended_us),
            names: transaction.links,
            versions: transaction.versions,
            content_bytes: transaction.content_bytes,
            ended_us: transaction.ended_us,
        }
    }
}

/// Lists them, as they are read: a long history takes no memory.
pub(crate) async fn run(context: &Context, args: &LogArgs) -> Result<()> {
    let view = context.read(args.as_of.as_of).await?;
    let style = context.output_style();
    let mut transactions = view.state.log();
    let mut out = Stdout::new();
    let mut printed = 0;
    if args.format.format == ListFormat::Json {
        out.line("[")?;
    }
    while args.max_count.is_none_or(|most| printed < most) {
        let next =
            transactions.try_next().await.or_fail(|| "cannot read the history".to_owned())?;
        let Some(transaction) = next else { break };
        let one = LoggedTransaction::from(transaction);
        match args.format.format {
            ListFormat::Text => text(&mut out, &one, style)?,
            ListFormat::Ndjson => out.json_line(&one)?,
            ListFormat::Json => {
                if printed > 0 {
                    out.line(",")?;
                }
                out.json(&one)?;
            }
        }
        printed += 1;
    }
    if args.format.format == ListFormat::Json {
        out.line(if printed == 0 { "]" } else { "\n]" })?;
    }
    out.finish()
}

/// Two lines: when and who, and the command.
pub(crate) fn text(out: &mut Stdout, one: &LoggedTransaction, style: Style) -> Result<()> {
    let kind = if one.kind == "user" { String::new() } else { format!("  [{}]", one.kind) };
    let who = quote::terminal(&format!("{}@{}", one.user, one.host)).into_owned();
    out.line(&format!(
        "{}  {} UTC  {}{kind}  {}",
        style.heading(format!("{:>5}", one.transaction)),
        time_arg::short(one.ended_us),
        style.faint(who),
        style.faint(format!(
            "{}, {}, {}",
            quantity::counted(one.names, "name"),
            quantity::counted(one.versions, "version"),
            quantity::bytes(one.content_bytes)
        )),
    ))?;
    out.line(&format!("       {}", quote::terminal(&one.command)))
}
