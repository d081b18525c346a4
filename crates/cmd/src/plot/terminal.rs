//! A chart as text: braille dots in a frame of characters.
//!
//! A character cell holds two by four dots. The line is drawn whole, the band
//! between least and greatest as every fourth dot. Without colour nothing would
//! tell lines apart, so each series then has a panel of its own.
//!
//! Always true: no line is longer than the width that was asked for; control
//! characters in names do not reach the terminal.

use super::chart::{Chart, Series};
use super::panel::{Panel, has_band, pieces, span};
use super::ticks::{TimeAxis, ValueAxis, place};

/// How a chart is drawn as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TerminalOptions {
    /// Width in characters, labels included; 30 to 1,000.
    pub(crate) width: usize,
    /// Height in lines of one panel's drawing area; 3 to 200.
    pub(crate) height: usize,
    /// Whether to colour the lines with ANSI sequences.
    pub(crate) colour: bool,
    /// Whether to draw with ASCII alone, for terminals without Unicode.
    pub(crate) ascii: bool,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self { width: 80, height: 14, colour: false, ascii: false }
    }
}

/// The least distance between two ticks of the time axis, in characters.
const TICKS_APART: f64 = 9.0;

/// Colours of the 256 that read on light and dark ground; the counterparts of
/// those in the SVG.
const COLOURS: [u8; 6] = [33, 166, 36, 169, 136, 245];

/// Draws `chart` as text that ends in a line break.
#[must_use]
pub(crate) fn terminal(chart: &Chart, options: TerminalOptions) -> String {
    let width = options.width.clamp(30, 1_000);
    let height = options.height.clamp(3, 200);
    let style = Style { colour: options.colour, ascii: options.ascii };
    let mut lines = Lines { out: String::new(), width };
    if !chart.title.is_empty() {
        lines.push(&style.bold(&lines.fitted(&chart.title)));
    }
    if !chart.subtitle.is_empty() {
        lines.push(&lines.fitted(&chart.subtitle));
    }
    let Some((low_us, high_us)) = span(chart) else {
        lines.push("No readings to draw.");
        return lines.out;
    };

    let panels = if style.colour { Panel::by_unit(chart) } else { Panel::by_series(chart) };
    // See the SVG: the time axis says which points count, their values how
    // wide the labels are, and that how long the time axis is.
    let time = TimeAxis::covering(low_us, high_us, &chart.zone, 1.0, 1.0);
    let axes: Vec<ValueAxis> =
        panels.iter().map(|panel| panel.value_axis(&time, (height / 3).max(2))).collect();
    let labels = axes.iter().map(ValueAxis::label_columns).max().unwrap_or(0).min(width / 2);
    let columns = width.saturating_sub(labels + 2).max(8);
    let time = TimeAxis::covering(low_us, high_us, &chart.zone, columns as f64, TICKS_APART);

    for (panel, values) in panels.iter().zip(&axes) {
        legend(&mut lines, panel, style);
        let mut canvas = Canvas::new(columns, height);
        for (index, series) in &panel.series {
            canvas.draw(series, *index, &time, values);
        }
        let rows = labelled_rows(values, height);
        for (row, label) in rows.iter().enumerate() {
            let axis = style.axis(label.is_some());
            let label = label.as_deref().unwrap_or("");
            lines.push(&format!("{label:>labels$} {axis}{}", canvas.row(row, style)));
        }
        lines.push(&format!("{:labels$} {}", "", time_axis_line(&time, columns, style)));
    }
    time_labels(&mut lines, &time, labels + 2, columns);
    lines.out
}

/// Lines of text, none wider than the picture.
struct Lines {
    out: String,
    width: usize,
}

impl Lines {
    fn push(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// A text without control characters that fits on a line.
    fn fitted(&self, text: &str) -> String {
        let clean = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
        let mut fitted: String = text.chars().map(clean).take(self.width).collect();
        if text.chars().count() > self.width {
            fitted.pop();
            fitted.push('…');
        }
        fitted
    }
}

/// What the terminal can show.
#[derive(Clone, Copy)]
struct Style {
    colour: bool,
    ascii: bool,
}

impl Style {
    fn bold(self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn axis(self, tick: bool) -> char {
        match (self.ascii, tick) {
            (false, true) => '┤',
            (false, false) => '│',
            (true, true) => '+',
            (true, false) => '|',
        }
    }
}

/// The unit, and which line is which, wrapped between entries.
fn legend(lines: &mut Lines, panel: &Panel<'_>, style: Style) {
    let mut row = String::new();
    let mut used = 0;
    let unit = panel.unit.map(|unit| (None, unit));
    let series = panel.series.iter().map(|(index, series)| (Some(*index), series.name.as_str()));
    for (index, text) in unit.into_iter().chain(series) {
        let sample = if style.ascii { "* " } else { "⣀⣀ " };
        let sample = if index.is_some() { sample } else { "" };
        let room = Lines { out: String::new(), width: lines.width - sample.chars().count() };
        let text = room.fitted(text);
        let columns = sample.chars().count() + text.chars().count();
        if used > 0 && used + 3 + columns > lines.width {
            lines.push(&row);
            row.clear();
            used = 0;
        }
        if used > 0 {
            row.push_str("   ");
            used += 3;
        }
        match index {
            Some(index) if style.colour => {
                let colour = COLOURS[index % COLOURS.len()];
                row.push_str(&format!("\x1b[38;5;{colour}m{sample}\x1b[0m{text}"));
            }
            _ => row.push_str(&format!("{sample}{text}")),
        }
        used += columns;
    }
    if panel.series.iter().any(|(_, series)| has_band(series)) {
        let band = if style.ascii { ": range" } else { "⠡⠡ range" };
        if used + 3 + band.chars().count() <= lines.width {
            row.push_str(&format!("   {band}"));
        }
    }
    if !row.is_empty() {
        lines.push(&row);
    }
}

/// The label of each row, from the top; ticks stand on the nearest row.
fn labelled_rows(values: &ValueAxis, height: usize) -> Vec<Option<String>> {
    let mut rows = vec![None; height];
    for (value, label) in &values.ticks {
        let row = ((1.0 - values.share(*value)) * (height - 1) as f64).round() as usize;
        rows[row] = Some(label.clone());
    }
    rows
}

fn time_axis_line(time: &TimeAxis, columns: usize, style: Style) -> String {
    let (corner, level, tick) = if style.ascii { ('+', '-', '+') } else { ('└', '─', '┬') };
    let mut line = vec![level; columns];
    for at in &time.ticks {
        line[column(time, at.time_us, columns)] = tick;
    }
    std::iter::once(corner).chain(line).collect()
}

/// The character column of a time on the axis.
fn column(time: &TimeAxis, time_us: i64, columns: usize) -> usize {
    let share = time.share(time_us).clamp(0.0, 1.0);
    ((share * columns as f64) as usize).min(columns - 1)
}

/// The labels of the time axis, what they leave out, and the zone.
fn time_labels(lines: &mut Lines, time: &TimeAxis, left: usize, columns: usize) {
    let centre = |time_us| (left + column(time, time_us, columns)) as f64 + 0.5;
    let labels = time.ticks.iter().map(|tick| (centre(tick.time_us), tick.label.clone())).collect();
    let contexts = time
        .ticks
        .iter()
        .filter_map(|tick| Some((centre(tick.time_us), tick.context.clone()?)))
        .collect();
    let edge = lines.width as f64;
    let row = |texts: Vec<(f64, String)>| {
        let mut row = String::new();
        for placed in place(texts, 0.0, edge, 1.5) {
            let start = placed.start.floor() as usize;
            row.extend(std::iter::repeat_n(' ', start.saturating_sub(row.chars().count())));
            row.push_str(&placed.text);
        }
        row
    };
    let labels = row(labels);
    if !labels.is_empty() {
        lines.push(&labels);
    }
    // The zone stands at the right of the last row if that leaves it room.
    let contexts = row(contexts);
    let (used, zone) = (contexts.chars().count(), lines.fitted(&time.zone));
    let free = lines.width - used.min(lines.width);
    if free > zone.chars().count() + 1 {
        lines.push(&format!("{contexts}{zone:>free$}"));
    } else {
        lines.push(&contexts);
        lines.push(&format!("{zone:>width$}", width = lines.width));
    }
}

/// A character cell.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Dots of lines, as the bits of a braille character.
    line: u8,
    /// Dots of bands.
    band: u8,
    /// The series that drew here last.
    series: usize,
}

/// Cells to draw on; dots are counted from the upper left.
struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![Cell::default(); columns * rows] }
    }

    fn draw(&mut self, series: &Series, index: usize, time: &TimeAxis, values: &ValueAxis) {
        let (wide, high) = (self.columns * 2 - 1, self.rows * 4 - 1);
        let x = |time_us| (time.share(time_us).clamp(0.0, 1.0) * wide as f64).round() as i32;
        let y = |value| ((1.0 - values.share(value)) * high as f64).round() as i32;
        for piece in pieces(series, time) {
            let mut before = None;
            for point in piece {
                let at = Spot {
                    x: x(point.time_us),
                    low: y(point.min),
                    mean: y(point.mean),
                    high: y(point.max),
                };
                let from = before.unwrap_or(at);
                self.band(from, at, index);
                self.line((from.x, from.mean), (at.x, at.mean), index);
                before = Some(at);
            }
        }
    }

    /// Every fourth dot of what lies between least and greatest, some in each
    /// column, so that a lone spike is seen.
    fn band(&mut self, from: Spot, to: Spot, index: usize) {
        if from.low == from.high && to.low == to.high {
            return;
        }
        for x in from.x..=to.x {
            let along = |a: i32, b: i32| {
                if to.x == from.x { b } else { a + (b - a) * (x - from.x) / (to.x - from.x) }
            };
            for y in along(from.high, to.high)..=along(from.low, to.low) {
                if (2 * x + y) % 4 == 0 {
                    self.dot(x, y, index, false);
                }
            }
        }
    }

    /// Bresenham's line.
    fn line(&mut self, from: (i32, i32), to: (i32, i32), index: usize) {
        let (wide, high) = ((to.0 - from.0).abs(), -(to.1 - from.1).abs());
        let (right, down) = ((to.0 - from.0).signum(), (to.1 - from.1).signum());
        let (mut x, mut y) = from;
        let mut error = wide + high;
        loop {
            self.dot(x, y, index, true);
            if (x, y) == to {
                return;
            }
            let twice = 2 * error;
            if twice >= high {
                error += high;
                x += right;
            }
            if twice <= wide {
                error += wide;
                y += down;
            }
        }
    }

    fn dot(&mut self, x: i32, y: i32, index: usize, line: bool) {
        /// Bits of the dots of U+2800, by row and column.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.columns * 2 || y >= self.rows * 4 {
            return;
        }
        let cell = &mut self.cells[y / 4 * self.columns + x / 2];
        let bit = BITS[y % 4][x % 2];
        if line {
            cell.line |= bit;
            cell.series = index;
        } else {
            cell.band |= bit;
            if cell.line == 0 {
                cell.series = index;
            }
        }
    }

    /// One row as text.
    fn row(&self, row: usize, style: Style) -> String {
        let mut out = String::new();
        let mut sequence = String::new();
        for cell in &self.cells[row * self.columns..(row + 1) * self.columns] {
            let wanted = match (style.colour, cell.line, cell.band) {
                (false, ..) | (_, 0, 0) => String::new(),
                (_, 0, _) => format!("\x1b[2;38;5;{}m", COLOURS[cell.series % COLOURS.len()]),
                _ => format!("\x1b[38;5;{}m", COLOURS[cell.series % COLOURS.len()]),
            };
            if wanted != sequence {
                if !sequence.is_empty() {
                    out.push_str("\x1b[0m");
                }
                out.push_str(&wanted);
                sequence = wanted;
            }
            out.push(match (style.ascii, cell.line, cell.band) {
                (_, 0, 0) => ' ',
                (true, 0, _) => ':',
                (true, ..) => '*',
                (false, line, band) => braille(line | band),
            });
        }
        if !sequence.is_empty() {
            out.push_str("\x1b[0m");
        }
        out
    }
}

fn braille(dots: u8) -> char {
    // U+2800 to U+28FF are all assigned, so there always is a character.
    char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ')
}

/// A point in dots.
#[derive(Clone, Copy)]
struct Spot {
    x: i32,
    low: i32,
    mean: i32,
    high: i32,
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::chart::Point;
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn chart(values: &[f64]) -> Chart {
        let points = values
            .iter()
            .zip(0..)
            .map(|(value, hour)| Point::reading(hour * HOUR, *value))
            .collect();
        let series = Series::new("level", Some("m".to_owned()), points);
        Chart::new("Level", TimeZone::UTC, vec![series])
    }

    fn small(chart: &Chart, colour: bool, ascii: bool) -> String {
        terminal(chart, TerminalOptions { width: 30, height: 4, colour, ascii })
    }

    #[test]
    fn a_rising_line_rises() {
        let drawn = small(&chart(&[0.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0]), false, true);
        let expected = "Level
m   * level
10 +                     *****
   |              *******
 5 +     *********
 0 +******
   ++------------+-----------+
  00:00        03:00     06:00
1 Jan 1970                 UTC
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn no_line_is_wider_than_asked() {
        let mut chart = chart(&[1.0, -2.5e-9, 3e22, 7.0]);
        chart.title = "t".repeat(300);
        chart.series[0].name = "n".repeat(300);
        chart.series[0].unit = Some("u".repeat(300));
        for width in [0, 30, 41, 80, 200, usize::MAX] {
            for ascii in [false, true] {
                let options = TerminalOptions { width, height: 5, colour: false, ascii };
                for line in terminal(&chart, options).lines() {
                    assert!(line.chars().count() <= width.clamp(30, 1_000), "{width}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut chart = chart(&[1.0, 2.0]);
        chart.title = "a\x1b]0;b\x07".to_owned();
        chart.subtitle = "a\nb\rc".to_owned();
        chart.series[0].name = "\x1b[2J".to_owned();
        let drawn = small(&chart, false, false);
        assert!(!drawn.contains(['\x1b', '\x07', '\r']) && drawn.contains("a\u{FFFD}b\u{FFFD}c"));
    }

    #[test]
    fn colour_is_reset_at_the_end_of_each_row() {
        let drawn = small(&chart(&[1.0, 2.0, 3.0]), true, false);
        assert!(drawn.contains("\x1b[38;5;33m"));
        for line in drawn.lines() {
            let last = line.rfind("\x1b[").map(|at| &line[at..]);
            assert!(last.is_none_or(|sequence| sequence.starts_with("\x1b[0m")), "{line:?}");
        }
    }

    #[test]
    fn gaps_are_not_joined() {
        let filled = |values: &[f64]| {
            let drawn = small(&chart(values), false, true);
            drawn
                .lines()
                .filter(|line| line.contains('*'))
                .map(|line| line.matches('*').count())
                .sum::<usize>()
        };
        let (whole, broken) = (filled(&[1.0, 1.0, 1.0, 1.0]), filled(&[1.0, 1.0, f64::NAN, 1.0]));
        assert!(broken < whole && broken > 2, "{broken} {whole}");
    }

    #[test]
    fn without_colour_each_series_has_its_panel() {
        let mut chart = chart(&[1.0, 2.0]);
        chart.series.push(Series { name: "other".to_owned(), ..chart.series[0].clone() });
        assert_eq!(small(&chart, false, true).matches("m   * ").count(), 2);
        assert_eq!(small(&chart, true, true).matches("m   ").count(), 1);
    }

    #[test]
    fn ascii_is_ascii() {
        let mut chart = chart(&[1.0, 2.0, 8.0]);
        chart.series[0].points[1].max = 5.0;
        assert!(small(&chart, false, true).is_ascii());
    }

    #[test]
    fn nothing_to_draw_says_so() {
        assert_eq!(small(&chart(&[f64::NAN]), false, false), "Level\nNo readings to draw.\n");
    }
}
