//! Settings of this replica: what an operator may choose, each with a default.
//!
//! They lie in `control/settings.json` and hold for this directory only, not
//! for copies of the pond. Deleting the file brings the defaults back.
//!
//! Always true: a value that was stored was valid; a key that is not in
//! [`SETTINGS`] is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control::Control;
use crate::{Error, Result};

const FILE: &str = "settings.json";

/// What the values of a setting look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number in this range, both ends included.
    Number(u64, u64),
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// Its value unless another is set.
    pub default: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// What it does.
    pub help: &'static str,
}

/// Every setting there is, by name.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: LOCK_TIMEOUT,
        default: "60",
        kind: Kind::Number(0, 86_400),
        help: "seconds a writer waits for another before it gives up",
    },
    Setting {
        key: AUTOMATIC,
        default: "true",
        kind: Kind::Flag,
        help: "whether a commit is followed by upkeep when some is due",
    },
    Setting {
        key: BUDGET,
        default: "250",
        kind: Kind::Number(0, 3_600_000),
        help: "milliseconds of automatic upkeep after a commit, at most",
    },
    Setting {
        key: COMPACT_FILES,
        default: "8",
        kind: Kind::Number(2, 100_000),
        help: "live files of the log at which they are compacted",
    },
    Setting {
        key: CHECKPOINT_COMMITS,
        default: "25",
        kind: Kind::Number(1, 100_000),
        help: "commits after which a checkpoint is written",
    },
    Setting {
        key: MERGE_VERSIONS,
        default: "8",
        kind: Kind::Number(2, 10_000),
        help: "small neighbouring versions of a series that are merged into one run",
    },
    Setting {
        key: MERGE_MIB,
        default: "64",
        kind: Kind::Number(1, 4_096),
        help: "MiB that a merged run of a series has at most",
    },
    Setting {
        key: VACUUM_HOURS,
        default: "24",
        kind: Kind::Number(1, 87_600),
        help: "hours that files no longer needed are kept for readers still at work",
    },
    Setting {
        key: MERGED_DAYS,
        default: "30",
        kind: Kind::Number(1, 36_500),
        help: "days that versions covered by a merged run are kept",
    },
];

pub(crate) const LOCK_TIMEOUT: &str = "lock.timeout_seconds";
pub(crate) const AUTOMATIC: &str = "maintenance.automatic";
pub(crate) const BUDGET: &str = "maintenance.budget_ms";
pub(crate) const COMPACT_FILES: &str = "maintenance.compact_files";
pub(crate) const CHECKPOINT_COMMITS: &str = "maintenance.checkpoint_commits";
pub(crate) const MERGE_VERSIONS: &str = "maintenance.merge_versions";
pub(crate) const MERGE_MIB: &str = "maintenance.merge_max_mib";
pub(crate) const VACUUM_HOURS: &str = "retention.vacuum_hours";
pub(crate) const MERGED_DAYS: &str = "retention.merged_days";

/// The settings of a replica, as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    chosen: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the settings of a replica.
    ///
    /// # Errors
    /// [`Error::BadSettings`] when the file was edited by hand, or damaged, and
    /// is wrong.
    pub(crate) fn load(control: &Control) -> Result<Self> {
        let chosen: BTreeMap<String, String> = control.read_json(FILE)?.unwrap_or_default();
        for (key, value) in &chosen {
            // What was stored was valid: the file has been changed since.
            find(key).and_then(|setting| check(setting, value)).map_err(|error| {
                let source = <serde_json::Error as serde::de::Error>::custom(error);
                Error::BadSettings { path: control.path(FILE), source }
            })?;
        }
        Ok(Self { chosen })
    }

    pub(crate) fn store(&self, control: &Control) -> Result<()> {
        control.write_durable(FILE, &self.chosen)
    }

    /// The value of a setting: the chosen one, or the default.
    ///
    /// # Errors
    /// [`Error::NoSuchSetting`].
    pub fn get(&self, key: &str) -> Result<&str> {
        let setting = find(key)?;
        Ok(self.chosen.get(key).map_or(setting.default, String::as_str))
    }

    /// Whether the setting has another value than its default by choice.
    #[must_use]
    pub fn is_chosen(&self, key: &str) -> bool {
        self.chosen.contains_key(key)
    }

    /// All settings with their values, by name.
    pub fn list(&self) -> impl Iterator<Item = (&'static Setting, &str)> {
        SETTINGS.iter().map(|setting| {
            (setting, self.chosen.get(setting.key).map_or(setting.default, String::as_str))
        })
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        check(find(key)?, value)?;
        self.chosen.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    pub(crate) fn unset(&mut self, key: &str) -> Result<()> {
        find(key)?;
        self.chosen.remove(key);
        Ok(())
    }

    pub(crate) fn lock_timeout(&self) -> Duration {
        Duration::from_secs(self.number(LOCK_TIMEOUT))
    }

    pub(crate) fn automatic(&self) -> bool {
        self.text(AUTOMATIC) == "true"
    }

    pub(crate) fn budget(&self) -> Duration {
        Duration::from_millis(self.number(BUDGET))
    }

    fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or_else(|_| unreachable!("`{key}` is in the table of settings"))
    }

    /// A number, which was checked when it was set.
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or_else(|_| unreachable!("`{key}` was checked"))
    }
}

fn find(key: &str) -> Result<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key).ok_or_else(|| {
        let nearest = SETTINGS
            .iter()
            .max_by(|a, b| {
                let likeness = |other: &str| strsim::jaro_winkler(key, other);
                likeness(a.key).total_cmp(&likeness(b.key))
            })
            .map_or("", |setting| setting.key);
        Error::NoSuchSetting { key: key.to_owned(), nearest }
    })
}

fn check(setting: &Setting, value: &str) -> Result<()> {
    let (good, reason) = match setting.kind {
        Kind::Flag => (matches!(value, "true" | "false"), "it is `true` or `false`".to_owned()),
        Kind::Number(min, max) => (
            value.parse().is_ok_and(|number: u64| (min..=max).contains(&number)),
            format!("it is a whole number from {min} to {max}"),
        ),
    };
    if good {
        return Ok(());
    }
    Err(Error::BadSetting { key: setting.key.to_owned(), value: value.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid() {
        for setting in SETTINGS {
            check(setting, setting.default).unwrap();
        }
        assert_eq!(Settings::default().lock_timeout(), Duration::from_secs(60));
        assert!(Settings::default().automatic());
    }

    #[test]
    fn wrong_keys_and_values_are_refused() {
        let mut settings = Settings::default();
        let error = settings.set("lock.timeout", "1").unwrap_err();
        assert!(matches!(error, Error::NoSuchSetting { nearest: LOCK_TIMEOUT, .. }));
        for value in ["", "-1", "86401", "a minute"] {
            assert!(matches!(settings.set(LOCK_TIMEOUT, value), Err(Error::BadSetting { .. })));
        }
        settings.set(LOCK_TIMEOUT, "5").unwrap();
        assert_eq!(settings.get(LOCK_TIMEOUT).unwrap(), "5");
        settings.unset(LOCK_TIMEOUT).unwrap();
        assert_eq!(settings.get(LOCK_TIMEOUT).unwrap(), "60");
    }
}
