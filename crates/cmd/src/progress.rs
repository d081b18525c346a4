//! Progress on a terminal.
//!
//! Always true: nothing is drawn unless stderr is a terminal, and nothing
//! before a task has run for half a second; a finished task leaves no trace,
//! so that what scrolls by is results only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diagnostics::{Monitor, Progress, Unit};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

const DELAY: Duration = Duration::from_millis(500);

/// Draws the tasks that libraries report.
#[derive(Clone, Debug)]
pub(crate) struct TerminalMonitor {
    bars: MultiProgress,
}

impl TerminalMonitor {
    /// A monitor that draws on stderr.
    pub(crate) fn new() -> Self {
        Self { bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)) }
    }

    /// Writes to a terminal without mixing with what is drawn.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}

impl Monitor for TerminalMonitor {
    fn begin(&self, task: &str, total: Option<u64>, unit: Unit) -> Box<dyn Progress> {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden())
            .with_message(task.to_owned())
            .with_style(style(total.is_some(), unit));
        Box::new(Bar {
            bar,
            bars: self.bars.clone(),
            begun: Instant::now(),
            shown: AtomicBool::new(false),
            unreported: AtomicU64::new(0),
        })
    }

    fn warn(&self, message: &str) {
        self.bars.suspend(|| warn_line(message));
    }
}

/// Says warnings and draws nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainMonitor {
    /// Whether warnings are kept back too.
    pub(crate) quiet: bool,
}

impl Monitor for PlainMonitor {
    fn begin(&self, task: &str, total: Option<u64>, unit: Unit) -> Box<dyn Progress> {
        diagnostics::silent().begin(task, total, unit)
    }

    fn warn(&self, message: &str) {
        if !self.quiet {
            warn_line(message);
        }
    }
}

fn warn_line(message: &str) {
    use std::io::Write as _;
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "Warning: {}", crate::quote::terminal(message));
}

struct Bar {
    bar: ProgressBar,
    bars: MultiProgress,
    begun: Instant,
    shown: AtomicBool,
    unreported: AtomicU64,
}

impl Progress for Bar {
    fn advance(&self, amount: u64) {
        if self.shown.load(Ordering::Relaxed) {
            self.bar.inc(amount);
            return;
        }
        self.unreported.fetch_add(amount, Ordering::Relaxed);
        if self.begun.elapsed() >= DELAY && !self.shown.swap(true, Ordering::Relaxed) {
            self.bars.add(self.bar.clone());
            self.bar.inc(self.unreported.swap(0, Ordering::Relaxed));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.bars.remove(&self.bar);
    }
}

fn style(has_total: bool, unit: Unit) -> ProgressStyle {
    let template = match (has_total, unit) {
        (true, Unit::Bytes) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        (true, _) => "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}",
        (false, Unit::Bytes) => "{msg} {spinner} {bytes} {bytes_per_sec}",
        (false, _) => "{msg} {spinner} {human_pos} {per_sec}",
    };
    ProgressStyle::with_template(template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}

/// The monitor for a run of the program.
pub(crate) fn monitor(terminal: Option<&TerminalMonitor>, quiet: bool) -> Arc<dyn Monitor> {
    match terminal {
        Some(terminal) => Arc::new(terminal.clone()),
        None => Arc::new(PlainMonitor { quiet }),
    }
}
