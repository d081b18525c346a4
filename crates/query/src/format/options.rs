//! What the caller declares about a host file.
//!
//! What always holds: a default means "as the file says", never a guess about
//! time: a time column, its zone and its format are declared or absent.
//!
//! What is deliberately not here: the URL (format and compression), and flags
//! of the command line.

use diagnostics::nearest_one;
use std::fmt;
use std::str::FromStr;

use super::error::Error;
use super::url::Format;

/// What becomes of a local time that daylight saving repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ambiguous {
    /// The order of the rows decides: the second pass begins where time goes
    /// backwards, or, where it never does, where a time repeats.
    #[default]
    Order,
    /// Always the first pass (daylight-saving time).
    Earliest,
    /// Always the second pass (standard time).
    Latest,
    /// The row is malformed.
    Refuse,
}

impl Ambiguous {
    /// Every choice, with its word.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Order, "order"),
        (Self::Earliest, "earliest"),
        (Self::Latest, "latest"),
        (Self::Refuse, "refuse"),
    ];
}

/// What becomes of a row that can not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The whole read is refused.
    #[default]
    Fail,
    /// The row is left out, counted and listed.
    Skip,
}

impl OnError {
    /// Every choice, with its word.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Fail, "fail"), (Self::Skip, "skip")];
}

/// A type that a column can be declared to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {
    /// `true` or `false`, in any case.
    Bool,
    /// A 64-bit integer.
    Int64,
    /// A 64-bit float; `NaN` and `inf` are values.
    Float64,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// An instant, or a local time without a zone.
    Timestamp,
    /// Text, kept as it is written.
    Utf8,
}

impl ColumnType {
    /// Every type, with its word.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Bool, "bool"),
        (Self::Int64, "int64"),
        (Self::Float64, "float64"),
        (Self::Date, "date"),
        (Self::Timestamp, "timestamp"),
        (Self::Utf8, "utf8"),
    ];
}

macro_rules! words {
    ($type:ty, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let word = Self::ALL.iter().find(|(each, _)| each == self).map_or("", |(_, w)| w);
                f.write_str(word)
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::ALL.iter().find(|(_, word)| *word == text).map(|(each, _)| *each).ok_or_else(
                    || Error::UnknownWord {
                        what: $what,
                        word: text.to_owned(),
                        nearest: nearest_one(text, Self::ALL.iter().map(|(_, word)| *word)),
                        valid: Self::ALL.iter().map(|(_, word)| *word).collect(),
                    },
                )
            }
        }
    };
}

words!(Ambiguous, "choice for ambiguous times");
words!(OnError, "choice for malformed rows");
words!(ColumnType, "column type");

/// What the caller declares about a host file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The column that holds the time of a row. It becomes a non-null
    /// timestamp in UTC, or the read is refused.
    pub time_column: Option<String>,
    /// How its times are written: a `strftime` format, or `epoch`, `epoch_ms`,
    /// `epoch_us`, `epoch_ns` for numbers since 1970. Without it, ISO 8601.
    pub time_format: Option<String>,
    /// The IANA zone of times that carry no offset of their own.
    pub time_zone: Option<String>,
    /// What becomes of local times that daylight saving repeats.
    pub ambiguous: Ambiguous,
    /// What becomes of rows that can not be read.
    pub on_error: OnError,
    /// The delimiter of CSV; without it the first line tells, and a delimiter
    /// other than the comma is noted in the report.
    pub delimiter: Option<u8>,
    /// CSV begins with data, columns are `column_1`, `column_2`, ...
    pub no_header: bool,
    /// Texts that stand for "no value", beside the empty field.
    pub null_values: Vec<String>,
    /// Physical lines of CSV above the header.
    pub skip_lines: u64,
    /// Columns whose type is declared; a value that does not fit is malformed.
    pub column_types: Vec<(String, ColumnType)>,
    /// Parsing threads; as many as the machine has cores (at most 8) if `None`.
    pub threads: Option<usize>,
    /// About how many bytes of text make a batch; 1 MiB if `None`. Results do
    /// not depend on it.
    pub chunk_bytes: Option<usize>,
}

impl ReadOptions {
    /// Declares a column's type as `--type` writes it: `NAME=TYPE`. The name
    /// is all before the last `=`.
    ///
    /// # Errors
    /// [`Error::UnknownWord`] for a text without `=` or an unknown type.
    pub fn declare_type(&mut self, text: &str) -> Result<(), Error> {
        let (name, word) = text.rsplit_once('=').unwrap_or(("", text));
        if name.is_empty() {
            return Err(Error::UnknownWord {
                what: "declaration NAME=TYPE",
                word: text.to_owned(),
                nearest: None,
                valid: ColumnType::ALL.iter().map(|(_, word)| *word).collect(),
            });
        }
        self.column_types.push((name.to_owned(), word.parse()?));
        Ok(())
    }

    /// Refuses what would have no effect: declarations about another format,
    /// and about times without a time column. A zone is about times that carry
    /// none and may be declared for files that have no such times.
    pub(crate) fn check(&self, format: Format) -> Result<(), Error> {
        let refused = |what, reason: String| Err(Error::Option { what, reason });
        let csv = matches!(format, Format::Csv | Format::ExcelHtml);
        let text = csv || matches!(format, Format::Json | Format::Ndjson | Format::JsonLogs);
        let useless = [
            (self.delimiter.is_some() && format != Format::Csv, "--delimiter"),
            (self.no_header && !csv, "--no-header"),
            (self.skip_lines > 0 && !csv, "--skip-lines"),
            (!self.null_values.is_empty() && !csv, "--null"),
            (!self.column_types.is_empty() && !text, "--type"),
            (self.time_format.is_some() && !text, "--time-format"),
            (self.ambiguous != Ambiguous::Order && !text, "--ambiguous"),
        ];
        if let Some((_, flag)) = useless.into_iter().find(|(set, _)| *set) {
            return refused(flag, format!("has no effect on the format {}", format.word()));
        }
        let Some(time) = &self.time_column else {
            let orphan = match (&self.time_format, &self.time_zone, self.ambiguous) {
                (Some(_), _, _) => "--time-format",
                (_, Some(_), _) => "--time-zone",
                (.., ambiguous) if ambiguous != Ambiguous::Order => "--ambiguous",
                _ => return Ok(()),
            };
            return refused(orphan, "is about the time column: name it with --time-column".into());
        };
        if let Some((_, kind)) = self.column_types.iter().find(|(name, _)| name == time) {
            let reason = format!("declares `{time}` {kind}, which is the time column");
            return refused("--type", reason);
        }
        Ok(())
    }

    /// The same for text that we wrote ourselves, separated by commas.
    pub(crate) fn with_comma(&self) -> Self {
        Self { delimiter: Some(b','), ..self.clone() }
    }

    pub(crate) fn thread_count(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or_else(|| available().min(8)).max(1)
    }

    pub(crate) fn chunk_size(&self) -> usize {
        self.chunk_bytes.unwrap_or(1 << 20).max(1)
    }
}
