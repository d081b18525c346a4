//! A chart as SVG: one self-contained document.
//!
//! Always true: no script, no reference to anything outside the document; text
//! from the chart is escaped; it reads on light and on dark ground; it scales
//! with the place it is shown in; no text lies over another, as far as widths
//! can be estimated without the reader's fonts.
//!
//! Deliberately not here: interaction.

use std::fmt::Write;

use super::chart::{Chart, Point, Series};
use super::measure::{COLUMN, in_two_lines, shortened, text_width};
use super::palette::{COLOURS, style};
use super::panel::{Panel, has_band, pieces, span};
use super::ticks::{TimeAxis, ValueAxis, place};

/// How a chart is drawn as SVG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SvgOptions {
    /// Width in pixels of the picture at its natural size; 320 to 8,000.
    pub(crate) width: f64,
    /// Height in pixels of one panel's drawing area; 40 to 4,000.
    pub(crate) panel_height: f64,
}

impl Default for SvgOptions {
    fn default() -> Self {
        Self { width: 960.0, panel_height: 260.0 }
    }
}

/// Around everything.
const MARGIN: f64 = 24.0;
/// One character of the heading.
const TITLE_COLUMN: f64 = 11.5;
/// Between two lines of labels.
const LINE: f64 = 17.0;
/// Between two panels.
const BETWEEN_PANELS: f64 = 22.0;
/// The least distance between two ticks of the time axis, in columns.
const TICKS_APART: f64 = 11.0;
/// The least distance between two lines of the value grid, in pixels.
const GRID_APART: f64 = 48.0;
/// A sample of the line in the legend, with the space after it.
const SWATCH: f64 = 24.0;
/// Between two entries of the legend.
const BETWEEN_ENTRIES: f64 = 22.0;

/// Draws `chart` as a self-contained SVG document.
#[must_use]
pub(crate) fn svg(chart: &Chart, options: SvgOptions) -> String {
    let width = bounded(options.width, 320.0, 8_000.0, 960.0);
    let panel_height = bounded(options.panel_height, 40.0, 4_000.0, 260.0);
    let panels = Panel::by_unit(chart);
    let (low_us, high_us) = span(chart).unwrap_or((0, 0));

    // The value axes decide the left edge, that the length of the time axis,
    // and only the time axis decides which points count: so it is made twice.
    let time = TimeAxis::covering(low_us, high_us, &chart.zone, 1.0, 1.0);
    let grid_lines = (panel_height / GRID_APART).max(1.0) as usize;
    let axes: Vec<ValueAxis> =
        panels.iter().map(|panel| panel.value_axis(&time, grid_lines)).collect();
    let columns = axes.iter().map(ValueAxis::label_columns).max().unwrap_or(0);
    let left = MARGIN + (columns as f64 * COLUMN).max(20.0) + 8.0;
    let frame = Frame { left, right: width - MARGIN, width };
    let time = TimeAxis::covering(
        low_us,
        high_us,
        &chart.zone,
        (frame.right - frame.left) / COLUMN,
        TICKS_APART,
    );

    let mut body = String::new();
    let mut y = heading(&mut body, chart, &frame);
    for (index, (panel, values)) in panels.iter().zip(&axes).enumerate() {
        if index > 0 {
            y += BETWEEN_PANELS;
        }
        y = legend(&mut body, panel, &frame, y);
        let plot = Plot { frame: &frame, top: y, height: panel_height, time: &time, values };
        plot.draw(&mut body, panel);
        y += panel_height;
    }
    if panels.is_empty() || span(chart).is_none() {
        y += 48.0;
        text(&mut body, "m", width / 2.0, y, Anchor::Middle, "No readings to draw.");
        y += 24.0;
    } else {
        y = time_labels(&mut body, &time, &frame, y);
    }
    y = caption(&mut body, chart, &time, &frame, y);
    document(chart, &body, width, y + MARGIN - 6.0)
}

/// A size within what can be drawn; what is no number is the usual one.
fn bounded(size: f64, least: f64, most: f64, usual: f64) -> f64 {
    if size.is_nan() { usual } else { size.clamp(least, most) }
}

/// The horizontal measures that everything shares.
struct Frame {
    /// Where the drawing area begins.
    left: f64,
    /// Where it ends.
    right: f64,
    /// The whole picture.
    width: f64,
}

/// Title and subtitle; returns where the next thing may begin.
fn heading(out: &mut String, chart: &Chart, frame: &Frame) -> f64 {
    let room = frame.width - 2.0 * MARGIN;
    let mut y = MARGIN - 6.0;
    if !chart.title.is_empty() {
        for line in in_two_lines(&chart.title, room / TITLE_COLUMN) {
            y += 22.0;
            text(out, "t", MARGIN, y, Anchor::Start, &line);
        }
    }
    if !chart.subtitle.is_empty() {
        y += 20.0;
        let subtitle = shortened(&chart.subtitle, room / COLUMN);
        text(out, "m", MARGIN, y, Anchor::Start, &subtitle);
    }
    y + 14.0
}

/// The unit, and which line is which, from left to right and on as many rows as
/// they need; returns the top of the drawing area.
fn legend(out: &mut String, panel: &Panel<'_>, frame: &Frame, top: f64) -> f64 {
    let room = frame.right - MARGIN;
    let mut x = MARGIN;
    let mut y = top + LINE;
    if let Some(unit) = panel.unit {
        let unit = shortened(unit, room / COLUMN);
        text(out, "m", x, y, Anchor::Start, &unit);
        x += text_width(&unit) + BETWEEN_ENTRIES;
    }
    for (index, series) in &panel.series {
        let name = shortened(&series.name, (room - SWATCH) / COLUMN);
        let width = SWATCH + text_width(&name);
        if x > MARGIN && x + width > frame.right {
            x = MARGIN;
            y += LINE;
        }
        swatch(out, *index, has_band(series), x, y - 4.0);
        text(out, "l", x + SWATCH, y, Anchor::Start, &name);
        x += width + BETWEEN_ENTRIES;
    }
    y + 14.0
}

/// A short piece of a line as it is drawn.
fn swatch(out: &mut String, index: usize, band: bool, x: f64, y: f64) {
    if band {
        let _ = write!(
            out,
            r#"<rect class="b{}" x="{}" y="{}" width="18" height="10"/>"#,
            index % COLOURS.len(),
            Px(x),
            Px(y - 5.0)
        );
    }
    let _ = writeln!(
        out,
        r#"<path class="s{}{}" d="M{} {}h18"/>"#,
        index % COLOURS.len(),
        dashed(index),
        Px(x),
        Px(y)
    );
}

/// The further class of lines whose colour has been used before.
fn dashed(index: usize) -> &'static str {
    if index >= COLOURS.len() { " d" } else { "" }
}

/// One panel's drawing area.
struct Plot<'a> {
    frame: &'a Frame,
    top: f64,
    height: f64,
    time: &'a TimeAxis,
    values: &'a ValueAxis,
}

impl Plot<'_> {
    fn x(&self, time_us: i64) -> f64 {
        self.frame.left + self.time.share(time_us) * (self.frame.right - self.frame.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + (1.0 - self.values.share(value)) * self.height
    }

    fn draw(&self, out: &mut String, panel: &Panel<'_>) {
        self.grid(out);
        // All bands below all lines.
        for (index, series) in &panel.series {
            self.bands(out, *index, series);
        }
        for (index, series) in &panel.series {
            self.lines(out, *index, series);
        }
    }

    fn grid(&self, out: &mut String) {
        let bottom = self.top + self.height;
        let mut upright = String::new();
        for tick in &self.time.ticks {
            let _ =
                write!(upright, "M{} {}V{}", Px(self.x(tick.time_us)), Px(self.top), Px(bottom));
        }
        if !upright.is_empty() {
            let _ = writeln!(out, r#"<path class="v" d="{upright}"/>"#);
        }
        for (value, label) in &self.values.ticks {
            let y = self.y(*value);
            // The ground and zero stand out from the rest.
            let class = if *value == 0.0 || *value == self.values.low { "z" } else { "h" };
            let (from, to) = (Px(self.frame.left), Px(self.frame.right));
            let _ = writeln!(out, r#"<path class="{class}" d="M{from} {}H{to}"/>"#, Px(y));
            let label = label.replace('-', "\u{2212}");
            text(out, "n", self.frame.left - 8.0, y + 4.0, Anchor::End, &label);
        }
    }

    fn bands(&self, out: &mut String, index: usize, series: &Series) {
        let mut path = String::new();
        for piece in pieces(series, self.time) {
            if piece.iter().all(|point| point.min == point.max) {
                continue;
            }
            if let [alone] = piece {
                let (x, low, high) = (self.x(alone.time_us), self.y(alone.min), self.y(alone.max));
                let (from, to) = (Px(x - 1.5), Px(x + 1.5));
                let _ = write!(path, "M{from} {}H{to}V{}H{from}Z", Px(high), Px(low));
                continue;
            }
            let above = piece.iter().map(|point| (point, point.max));
            let below = piece.iter().rev().map(|point| (point, point.min));
            self.trace(&mut path, above.chain(below));
            path.push('Z');
        }
        if !path.is_empty() {
            let _ = writeln!(out, r#"<path class="b{}" d="{path}"/>"#, index % COLOURS.len());
        }
    }

    fn lines(&self, out: &mut String, index: usize, series: &Series) {
        let mut path = String::new();
        for piece in pieces(series, self.time) {
            if let [alone] = piece {
                // A line of no length with a round cap is a dot.
                let (x, y) = (self.x(alone.time_us), self.y(alone.mean));
                let _ = write!(path, "M{} {}h0", Px(x), Px(y));
                continue;
            }
            self.trace(&mut path, piece.iter().map(|point| (point, point.mean)));
        }
        if !path.is_empty() {
            let (colour, dashed) = (index % COLOURS.len(), dashed(index));
            let _ = writeln!(out, r#"<path class="s{colour}{dashed}" d="{path}"/>"#);
        }
    }

    fn trace<'p>(&self, path: &mut String, points: impl Iterator<Item = (&'p Point, f64)>) {
        for (place, (point, value)) in points.enumerate() {
            let command = if place == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{} {}", Px(self.x(point.time_us)), Px(self.y(value)));
        }
    }
}

/// The labels of the time axis; returns where the next thing may begin.
fn time_labels(out: &mut String, time: &TimeAxis, frame: &Frame, bottom: f64) -> f64 {
    let column = |time_us| (frame.left + time.share(time_us) * (frame.right - frame.left)) / COLUMN;
    let labels = time.ticks.iter().map(|tick| (column(tick.time_us), tick.label.clone())).collect();
    let contexts = time
        .ticks
        .iter()
        .filter_map(|tick| Some((column(tick.time_us), tick.context.clone()?)))
        .collect();
    let mut y = bottom + 2.0;
    for (class, texts) in [("n", labels), ("m", contexts)] {
        let texts: Vec<(f64, String)> = texts;
        if texts.is_empty() {
            continue;
        }
        y += LINE;
        let edge = (frame.width - 6.0) / COLUMN;
        for placed in place(texts, 6.0 / COLUMN, edge, 1.0) {
            let half = placed.text.chars().count() as f64 / 2.0;
            let x = (placed.start + half) * COLUMN;
            text(out, class, x, y, Anchor::Middle, &placed.text);
        }
    }
    y
}

/// How the line and band were made, and the zone; returns the last baseline.
fn caption(out: &mut String, chart: &Chart, time: &TimeAxis, frame: &Frame, bottom: f64) -> f64 {
    let mut y = bottom + LINE + 6.0;
    let zone = format!("Time in {}", time.zone);
    let made = "Line: mean. Band: least to greatest.";
    if chart.series.iter().any(has_band) {
        text(out, "m", MARGIN, y, Anchor::Start, made);
        if text_width(made) + text_width(&zone) + BETWEEN_ENTRIES > frame.width - 2.0 * MARGIN {
            y += LINE;
        }
    }
    text(out, "m", frame.right, y, Anchor::End, &zone);
    y
}

/// The document around the drawing.
fn document(chart: &Chart, body: &str, width: f64, height: f64) -> String {
    let (width, height) = (Px(width), Px(height));
    let title = if chart.title.is_empty() { "Chart" } else { &chart.title };
    let mut out = String::with_capacity(body.len() + 4096);
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="pond-chart" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="max-width:100%;height:auto">"#
    );
    let _ = writeln!(out, "<title>{}</title>", Escaped(title));
    let _ = writeln!(out, "<desc>{}</desc>", Escaped(&description(chart)));
    out.push_str("<style>\n");
    style(&mut out);
    out.push_str("</style>\n");
    let _ = writeln!(out, r#"<rect class="g" width="{width}" height="{height}" rx="6"/>"#);
    out.push_str(body);
    out.push_str("</svg>\n");
    out
}

/// The picture in words, for those who can not see it.
fn description(chart: &Chart) -> String {
    let day = |us: i64| {
        jiff::Timestamp::from_microsecond(us).map_or_else(
            |_| us.to_string(),
            |at| at.to_zoned(chart.zone.clone()).date().to_string(),
        )
    };
    let mut words = match span(chart) {
        Some((from, to)) => format!("Line chart from {} to {}.", day(from), day(to)),
        None => "Line chart without readings.".to_owned(),
    };
    for series in &chart.series {
        let drawn = || series.points.iter().filter(|point| !point.is_gap());
        let least = drawn().map(|point| point.min).reduce(f64::min);
        let greatest = drawn().map(|point| point.max).reduce(f64::max);
        let _ = write!(words, " {}: ", series.name);
        match (least, greatest) {
            (Some(least), Some(greatest)) => {
                let unit = series.unit.as_deref().map_or(String::new(), |unit| format!(" {unit}"));
                let _ = write!(words, "{} to {}{unit}.", Short(least), Short(greatest));
            }
            _ => words.push_str("no readings."),
        }
    }
    words
}

/// Where a text stands to its point.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

fn text(out: &mut String, class: &str, x: f64, y: f64, anchor: Anchor, content: &str) {
    let anchor = match anchor {
        Anchor::Start => "",
        Anchor::Middle => r#" text-anchor="middle""#,
        Anchor::End => r#" text-anchor="end""#,
    };
    let (x, y, content) = (Px(x), Px(y), Escaped(content));
    let _ = writeln!(out, r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{content}</text>"#);
}

/// A length in pixels, to a tenth.
struct Px(f64);

impl std::fmt::Display for Px {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0 * 10.0).round() as i64;
        let (whole, part) = (tenths / 10, (tenths % 10).abs());
        let sign = if tenths < 0 && whole == 0 { "-" } else { "" };
        if part == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{part}") }
    }
}

/// A number to seven digits, at most.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Writing and reading back drops the digits that say nothing.
        let rounded: f64 = format!("{:.6e}", self.0).parse().unwrap_or(self.0);
        let size = rounded.abs();
        if size != 0.0 && !(1e-5..1e12).contains(&size) {
            write!(f, "{rounded:e}")
        } else {
            write!(f, "{rounded}")
        }
    }
}

/// A text as XML: markup escaped, characters that XML forbids replaced.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                character if character.is_control() => f.write_char('\u{FFFD}')?,
                '\u{FFFE}' | '\u{FFFF}' => f.write_char('\u{FFFD}')?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn line(name: &str, unit: &str, values: &[f64]) -> Series {
        let points = values
            .iter()
            .zip(0..)
            .map(|(value, hour)| Point::reduced(hour * HOUR, value - 1.0, *value, value + 1.0))
            .collect();
        Series::new(name, Some(unit.to_owned()), points)
    }

    fn draw(series: Vec<Series>) -> String {
        svg(&Chart::new("Level", TimeZone::UTC, series), SvgOptions::default())
    }

    /// The drawing commands of the only path of a class.
    fn path(svg: &str, class: &str) -> String {
        let start = svg.rfind(&format!(r#"<path class="{class}" d=""#)).expect("a path");
        svg[start..].split('"').nth(3).expect("commands").to_owned()
    }

    #[test]
    fn hostile_names_are_escaped() {
        let series = line("</text><script>&\"'\u{1b}\u{0}\u{ffff}", "]]>", &[1.0, 2.0]);
        let chart =
            Chart { subtitle: "<b>".into(), ..Chart::new("<i>&", TimeZone::UTC, vec![series]) };
        let svg = svg(&chart, SvgOptions::default());
        for bad in ["<script", "<b>", "<i>", "\u{1b}", "\u{0}", "\u{ffff}", "]]>"] {
            assert!(!svg.contains(bad), "{bad:?}");
        }
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&amp;&quot;&#39;\u{fffd}"));
    }

    #[test]
    fn nothing_outside_is_referred_to() {
        let svg = draw(vec![line("a", "m", &[1.0, 2.0])]);
        let rest = svg.replace("http://www.w3.org/2000/svg", "");
        for bad in ["http", "href", "url(", "@import", "<script", "onload"] {
            assert!(!rest.contains(bad), "{bad}");
        }
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert!(svg.contains("<title>Level</title>\n<desc>Line chart from 1970-01-01"));
    }

    #[test]
    fn gaps_are_not_joined() {
        let whole = draw(vec![line("a", "m", &[1.0, 2.0, 3.0, 4.0])]);
        assert_eq!(path(&whole, "s0").matches('M').count(), 1);
        let broken = draw(vec![line("a", "m", &[1.0, 2.0, f64::NAN, 4.0])]);
        assert_eq!(path(&broken, "s0").matches('M').count(), 2);
        assert_eq!(path(&broken, "b0").matches('Z').count(), 2);
        assert!(path(&broken, "s0").ends_with("h0"), "a lone reading is a dot");
        assert!(!broken.contains("NaN"));
    }

    #[test]
    fn bands_close_around_least_and_greatest() {
        let svg = draw(vec![line("a", "m", &[1.0, 2.0])]);
        assert_eq!(path(&svg, "b0").matches('L').count(), 3);
        let points = vec![Point::reading(0, 1.0), Point::reading(HOUR, 2.0)];
        let plain = draw(vec![Series::new("a", None, points)]);
        assert!(!plain.contains(r#"class="b0""#) && !plain.contains("Band:"));
    }

    #[test]
    fn each_unit_has_a_panel() {
        let svg = draw(vec![
            line("a", "m", &[1.0, 2.0]),
            line("b", "°C", &[1.0, 2.0]),
            line("c", "m", &[1.0, 2.0]),
        ]);
        assert_eq!(svg.matches(r#"class="v""#).count(), 2);
        assert_eq!(svg.matches(">°C</text>").count(), 1);
    }

    #[test]
    fn a_chart_without_readings_says_so() {
        for series in [vec![], vec![line("a", "m", &[])], vec![line("a", "m", &[f64::NAN])]] {
            assert!(draw(series).contains("No readings to draw."));
        }
    }

    #[test]
    fn extremes_are_drawn_without_a_panic() {
        let points = vec![
            Point::reading(i64::MIN, f64::MAX),
            Point::reading(0, f64::MIN),
            Point::reduced(i64::MAX, f64::MAX, f64::MIN, f64::MIN_POSITIVE),
        ];
        let chart = Chart::new(
            "x".repeat(5_000),
            TimeZone::UTC,
            vec![Series::new("水".repeat(900), None, points)],
        );
        for size in [f64::NAN, f64::NEG_INFINITY, 0.0, 1.0, f64::INFINITY] {
            let svg = svg(&chart, SvgOptions { width: size, panel_height: size });
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{size}");
        }
    }

    #[test]
    fn labels_of_the_time_axis_do_not_overlap() {
        for hours in [1, 7, 30, 200, 2_000, 40_000] {
            let points = (0..=hours).map(|n| Point::reading(n * HOUR, 1.0)).collect();
            let chart = Chart::new("", TimeZone::UTC, vec![Series::new("a", None, points)]);
            for width in [320.0, 640.0, 960.0, 2_000.0] {
                let svg = svg(&chart, SvgOptions { width, panel_height: 100.0 });
                let mut ends: std::collections::BTreeMap<String, f64> = Default::default();
                for label in svg.lines().filter(|line| line.contains("middle")) {
                    let field: Vec<&str> = label.split(['"', '<', '>']).collect();
                    let (x, y): (f64, _) = (field[4].parse().unwrap(), field[6].to_owned());
                    let half = field[9].chars().count() as f64 * COLUMN / 2.0;
                    assert!(x - half >= 0.0 && x + half <= width, "{label}");
                    let end = ends.entry(y).or_insert(0.0);
                    assert!(*end <= x - half, "{width} {hours}: {label}");
                    *end = x + half;
                }
                assert!(!ends.is_empty());
            }
        }
    }
}
