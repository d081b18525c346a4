//! How a file of this machine is read as a table, and what a series declares:
//! the options that `copy`, `cat`, `sql` and `describe` share.

use clap::Args;
pub(crate) use query::format::parse_delimiter;
use query::format::{self, Ambiguous, OnError, ReadOptions};
use tinyfs::{SeriesSpec, TimeUnit};

use crate::error::{CommandError, Result};

/// How a file of this machine is read as a table.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Reading a file as a table")]
pub(crate) struct TableArgs {
    /// The column that holds each row's time
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time_column: Option<String>,
    /// How times are written: a strftime format such as '%m/%d/%Y %H:%M', or
    /// epoch, epoch_ms, epoch_us, epoch_ns [default: ISO 8601]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) time_format: Option<String>,
    /// The zone of times that carry none, such as America/Los_Angeles
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// Which pass a local time belongs to that daylight saving repeats: order
    /// (of the rows), earliest, latest or refuse
    #[arg(long, value_name = "CHOICE", default_value_t, value_parser = word::<Ambiguous>())]
    pub(crate) ambiguous: Ambiguous,
    /// What to do with a malformed row: fail, or skip (counted and listed)
    #[arg(long, value_name = "CHOICE", default_value_t, value_parser = word::<OnError>())]
    pub(crate) on_error: OnError,
    /// What separates the fields of CSV: one character, or `tab`
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// CSV has no header; columns are column_1, column_2, ...
    #[arg(long)]
    pub(crate) no_header: bool,
    /// Lines of CSV above the header
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) skip_lines: u64,
    /// A text that means no value, beside the empty one; may be repeated
    #[arg(long = "null", value_name = "TEXT")]
    pub(crate) nulls: Vec<String>,
    /// A column's type: bool, int64, float64, date, timestamp or utf8; may be
    /// repeated
    #[arg(long = "type", value_name = "COLUMN=TYPE")]
    pub(crate) types: Vec<String>,
}

/// What a series declares when it is made.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What a series declares")]
pub(crate) struct SeriesArgs {
    /// A column that, beside the time, tells rows apart; may be repeated
    #[arg(long = "key", value_name = "COLUMN")]
    pub(crate) keys: Vec<String>,
    /// Every row of every version counts, even for equal keys
    #[arg(long)]
    pub(crate) append: bool,
    /// Rows earlier than this are left out when read, and counted: a time, or
    /// `none` [default: 2000-01-01]
    #[arg(long, value_name = "TIME", value_parser = parse_floor)]
    pub(crate) floor: Option<Floor>,
    /// The unit of a time column that holds whole numbers: s, ms, us or ns
    #[arg(long, value_name = "UNIT", value_parser = parse_unit)]
    pub(crate) time_unit: Option<TimeUnit>,
}

/// `--floor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    /// Every row is let through.
    None,
    /// Rows earlier than this are left out; microseconds since 1970 UTC.
    At(i64),
}

impl Floor {
    /// As a series keeps it.
    pub(crate) const fn us(self) -> Option<i64> {
        match self {
            Self::None => None,
            Self::At(us) => Some(us),
        }
    }
}

impl TableArgs {
    /// What a reader is told. A series that exists lends its time column and
    /// zone where the command line names none.
    ///
    /// # Errors
    /// A usage error for a column type that nobody knows.
    pub(crate) fn read_options(&self, declared: Option<&SeriesSpec>) -> Result<ReadOptions> {
        let mut options = ReadOptions::default();
        options.time_column =
            self.time_column.clone().or_else(|| declared.map(|spec| spec.time_column.clone()));
        options.time_zone =
            self.time_zone.clone().or_else(|| declared.and_then(|spec| spec.time_zone.clone()));
        options.time_format.clone_from(&self.time_format);
        options.ambiguous = self.ambiguous;
        options.on_error = self.on_error;
        options.delimiter = self.delimiter;
        options.no_header = self.no_header;
        options.skip_lines = self.skip_lines;
        options.null_values.clone_from(&self.nulls);
        for declaration in &self.types {
            options.declare_type(declaration).map_err(|error| {
                CommandError::usage(format!("--type {declaration} makes no sense")).because(error)
            })?;
        }
        Ok(options)
    }
}

impl SeriesArgs {
    /// The declaration of a series with this time column.
    pub(crate) fn spec(
        &self,
        time_column: &str,
        unit: TimeUnit,
        time_zone: Option<&str>,
    ) -> SeriesSpec {
        let mut spec = SeriesSpec::new(time_column, unit);
        spec.key.extend(self.keys.iter().filter(|key| *key != time_column).cloned());
        spec.append = self.append;
        spec.time_zone = time_zone.map(str::to_owned);
        if let Some(floor) = self.floor {
            spec.floor_us = floor.us();
        }
        spec
    }

    /// Whether the command line declares anything that a series keeps.
    pub(crate) fn is_given(&self) -> bool {
        !self.keys.is_empty() || self.append
    }
}

fn word<T>() -> impl clap::builder::TypedValueParser<Value = T>
where
    T: std::str::FromStr + Clone + Send + Sync + 'static,
    T::Err: std::fmt::Display,
{
    use clap::builder::{StringValueParser, TypedValueParser as _};
    StringValueParser::new().try_map(|text| text.parse::<T>().map_err(|error| error.to_string()))
}

/// A floor, as `--floor` gives it.
pub(crate) fn parse_floor(text: &str) -> Result<Floor, String> {
    format::parse_floor(text).map(|floor| floor.map_or(Floor::None, Floor::At))
}

fn parse_unit(text: &str) -> Result<TimeUnit, String> {
    text.parse().map_err(|_| format!("`{text}` is not s, ms, us or ns"))
}

#[cfg(test)]
mod tests {
    use query::format::ColumnType;

    use super::*;

    #[test]
    fn every_column_type_is_in_the_help() {
        use clap::CommandFactory as _;
        #[derive(clap::Parser)]
        struct Probe {
            #[command(flatten)]
            table: TableArgs,
        }
        let help = Probe::command().render_long_help().to_string();
        for (_, word) in ColumnType::ALL {
            assert!(help.contains(word), "{word}");
        }
    }
}
