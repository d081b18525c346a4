//! A few columns of text that people read, aligned.
//!
//! For short lists only: it holds its lines until it knows their widths. Rows
//! of data go through [`super::table`], which streams.

use unicode_width::UnicodeWidthStr as _;

use super::Stdout;
use crate::error::Result;

/// Where a column's texts end at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// Lines of columns.
#[derive(Debug)]
pub(crate) struct TextTable {
    columns: Vec<Align>,
    lines: Vec<Vec<String>>,
    indent: usize,
}

impl TextTable {
    /// A table whose columns are aligned as `layout` says: `<` left, `>` right.
    pub(crate) fn new(layout: &str) -> Self {
        let columns =
            layout.chars().map(|c| if c == '>' { Align::Right } else { Align::Left }).collect();
        Self { columns, lines: Vec::new(), indent: 0 }
    }

    /// Moves every line to the right.
    pub(crate) fn indented(mut self, by: usize) -> Self {
        self.indent = by;
        self
    }

    /// Adds a line. Texts may have colours, which take no width.
    pub(crate) fn push<const N: usize>(&mut self, cells: [String; N]) {
        self.lines.push(cells.into());
    }

    /// Writes the lines.
    pub(crate) fn print(&self, out: &mut Stdout) -> Result<()> {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                self.lines
                    .iter()
                    .filter_map(|line| line.get(at))
                    .map(|c| width(c))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for line in &self.lines {
            let mut text = " ".repeat(self.indent);
            for (at, cell) in line.iter().enumerate() {
                let room = widths.get(at).copied().unwrap_or(0).saturating_sub(width(cell));
                if at > 0 {
                    text.push_str("  ");
                }
                if self.columns.get(at) == Some(&Align::Right) {
                    text.push_str(&" ".repeat(room));
                    text.push_str(cell);
                } else {
                    text.push_str(cell);
                    text.push_str(&" ".repeat(room));
                }
            }
            out.line(text.trim_end())?;
        }
        Ok(())
    }
}

/// Columns of a terminal that the text takes, colours left out.
fn width(text: &str) -> usize {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        plain.push_str(&rest[..start]);
        rest = rest[start..].find('m').map_or("", |end| &rest[start + end + 1..]);
    }
    plain.push_str(rest);
    plain.width()
}
