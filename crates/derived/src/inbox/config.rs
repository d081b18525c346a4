//! The configuration of an inbox: which files, where to, and how they are read.
//!
//! Always true: a field that would have no effect is refused.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use factory::Config;
use factory::config::{ConfigError, Field, Schema};
use query::format::{Format, ReadOptions, SourceUrl, epoch_format, parse_delimiter, parse_floor};
use serde::Deserialize;
use tinyfs::{SeriesSpec, TimeUnit};

use super::listing::Pattern;
use crate::captures::fill_in;

/// What files become.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Becomes {
    /// Files, byte by byte.
    #[default]
    Data,
    /// Tables, of which each file is the next version.
    Table,
    /// Series, to which each file adds its rows.
    Series,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxConfig {
    /// The host files; may refer to the environment.
    pub(super) pattern: String,
    /// Where they go.
    pub(super) into: String,
    #[serde(default)]
    pub(super) r#as: Becomes,
    format: Option<String>,
    time_column: Option<String>,
    time_format: Option<String>,
    time_zone: Option<String>,
    time_unit: Option<String>,
    ambiguous: Option<String>,
    on_error: Option<String>,
    delimiter: Option<String>,
    #[serde(default)]
    no_header: bool,
    #[serde(default)]
    skip_lines: u64,
    #[serde(default)]
    nulls: Vec<String>,
    #[serde(default)]
    types: BTreeMap<String, String>,
    #[serde(default)]
    key: Vec<String>,
    #[serde(default)]
    append: bool,
    floor: Option<String>,
}

impl InboxConfig {
    pub(super) fn schema() -> Schema {
        let text = Schema::text;
        let texts = || Schema::list(Schema::text());
        Schema::object([
            Field::required("pattern", text(), "Host files: an absolute path with wildcards"),
            Field::required("into", text(), "A directory of the pond, a table or a series"),
            Field::optional(
                "as",
                Schema::one_of(&["data", "table", "series"]).default("data"),
                "What the files become",
            ),
            Field::optional("format", text(), "What they are: csv, ndjson, csv+gzip, ..."),
            Field::optional("time_column", text(), "The column of times"),
            Field::optional("time_format", text(), "How times are written, as strftime says"),
            Field::optional("time_zone", text(), "The zone of times that carry none"),
            Field::optional(
                "time_unit",
                Schema::one_of(&["s", "ms", "us", "ns"]),
                "The unit of times that are whole numbers",
            ),
            Field::optional(
                "ambiguous",
                Schema::one_of(&["order", "earliest", "latest", "refuse"]).default("order"),
                "Which pass a local time belongs to that daylight saving repeats",
            ),
            Field::optional(
                "on_error",
                Schema::one_of(&["fail", "skip"]).default("fail"),
                "What becomes of malformed rows",
            ),
            Field::optional("delimiter", text(), "Of CSV: one character, or `tab`"),
            Field::optional("no_header", Schema::boolean(), "CSV begins with data"),
            Field::optional("skip_lines", Schema::integer(), "Lines of CSV above the header"),
            Field::optional("nulls", texts(), "Texts that mean no value"),
            Field::optional("types", Schema::map(text()), "Types of columns, by name"),
            Field::optional("key", texts(), "Columns that, beside the time, tell rows apart"),
            Field::optional("append", Schema::boolean(), "Every row of every file counts"),
            Field::optional("floor", text(), "Rows earlier than this are not shown; or `none`"),
        ])
    }

    /// Refuses what makes no sense, whatever the host holds.
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let refused = |at: &str, what: String| Err(config.complaint(at, what));
        if !self.pattern.contains("${") {
            let pattern = Pattern::parse(&self.pattern).map_err(|error| {
                config.complaint("pattern", format!("`{}`: {error}", self.pattern))
            })?;
            if let Err(at) = fill_in(&self.into, &vec![String::new(); pattern.captures_len()]) {
                let what = format!("there is no wildcard ${at} in `{}`", self.pattern);
                return refused("into", what);
            }
        }
        if !self.into.starts_with('/') || self.into.split('/').any(|name| name == "..") {
            return refused("into", format!("`{}` is no absolute path of the pond", self.into));
        }
        for (name, is_given, goes_with) in self.given() {
            if is_given && !goes_with.contains(&self.r#as) {
                let what = match goes_with {
                    [Becomes::Series] => "is about series: say `as: series`",
                    _ => "is about rows: say `as: table` or `as: series`",
                };
                return refused(name, what.to_owned());
            }
        }
        if self.r#as == Becomes::Series && self.time_column.is_none() {
            return refused("", "`time_column` is missing: a series has one".to_owned());
        }
        self.source("x").map_err(|error| config.complaint("format", error))?;
        self.options(None, None).map_err(|(at, what)| config.complaint(at, what))?;
        self.declaration().map_err(|(at, what)| config.complaint(at, what))?;
        Ok(())
    }

    /// Fields that go with some kinds only.
    fn given(&self) -> [(&'static str, bool, &'static [Becomes]); 15] {
        const ROWS: &[Becomes] = &[Becomes::Table, Becomes::Series];
        const SERIES: &[Becomes] = &[Becomes::Series];
        [
            ("format", self.format.is_some(), ROWS),
            ("time_column", self.time_column.is_some(), ROWS),
            ("time_format", self.time_format.is_some(), ROWS),
            ("time_zone", self.time_zone.is_some(), ROWS),
            ("time_unit", self.time_unit.is_some(), SERIES),
            ("ambiguous", self.ambiguous.is_some(), ROWS),
            ("on_error", self.on_error.is_some(), ROWS),
            ("delimiter", self.delimiter.is_some(), ROWS),
            ("no_header", self.no_header, ROWS),
            ("skip_lines", self.skip_lines > 0, ROWS),
            ("nulls", !self.nulls.is_empty(), ROWS),
            ("types", !self.types.is_empty(), ROWS),
            ("key", !self.key.is_empty(), SERIES),
            ("append", self.append, SERIES),
            ("floor", self.floor.is_some(), SERIES),
        ]
    }

    /// The URL of a file by its name below the pattern's directory.
    pub(super) fn source(&self, name: &str) -> Result<SourceUrl, String> {
        // A name alone would be a word: `-` is standard input.
        let name = if name == "-" { "./-" } else { name };
        let Some(format) = &self.format else {
            return Ok(SourceUrl::from_path(PathBuf::from(name)));
        };
        let words = format.strip_prefix("host+").unwrap_or(format);
        let url = SourceUrl::parse(&format!("host+{words}:{name}")).map_err(|error| {
            let what = error.to_string();
            what.replace(&format!("`host+{words}:{name}`: "), "")
        })?;
        match url.kind() {
            None if url.format().is_none() => Err(format!("`{format}` names no format")),
            None => Ok(url),
            Some(kind) => Err(format!("`{}` is said by `as`, not here", kind.word())),
        }
    }

    /// How the rows of a file of this format are read. A series that exists
    /// lends its zone.
    pub(super) fn options(
        &self,
        format: Option<Format>,
        declared: Option<&SeriesSpec>,
    ) -> Result<ReadOptions, (&'static str, String)> {
        let mut options = ReadOptions::default();
        options.time_column.clone_from(&self.time_column);
        options.time_format.clone_from(&self.time_format);
        options.time_zone = self
            .time_zone
            .clone()
            .or_else(|| declared.and_then(|declared| declared.time_zone.clone()));
        options.ambiguous = word("ambiguous", self.ambiguous.as_deref())?;
        options.on_error = word("on_error", self.on_error.as_deref())?;
        let delimiter = self.delimiter.as_deref().map(parse_delimiter).transpose();
        options.delimiter = delimiter.map_err(|what| ("delimiter", what))?;
        options.no_header = self.no_header;
        options.skip_lines = self.skip_lines;
        options.null_values.clone_from(&self.nulls);
        for (column, kind) in &self.types {
            options
                .declare_type(&format!("{column}={kind}"))
                .map_err(|error| ("types", error.to_string()))?;
        }
        // Whole numbers of a unit are times since 1970, in text as elsewhere.
        if let Some(unit) = self.time_unit()?
            && options.time_format.is_none()
            && format != Some(Format::Parquet)
        {
            options.time_format = Some(epoch_format(unit).to_owned());
        }
        Ok(options)
    }

    /// The unit of times that are whole numbers.
    pub(super) fn time_unit(&self) -> Result<Option<TimeUnit>, (&'static str, String)> {
        let Some(text) = &self.time_unit else { return Ok(None) };
        let wrong = |_| ("time_unit", format!("`{text}` is not s, ms, us or ns"));
        text.parse().map(Some).map_err(wrong)
    }

    /// What a new series declares, but for the unit of its times; `None` where
    /// it is none.
    pub(super) fn declaration(&self) -> Result<Option<SeriesSpec>, (&'static str, String)> {
        let Some(column) = self.time_column.as_ref().filter(|_| self.r#as == Becomes::Series)
        else {
            return Ok(None);
        };
        let unit = self.time_unit()?.unwrap_or(TimeUnit::Microsecond);
        let mut spec = SeriesSpec::new(column, unit);
        spec.key.extend(self.key.iter().filter(|key| *key != column).cloned());
        spec.append = self.append;
        spec.time_zone.clone_from(&self.time_zone);
        if let Some(text) = &self.floor {
            spec.floor_us = parse_floor(text).map_err(|what| ("floor", what))?;
        }
        Ok(Some(spec))
    }

    /// Whether every row of every file counts.
    pub(super) const fn appends(&self) -> bool {
        self.append
    }

    /// Whether its rows declare more than a series that exists has to agree
    /// with.
    pub(super) fn declares_key(&self) -> bool {
        !self.key.is_empty() || self.append
    }

    /// Where a file goes, by its name and what the wildcards stand for; the
    /// error is the number of a wildcard that there is not.
    pub(super) fn target(&self, name: &str, captures: &[String]) -> Result<String, String> {
        let path = fill_in(&self.into, captures)?;
        Ok(match self.r#as {
            Becomes::Data if !self.into.contains('$') => tinyfs::path::join(&path, name),
            _ => path,
        })
    }
}

/// Whether files of a format are lines, so that what is written to one comes
/// after what it holds.
pub(super) const fn is_lines(format: Format) -> bool {
    matches!(
        format,
        Format::Csv | Format::Ndjson | Format::JsonLogs | Format::WebLog | Format::OtelJson
    )
}

fn word<T>(at: &'static str, text: Option<&str>) -> Result<T, (&'static str, String)>
where
    T: FromStr + Default,
    T::Err: Display,
{
    text.map_or_else(
        || Ok(T::default()),
        |text| text.parse().map_err(|e: T::Err| (at, e.to_string())),
    )
}
