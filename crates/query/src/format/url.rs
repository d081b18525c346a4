//! How a host file is written on the command line.
//!
//! `[host+][FORMAT][+zstd|+gzip|+bzip2][+table|+series]:PATH`, where `PATH` is
//! `///abs/path` or `rel/path`, and `-` is standard input. At least one word
//! stands before the colon.
//!
//! What always holds: the path is what follows the colon, byte for byte.
//! Nothing is percent-decoded and `#`, `?`, `%` and spaces mean nothing, so
//! that what completion or `ls` prints can be pasted. What is displayed parses
//! to an equal value.
//!
//! What is deliberately not here: opening the file, and the rules by which the
//! command line tells host files from paths of the pond.

use diagnostics::nearest_one;
use std::fmt;
use std::path::{Path, PathBuf};

/// A format that host files are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values (RFC 4180, with other delimiters on request).
    Csv,
    /// One JSON array of objects, or one object.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// OpenTelemetry metrics as JSON lines.
    OtelJson,
    /// An HTML table that an instrument saved as `.xls`.
    ExcelHtml,
    /// A web server's log in the Common or Combined format.
    WebLog,
    /// JSON lines among other lines, as programs log them.
    JsonLogs,
}

impl Format {
    /// Every format, with the word that names it in a URL.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Csv, "csv"),
        (Self::Json, "json"),
        (Self::Ndjson, "ndjson"),
        (Self::Parquet, "parquet"),
        (Self::OtelJson, "oteljson"),
        (Self::ExcelHtml, "excelhtml"),
        (Self::WebLog, "weblog"),
        (Self::JsonLogs, "jsonlogs"),
    ];

    /// The word that names it in a URL.
    #[must_use]
    pub fn word(self) -> &'static str {
        word_of(&Self::ALL, self)
    }

    /// What a file's extension says, without the dot.
    fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// How the bytes of a host file are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    Plain,
    /// Zstandard, any number of frames.
    Zstd,
    /// Gzip, any number of members.
    Gzip,
    /// Bzip2, any number of streams.
    Bzip2,
}

impl Compression {
    /// Every compression that a URL can name, with its word.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Zstd, "zstd"), (Self::Gzip, "gzip"), (Self::Bzip2, "bzip2")];

    /// The word that names it; `plain` can not be written in a URL.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            other => word_of(&Self::ALL, other),
        }
    }

    fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            "bz2" | "bzip2" => Some(Self::Bzip2),
            _ => None,
        }
    }
}

/// What a host file becomes in the pond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// A `file:table`: each write replaces.
    Table,
    /// A `file:series`: each write appends.
    Series,
}

impl TableKind {
    /// Every kind, with its word.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Table, "table"), (Self::Series, "series")];

    /// The word that names it in a URL.
    #[must_use]
    pub fn word(self) -> &'static str {
        word_of(&Self::ALL, self)
    }
}

fn word_of<T: PartialEq + Copy, const N: usize>(
    all: &[(T, &'static str); N],
    value: T,
) -> &'static str {
    all.iter().find(|(each, _)| *each == value).map_or("", |(_, word)| word)
}

fn by_word<T: Copy, const N: usize>(all: &[(T, &'static str); N], word: &str) -> Option<T> {
    all.iter().find(|(_, each)| *each == word).map(|(value, _)| *value)
}

/// Where the bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A file of the host, absolute or relative to the working directory.
    Path(PathBuf),
    /// Standard input, written `-`. A file of that name is `host:./-`.
    Stdin,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// A host file as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceUrl {
    format: Option<Format>,
    compression: Option<Compression>,
    kind: Option<TableKind>,
    location: Location,
}

/// Whether a word of the URL said so, or the file's extension did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The URL names it.
    Named,
    /// The extension of the file, or the absence of one, was taken for it.
    Extension,
}

/// Format and compression of a source, and who said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolved {
    /// What the file is read as.
    pub format: Format,
    /// Whether the format was named.
    pub format_origin: Origin,
    /// What its bytes are compressed with.
    pub compression: Compression,
    /// Whether the compression was named.
    pub compression_origin: Origin,
}

/// A text that is not the URL of a host file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Nothing stands for a scheme.
    #[error("`{url}` has no scheme such as `host:` or `csv:`")]
    NoScheme {
        /// The whole text.
        url: String,
    },
    /// A word before the colon is not known.
    #[error(
        "`{url}`: `{word}` is not a format, a compression or a kind of table{}",
        nearest.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
    )]
    UnknownWord {
        /// The whole text.
        url: String,
        /// The word.
        word: String,
        /// The valid word that it looks like.
        nearest: Option<&'static str>,
    },
    /// A known word stands twice, or where another belongs.
    #[error(
        "`{url}`: `{word}` is out of place; the order is host+FORMAT+COMPRESSION+table or series"
    )]
    Misplaced {
        /// The whole text.
        url: String,
        /// The word.
        word: String,
    },
    /// Two slashes, which would make the next part a host's name.
    #[error(
        "`{url}`: an absolute path is written with three slashes (`{scheme}:///{rest}`), \
         a relative one with none (`{scheme}:{rest}`)"
    )]
    Authority {
        /// The whole text.
        url: String,
        /// What stands before the colon.
        scheme: String,
        /// What stands after the two slashes.
        rest: String,
    },
    /// Nothing after the colon.
    #[error("`{url}` names no file")]
    NoPath {
        /// The whole text.
        url: String,
    },
    /// A NUL, which no file name of the host can hold.
    #[error("`{url}` holds a NUL character")]
    Nul {
        /// The whole text, escaped.
        url: String,
    },
    /// Neither the URL nor the extension says what the file is.
    #[error(
        "`{url}` names no format and its extension tells none; write one, as in `host+csv:{}`",
        path_part(location)
    )]
    NoFormat {
        /// The whole text.
        url: String,
        /// The file.
        location: Location,
    },
}

const HOST: &str = "host";

impl SourceUrl {
    /// Parses what the command line gave.
    ///
    /// # Errors
    /// A [`UrlError`] that names the text, the part that is wrong and, for a
    /// word, the nearest valid one.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let shown = || text.escape_debug().to_string();
        if text.contains('\0') {
            return Err(UrlError::Nul { url: shown() });
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(UrlError::NoScheme { url: shown() });
        };
        if scheme.is_empty() || scheme.contains('/') {
            return Err(UrlError::NoScheme { url: shown() });
        }
        let (format, compression, kind) = parse_words(text, scheme)?;
        let location = parse_location(text, scheme, rest)?;
        Ok(Self { format, compression, kind, location })
    }

    /// The URL of a file by its path, with nothing named.
    #[must_use]
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        Self { format: None, compression: None, kind: None, location: Location::Path(path.into()) }
    }

    /// Whether a text is meant as a host file rather than a path of the pond:
    /// its scheme begins with `host` or a format's word, or it has the three
    /// slashes of a URL. Such a text may still be wrong; [`Self::parse`] says
    /// how.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        let Some((scheme, rest)) = text.split_once(':') else { return false };
        if scheme.is_empty() || scheme.contains('/') {
            return false;
        }
        let first = scheme.split('+').next().unwrap_or(scheme);
        first == HOST || by_word(&Format::ALL, first).is_some() || rest.starts_with("///")
    }

    /// The format that the URL names.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The compression that the URL names.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// What it is to become in the pond, when the URL says so.
    #[must_use]
    pub fn kind(&self) -> Option<TableKind> {
        self.kind
    }

    /// Where the bytes are.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The host path, `None` for standard input.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.location {
            Location::Path(path) => Some(path),
            Location::Stdin => None,
        }
    }

    /// Whether the URL asks for a table: it names a format or a kind. Without
    /// them it stands for the file's bytes.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.format.is_some() || self.kind.is_some()
    }

    /// The same URL with a format named.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// The same URL with a kind named.
    #[must_use]
    pub fn with_kind(mut self, kind: TableKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Format and compression, from the extension (`readings.csv.gz`) where
    /// the URL does not name them.
    ///
    /// # Errors
    /// [`UrlError::NoFormat`] when neither says what the file is.
    pub fn resolve(&self) -> Result<Resolved, UrlError> {
        let mut name = self.path().map_or("", |path| {
            // A name that is not UTF-8 has no extension that we know.
            path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or("")
        });
        let by_extension = name.rsplit_once('.').and_then(|(stem, extension)| {
            Compression::from_extension(extension).map(|found| (stem, found))
        });
        let (compression, compression_origin) = match (self.compression, by_extension) {
            (Some(named), _) => (named, Origin::Named),
            (None, Some((_, found))) => (found, Origin::Extension),
            (None, None) => (Compression::Plain, Origin::Extension),
        };
        if let Some((stem, _)) = by_extension {
            name = stem;
        }
        let found =
            name.rsplit_once('.').and_then(|(_, extension)| Format::from_extension(extension));
        let (format, format_origin) = match (self.format, found) {
            (Some(named), _) => (named, Origin::Named),
            (None, Some(found)) => (found, Origin::Extension),
            (None, None) => {
                return Err(UrlError::NoFormat {
                    url: self.to_string(),
                    location: self.location.clone(),
                });
            }
        };
        Ok(Resolved { format, format_origin, compression, compression_origin })
    }
}

type Words = (Option<Format>, Option<Compression>, Option<TableKind>);

fn parse_words(url: &str, scheme: &str) -> Result<Words, UrlError> {
    let (mut format, mut compression, mut kind) = (None, None, None);
    for (position, word) in scheme.split('+').enumerate() {
        let misplaced =
            || UrlError::Misplaced { url: url.escape_debug().to_string(), word: word.to_owned() };
        if word == HOST {
            if position != 0 {
                return Err(misplaced());
            }
        } else if let Some(found) = by_word(&Format::ALL, word) {
            if format.is_some() || compression.is_some() || kind.is_some() {
                return Err(misplaced());
            }
            format = Some(found);
        } else if let Some(found) = by_word(&Compression::ALL, word) {
            if compression.is_some() || kind.is_some() {
                return Err(misplaced());
            }
            compression = Some(found);
        } else if let Some(found) = by_word(&TableKind::ALL, word) {
            if kind.is_some() {
                return Err(misplaced());
            }
            kind = Some(found);
        } else {
            return Err(UrlError::UnknownWord {
                url: url.escape_debug().to_string(),
                word: word.escape_debug().to_string(),
                nearest: nearest_one(word, all_words()),
            });
        }
    }
    Ok((format, compression, kind))
}

fn all_words() -> impl Iterator<Item = &'static str> {
    std::iter::once(HOST)
        .chain(Format::ALL.into_iter().map(|(_, word)| word))
        .chain(Compression::ALL.into_iter().map(|(_, word)| word))
        .chain(TableKind::ALL.into_iter().map(|(_, word)| word))
}

fn parse_location(url: &str, scheme: &str, rest: &str) -> Result<Location, UrlError> {
    let shown = || url.escape_debug().to_string();
    if rest == "-" {
        return Ok(Location::Stdin);
    }
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(path) => {
            return Err(UrlError::Authority {
                url: shown(),
                scheme: scheme.to_owned(),
                rest: path.escape_debug().to_string(),
            });
        }
        None => rest,
    };
    if path.is_empty() {
        return Err(UrlError::NoPath { url: shown() });
    }
    Ok(Location::Path(PathBuf::from(path)))
}

fn path_part(location: &Location) -> String {
    match location {
        Location::Path(path) if path.is_absolute() => format!("//{}", path.display()),
        Location::Path(path) if path == Path::new("-") => "./-".to_owned(),
        Location::Path(path) => path.display().to_string(),
        Location::Stdin => "-".to_owned(),
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HOST)?;
        if let Some(format) = self.format {
            write!(f, "+{}", format.word())?;
        }
        if let Some(compression) = self.compression {
            write!(f, "+{}", compression.word())?;
        }
        if let Some(kind) = self.kind {
            write!(f, "+{}", kind.word())?;
        }
        write!(f, ":{}", path_part(&self.location))
    }
}

impl std::str::FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}
