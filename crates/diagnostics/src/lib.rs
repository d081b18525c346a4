//! Structured events, progress and nearest names for every crate.
//!
//! ```
//! let (file, rows) = ("dock.csv", 12);
//! diagnostics::log_info!("took in {file}", file, rows);
//! diagnostics::log_warn!("{file} has rows out of order", file, rows: 3);
//! ```
//!
//! What the text shows in braces is named again after it, as are further
//! properties.
//!
//! Events go to stderr once [`init`] was called, and nowhere before. The level
//! comes from `DUCKPOND_LOG`: `off`, `error`, `warn` (unless said), `info` or
//! `debug`. Events of libraries that speak `tracing` or `log` come the same
//! way, one level lower from `info` on, for their news is rarely ours.
//!
//! Deliberately not here: output. What a command prints is `cmd`'s business.

mod bridge;
mod level;
mod monitor;
mod nearest;
mod stderr;

#[doc(hidden)]
pub use emit;
pub use level::{BadLevel, Level};
pub use monitor::{Monitor, Progress, Silent, Unit, silent};
pub use nearest::{nearest, nearest_one};

/// The variable that names the level.
pub const LEVEL_VARIABLE: &str = "DUCKPOND_LOG";

/// Sends events of `level` and above to stderr, for the life of the process.
/// Only the first call has an effect.
pub fn init(level: Level) {
    let Some(minimum) = level.minimum() else { return };
    let first = emit::setup()
        .emit_to(stderr::Stderr)
        .emit_when(emit::level::min_filter(minimum))
        .try_init()
        .is_some();
    if first {
        bridge::install(minimum);
    }
}

/// Emits an event at level `error`: something failed and nobody else says so.
#[macro_export]
macro_rules! log_error {
    ($($event:tt)*) => {{ use $crate::emit; $crate::emit::error!($($event)*) }};
}

/// Emits an event at level `warn`: it worked, and the operator should know.
#[macro_export]
macro_rules! log_warn {
    ($($event:tt)*) => {{ use $crate::emit; $crate::emit::warn!($($event)*) }};
}

/// Emits an event at level `info`: what was done.
#[macro_export]
macro_rules! log_info {
    ($($event:tt)*) => {{ use $crate::emit; $crate::emit::info!($($event)*) }};
}

/// Emits an event at level `debug`: how it was done.
#[macro_export]
macro_rules! log_debug {
    ($($event:tt)*) => {{ use $crate::emit; $crate::emit::debug!($($event)*) }};
}
