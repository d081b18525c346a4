//! Errors as the user meets them: a kind that decides the exit code, a chain
//! of causes, and hints that name the next command to type.
//!
//! Always true: this is the only place that chooses headings and exit codes;
//! a cause is printed once, however many layers repeat it.
//!
//! Deliberately not here: suggestions that need to look into the pond; see
//! [`crate::suggest`].

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use crate::output::Style;
use crate::quote;

/// Results of commands.
pub(crate) type Result<T, E = CommandError> = std::result::Result<T, E>;

/// What the exit status of `pond` says.
pub(crate) mod exit {
    /// What was asked is done.
    pub(crate) const DONE: u8 = 0;
    /// Something failed that has no code of its own.
    pub(crate) const FAILURE: u8 = 1;
    /// The command line was not understood.
    pub(crate) const USAGE: u8 = 2;
    /// A pond, path, version or transaction does not exist.
    pub(crate) const NOT_FOUND: u8 = 3;
    /// Stored data is damaged.
    pub(crate) const DAMAGE: u8 = 4;
    /// Another process held the pond's lock for longer than `--lock-timeout`.
    pub(crate) const LOCKED: u8 = 5;
    /// Input was refused: malformed data, SQL or configuration.
    pub(crate) const BAD_INPUT: u8 = 6;
    /// Whether a transaction was committed could not be found out.
    pub(crate) const UNKNOWN: u8 = 7;
}

/// The exit codes, as `pond --help` and the reference page show them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done; also when a reader closes our output early
  1  failed
  2  the command line was not understood
  3  a pond, path, version or transaction does not exist
  4  stored data is damaged (found by fsck, or by reading it)
  5  another process held the pond's lock for longer than --lock-timeout
  6  input was refused: malformed data, SQL or configuration
  7  unknown whether a transaction was committed; `pond log` tells";

/// What sort of failure it is, by what a caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything without a kind of its own.
    Failure,
    /// The command line makes no sense.
    Usage,
    /// Something named does not exist.
    NotFound,
    /// Stored data is damaged.
    Damage,
    /// Somebody else writes.
    Locked,
    /// Input was refused.
    BadInput,
    /// Committed or not: nobody knows.
    Unknown,
    /// Our reader has gone.
    BrokenPipe,
}

impl Kind {
    /// The exit status for it.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Failure => exit::FAILURE,
            Self::Usage => exit::USAGE,
            Self::NotFound => exit::NOT_FOUND,
            Self::Damage => exit::DAMAGE,
            Self::Locked => exit::LOCKED,
            Self::BadInput => exit::BAD_INPUT,
            Self::Unknown => exit::UNKNOWN,
            Self::BrokenPipe => exit::DONE,
        }
    }
}

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hints: Vec<String>,
}

impl CommandError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, hints: Vec::new() }
    }

    /// A failure without a kind of its own, until a cause gives it one.
    pub(crate) fn failure(message: impl Into<String>) -> Self {
        Self::new(Kind::Failure, message)
    }

    /// A command line that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Something named that does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// Damage that was found.
    pub(crate) fn damage(message: impl Into<String>) -> Self {
        Self::new(Kind::Damage, message)
    }

    /// Input that is refused.
    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Kind::BadInput, message)
    }

    /// A write to our stdout that failed; a reader that has gone is no error.
    pub(crate) fn stdout(error: std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::BrokenPipe {
            Kind::BrokenPipe
        } else {
            Kind::Failure
        };
        Self { source: Some(Box::new(error)), ..Self::new(kind, "cannot write to stdout") }
    }

    /// Names the cause; a kind that was open is taken from it.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let cause = cause.into();
        if self.kind == Kind::Failure {
            self.kind = classify(cause.as_ref());
        }
        self.source = Some(cause);
        self
    }

    /// The same of a file of this machine, which is input: no check of the pond
    /// says more of it.
    pub(crate) fn of_host_file(mut self) -> Self {
        if self.kind == Kind::Damage {
            self.kind = Kind::BadInput;
            return self.hint("the file is damaged: get it again from where it came");
        }
        self
    }

    /// Adds what the user can do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What sort of failure it is.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether somebody has already said what to do next.
    pub(crate) fn has_hints(&self) -> bool {
        !self.hints.is_empty()
    }

    /// The first cause of type `E` in the chain.
    pub(crate) fn find<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.as_deref().and_then(|source| find_cause::<E>(source))
    }

    /// Whether something stored is not what was written.
    pub(crate) fn is_damage(&self) -> bool {
        self.kind == Kind::Damage
    }

    /// What it is about, for an error of another layer: its cause, or its own
    /// words where it has none.
    pub(crate) fn into_cause(self) -> Box<dyn StdError + Send + Sync> {
        self.source.unwrap_or_else(|| self.message.into())
    }

    /// Every text of the chain, the message first, repetitions left out.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut texts = vec![self.message.clone()];
        let mut next: Option<&(dyn StdError + 'static)> = self.source.as_deref().map(|s| s as _);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Layers that print their own source as part of themselves would
            // otherwise say everything twice.
            if !texts.iter().any(|said| said.contains(&text)) {
                texts.push(text);
            }
            next = cause.source();
        }
        texts
    }

    /// Prints heading, causes and hints to stderr.
    pub(crate) fn print(&self, style: Style) {
        let mut out = String::new();
        let mut texts = self.texts().into_iter();
        let message = texts.next().unwrap_or_default();
        // Writing to a String can not fail.
        let _ = writeln!(out, "{} {}", style.error("Error:"), printable(&message));
        for cause in texts {
            let _ = writeln!(out, "{} {}", style.cause("Caused by:"), printable(&cause));
        }
        for hint in &self.hints {
            let _ = writeln!(out, "{} {}", style.hint("Hint:"), printable(hint));
        }
        // A closed stderr leaves nobody to tell.
        let _ = std::io::stderr().lock().write_all(out.as_bytes());
    }
}

/// What a pond says of a change that it did not make.
impl From<steward::Error> for CommandError {
    fn from(error: steward::Error) -> Self {
        Self::failure("cannot change the pond").because(error)
    }
}

/// The text without what would let a file's content or name play with the
/// terminal; its lines stay lines.
fn printable(text: &str) -> String {
    text.trim_end().split('\n').map(quote::terminal).collect::<Vec<_>>().join("\n")
}

/// What an error wraps without showing it as its source: a pointer, an error
/// of ours inside an I/O error, a variant that passes another's words on.
fn inside<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    use datafusion::error::DataFusionError;
    if let Some(shared) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        return Some(shared.as_ref());
    }
    if let Some(shared) = error.downcast_ref::<Arc<DataFusionError>>() {
        return Some(shared.as_ref());
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        return io.get_ref().map(|inner| inner as _);
    }
    if let Some(error) = error.downcast_ref::<steward::Error>() {
        return match error {
            steward::Error::FileSystem(inner) => Some(inner),
            steward::Error::Tables(inner) => Some(inner),
            _ => None,
        };
    }
    if let Some(tlogfs::Error::FileSystem(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(error) = error.downcast_ref::<derived::Error>() {
        return match error {
            derived::Error::Config(inner) => Some(inner),
            derived::Error::Query(inner) => Some(inner),
            derived::Error::Factory(inner) => Some(inner),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<factory::Error>() {
        return match error {
            factory::Error::Config(inner) => Some(inner),
            factory::Error::Store(inner) => Some(inner),
            _ => None,
        };
    }
    match error.downcast_ref() {
        Some(query::Error::Store(inner)) => Some(inner),
        Some(query::Error::Host(inner)) => Some(inner.as_ref()),
        _ => None,
    }
}

/// The first cause of type `E` in a chain, the error itself included.
pub(crate) fn find_cause<'a, E: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<E>() {
            return Some(found);
        }
        next = inside(cause).or_else(|| cause.source());
    }
    None
}

/// The kind that the causes of a failure give it.
fn classify(error: &(dyn StdError + 'static)) -> Kind {
    if let Some(error) = find_cause::<std::io::Error>(error)
        && error.kind() == std::io::ErrorKind::BrokenPipe
    {
        return Kind::BrokenPipe;
    }
    if let Some(error) = find_cause::<steward::Error>(error) {
        use steward::Error as E;
        match error {
            error if error.is_damage() => return Kind::Damage,
            error if error.is_pruned() => return Kind::NotFound,
            E::NoSuchDirectory { .. } | E::NotAPond { .. } | E::NoSuchTransaction { .. } => {
                return Kind::NotFound;
            }
            E::Locked { .. } => return Kind::Locked,
            E::Unknown { .. } => return Kind::Unknown,
            E::NoSuchSetting { .. } | E::BadSetting { .. } | E::BadMoment { .. } => {
                return Kind::BadInput;
            }
            _ => {}
        }
    }
    if let Some(factory::Error::NotRunnable { .. } | factory::Error::NoArguments { .. }) =
        find_cause(error)
    {
        return Kind::Usage;
    }
    if let Some(error) = find_cause::<query::format::Error>(error) {
        return of_host_file(error);
    }
    if let Some(error) = find_cause::<query::Error>(error) {
        use query::Error as E;
        match error {
            E::NoSuchTable { .. } | E::NoMatch { .. } => return Kind::NotFound,
            E::Computed { source, .. } => return of_computed(source.as_ref()),
            E::Store(_)
            | E::Write(_)
            | E::Execution(_)
            | E::OutOfMemory { .. }
            | E::OutOfTempSpace { .. }
            | E::Deadline { .. } => {}
            E::NotParquet { .. } | E::Undecodable { .. } => return Kind::Damage,
            _ => return Kind::BadInput,
        }
    }
    if let Some(error) = find_cause::<tlogfs::Error>(error) {
        use tlogfs::Error as E;
        match error {
            E::FileSystem(_) | E::Log { .. } | E::Parquet { .. } | E::Ended => {}
            _ => return Kind::BadInput,
        }
    }
    if let Some(error) = find_cause::<tinyfs::Error>(error) {
        use tinyfs::Error as E;
        return match error {
            E::NotFound { .. } | E::NoSuchVersion { .. } | E::NoSuchName { .. } => Kind::NotFound,
            error if error.is_damage() => Kind::Damage,
            E::BadName { .. } | E::BadPath { .. } | E::BadPattern { .. } => Kind::BadInput,
            E::Uncomputed { .. } | E::Cycle { .. } | E::TooDeep { .. } => Kind::BadInput,
            _ => Kind::Failure,
        };
    }
    if let Some(error) = find_cause::<std::io::Error>(error)
        && error.kind() == std::io::ErrorKind::NotFound
    {
        return Kind::NotFound;
    }
    Kind::Failure
}

/// The kind of what ends a computation: what its configuration says, or what
/// ends a query over its inputs.
fn of_computed(error: &(dyn StdError + 'static)) -> Kind {
    match derived::Error::find(error) {
        Some(derived::Error::Query(_)) | None => classify(error),
        Some(derived::Error::Factory(factory::Error::Store(_))) => classify(error),
        Some(_) => Kind::BadInput,
    }
}

/// The kind of what is wrong with a file of this machine: mostly the file, and
/// otherwise its absence or the machine.
fn of_host_file(error: &query::format::Error) -> Kind {
    use query::format::Error as E;
    match error {
        E::Open { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Kind::NotFound,
        E::Open { .. } | E::Read { .. } | E::Spool { .. } => Kind::Failure,
        _ => Kind::BadInput,
    }
}

/// Gives a failure the words of what was being done.
pub(crate) trait OrFail<T> {
    /// Says what could not be done; the error becomes its cause.
    fn or_fail(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E> OrFail<T> for std::result::Result<T, E>
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn or_fail(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| CommandError::failure(message()).because(error))
    }
}
