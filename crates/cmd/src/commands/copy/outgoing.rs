//! What a copy out of the pond will do: which file goes where.
//!
//! Always true: nothing is written while the plan is made, and two files never
//! go to one place.

use std::collections::{HashMap, HashSet};

use futures::future::BoxFuture;
use tinyfs::{Fs, NodePath};

use super::CopyArgs;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::quote;

/// A file or directory that goes out.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// What goes out.
    pub(super) from: NodePath,
    /// Its place below the destination, with `/` between names.
    pub(super) below: String,
}

/// The files and directories that the sources name.
pub(super) async fn plan(
    context: &Context,
    fs: &Fs,
    args: &CopyArgs,
    sources: &[String],
) -> Result<Vec<Outgoing>> {
    let mut plan = Vec::new();
    for source in sources {
        let base = base_of(fs, source).await?;
        let is_glob = super::super::is_glob(source) && fs.resolve_link(source).await.is_err();
        for found in super::super::expand(fs, source).await? {
            // The files in it that match are there in their own right.
            if is_glob && found.node.entry_type.is_directory() && !args.recursive {
                continue;
            }
            // Whoever names a link wants what it leads to.
            if !is_glob && found.node.entry_type.is_symlink() {
                fs.resolve(&found.path).await.or_fail(|| format!("cannot copy `{source}`"))?;
            }
            let below = match &args.strip_prefix {
                Some(prefix) => strip(&found.path, prefix)?,
                None => strip(&found.path, &base)?,
            };
            add(context, fs, args, found, below, &mut plan).await?;
        }
    }
    let mut seen = HashSet::new();
    plan.retain(|one| seen.insert((one.below.clone(), one.from.path.clone())));
    let mut taken: HashMap<&str, &str> = HashMap::new();
    for one in &plan {
        if let Some(other) = taken.insert(&one.below, &one.from.path)
            && other != one.from.path
        {
            return Err(CommandError::usage(format!(
                "`{other}` and `{}` would both become `{}`",
                one.from.path, one.below
            ))
            .hint("--strip-prefix / keeps their whole paths"));
        }
    }
    Ok(plan)
}

/// The directory whose inside keeps its shape: that of the path, or the one
/// before a glob's first pattern.
async fn base_of(fs: &Fs, source: &str) -> Result<String> {
    let absolute = if source.starts_with('/') { source.to_owned() } else { format!("/{source}") };
    let is_path = fs.resolve_link(source).await.is_ok();
    if is_path || !super::super::is_glob(source) {
        let normal =
            tinyfs::path::normalise(&absolute).or_fail(|| format!("cannot copy `{source}`"))?;
        return Ok(tinyfs::path::parent(&normal).unwrap_or("/").to_owned());
    }
    let names = absolute.split('/').take_while(|name| !super::super::is_glob(name));
    let base = names.collect::<Vec<_>>().join("/");
    Ok(if base.is_empty() { "/".to_owned() } else { base })
}

/// The path without the directory it is in.
fn strip(path: &str, prefix: &str) -> Result<String> {
    let prefix = prefix.trim_end_matches('/');
    let prefix = prefix.strip_prefix('/').unwrap_or(prefix);
    let rest = path.trim_start_matches('/');
    let below = if prefix.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(prefix).and_then(|below| below.strip_prefix('/'))
    };
    below.map(str::to_owned).ok_or_else(|| {
        CommandError::usage(format!(
            "`{path}` is not below `/{prefix}`, so its prefix can not be stripped"
        ))
    })
}

fn add<'a>(
    context: &'a Context,
    fs: &'a Fs,
    args: &'a CopyArgs,
    found: NodePath,
    below: String,
    plan: &'a mut Vec<Outgoing>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let entry_type = found.node.entry_type;
        if entry_type.is_symlink() {
            return add_link(context, fs, found, below, plan).await;
        }
        if !entry_type.is_directory() {
            plan.push(Outgoing { from: found, below });
            return Ok(());
        }
        if !args.recursive {
            return Err(CommandError::usage(format!("`{}` is a directory", found.path)).hint(
                format!(
                    "`pond copy -r {}` copies it with all that is in it",
                    quote::shell(&found.path)
                ),
            ));
        }
        let inside = fs.list(&found.path).await;
        let inside = inside.or_fail(|| format!("cannot list `{}`", found.path))?;
        if !below.is_empty() {
            plan.push(Outgoing { from: found, below: below.clone() });
        }
        for entry in inside {
            let name = entry.name().to_owned();
            let below = if below.is_empty() { name } else { format!("{below}/{name}") };
            add(context, fs, args, entry, below, plan).await?;
        }
        Ok(())
    })
}

/// A link to a file goes out as the file. A link to a directory could lead
/// round in circles, and one to nothing has nothing to give: both are left
/// behind, and said.
async fn add_link(
    context: &Context,
    fs: &Fs,
    found: NodePath,
    below: String,
    plan: &mut Vec<Outgoing>,
) -> Result<()> {
    match fs.resolve(&found.path).await {
        Ok(target) if target.node.entry_type.is_file() => {
            plan.push(Outgoing { from: target, below });
        }
        Ok(_) => context.say(&format!("{}: link to a directory, left out", found.path)),
        Err(tinyfs::Error::NotFound { .. } | tinyfs::Error::LinkLoop { .. }) => {
            context.say(&format!("{}: link that leads nowhere, left out", found.path));
        }
        Err(error) => {
            return Err(
                CommandError::failure(format!("cannot follow `{}`", found.path)).because(error)
            );
        }
    }
    Ok(())
}
