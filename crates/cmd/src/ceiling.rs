//! `--memory-limit`: the most memory a query may come to hold, whatever holds
//! it.
//!
//! The engine counts what its operators hold, and refuses or spills beyond the
//! limit. What a function makes of one batch is not among that: the text of
//! `s || s` doubles with each step, and is counted by nobody. So a thread looks
//! at what the process has resident. As it comes near the ceiling, freed memory
//! is given back; where that is not enough, the process ends with an error.
//!
//! Always true: what a query holds is at most the limit and an allowance, by
//! the little that can be filled between two looks; nothing that was committed
//! is undone, and what was not is as if it had never been begun.
//!
//! Deliberately not here: refusing an allocation, which Rust can only answer
//! with an abort; what changes a pond without a query, and upkeep: to be held
//! up for want of memory would cost more than it holds.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use query::Scratch;
use resident::Resident;

use crate::error::CommandError;
use crate::output::Style;

/// What a query may hold beyond the limit for each thread: the batches between
/// operators, what is decoded of a file.
const PER_WORKER_BYTES: u64 = 12 << 20;
/// Below this a limit is only the engine's: its own plans and buffers take it.
const LEAST_LIMIT_BYTES: u64 = 64 << 20;
/// So far below the ceiling giving back begins.
const NEAR_BYTES: u64 = 56 << 20;
/// And once more after each growth by so much.
const GROWN_BYTES: u64 = 8 << 20;
/// No machine fills memory faster, by the millisecond.
const FILLED_BYTES_PER_MS: u64 = 8 << 20;
/// The longest time between two looks.
const LONGEST: Duration = Duration::from_millis(20);

/// A look-out over this process's memory. Dropping it ends its thread.
#[derive(Debug)]
pub(crate) struct Ceiling {
    _alive: Sender<()>,
}

impl Ceiling {
    /// Ends the process when it holds more than `limit` and the allowance of
    /// `workers`. `None` where the system does not tell what it holds.
    pub(crate) fn over(
        limit_bytes: usize,
        workers: usize,
        style: Style,
        scratch: Scratch,
    ) -> Option<Self> {
        let resident = Resident::open()?;
        let ceiling = ceiling(limit_bytes, workers);
        let (alive, ends) = mpsc::channel();
        std::thread::spawn(move || {
            let mut pause = Duration::ZERO;
            // The least it was after memory was given back.
            let mut after = 0;
            while ends.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let Some(mut held) = resident.own_bytes() else { return };
                after = after.min(held);
                if held > (ceiling - NEAR_BYTES).max(after + GROWN_BYTES) {
                    resident::give_back();
                    held = resident.own_bytes().unwrap_or(held);
                    after = held;
                }
                if held > ceiling {
                    end(style, &scratch);
                }
                pause = until_next(ceiling - held);
            }
        });
        Some(Self { _alive: alive })
    }
}

fn ceiling(limit_bytes: usize, workers: usize) -> u64 {
    let allowance = PER_WORKER_BYTES.saturating_mul(workers as u64);
    (limit_bytes as u64).max(LEAST_LIMIT_BYTES).saturating_add(allowance)
}

/// No longer than what is left could last.
fn until_next(left_bytes: u64) -> Duration {
    Duration::from_millis((left_bytes / FILLED_BYTES_PER_MS).max(1)).min(LONGEST)
}

fn end(style: Style, scratch: &Scratch) {
    let error = CommandError::failure("the query needs more memory than its limit")
        .hint("give it more with --memory-limit 1GiB");
    error.print(style);
    scratch.remove();
    #[expect(
        clippy::disallowed_methods,
        reason = "a function that fills memory does not look whether it should stop"
    )]
    std::process::exit(i32::from(error.kind().exit_code()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceiling_is_the_limit_and_an_allowance_for_each_thread() {
        assert_eq!(ceiling(128 << 20, 2), 152 << 20);
        assert_eq!(ceiling(1 << 20, 2), 88 << 20);
        assert_eq!(ceiling(usize::MAX, 8), u64::MAX);
    }

    #[test]
    fn looks_are_closer_as_less_is_left() {
        assert_eq!(until_next(1 << 30), LONGEST);
        assert_eq!(until_next(80 << 20), Duration::from_millis(10));
        assert_eq!(until_next(0), Duration::from_millis(1));
    }
}
