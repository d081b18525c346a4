//! Tests of what holds between the crates of the workspace.

mod architecture;
