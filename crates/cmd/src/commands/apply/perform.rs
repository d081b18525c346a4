//! Makes a pond what is declared, inside one transaction.
//!
//! Always true: data that is stored is never replaced by a computed node; a
//! node that is declared as it is is left alone.

use factory::Config;
use factory::config::ConfigError;
use steward::{Pond, WriteView};
use tinyfs::{Configured, EntryType, Fs, NewVersion, NodePath, WriteStore};

use super::copied::{self, Compared};
use super::declared::{Declared, Refused, What};
use super::plans;
use crate::commands::copy::Tally;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::{node_limits, quote};

/// The most bytes of a configuration.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// What became of one thing that was declared.
#[derive(Debug)]
pub(in crate::commands) struct Outcome {
    /// Its path.
    pub(in crate::commands) path: String,
    /// What it is, for people: its factory, or `directory`.
    pub(in crate::commands) kind: String,
    /// What was done.
    pub(in crate::commands) done: Done,
}

/// What was done.
#[derive(Debug)]
pub(in crate::commands) enum Done {
    /// It is new.
    Created,
    /// It has another configuration.
    Updated {
        /// The configuration before.
        before: String,
        /// The configuration since.
        after: String,
    },
    /// It was so already.
    Unchanged,
    /// It is gone.
    Removed,
}

impl Outcome {
    pub(in crate::commands) const fn is_created(&self) -> bool {
        matches!(self.done, Done::Created)
    }

    pub(in crate::commands) const fn is_updated(&self) -> bool {
        matches!(self.done, Done::Updated { .. })
    }

    pub(in crate::commands) const fn is_removed(&self) -> bool {
        matches!(self.done, Done::Removed)
    }

    pub(in crate::commands) const fn is_unchanged(&self) -> bool {
        matches!(self.done, Done::Unchanged)
    }
}

/// Where things are made.
pub(in crate::commands) struct Making<'a> {
    pub(in crate::commands) context: &'a Context,
    pub(in crate::commands) pond: &'a Pond,
    pub(in crate::commands) view: &'a WriteView,
    /// The copies among what is declared.
    pub(in crate::commands) copies: &'a [Compared],
    /// Whether nothing is kept of it.
    pub(in crate::commands) is_rehearsal: bool,
}

/// What was made.
#[derive(Debug, Default)]
pub(in crate::commands) struct Made {
    pub(in crate::commands) outcomes: Vec<Outcome>,
    /// What was copied.
    pub(in crate::commands) tallies: Vec<Tally>,
}

/// Makes everything, and plans what is computed differently from before.
pub(in crate::commands) async fn perform(
    making: &Making<'_>,
    all: &[Declared],
    heading: &str,
) -> Result<Made> {
    let mut made = Made::default();
    for one in all {
        make(making, one, &mut made).await.map_err(|stopped| match stopped {
            Stopped::InTheWay(what) => {
                let error = ConfigError::new(one.place.clone(), what);
                let shown = quote::shell(&one.path).into_owned();
                Refused(vec![error])
                    .into_error(heading.to_owned())
                    .hint(format!("`pond describe {shown}` shows what it is"))
            }
            Stopped::Failed(error) => error,
        })?;
    }
    plans::plan(making, all, &made.outcomes, heading).await?;
    Ok(made)
}

/// Why something that is declared can not be made.
enum Stopped {
    /// Something else stands there.
    InTheWay(String),
    /// The pond could not.
    Failed(CommandError),
}

impl From<CommandError> for Stopped {
    fn from(error: CommandError) -> Self {
        Self::Failed(error)
    }
}

async fn make(making: &Making<'_>, one: &Declared, made: &mut Made) -> Result<(), Stopped> {
    let fs = &making.view.fs();
    let Made { outcomes, tallies } = made;
    // Of what a rehearsal does not copy there is nothing that could be told more.
    let is_awaited =
        making.is_rehearsal && making.copies.iter().any(|copy| copy.is_new_at(&one.path));
    match &one.what {
        What::Directory => directory(fs, &one.path, true, outcomes).await?,
        What::Computed { factory, entry_type, config } => {
            if let Some(parent) = tinyfs::path::parent(&one.path) {
                directory(fs, parent, false, outcomes).await?;
            }
            let done = configure(fs, &one.path, *entry_type, factory, config).await?;
            let kind = factory.clone();
            outcomes.push(Outcome { path: one.path.clone(), kind, done });
        }
        What::Copied(_) => {
            if let Some(parent) = tinyfs::path::parent(&one.path) {
                directory(fs, parent, false, outcomes).await?;
            }
            for copy in making.copies.iter().filter(|copy| copy.is_at(&one.path)) {
                let Making { context, view, is_rehearsal, .. } = *making;
                let (done, tally) = copied::perform(context, view, copy, is_rehearsal).await?;
                let kind = "copy".to_owned();
                outcomes.push(Outcome { path: one.path.clone(), kind, done });
                tallies.extend(tally);
            }
        }
        What::AsItIs if is_awaited => {}
        What::AsItIs => {
            let kind = "attributes".to_owned();
            outcomes.push(Outcome { path: one.path.clone(), kind, done: Done::Unchanged });
        }
    }
    if one.limits.is_empty() || is_awaited {
        return Ok(());
    }
    let (before, after) = node_limits::say(fs, &one.path, one.limits).await?;
    let outcome = outcomes.iter_mut().rev().find(|outcome| outcome.path == one.path);
    if let Some(outcome) = outcome.filter(|_| before != after) {
        outcome.done.tell(&before, &after);
    }
    Ok(())
}

impl Done {
    /// Tells of two more texts that differ.
    fn tell(&mut self, before: &str, after: &str) {
        match self {
            Self::Created | Self::Removed => {}
            Self::Unchanged => {
                let (before, after) = (before.to_owned(), after.to_owned());
                *self = Self::Updated { before, after };
            }
            Self::Updated { before: first, after: since } => {
                first.push_str(before);
                since.push_str(after);
            }
        }
    }
}

/// A directory and what is missing on the way to it. One that is there is
/// told of when it was asked for by name.
async fn directory(
    fs: &Fs<dyn WriteStore>,
    path: &str,
    is_declared: bool,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Stopped> {
    let mut missing = Vec::new();
    let mut next = Some(path);
    while let Some(at) = next.filter(|at| *at != "/") {
        match fs.resolve(at).await {
            Ok(found) if found.node.entry_type == EntryType::Directory => break,
            Ok(found) => {
                let is = found.node.entry_type;
                return Err(Stopped::InTheWay(format!(
                    "`{at}` is to be a directory, and is a {is}"
                )));
            }
            Err(error) if error.is_absence() => missing.push(at),
            Err(error) => {
                let error = CommandError::failure(format!("cannot look at `{at}`")).because(error);
                return Err(Stopped::Failed(error));
            }
        }
        next = tinyfs::path::parent(at);
    }
    let kind = || "directory".to_owned();
    if missing.is_empty() && is_declared {
        outcomes.push(Outcome { path: path.to_owned(), kind: kind(), done: Done::Unchanged });
    }
    for at in missing.into_iter().rev() {
        fs.create_dir(at).await.or_fail(|| format!("cannot make `{at}`"))?;
        outcomes.push(Outcome { path: at.to_owned(), kind: kind(), done: Done::Created });
    }
    Ok(())
}

/// A computed node with this configuration.
async fn configure(
    fs: &Fs<dyn WriteStore>,
    path: &str,
    entry_type: EntryType,
    factory: &str,
    config: &Config,
) -> Result<Done, Stopped> {
    let cannot = || format!("cannot make `{path}`");
    let before = match fs.resolve_link(path).await {
        Ok(found) if found.node.entry_type.is_dynamic() => Some(found),
        Ok(found) => {
            let is = found.node.entry_type;
            return Err(Stopped::InTheWay(format!(
                "`{path}` is to be computed, and is a {is} that is stored"
            )));
        }
        Err(error) if error.is_absence() => None,
        Err(error) => return Err(CommandError::failure(cannot()).because(error).into()),
    };
    let text = match &before {
        Some(found) => stored_config(fs, found).await?,
        None => String::new(),
    };
    // What else is said of the node, such as its limits, stays.
    let attributes = before.map(|found| found.node.attributes.clone()).unwrap_or_default();
    let content = fs.content(config.bytes()).await.or_fail(cannot)?;
    let version = NewVersion::bytes(content);
    let configured = fs.configure(path, entry_type, factory, attributes, version).await;
    Ok(match configured.or_fail(cannot)? {
        Configured::Created if text.is_empty() => Done::Created,
        Configured::Unchanged => Done::Unchanged,
        Configured::Created | Configured::Updated => Done::Updated {
            before: text,
            after: String::from_utf8_lossy(config.bytes()).into_owned(),
        },
    })
}

/// The configuration that a node has.
async fn stored_config(fs: &Fs<dyn WriteStore>, found: &NodePath) -> Result<String> {
    let cannot = || format!("cannot read the configuration of `{}`", found.path);
    let Some(newest) = &found.node.newest else { return Ok(String::new()) };
    let end = newest.size_bytes.min(MAX_CONFIG_BYTES);
    let bytes = fs.store().read(found.node.id, newest, 0..end).await.or_fail(cannot)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
