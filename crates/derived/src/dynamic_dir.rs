//! The factory `dynamic-dir`: a directory whose entries are written down.

use async_trait::async_trait;
use factory::config::{Field, Schema};
use factory::{About, Child, Config, Error, Factory, Look, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tinyfs::{EntryType, Name};

/// The most entries.
const MAX_ENTRIES: usize = 10_000;

/// A directory of entries, each with its own factory.
#[derive(Debug)]
pub(crate) struct DynamicDir;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DynamicDirConfig {
    entries: Vec<DirEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirEntry {
    name: String,
    factory: String,
    /// Read by the entry's own factory.
    #[serde(rename = "config")]
    _config: IgnoredAny,
}

#[async_trait]
impl Factory for DynamicDir {
    fn about(&self) -> About {
        let entry = Schema::object([
            Field::required("name", Schema::text(), "The entry's name"),
            Field::required("factory", Schema::text(), "The factory that makes it"),
            Field::required("config", Schema::any_object(), "That factory's configuration"),
        ]);
        let entries = Field::required("entries", Schema::list(entry), "What is in it");
        About {
            name: "dynamic-dir",
            summary: "a directory of computed entries",
            schema: Schema::object([entries]).into_json(),
            example: "\
entries:
  - name: levels
    factory: sql-derived-series
    config:
      patterns: { readings: /sensors/dock.series }
      query: SELECT time, level FROM readings
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> Result<EntryType> {
        entries(config)?;
        Ok(EntryType::DynamicDirectory)
    }

    async fn children(&self, _look: &Look, config: &Config) -> Result<Vec<Child>> {
        entries(config)
    }
}

/// The entries, each checked by its own factory.
fn entries(config: &Config) -> Result<Vec<Child>> {
    let read: DynamicDirConfig = config.read()?;
    if read.entries.len() > MAX_ENTRIES {
        return Err(config.complaint("entries", format!("has more than {MAX_ENTRIES}")).into());
    }
    let registry = crate::registry();
    let mut children: Vec<Child> = Vec::with_capacity(read.entries.len());
    for (index, entry) in read.entries.into_iter().enumerate() {
        let at = format!("entries[{index}]");
        let name = Name::new(entry.name)
            .map_err(|error| config.complaint(&format!("{at}.name"), error.to_string()))?;
        let of_factory = |error: Error| match error {
            Error::NoSuchFactory { name, nearest } => {
                let what = format!("there is no factory `{}`", name.escape_debug());
                let mut complaint = config.complaint(&format!("{at}.factory"), what);
                complaint.nearest = nearest;
                complaint.into()
            }
            other => other,
        };
        let factory = registry.get(&entry.factory).map_err(of_factory)?;
        let at = format!("{at}.config");
        let inside = |error: Error| match error {
            Error::Config(error) => error.inside(&at).into(),
            other => other,
        };
        let own = Config::from_node(config.node().find(&at).clone()).map_err(inside)?;
        let entry_type = factory.check(&own).map_err(inside)?;
        children.push(Child { name, factory: entry.factory, entry_type, config: own });
    }
    let mut names: Vec<&Name> = children.iter().map(|child| &child.name).collect();
    names.sort();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(config.complaint("entries", format!("has `{}` twice", pair[0])).into());
    }
    Ok(children)
}
