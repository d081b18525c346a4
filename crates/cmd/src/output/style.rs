//! Colour, where it is wanted and can be shown.

use std::fmt::Display;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How texts are marked on one output stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    color: bool,
}

impl Style {
    /// The style for a stream that is or is not a terminal.
    pub(crate) fn new(choice: ColorChoice, is_terminal: bool) -> Self {
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            // https://no-color.org: any value but the empty one.
            ColorChoice::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { color }
    }

    /// Whether colour is shown.
    pub(crate) const fn has_color(self) -> bool {
        self.color
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// The heading of an error.
    pub(crate) fn error(self, text: impl Display) -> String {
        self.paint("1;31", text)
    }

    /// The heading of a cause.
    pub(crate) fn cause(self, text: impl Display) -> String {
        self.paint("33", text)
    }

    /// The heading of a hint.
    pub(crate) fn hint(self, text: impl Display) -> String {
        self.paint("36", text)
    }

    /// A directory's name.
    pub(crate) fn directory(self, text: impl Display) -> String {
        self.paint("1;34", text)
    }

    /// A link's name.
    pub(crate) fn link(self, text: impl Display) -> String {
        self.paint("36", text)
    }

    /// A heading.
    pub(crate) fn heading(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    /// What is there for completeness.
    pub(crate) fn faint(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    /// What was added.
    pub(crate) fn added(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// What was taken away.
    pub(crate) fn removed(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    /// What was changed.
    pub(crate) fn changed(self, text: impl Display) -> String {
        self.paint("33", text)
    }
}
