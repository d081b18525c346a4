//! Rows as aligned columns for people.
//!
//! Streams: widths come from the first rows, a later value that is wider
//! pushes its line out rather than being cut. On a terminal, columns share its
//! width and long values end in an ellipsis; control characters are escaped
//! everywhere.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr};

use super::{RowLimit, RowSink, cell};
use crate::error::{CommandError, Result};
use crate::quantity;
use crate::quote;

/// Rows that are looked at before the first line is written.
const SAMPLE_ROWS: usize = 1_000;
/// The narrowest a column is made to fit a terminal.
const NARROWEST: usize = 8;

/// Writes an aligned table.
pub(crate) struct TableSink<W> {
    out: W,
    names: Vec<String>,
    right: Vec<bool>,
    limit: RowLimit,
    /// Columns of the terminal; `None` when nothing is to be cut.
    terminal_width: Option<usize>,
    /// Decided with the header.
    widths: Option<Vec<usize>>,
    sample: Vec<Vec<String>>,
    rows: usize,
    cut: bool,
}

impl<W: Write> TableSink<W> {
    /// A table that is at most `limit` rows long and, on a terminal, as wide
    /// as that.
    pub(crate) fn new(
        out: W,
        schema: &SchemaRef,
        limit: RowLimit,
        terminal_width: Option<usize>,
    ) -> Result<Self> {
        let names = schema
            .fields()
            .iter()
            .map(|field| quote::terminal(field.name()).into_owned())
            .collect();
        // The plans of EXPLAIN are read line by line, and whole.
        let is_plan = names == ["plan_type", "plan"];
        Ok(Self {
            out,
            names,
            right: cell::right_aligned(schema),
            limit,
            terminal_width: terminal_width.filter(|_| !is_plan),
            widths: None,
            sample: Vec::new(),
            rows: 0,
            cut: false,
        })
    }

    fn flush_sample(&mut self) -> Result<()> {
        if self.widths.is_none() {
            let widths = self.choose_widths();
            let cut = self.terminal_width.is_some();
            let header = line(&self.names, &widths, &self.right, cut);
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            self.write_line(&header)?;
            self.write_line(&line(&rule, &widths, &self.right, cut))?;
            self.widths = Some(widths);
        }
        let widths = self.widths.clone().unwrap_or_default();
        let cut = self.terminal_width.is_some();
        for cells in std::mem::take(&mut self.sample) {
            let height = cells.iter().map(|cell| cell.split('\n').count()).max().unwrap_or(1);
            for at in 0..height {
                let part: Vec<String> = cells
                    .iter()
                    .map(|cell| cell.split('\n').nth(at).unwrap_or_default().to_owned())
                    .collect();
                self.write_line(&line(&part, &widths, &self.right, cut))?;
            }
        }
        Ok(())
    }

    fn choose_widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.names.iter().map(|name| name.width()).collect();
        for cells in &self.sample {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.split('\n').map(UnicodeWidthStr::width).fold(*width, usize::max);
            }
        }
        if let Some(terminal) = self.terminal_width {
            fit(&mut widths, terminal);
        }
        widths
    }

    fn write_line(&mut self, text: &str) -> Result<()> {
        let width = self.terminal_width;
        let text = text.trim_end();
        let text = width.map_or_else(|| text.to_owned(), |width| clip(text, width.max(20)));
        writeln!(self.out, "{text}").map_err(CommandError::stdout)
    }
}

impl<W: Write> RowSink for TableSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        let formatters = cell::formatters(batch)?;
        for row in 0..batch.num_rows() {
            if let RowLimit::Most(limit) = self.limit
                && self.rows >= limit
            {
                self.cut = true;
                return Ok(false);
            }
            let mut cells = Vec::with_capacity(formatters.len());
            for formatter in &formatters {
                cells.push(lines_of(&cell::text(formatter, row)?));
            }
            self.sample.push(cells);
            self.rows += 1;
            if self.sample.len() >= SAMPLE_ROWS {
                self.flush_sample()?;
            }
        }
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.flush_sample()?;
        let shown = self.rows as u64;
        let end = if self.cut {
            format!(
                "(first {}; more follow: --rows all shows them)",
                quantity::counted(shown, "row")
            )
        } else {
            format!("({})", quantity::counted(shown, "row"))
        };
        writeln!(self.out, "{end}").and_then(|()| self.out.flush()).map_err(CommandError::stdout)
    }
}

/// The lines of a value, control characters in them escaped; the last line
/// break of a text ends its last line.
fn lines_of(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(quote::terminal).collect::<Vec<_>>().join("\n")
}

fn line(cells: &[String], widths: &[usize], right: &[bool], cut: bool) -> String {
    let mut text = String::new();
    for (at, cell) in cells.iter().enumerate() {
        let width = widths.get(at).copied().unwrap_or(0);
        let cell = if cut && cell.width() > width { clip(cell, width) } else { cell.clone() };
        let room = " ".repeat(width.saturating_sub(cell.width()));
        if at > 0 {
            text.push_str("  ");
        }
        if right.get(at) == Some(&true) {
            text.push_str(&room);
            text.push_str(&cell);
        } else {
            text.push_str(&cell);
            text.push_str(&room);
        }
    }
    text
}

/// Takes width from the widest columns until all fit.
fn fit(widths: &mut [usize], terminal: usize) {
    loop {
        let total: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let Some(widest) = widths.iter_mut().max() else { return };
        if total <= terminal || *widest <= NARROWEST {
            return;
        }
        *widest -= (total - terminal).min(*widest - NARROWEST).clamp(1, 4);
    }
}

/// The beginning of the text, with an ellipsis where it was longer.
fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_end_in_an_ellipsis() {
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("abc", 4), "abc");
    }

    #[test]
    fn widest_columns_give_way_first() {
        let mut widths = vec![5, 60, 10];
        fit(&mut widths, 60);
        assert_eq!(widths.iter().sum::<usize>() + 4, 60);
        assert_eq!((widths[0], widths[2]), (5, 10));
    }
}
