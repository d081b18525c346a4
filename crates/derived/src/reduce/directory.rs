//! The directories of a reduction: `<out>/res=<resolution>.series`.

use std::collections::{BTreeMap, BTreeSet};

use factory::{Child, Config, Look};
use serde::{Deserialize, Serialize};
use tinyfs::{EntryType, Glob, GlobOptions, Name, NodePath};

use super::config::TemporalReduceConfig;
use super::series::{REDUCED_SERIES, ReducedSeriesConfig};
use crate::captures::fill_in;
use crate::input::Input;
use crate::{Error, Result};

/// The factory of directories below a reduction's own.
pub(crate) const REDUCED_DIRECTORY: &str = "reduced-directory";

/// The configuration of a directory on the way to the series.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReducedDirectoryConfig {
    pub(crate) outs: Vec<Out>,
    pub(crate) reduce: TemporalReduceConfig,
}

/// A series and where what it is reduced to is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Out {
    /// Names below this directory.
    pub(crate) path: Vec<String>,
    /// The series.
    pub(crate) source: String,
}

/// What `config` makes of the pond as it is.
pub(crate) async fn outs(look: &Look, config: &TemporalReduceConfig) -> Result<Vec<Out>> {
    let mut outs = Vec::new();
    let mut taken: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let input = Input::parse(&config.in_pattern)?;
    for (found, captures) in matches(look, &input).await? {
        let path = out_path(&config.out_pattern, &config.in_pattern, &captures)?;
        if let Some(first) = taken.insert(path.clone(), found.path.clone()) {
            return Err(Error::OutTwice {
                out: path.join("/"),
                first: format!("`{first}`"),
                second: format!("`{}`", found.path),
            });
        }
        outs.push(Out { path, source: input.at(&found.path).to_string() });
    }
    Ok(outs)
}

/// The tables that a path or a pattern stands for, with their captures.
async fn matches(look: &Look, input: &Input) -> Result<Vec<(NodePath, Vec<String>)>> {
    let pattern = input.path();
    // What is there by this very name comes before what it matches.
    match look.fs.resolve(pattern).await {
        Ok(found) if input.takes(found.node.entry_type) => return Ok(vec![(found, Vec::new())]),
        Ok(found) => {
            let (path, actual) = (found.path, found.node.entry_type);
            return Err(query::Error::NotATable { path, actual }.into());
        }
        Err(error) if error.is_absence() && tinyfs::glob::is_pattern(pattern) => {}
        Err(error) => return Err(error.into()),
    }
    let options = GlobOptions { hidden: false, follow: true };
    let mut matches = look.fs.matches(Glob::parse(pattern)?, options);
    let mut found = Vec::new();
    while let Some(next) = matches.next().await? {
        if input.takes(next.path.node.entry_type) {
            found.push((next.path, next.captures));
        }
    }
    Ok(found)
}

/// `$0` is the first capture, `$$` a dollar; slashes make directories.
pub(crate) fn out_path(
    out_pattern: &str,
    in_pattern: &str,
    captures: &[String],
) -> Result<Vec<String>> {
    let bad = |out: &str| Error::OutPath { out: out.to_owned(), pattern: in_pattern.to_owned() };
    let text = fill_in(out_pattern, captures).map_err(|at| Error::NoWildcard {
        out: out_pattern.to_owned(),
        at,
        pattern: in_pattern.to_owned(),
        wildcards: captures.len(),
    })?;
    let names = text.trim_matches('/').split('/');
    names
        .map(|name| match Name::new(name) {
            Ok(_) if name != "." && name != ".." => Ok(name.to_owned()),
            _ => Err(bad(&text)),
        })
        .collect()
}

/// The entries of a directory with these series below it.
pub(crate) fn entries(at: &str, config: &ReducedDirectoryConfig) -> Result<Vec<Child>> {
    let mut children = Vec::new();
    let mut below: BTreeMap<&str, Vec<Out>> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for out in &config.outs {
        let Some((first, rest)) = out.path.split_first() else {
            for resolution in &config.reduce.resolutions {
                let series = ReducedSeriesConfig {
                    source: out.source.clone(),
                    resolution: resolution.clone(),
                    reduce: config.reduce.clone(),
                };
                let name = format!("res={resolution}.series");
                taken.insert(name.clone());
                let entry_type = EntryType::DynamicSeries;
                children.push(child(at, &name, REDUCED_SERIES, entry_type, &series)?);
            }
            continue;
        };
        let out = Out { path: rest.to_vec(), source: out.source.clone() };
        below.entry(first).or_default().push(out);
    }
    for (name, outs) in below {
        if taken.contains(name) {
            let pattern = config.reduce.in_pattern.clone();
            return Err(Error::OutPath { out: name.to_owned(), pattern });
        }
        let below = ReducedDirectoryConfig { outs, reduce: config.reduce.clone() };
        let entry_type = EntryType::DynamicDirectory;
        children.push(child(at, name, REDUCED_DIRECTORY, entry_type, &below)?);
    }
    Ok(children)
}

fn child(
    at: &str,
    name: &str,
    factory: &str,
    entry_type: EntryType,
    config: &impl Serialize,
) -> Result<Child> {
    let text = serde_json::to_string(config).map_err(|error| {
        Error::Query(query::Error::BadRequest { what: format!("{at}: {error}") })
    })?;
    Ok(Child {
        name: Name::new(name)?,
        factory: factory.to_owned(),
        entry_type,
        config: Config::parse(&tinyfs::path::join(at, name), &text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(out_pattern: &str, captures: &[&str]) -> Result<Vec<String>> {
        let captures: Vec<String> = captures.iter().map(|&text| text.to_owned()).collect();
        out_path(out_pattern, "/*/*.series", &captures)
    }

    #[test]
    fn captures_stand_where_they_are_named() {
        assert_eq!(path("$0", &["North"]).unwrap(), ["North"]);
        assert_eq!(path("/by/$1-$0/", &["a", "b"]).unwrap(), ["by", "b-a"]);
        assert_eq!(path("$0", &["deep/er"]).unwrap(), ["deep", "er"]);
        assert_eq!(path("$$0", &["a"]).unwrap(), ["$0"]);
        assert_eq!(path("$0$0", &["a"]).unwrap(), ["aa"]);
    }

    #[test]
    fn paths_that_can_not_be_are_refused() {
        for out in ["$9", "$", "$x"] {
            assert!(matches!(path(out, &["a"]), Err(Error::NoWildcard { .. })), "{out}");
        }
        for out in ["../x", "a/./b", "", "a//b", "/"] {
            assert!(matches!(path(out, &["a"]), Err(Error::OutPath { .. })), "{out}");
        }
        assert!(path("$0", &[".."]).is_err());
    }
}
