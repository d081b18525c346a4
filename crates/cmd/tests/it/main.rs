//! The `pond` program as a user meets it: a subprocess with stdout, stderr and
//! an exit code, in an environment of its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod bad_input;
mod copying;
mod damage;
mod demo;
mod derived;
mod files;
mod golden;
mod help;
mod history;
mod hostile;
mod inbox;
mod manners;
mod pipeline;
mod program;
mod readme;
mod reference;
mod series;
mod sql;
mod stranger;
mod torture;
