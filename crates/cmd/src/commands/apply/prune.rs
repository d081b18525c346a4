//! What `pond apply` made and what is declared no more: `--prune`.
//!
//! Always true: only what an apply made is taken away, and of that only
//! computed nodes and directories that are empty then; never data.

use std::collections::BTreeSet;

use steward::WriteView;
use tinyfs::{EntryType, Fs, NodePath, WriteStore};

use super::perform::{Done, Outcome};
use crate::error::{CommandError, OrFail as _, Result};
use crate::quantity;

/// The attribute of what an apply made.
const MADE: &str = "apply.made";

/// Marks what an apply has just made.
pub(super) async fn mark(view: &WriteView, outcomes: &[Outcome]) -> Result<()> {
    let fs = view.fs();
    for one in outcomes.iter().filter(|one| one.is_created()) {
        let cannot = || format!("cannot mark `{}`", one.path);
        let found = fs.resolve_link(&one.path).await.or_fail(cannot)?;
        if !may_go(found.node.entry_type) {
            continue;
        }
        let mut attributes = found.node.attributes.clone();
        attributes.insert(MADE.to_owned(), "true".to_owned());
        fs.store().set_attributes(found.id(), attributes).await.or_fail(cannot)?;
    }
    Ok(())
}

/// Whether nodes of a type are ever taken away.
const fn may_go(entry_type: EntryType) -> bool {
    entry_type.is_dynamic() || matches!(entry_type, EntryType::Directory)
}

/// Takes away what is declared no more.
///
/// # Errors
/// When there is such and it may not be taken away without a yes.
pub(super) async fn perform(
    view: &WriteView,
    declared: &BTreeSet<String>,
    has_leave: bool,
) -> Result<Vec<Outcome>> {
    let fs = view.fs();
    let gone = undeclared(&fs, &where_they_are(&fs, declared).await?).await?;
    if !gone.is_empty() && !has_leave {
        let paths: Vec<&str> = gone.iter().map(|found| found.path.as_str()).collect();
        let count = quantity::counted(gone.len() as u64, "node");
        return Err(CommandError::usage(format!(
            "{count} would be removed: {}",
            shortened(&paths)
        ))
        .hint("--dry-run shows all that would be changed")
        .hint("--yes removes what is declared no more"));
    }
    let mut outcomes = Vec::with_capacity(gone.len());
    for found in gone {
        fs.remove(&found.path).await.or_fail(|| format!("cannot remove `{}`", found.path))?;
        let kind = found.node.factory.unwrap_or_else(|| "directory".to_owned());
        outcomes.push(Outcome { path: found.path, kind, done: Done::Removed });
    }
    Ok(outcomes)
}

/// What is declared by the paths that it has: one that is written through a
/// link is the link, and what it leads to.
async fn where_they_are(
    fs: &Fs<dyn WriteStore>,
    declared: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let mut paths = declared.clone();
    for path in declared {
        for found in [fs.resolve_link(path).await, fs.resolve(path).await] {
            match found {
                Ok(found) => drop(paths.insert(found.path)),
                Err(error) if error.is_absence() => {}
                Err(error) => {
                    return Err(
                        CommandError::failure(format!("cannot look at `{path}`")).because(error)
                    );
                }
            }
        }
    }
    Ok(paths)
}

fn shortened(paths: &[&str]) -> String {
    const SHOWN: usize = 5;
    let mut text = paths[..paths.len().min(SHOWN)].join(", ");
    if paths.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

/// What is to go, each before the directory that it is in.
async fn undeclared(fs: &Fs<dyn WriteStore>, declared: &BTreeSet<String>) -> Result<Vec<NodePath>> {
    let (mut gone, mut stays) = (Vec::new(), BTreeSet::new());
    for path in declared {
        stay(path, &mut stays);
    }
    // Directories come twice: to be looked into, and when that is done.
    let mut left = vec![("/".to_owned(), None)];
    while let Some((path, after)) = left.pop() {
        if let Some(found) = after {
            decide(found, declared, &mut gone, &mut stays);
            continue;
        }
        let inside = fs.list(&path).await.or_fail(|| format!("cannot list `{path}`"))?;
        for found in inside {
            if found.node.entry_type == EntryType::Directory {
                let path = found.path.clone();
                left.push((path.clone(), Some(found)));
                left.push((path, None));
            } else {
                decide(found, declared, &mut gone, &mut stays);
            }
        }
    }
    Ok(gone)
}

/// Lets a node go or stay.
fn decide(
    found: NodePath,
    declared: &BTreeSet<String>,
    gone: &mut Vec<NodePath>,
    stays: &mut BTreeSet<String>,
) {
    let goes = may_go(found.node.entry_type)
        && found.node.attributes.contains_key(MADE)
        && !declared.contains(&found.path)
        && !stays.contains(&found.path);
    if goes {
        gone.push(found);
    } else {
        stay(&found.path, stays);
    }
}

/// With what is at `path` stay all directories that it is in.
fn stay(path: &str, stays: &mut BTreeSet<String>) {
    let mut above = tinyfs::path::parent(path);
    while let Some(dir) = above {
        if !stays.insert(dir.to_owned()) {
            break;
        }
        above = tinyfs::path::parent(dir);
    }
}
