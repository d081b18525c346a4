//! What can go wrong with a factory.

use crate::ConfigError;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause of whatever type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of a factory, its configuration or its run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No factory has this name.
    #[error("there is no factory `{}`", name.escape_debug())]
    NoSuchFactory {
        /// The name.
        name: String,
        /// The factory with the most similar name, if any is similar.
        nearest: Option<String>,
    },
    /// A configuration does not say what it must, or says what it can not.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The node's factory has no command.
    #[error("`{path}` does nothing when run: a `{factory}` is computed when it is read")]
    NotRunnable {
        /// The node's path.
        path: String,
        /// Its factory.
        factory: String,
    },
    /// The node's factory does not know what it is told.
    #[error("`{factory}` runs without arguments: `{}` is none of its", argument.escape_debug())]
    NoArguments {
        /// Its factory.
        factory: &'static str,
        /// The first of them.
        argument: String,
    },
    /// A template does not render.
    #[error("the template `{at}` does not render: {}{message}", on_line(*line))]
    Template {
        /// The template: a path, or the field of a configuration.
        at: String,
        /// What the engine says.
        message: String,
        /// The line, from 1, where known.
        line: Option<u64>,
    },
    /// A text is longer than it may be.
    #[error("{what} has more than {limit_bytes} bytes")]
    TooLong {
        /// What is too long.
        what: String,
        /// How long it may be.
        limit_bytes: u64,
    },
    /// A directory would have more entries than it may.
    #[error("a computed directory has at most {limit} entries")]
    TooMany {
        /// How many it may have.
        limit: usize,
    },
    /// A template took longer than it may.
    #[error("the template `{at}` took longer than {limit_s} s")]
    Deadline {
        /// The template.
        at: String,
        /// How long it had, in seconds.
        limit_s: u64,
    },
    /// No template is rendered while so many run that were given up.
    #[error("the template `{at}` is not rendered: {running} that took too long still run")]
    StillRunning {
        /// The template.
        at: String,
        /// How many run.
        running: usize,
    },
    /// The file system could not answer.
    #[error(transparent)]
    Store(#[from] tinyfs::Error),
    /// A variable of the environment is not set.
    #[error("the variable {name} is not set in the environment")]
    Env {
        /// Its name.
        name: String,
    },
    /// A run, or a factory's look at the pond, failed.
    #[error("{doing}")]
    Run {
        /// What was being done.
        doing: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
}

fn on_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}
