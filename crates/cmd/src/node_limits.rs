//! What a node is told beside what it is: how old its newest event may be, and
//! which times of it queries see.
//!
//! Always true: only a series has bounds; bounds let an instant through; what
//! a computed directory computes is told nothing, because it is no node of its
//! own.

use tinyfs::{Attributes, END_US, EntryType, Fs, NodePath, START_US, WriteStore};

use crate::error::{CommandError, OrFail as _, Result};
use crate::{quantity, quote, time_arg};

/// The attribute of how many seconds old a node's newest event may be.
const FRESHNESS_S: &str = "freshness.limit_s";

/// What is to be said of a node; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeLimits {
    /// How old the newest event may be, in seconds; `Some(None)`: as it likes.
    pub(crate) freshness_s: Option<Option<u64>>,
    /// The first and the last time that queries see.
    pub(crate) bounds: Option<(Option<i64>, Option<i64>)>,
}

impl NodeLimits {
    /// Whether there is nothing to say.
    pub(crate) const fn is_empty(&self) -> bool {
        self.freshness_s.is_none() && self.bounds.is_none()
    }

    /// The attributes of `found` with this said.
    ///
    /// # Errors
    /// When bounds are wanted of what has no times.
    fn said_of(&self, found: &NodePath) -> Result<Attributes> {
        let mut attributes = found.node.attributes.clone();
        let mut put = |key: &str, value: Option<String>| match value {
            Some(value) => drop(attributes.insert(key.to_owned(), value)),
            None => drop(attributes.remove(key)),
        };
        if let Some(limit) = self.freshness_s {
            put(FRESHNESS_S, limit.map(|seconds| seconds.to_string()));
        }
        if let Some((start, end)) = self.bounds {
            if !found.node.entry_type.is_series() {
                let is = found.node.entry_type;
                let what = format!("`{}` is a {is}: only a series has bounds in time", found.path);
                return Err(CommandError::bad_input(what));
            }
            put(START_US, start.map(|us| us.to_string()));
            put(END_US, end.map(|us| us.to_string()));
        }
        Ok(attributes)
    }
}

/// Says it of the node at `path`, links followed. Returns what was said before
/// and what is since, a line each; equal when nothing had to be changed.
pub(crate) async fn say(
    fs: &Fs<dyn WriteStore>,
    path: &str,
    limits: NodeLimits,
) -> Result<(String, String)> {
    let cannot = || format!("cannot set the limits of `{path}`");
    let found = match fs.resolve(path).await {
        Ok(found) => found,
        Err(error) => {
            if let Some(error) = refuse_computed(&fs.read_only(), path).await {
                return Err(error);
            }
            return Err(CommandError::failure(cannot()).because(error));
        }
    };
    let attributes = limits.said_of(&found)?;
    let (before, after) = (lines(&found.node.attributes)?, lines(&attributes)?);
    if attributes != found.node.attributes {
        fs.set_attributes(&found.path, attributes).await.or_fail(cannot)?;
    }
    Ok((before, after))
}

/// How old the newest event may be, in seconds, as a node's attributes say.
///
/// # Errors
/// [`tinyfs::Error::BadAttribute`].
pub(crate) fn freshness_s(attributes: &Attributes) -> tinyfs::Result<Option<u64>> {
    let Some(value) = attributes.get(FRESHNESS_S) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| tinyfs::Error::BadAttribute {
        key: FRESHNESS_S.to_owned(),
        value: value.clone(),
    })
}

/// A limit as it is declared.
pub(crate) fn limit_text(seconds: u64) -> String {
    quantity::whole_duration(seconds)
}

/// The bounds that the node at `path` has; none where nothing can be found,
/// which whoever sets them is told.
pub(crate) async fn bounds(
    fs: &Fs<dyn WriteStore>,
    path: &str,
) -> Result<(Option<i64>, Option<i64>)> {
    let cannot = || format!("cannot read the bounds of `{path}`");
    let found = match fs.resolve(path).await {
        Err(error) if error.is_absence() => return Ok((None, None)),
        other => other.or_fail(cannot)?,
    };
    let bounds = query::declared_bounds(&found.node.attributes).or_fail(cannot)?;
    Ok((bounds.start_us, bounds.end_us))
}

/// What attributes say of limits, a line each.
fn lines(attributes: &Attributes) -> Result<String> {
    let mut text = String::new();
    let limit = freshness_s(attributes).or_fail(|| "cannot read the limits".to_owned())?;
    if let Some(seconds) = limit {
        text.push_str(&format!("freshness: {}\n", limit_text(seconds)));
    }
    for (name, key) in [("start", START_US), ("end", END_US)] {
        if let Some(value) = attributes.get(key) {
            let shown = value.parse().map_or_else(|_| value.clone(), time_arg::text);
            text.push_str(&format!("temporal_bounds.{name}: {shown}\n"));
        }
    }
    Ok(text)
}

/// The error for a path in a computed directory, which can not be changed by
/// itself; `None` when it is in none.
pub(crate) async fn refuse_computed(fs: &Fs, path: &str) -> Option<CommandError> {
    let path = tinyfs::path::normalise(path).ok()?;
    let mut above = Vec::new();
    let mut next = tinyfs::path::parent(&path);
    while let Some(dir) = next {
        above.push(dir);
        next = tinyfs::path::parent(dir);
    }
    for dir in above.into_iter().rev() {
        // Only a courtesy: what can not be looked at has its own error.
        let found = fs.resolve(dir).await.ok()?;
        if found.node.entry_type == EntryType::DynamicDirectory {
            let factory = found.node.factory.unwrap_or_default();
            let shown = quote::shell(&found.path).into_owned();
            let what = format!("`{path}` is computed by `{}`, a {factory}", found.path);
            return Some(CommandError::failure(what).hint(format!(
                "change what computes it: `pond cat --config {shown}`, then `pond apply` or `pond mknod --overwrite`; `pond rm -r {shown}` removes it with all that it computes"
            )));
        }
    }
    None
}
