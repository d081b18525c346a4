//! Where events go: one line each on stderr.
//!
//! `2026-03-01T10:00:00Z warn oplog::log: text key=value`. Control characters
//! in values are escaped, so that a file's name can not forge a line.

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use emit::Props as _;
use emit::well_known::{KEY_EVT_KIND, KEY_LVL};

/// Writes each event as a line.
#[derive(Debug)]
pub(crate) struct Stderr;

impl emit::Emitter for Stderr {
    fn emit<E: emit::event::ToEvent>(&self, event: E) {
        let mut line = line_of(&event.to_event());
        line.push('\n');
        // When stderr is gone there is nobody left to tell.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn blocking_flush(&self, _timeout: Duration) -> bool {
        true
    }
}

/// The line that shows an event, without its end.
fn line_of<P: emit::Props>(event: &emit::Event<'_, P>) -> String {
    let level = event.props().pull::<emit::Level, _>(KEY_LVL).unwrap_or_default();
    let mut line = String::new();
    // Writing to a string does not fail.
    if let Some(extent) = event.extent() {
        let _ = write!(line, "{} ", extent.as_point());
    }
    let _ = write!(line, "{level} {}: {}", event.mdl(), event.msg());
    let in_text =
        |key: &str| event.tpl().parts().any(|part| part.label().is_some_and(|l| l.get() == key));
    let _ = event.props().dedup().for_each(|key, value| {
        if ![KEY_LVL, KEY_EVT_KIND].contains(&key.get()) && !in_text(key.get()) {
            let _ = write!(line, " {key}={value}");
        }
        ControlFlow::Continue(())
    });
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    line.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_line_break_stays_on_its_line() {
        let event = emit::evt!(
            mdl: emit::path!("steward"),
            "took in {file}",
            lvl: emit::Level::Info,
            file: "do\nck.csv",
            rows: 12,
        );
        assert_eq!(line_of(&event), "info steward: took in do\\nck.csv rows=12");
    }
}
