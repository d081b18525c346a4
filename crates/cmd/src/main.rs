//! The `pond` program: a very small data lake on one machine.
//!
//! `main` parses the command line before anything else exists, so that help
//! and version cost nothing, then builds a bounded runtime and runs one verb.
//!
//! Always true: stdout carries data only; whatever else is said goes to
//! stderr; a reader that closes our stdout early is silence, not an error; the
//! exit code is one of [`error::exit`].
//!
//! Deliberately not here: what a pond is (`steward` and below) and what any
//! verb does (`commands`).

mod args;
mod ceiling;
mod commands;
mod complete;
mod context;
mod deadline;
mod doors;
mod error;
mod freshness;
mod host;
mod ledger;
mod node_limits;
mod output;
mod plot;
mod progress;
mod quantity;
mod quote;
mod suggest;
mod table_args;
mod time_arg;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use crate::args::Cli;
use crate::context::Context;
use crate::error::{CommandError, Kind, exit};
use crate::output::{ColorChoice, Style};

/// Threads that queries and writes share: enough for a small box, and no more
/// on a large one, so that memory stays predictable.
const MAX_WORKERS: usize = 8;

/// The threads of this run.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_WORKERS))
}

/// Query planning recurses; a worker's default 2 MiB is too little for deep SQL.
const STACK_BYTES: usize = 8 << 20;
/// How long the end waits for threads that nobody needs any more: what they
/// hold is then removed in good order. A step of a query may take far longer.
const LAST_STEPS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(Cli::command).complete();
    let cli = match Cli::try_parse_from(args::with_variables(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let context = Context::new(cli.global);
    let result = run(&context, cli.verb);
    match result {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) if error.kind() == Kind::BrokenPipe => ExitCode::from(exit::DONE),
        Err(error) => {
            error.print(context.error_style());
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Prints what clap has to say: help and version are data, the rest is an error.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    if error.use_stderr() {
        // A closed stderr leaves nobody to tell.
        return ExitCode::from(exit::USAGE);
    }
    let Err(error) = printed.map_err(CommandError::stdout) else {
        return ExitCode::from(exit::DONE);
    };
    if error.kind() != Kind::BrokenPipe {
        error.print(Style::new(ColorChoice::Auto, std::io::stderr().is_terminal()));
    }
    ExitCode::from(error.kind().exit_code())
}

/// What `DUCKPOND_LOG` asks for.
fn log_level() -> Result<diagnostics::Level, CommandError> {
    let Some(text) = std::env::var_os(diagnostics::LEVEL_VARIABLE) else {
        return Ok(diagnostics::Level::default());
    };
    text.to_string_lossy().parse().map_err(|error: diagnostics::BadLevel| {
        CommandError::usage(format!("{} is not understood", diagnostics::LEVEL_VARIABLE))
            .because(error)
            .hint("it is off, error, warn, info or debug")
    })
}

fn run(context: &Context, verb: args::Verb) -> Result<(), CommandError> {
    // Two providers are linked, so one has to be chosen by name. An error means
    // that one was chosen already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    diagnostics::init(log_level()?);
    let workers = workers();
    // Before the first thread is there: no more heaps than threads that compute.
    resident::share_heaps(u8::try_from(workers).unwrap_or(u8::MAX));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(workers * 4)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| CommandError::failure("cannot start worker threads").because(error))?;
    let result = runtime.block_on(async {
        match commands::run(context, verb).await {
            Ok(()) => Ok(()),
            Err(error) => Err(suggest::complete(context, error).await),
        }
    });
    runtime.shutdown_timeout(LAST_STEPS);
    context.scratch().remove();
    result
}
