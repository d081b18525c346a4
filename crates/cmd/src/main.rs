//! The `pond` program.
fn main() {}
