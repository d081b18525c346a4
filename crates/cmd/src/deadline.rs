//! `--timeout`: the end of a command's time.
//!
//! Always true: the process ends at its deadline with an error, whatever its
//! threads are at: a step of a query that never yields, a file that is read for
//! the first time, a pipe that nobody writes to. What was spilled is removed.
//!
//! Deliberately not here: commands that write. They end by themselves, or by a
//! signal.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use query::Scratch;

use crate::context::Context;
use crate::error::CommandError;

/// The time a command has. Dropping it lets the command take any time.
#[derive(Debug)]
pub(crate) struct Deadline {
    _alive: Sender<()>,
}

impl Deadline {
    /// Ends the process so much later, unless the answer is dropped before.
    pub(crate) fn start(context: &Context, timeout: Duration) -> Self {
        let (alive, ends) = mpsc::channel();
        let (style, scratch) = (context.error_style(), context.scratch().clone());
        std::thread::spawn(move || {
            if ends.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
                end(timeout, style, &scratch);
            }
        });
        Self { _alive: alive }
    }
}

fn end(timeout: Duration, style: crate::output::Style, scratch: &Scratch) {
    let error = CommandError::failure(format!("there is no answer after {timeout:?}"))
        .hint("give it more time with --timeout, or ask for less");
    error.print(style);
    scratch.remove();
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread that would return from main may be the one that does not come back"
    )]
    std::process::exit(i32::from(error.kind().exit_code()));
}
