//! What goes to stdout: rows in several formats, lists, raw bytes.
//!
//! Always true: rows are written as they come, a batch at a time; memory does
//! not grow with their number. A reader that has gone ends the writing without
//! an error message.
//!
//! Rows default to `table` on a terminal and to `csv` elsewhere. Lists default
//! to text for people; `--format json` is for programs, and its shape is
//! documented on the type that prints it.

mod arrow_ipc;
mod cell;
mod csv;
mod json;
mod list;
mod parquet_file;
mod rows;
mod stdout;
mod style;
mod table;
mod text_table;

pub(crate) use cell::row_text;
pub(crate) use list::{ListFormat, print_list, print_object};
pub(crate) use rows::{RowFormat, RowLimit, RowSink, row_sink, write_rows};
pub(crate) use stdout::Stdout;
pub(crate) use style::{ColorChoice, Style};
pub(crate) use text_table::TextTable;
