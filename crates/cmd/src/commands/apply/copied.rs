//! Host files that `pond apply` copies into the pond: documents of kind `copy`.
//!
//! ```yaml
//! version: v1
//! kind: copy
//! metadata: { path: /sensors/dock.series }
//! spec:
//!   source: host+csv+series:///data/dock.csv
//!   time_column: Timestamp
//!   time_zone: America/Los_Angeles
//! ```
//!
//! Always true: a copy is carried out when the content of its sources or what
//! is said of them is not what it was when this was last done, and at no other
//! time; references are resolved here and shown as they were written.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use factory::Config;
use factory::config::{ConfigError, Node, Place, Value, resolve, typed};
use query::format::{Ambiguous, OnError};
use serde::Deserialize;
use steward::WriteView;
use tinyfs::Fs;

use super::declared::{Declared, Refused, What};
use super::perform::Done;
use crate::commands::copy::Tally;
use crate::commands::copy::declared::{Prepared, prepare};
use crate::context::Context;
use crate::doors::HostEnv;
use crate::error::{CommandError, OrFail as _, Result};
use crate::host::Operand;
use crate::table_args::{Floor, SeriesArgs, TableArgs, parse_delimiter, parse_floor};

/// The attribute that says what was copied last: a hash of the sources and of
/// what is said of them.
const COPIED: &str = "apply.copied";
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// A copy as it is declared.
#[derive(Debug)]
pub(in crate::commands) struct Copying {
    /// The sources as they are written.
    sources: Vec<(String, Place)>,
    /// All that is said of them, in one form.
    said: Config,
    table: TableArgs,
    series: SeriesArgs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CopySpec {
    source: Node,
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

impl Copying {
    /// The copy that a document's `spec` declares.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub(super) fn read(spec: &Node) -> Result<Self, ConfigError> {
        let read: CopySpec = typed(spec).map_err(|error| error.inside("spec"))?;
        let wrong = |at: &str, what: String| {
            ConfigError::new(spec.find(at).place.clone(), what).at(format!("spec.{at}"))
        };
        let source = |node: &Node| match &node.value {
            Value::Text(text) => Ok((text.clone(), node.place.clone())),
            _ => {
                let what = "is no text such as host+csv+series:///data/dock.csv";
                Err(ConfigError::new(node.place.clone(), what).at("spec.source"))
            }
        };
        let sources: Vec<_> = match &read.source.value {
            Value::Seq(items) => items.iter().map(source).collect::<Result<_, _>>()?,
            _ => vec![source(&read.source)?],
        };
        if sources.is_empty() {
            return Err(wrong("source", "names no file".to_owned()));
        }
        let said = match Config::from_node(spec.clone()) {
            Ok(said) => said,
            Err(factory::Error::Config(error)) => return Err(error),
            Err(other) => return Err(wrong("", other.to_string())),
        };
        let delimiter = read.delimiter.as_deref().map(parse_delimiter).transpose();
        let floor = read.floor.as_deref().map(parse_floor).transpose();
        let table = TableArgs {
            time_column: read.time_column,
            time_format: read.time_format,
            time_zone: read.time_zone,
            ambiguous: word::<Ambiguous>(read.ambiguous).map_err(|e| wrong("ambiguous", e))?,
            on_error: word::<OnError>(read.on_error).map_err(|e| wrong("on_error", e))?,
            delimiter: delimiter.map_err(|error| wrong("delimiter", error))?,
            no_header: read.no_header,
            skip_lines: read.skip_lines,
            nulls: read.nulls,
            types: read.types.iter().map(|(column, kind)| format!("{column}={kind}")).collect(),
        };
        table.read_options(None).map_err(|error| wrong("types", error.texts().join(": ")))?;
        let unit = |text: &String| {
            text.parse().map_err(|_| wrong("time_unit", format!("`{text}` is not s, ms, us or ns")))
        };
        let floor: Option<Floor> = floor.map_err(|error| wrong("floor", error))?;
        let series = SeriesArgs {
            keys: read.key,
            append: read.append,
            floor,
            time_unit: read.time_unit.as_ref().map(unit).transpose()?,
        };
        Ok(Self { sources, said, table, series })
    }
}

fn word<T>(text: Option<String>) -> Result<T, String>
where
    T: FromStr + Default,
    T::Err: Display,
{
    text.map_or_else(|| Ok(T::default()), |text| text.parse().map_err(|e: T::Err| e.to_string()))
}

/// A copy that was looked at beside what the pond has.
#[derive(Debug)]
pub(in crate::commands) struct Compared {
    path: String,
    /// The sources as they are written.
    shown: String,
    digest: String,
    /// What is to be done; `None` when that is nothing.
    prepared: Option<Prepared>,
    is_new: bool,
}

/// Compares every copy that is declared with what the pond has, before
/// anything is changed.
pub(super) async fn compare(
    context: &Context,
    fs: &Fs,
    all: &[Declared],
    heading: &str,
) -> Result<Vec<Compared>> {
    let mut compared = Vec::new();
    for one in all {
        if let What::Copied(copying) = &one.what {
            compared.push(compare_one(context, fs, one, copying, heading).await?);
        }
    }
    Ok(compared)
}

async fn compare_one(
    context: &Context,
    fs: &Fs,
    one: &Declared,
    copying: &Copying,
    heading: &str,
) -> Result<Compared> {
    let refused = |place: &Place, what: String| {
        let error = ConfigError::new(place.clone(), what).at("spec.source");
        Refused(vec![error]).into_error(heading.to_owned())
    };
    let (mut operands, mut hasher) = (Vec::new(), blake3::Hasher::new());
    hasher.update(copying.said.bytes());
    for (written, place) in &copying.sources {
        let of = |error: CommandError| refused(place, error.texts().join(": "));
        let text = resolve(written, &HostEnv).map_err(|error| refused(place, error.to_string()))?;
        let hide =
            |error: CommandError| refused(place, error.texts().join(": ").replace(&text, written));
        let operand = Operand::parse(OsStr::new(&text)).map_err(hide)?;
        let path = match &operand {
            Operand::Host(host) if copying.sources.len() == 1 => Some(host.path.clone()),
            Operand::Table(url) if url.kind().is_some() => url.path().map(Path::to_path_buf),
            _ => None,
        };
        let Some(path) = path else {
            let what = format!(
                "`{written}` is no file of the host: write host:///FILE, host+FORMAT+table:///FILE \
                 or, also several, host+FORMAT+series:///FILE"
            );
            return Err(refused(place, what));
        };
        let hash = hash_of(path).await;
        let hash = hash.or_fail(|| format!("cannot read `{written}`")).map_err(of)?;
        hasher.update(hash.as_bytes());
        operands.push(operand);
    }
    let digest = hasher.finalize().to_hex().to_string();
    let before = match fs.resolve(&one.path).await {
        Ok(found) => Some(found),
        Err(error) if error.is_absence() => None,
        Err(error) => return Err(refused(&one.place, error.to_string())),
    };
    let copied = before.as_ref().and_then(|found| found.node.attributes.get(COPIED));
    let mut prepared = None;
    if copied != Some(&digest) {
        let (table, series) = (&copying.table, &copying.series);
        let ready = prepare(context, fs, operands, &one.path, table, series).await;
        prepared = Some(ready.map_err(|error| {
            let mut text = error.texts().join(": ");
            for (written, _) in &copying.sources {
                if let Ok(resolved) = resolve(written, &HostEnv) {
                    text = text.replace(bare(&resolved), bare(written));
                }
            }
            refused(&copying.sources[0].1, text)
        })?);
    }
    let shown: Vec<&str> = copying.sources.iter().map(|(written, _)| written.as_str()).collect();
    let (path, shown, is_new) = (one.path.clone(), shown.join(", "), before.is_none());
    Ok(Compared { path, shown, digest, prepared, is_new })
}

/// A source without its scheme, as errors name it.
fn bare(source: &str) -> &str {
    let path = source.split_once(':').map_or(source, |(_, path)| path);
    path.strip_prefix("//").unwrap_or(path)
}

/// The hash of a regular file.
async fn hash_of(path: PathBuf) -> std::io::Result<blake3::Hash> {
    let hashing = tokio::task::spawn_blocking(move || {
        // Opening a pipe would wait for whoever writes to it.
        if !std::fs::metadata(&path)?.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        let mut file = std::fs::File::open(&path)?;
        let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; BUFFER_BYTES]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finalize()),
                count => hasher.update(&buffer[..count]),
            };
        }
    });
    hashing.await.map_err(std::io::Error::other)?
}

impl Compared {
    /// Whether it is a copy to a path where nothing was.
    pub(super) fn is_new_at(&self, path: &str) -> bool {
        self.is_new && self.path == path
    }

    /// Whether it is the copy to a path.
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path
    }
}

/// Carries out a copy inside the transaction, unless it has been by now. A
/// rehearsal only tells of it: it would write all that it copies.
pub(super) async fn perform(
    context: &Context,
    view: &WriteView,
    one: &Compared,
    is_rehearsal: bool,
) -> Result<(Done, Option<Tally>)> {
    let fs = view.fs();
    let cannot = || format!("cannot copy to `{}`", one.path);
    let before = match fs.resolve(&one.path).await {
        Ok(found) => Some(found),
        Err(error) if error.is_absence() => None,
        Err(error) => return Err(CommandError::failure(cannot()).because(error)),
    };
    let copied = before.as_ref().and_then(|found| found.node.attributes.get(COPIED));
    // Another apply may have copied the same since this one looked.
    if copied == Some(&one.digest) {
        return Ok((Done::Unchanged, None));
    }
    let Some(prepared) = &one.prepared else {
        let what = format!("`{}` was changed by another command meanwhile", one.path);
        return Err(CommandError::failure(what).hint("run the same again"));
    };
    let done = match before {
        None => Done::Created,
        Some(_) => Done::Updated { before: String::new(), after: format!("{}\n", one.shown) },
    };
    if is_rehearsal {
        return Ok((done, None));
    }
    let tally = prepared.perform(context, view).await?;
    let cannot = || format!("cannot note what was copied to `{}`", one.path);
    let mut attributes = fs.resolve(&one.path).await.or_fail(cannot)?.node.attributes;
    attributes.insert(COPIED.to_owned(), one.digest.clone());
    fs.set_attributes(&one.path, attributes).await.or_fail(cannot)?;
    Ok((done, Some(tally)))
}
