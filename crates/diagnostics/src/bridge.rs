//! Events of libraries: `tracing` (delta-rs, object_store, reqwest) and `log`.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends the events of libraries the way of ours. A process that has its own
/// subscriber or logger keeps it.
pub(crate) fn install(minimum: emit::Level) {
    // A failure means that another is installed, which is then the user's.
    let _ = tracing_subscriber::registry().with(Bridge { minimum }).try_init();
    if log::set_logger(&LOG).is_ok() {
        log::set_max_level(match minimum {
            emit::Level::Debug => log::LevelFilter::Info,
            emit::Level::Info | emit::Level::Warn => log::LevelFilter::Warn,
            emit::Level::Error => log::LevelFilter::Error,
        });
    }
}

fn forward(level: emit::Level, target: &str, text: &str) {
    emit::emit!(
        mdl: emit::Path::new_ref(target).unwrap_or(emit::path!("library")),
        "{text}",
        lvl: level,
    );
}

/// A `tracing` layer that hands events on.
struct Bridge {
    minimum: emit::Level,
}

/// A library's level as ours, `None` for what is never shown.
fn level_of(level: tracing::Level) -> Option<emit::Level> {
    match level {
        tracing::Level::ERROR => Some(emit::Level::Error),
        tracing::Level::WARN => Some(emit::Level::Warn),
        tracing::Level::INFO => Some(emit::Level::Debug),
        tracing::Level::DEBUG | tracing::Level::TRACE => None,
    }
}

impl<S: tracing::Subscriber> Layer<S> for Bridge {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _context: Context<'_, S>) -> bool {
        metadata.is_event()
            && level_of(*metadata.level()).is_some_and(|level| level >= self.minimum)
    }

    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        let Some(level) = level_of(*event.metadata().level()) else { return };
        let mut text = Text(String::new());
        event.record(&mut text);
        forward(level, event.metadata().target(), &text.0);
    }
}

/// The fields of a `tracing` event as one text, its message first.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }
}

static LOG: LogBridge = LogBridge;

/// A `log` logger that hands records on.
struct LogBridge;

impl log::Log for LogBridge {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => emit::Level::Error,
            log::Level::Warn => emit::Level::Warn,
            log::Level::Info => emit::Level::Debug,
            log::Level::Debug | log::Level::Trace => return,
        };
        if self.enabled(record.metadata()) {
            forward(level, record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}
