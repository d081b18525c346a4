//! Proof that nothing acknowledged is lost, whatever the disk does.
//!
//! Each [`case`] is one kind of work on a pond. It is run once undisturbed, to
//! see its operations on the disk and the states that its commits lead to, and
//! then again for each operation with something going wrong there: the process
//! dies, the power goes, the disk refuses or its answer is lost. After each,
//! what can be seen must be exactly the state that the commits done so far led
//! to, and the pond must go on without anybody's help.
//!
//! The short form takes some of the operations, those around commits among
//! them; with `DUCKPOND_TORTURE=N` every one is taken, power cuts with N seeds,
//! and random work runs N times. `DUCKPOND_SEED` repeats random work.
//!
//! Deliberately not here: what is proved from outside, with processes that are
//! killed.

#![expect(
    clippy::print_stdout,
    reason = "a test that fails says what it was at, and with which seed"
)]

mod case;
mod clock;
mod crash;
mod full;
mod power;
mod random;
mod refusal;
mod seen;
mod stage;
mod survey;

/// How long the long form is; `None` for the short form.
fn long() -> Option<u64> {
    let text = std::env::var("DUCKPOND_TORTURE").ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("DUCKPOND_TORTURE is a number, not `{text}`")))
}
