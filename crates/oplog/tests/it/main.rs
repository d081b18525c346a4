//! Tests of the log's public surface, a module a theme.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod age;
mod commits;
mod damage;
mod durability;
mod items;
mod pond;
mod upkeep;
