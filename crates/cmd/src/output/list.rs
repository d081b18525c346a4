//! Lists: text for people, JSON for programs.

use std::io::Write as _;

use serde::Serialize;

use super::Stdout;
use crate::error::{CommandError, Result};

/// `--format` of a command that prints a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ListFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Ndjson,
}

/// Prints a list; `text` prints one item for people.
pub(crate) fn print_list<T: Serialize>(
    format: ListFormat,
    items: impl IntoIterator<Item = T>,
    mut text: impl FnMut(&mut Stdout, &T) -> Result<()>,
) -> Result<()> {
    let mut out = Stdout::new();
    match format {
        ListFormat::Text => {
            for item in items {
                text(&mut out, &item)?;
            }
        }
        ListFormat::Json => {
            out.write_all(b"[").map_err(CommandError::stdout)?;
            for (at, item) in items.into_iter().enumerate() {
                out.write_all(if at == 0 { b"\n" } else { b",\n" })
                    .map_err(CommandError::stdout)?;
                out.json(&item)?;
            }
            out.line("\n]")?;
        }
        ListFormat::Ndjson => {
            for item in items {
                out.json_line(&item)?;
            }
        }
    }
    out.finish()
}

/// Prints one thing; `text` prints it for people.
pub(crate) fn print_object<T: Serialize>(
    format: ListFormat,
    item: &T,
    text: impl FnOnce(&mut Stdout, &T) -> Result<()>,
) -> Result<()> {
    let mut out = Stdout::new();
    match format {
        ListFormat::Text => text(&mut out, item)?,
        ListFormat::Json => {
            // serde_json fails to write only where the stream underneath does.
            serde_json::to_writer_pretty(&mut out, item)
                .map_err(|error| CommandError::stdout(std::io::Error::from(error)))?;
            out.line("")?;
        }
        ListFormat::Ndjson => {
            out.json_line(item)?;
        }
    }
    out.finish()
}
