//! What every verb works with: the options of all verbs, the terminal, and the
//! pond, opened when it is first needed.
//!
//! Always true: reading opens nothing for writing; every change goes through
//! [`Context::write`], so that it is one transaction with its command line.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use derived::{Derived, Place};
use diagnostics::Monitor;
use factory::{ComputedStore, Registry};
use query::format::{HostSource, SourceUrl};
use query::{Rows, Scratch, Session, SessionOptions, TimeBounds};
use steward::{AsOf, Environment, Intent, Pond, ReadView};
use tinyfs::{Fs, Store, WriteStore};

use crate::args::{Global, RowFormatArgs, TimeWindowArgs};
use crate::ceiling::Ceiling;
use crate::error::{CommandError, OrFail as _, Result};
use crate::ledger::Ledger;
use crate::output::{RowFormat, RowLimit, RowSink, Stdout, Style, row_sink, write_rows};
use crate::progress::{self, TerminalMonitor};
use crate::{complete, quote};

/// Rows that a table shows on a terminal unless told otherwise.
const TERMINAL_ROWS: usize = 40;
/// Columns where the terminal does not say.
const DEFAULT_WIDTH: usize = 80;

/// Every row, whenever it was.
pub(crate) const ALL_TIME: TimeWindowArgs = TimeWindowArgs { time_start: None, time_end: None };

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Context {
    global: Global,
    stdin_is_terminal: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    terminal: Option<TerminalMonitor>,
    environment: Environment,
    scratch: Scratch,
    /// Over what queries hold, once there was one.
    ceiling: Mutex<Option<Ceiling>>,
    /// What the history says was typed; `None` is this process's own line.
    command_line: Option<Vec<String>>,
}

/// One state of a pond, to read.
#[derive(Debug)]
pub(crate) struct View {
    /// Its file system.
    pub(crate) fs: Fs,
    /// What else is known of it.
    pub(crate) state: ReadView,
    /// Computes its computed nodes.
    pub(crate) computer: Arc<Derived>,
}

impl View {
    fn new(state: ReadView, computer: Arc<Derived>) -> Self {
        let fs = with_computed(&state.fs(), computer.registry());
        Self { fs, state, computer }
    }

    /// The transaction whose state it is.
    pub(crate) fn txn_seq(&self) -> u64 {
        self.state.txn_seq()
    }
}

/// What of a table's content a query compares with its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// What is kept inside the log; of large files nothing.
    Ranges,
    /// All of it, before the first row.
    Whole,
}

impl Context {
    /// The run that these options ask for.
    pub(crate) fn new(global: Global) -> Self {
        let stderr_is_terminal = std::io::stderr().is_terminal();
        let terminal =
            (stderr_is_terminal && !global.no_progress && !global.quiet).then(TerminalMonitor::new);
        let monitor = progress::monitor(terminal.as_ref(), global.quiet);
        Self {
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal,
            terminal,
            environment: Environment::system(monitor),
            scratch: Scratch::default(),
            ceiling: Mutex::default(),
            global,
            command_line: None,
        }
    }

    /// The same, for a command that another one runs.
    pub(crate) fn with_command_line<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Self {
        let command_line = Some(words.into_iter().map(str::to_owned).collect());
        Self { command_line, ..self }
    }

    /// The options of all verbs.
    pub(crate) const fn global(&self) -> &Global {
        &self.global
    }

    /// The clock, the ids and whom to tell.
    pub(crate) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Whom to tell how work gets on.
    pub(crate) fn monitor(&self) -> &Arc<dyn Monitor> {
        &self.environment.monitor
    }

    /// The temporary files of this run.
    pub(crate) const fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Where temporary files are made.
    pub(crate) fn temp_dir(&self) -> PathBuf {
        self.global.temp_dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// Whether somebody sits at stdin.
    pub(crate) const fn stdin_is_terminal(&self) -> bool {
        self.stdin_is_terminal
    }

    /// Whether somebody looks at stdout.
    pub(crate) const fn stdout_is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Whether more is to be said.
    pub(crate) const fn is_verbose(&self) -> bool {
        self.global.verbose
    }

    /// How stdout is coloured.
    pub(crate) fn output_style(&self) -> Style {
        Style::new(self.global.color, self.stdout_is_terminal)
    }

    /// How stderr is coloured.
    pub(crate) fn error_style(&self) -> Style {
        Style::new(self.global.color, self.stderr_is_terminal)
    }

    /// The width of the terminal.
    pub(crate) fn width(&self) -> usize {
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let width: Option<usize> = columns.or_else(|| {
            let (columns, _) = terminal_size::terminal_size()?;
            Some(usize::from(columns.0))
        });
        width.filter(|width| *width >= 20).unwrap_or(DEFAULT_WIDTH)
    }

    /// Tells the user what was done, on stderr, unless quiet.
    pub(crate) fn say(&self, text: &str) {
        if self.global.quiet {
            return;
        }
        let write = || {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "{}", quote::terminal(text));
        };
        match &self.terminal {
            Some(terminal) => terminal.suspend(write),
            None => write(),
        }
    }

    /// Tells the user a detail, when asked to with --verbose.
    pub(crate) fn detail(&self, text: &str) {
        if self.global.verbose {
            self.say(text);
        }
    }

    /// The pond's directory.
    ///
    /// # Errors
    /// When nobody named it.
    pub(crate) fn pond_dir(&self) -> Result<&Path> {
        self.global.pond.as_deref().ok_or_else(|| {
            CommandError::usage("no pond is named")
                .hint("name it for one command: pond --pond DIR ...")
                .hint("or for all that follow: export POND=DIR")
                .hint("`pond init --pond DIR` makes one, `pond demo` shows one")
        })
    }

    /// Opens the pond, and says what it has to say.
    pub(crate) async fn open(&self) -> Result<Pond> {
        let dir = self.pond_dir()?;
        let pond = Pond::open(dir, self.environment.clone())
            .await
            .or_fail(|| "cannot open the pond".to_owned())?;
        for notice in pond.notices() {
            self.say(&notice_text(notice));
        }
        Ok(match self.global.lock_timeout {
            Some(timeout) => pond.with_lock_timeout(timeout),
            None => pond,
        })
    }

    /// The pond as it is, or as it was.
    pub(crate) async fn read(&self, as_of: Option<AsOf>) -> Result<View> {
        let pond = self.open().await?;
        self.view(&pond, as_of).await
    }

    /// A state of a pond that is open.
    pub(crate) async fn view(&self, pond: &Pond, as_of: Option<AsOf>) -> Result<View> {
        let now = pond.read().await.or_fail(|| "cannot read the pond".to_owned())?;
        // What is kept of computed nodes is of the newest state.
        let computer = self.computer(pond, as_of.is_none());
        let state = match as_of {
            None => now,
            Some(as_of) => {
                now.at(as_of).await.or_fail(|| format!("cannot read the pond as of {as_of}"))?
            }
        };
        Ok(View::new(state, computer))
    }

    /// Computes the computed nodes of a pond; `cached` where what is kept of
    /// them may be used and made. Files in a format are read once in any case.
    pub(crate) fn computer(&self, pond: &Pond, cached: bool) -> Arc<Derived> {
        let clock = Arc::clone(&self.environment.clock);
        let place = Place {
            cache: cached.then(|| pond.cache_dir()),
            formats: Some(pond.cache_dir().join("formats")),
            temp_dir: self.temp_dir(),
            pond: pond.identity().pond_id,
            now_us: Arc::new(move || clock.now_us()),
        };
        Derived::new(derived::registry(), place)
    }

    /// Changes the pond in one transaction; when `work` fails, nothing is
    /// changed.
    pub(crate) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&Fs<dyn WriteStore>) -> Result<T>,
    ) -> Result<T> {
        let pond = self.open().await?;
        let written = pond
            .write(self.intent(), async |view: &steward::WriteView| {
                let done = work(&view.fs()).await;
                // From here on it is committed or not, and says which.
                self.lift_ceiling();
                done
            })
            .await?;
        if let steward::Commit::Committed { txn_seq } = written.commit {
            self.detail(&format!("transaction {txn_seq}"));
        }
        Ok(written.value)
    }

    /// Who asks for a change, and with which command.
    pub(crate) fn intent(&self) -> Intent {
        let arguments = self.command_line.clone().unwrap_or_else(own_command_line);
        // A user or host without a name is no reason not to work.
        let user = whoami::username().unwrap_or_else(|_| "unknown".to_owned());
        Intent::new(steward::redact(&arguments), user, hostname())
    }

    /// A place to ask questions about a state of the pond.
    pub(crate) fn session(&self, view: &View, window: TimeWindowArgs) -> Result<Session> {
        self.session_that(view, window, Verify::Ranges)
    }

    /// As [`Context::session`], with a say in what is compared with its hash.
    pub(crate) fn session_that(
        &self,
        view: &View,
        window: TimeWindowArgs,
        verify: Verify,
    ) -> Result<Session> {
        let session = self.session_over(Arc::clone(view.fs.store()), window, verify)?;
        let computer: Arc<Derived> = Arc::clone(&view.computer);
        let session = session.with_computer(computer);
        Ok(session.with_history(Arc::new(Ledger::new(view.state.clone()))))
    }

    /// A place to plan what a transaction is about to declare.
    pub(crate) fn session_within(&self, pond: &Pond, fs: &Fs) -> Result<Session> {
        let session = self.session_over(Arc::clone(fs.store()), ALL_TIME, Verify::Ranges)?;
        let computer: Arc<Derived> = self.computer(pond, false);
        Ok(session.with_computer(computer))
    }

    /// A place to ask questions about files of this machine.
    pub(crate) fn session_without_pond(&self, window: TimeWindowArgs) -> Result<Session> {
        let store: Arc<dyn Store> = Arc::new(tinyfs::MemoryStore::new());
        self.session_over(store, window, Verify::Ranges)
    }

    fn session_over(
        &self,
        store: Arc<dyn Store>,
        window: TimeWindowArgs,
        verify: Verify,
    ) -> Result<Session> {
        if let (Some(start), Some(end)) = (window.time_start, window.time_end)
            && start > end
        {
            return Err(CommandError::usage("--time-start is later than --time-end"));
        }
        // The engine would make it, and leave it behind.
        if let Some(dir) = self.global.temp_dir.as_deref().filter(|dir| !dir.is_dir()) {
            let shown = quote::terminal(&dir.to_string_lossy()).into_owned();
            return Err(CommandError::not_found(format!("there is no directory `{shown}`"))
                .hint("--temp-dir names a directory that is there"));
        }
        self.watch_memory();
        let options = SessionOptions {
            memory_limit_bytes: Some(self.global.memory_limit),
            temp_dir: self.global.temp_dir.clone(),
            time_range: TimeBounds { start_us: window.time_start, end_us: window.time_end },
            verify_reads: verify == Verify::Whole,
            scratch: self.scratch.clone(),
            threads: crate::workers(),
            ..SessionOptions::default()
        };
        Session::new(store, options).or_fail(|| "cannot prepare for queries".to_owned())
    }

    /// From here on a query, or a file that others made, is read.
    fn watch_memory(&self) {
        let mut ceiling = self.ceiling.lock().unwrap_or_else(PoisonError::into_inner);
        if ceiling.is_none() {
            let limit = self.global.memory_limit;
            *ceiling =
                Ceiling::over(limit, crate::workers(), self.error_style(), self.scratch.clone());
        }
    }

    /// From here on memory is no reason to end.
    pub(crate) fn lift_ceiling(&self) {
        *self.ceiling.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A file of this machine, to read as a table.
    pub(crate) fn host_source(&self, url: SourceUrl) -> HostSource {
        self.watch_memory();
        let source = HostSource::new(url)
            .with_monitor(Arc::clone(self.monitor()))
            .with_scratch(self.scratch.clone());
        match &self.global.temp_dir {
            Some(dir) => source.with_temp_dir(dir),
            None => source,
        }
    }

    /// Prints rows as the command line asks, by default as a table on a
    /// terminal and as CSV elsewhere.
    pub(crate) async fn print_rows(&self, args: RowFormatArgs, rows: Rows) -> Result<()> {
        let sink = self.stdout_sink(args, &rows.schema())?;
        write_rows(rows, sink).await.map(drop)
    }

    fn stdout_sink(&self, args: RowFormatArgs, schema: &SchemaRef) -> Result<Box<dyn RowSink>> {
        let terminal = self.stdout_is_terminal;
        let format =
            args.format.unwrap_or(if terminal { RowFormat::Table } else { RowFormat::Csv });
        if !format.is_text() && format != RowFormat::Raw {
            Stdout::refuse_binary(terminal, "binary data")?;
        }
        let limit = args.rows.unwrap_or(if terminal {
            RowLimit::Most(TERMINAL_ROWS)
        } else {
            RowLimit::All
        });
        let width = terminal.then(|| self.width());
        row_sink(format, schema, Stdout::new(), limit, width)
    }

    /// The names in a directory, for suggestions; `None` when they can not be
    /// read.
    pub(crate) async fn names_in(&self, path: &str) -> Option<Vec<String>> {
        let pond = Pond::open(self.global.pond.as_deref()?, self.environment.clone()).await.ok()?;
        let view = pond.read().await.ok()?;
        let fs = with_computed(&view.fs(), &derived::registry());
        let entries = fs.entries(path).await.ok()?;
        Some(entries.into_iter().map(|entry| entry.name.as_str().to_owned()).collect())
    }
}

/// A file system with the entries of its computed directories.
pub(crate) fn with_computed(fs: &Fs, registry: &Registry) -> Fs {
    Fs::new(ComputedStore::new(Arc::clone(fs.store()), registry.clone()))
}

fn notice_text(notice: &steward::Notice) -> String {
    match notice {
        steward::Notice::LostTail { expected, found } => format!(
            "Warning: this pond ended with transaction {expected} and {found}; `pond recover` tells more"
        ),
        steward::Notice::Interrupted(work) => format!(
            "note: `{}` was cut short; it left the pond whole (`pond recover` tells more)",
            work.command
        ),
        _ => "note: `pond recover` has something to tell".to_owned(),
    }
}

/// What was typed to start this process.
fn own_command_line() -> Vec<String> {
    std::env::args_os()
        .enumerate()
        .map(|(at, argument)| match at {
            0 => "pond".to_owned(),
            _ => argument.to_string_lossy().into_owned(),
        })
        .collect()
}

/// The name of this machine.
pub(crate) fn hostname() -> String {
    whoami::hostname().unwrap_or_else(|_| "unknown".to_owned())
}

/// The pond that completion asks: `--pond` on the line being completed, or
/// `POND`.
pub(crate) fn pond_dir_for_completion() -> Option<PathBuf> {
    let mut words = std::env::args_os();
    while let Some(word) = words.next() {
        if word == "--pond" {
            return words.next().map(PathBuf::from);
        }
        if let Some(dir) = word.to_str().and_then(|word| word.strip_prefix("--pond=")) {
            return Some(PathBuf::from(dir));
        }
    }
    std::env::var_os("POND").map(PathBuf::from)
}

/// The paths in the pond that begin with what was typed.
pub(crate) async fn list_for_completion(dir: &Path, typed: &str) -> Vec<String> {
    let environment = Environment::system(diagnostics::silent());
    let Ok(pond) = Pond::open(dir, environment).await else { return Vec::new() };
    let Ok(view) = pond.read().await else { return Vec::new() };
    let (directory, begin) = complete::split(typed);
    let place = if directory.is_empty() { "/" } else { directory };
    let fs = with_computed(&view.fs(), &derived::registry());
    let Ok(entries) = fs.entries(place).await else { return Vec::new() };
    entries
        .into_iter()
        .filter(|entry| entry.name.as_str().starts_with(begin))
        .map(|entry| {
            let slash = if entry.entry_type.is_directory() { "/" } else { "" };
            let directory = if directory.is_empty() { "/" } else { directory };
            format!("{directory}{}{slash}", entry.name)
        })
        .collect()
}
