//! Proof from outside: the real program, killed, starved and raced.
//!
//! [`kills`] kills it at random instants and at system calls, [`faults`] lets
//! its system calls fail, [`crowd`] runs many of it at once. The long form
//! (`just torture N`, which sets `DUCKPOND_TORTURE`) does the same N times as
//! often. The seed is printed; `DUCKPOND_SEED` repeats it.
//!
//! Always true: what a pond must hold is known from a model that shares no code
//! with the program; no check depends on how long anything takes.
//!
//! Deliberately not here: faults at every single call of every operation, which
//! the log's own tests inject from inside.

mod crowd;
mod faults;
mod inbox;
mod kills;
mod model;
mod observe;
mod random;
mod strace;
mod workload;

pub(crate) use random::Random;

/// The rounds of a test: `short`, or so many times as many in the long form.
pub(crate) fn rounds(short: usize) -> usize {
    match std::env::var("DUCKPOND_TORTURE") {
        Ok(text) => short * text.parse::<usize>().expect("DUCKPOND_TORTURE is a number"),
        Err(_) => short,
    }
}

/// The random numbers of a test, its seed told.
#[expect(clippy::print_stderr, reason = "whoever repeats a test needs its seed")]
pub(crate) fn random(test: &str) -> Random {
    let seed = match std::env::var("DUCKPOND_SEED") {
        Ok(text) => text.parse().expect("DUCKPOND_SEED is a number"),
        Err(_) => random::unpredictable(),
    };
    eprintln!("{test}: DUCKPOND_SEED={seed}");
    Random::new(seed)
}

/// Tells how a test went, for whoever reads along with `--nocapture`.
#[expect(clippy::print_stderr, reason = "figures of the long form")]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}
