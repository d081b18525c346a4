//! Tests of what `tinyfs` offers, a module a theme.

mod contract;
