//! Which events are shown.

use std::str::FromStr;

/// How grave an event must be to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what worked but needs attention.
    #[default]
    Warn,
    /// And what was done.
    Info,
    /// And how.
    Debug,
}

/// A text that names no level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLevel(String);

impl std::fmt::Display for BadLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not one of off, error, warn, info, debug", self.0.escape_debug())
    }
}

impl std::error::Error for BadLevel {}

impl FromStr for Level {
    type Err = BadLevel;

    fn from_str(text: &str) -> Result<Self, BadLevel> {
        match text {
            "off" => Ok(Self::Off),
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            _ => Err(BadLevel(text.to_owned())),
        }
    }
}

impl Level {
    /// The least grave level of events that are shown; `None` shows none.
    pub(crate) fn minimum(self) -> Option<emit::Level> {
        match self {
            Self::Off => None,
            Self::Error => Some(emit::Level::Error),
            Self::Warn => Some(emit::Level::Warn),
            Self::Info => Some(emit::Level::Info),
            Self::Debug => Some(emit::Level::Debug),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_from_their_names_only() {
        assert_eq!("debug".parse(), Ok(Level::Debug));
        assert_eq!("off".parse(), Ok(Level::Off));
        assert!("verbose".parse::<Level>().is_err_and(|bad| bad.to_string().contains("verbose")));
    }
}
