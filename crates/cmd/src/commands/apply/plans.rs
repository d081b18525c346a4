//! Plans what a transaction is about to declare, before it is committed.
//!
//! Always true: nothing is executed; a node that can never be computed, such
//! as one that is made of itself or asks for a column that is not there, fails
//! the whole; an input that is not there yet is only told, because whoever
//! collects it may not have run.

use std::error::Error as StdError;

use diagnostics::nearest_one;
use factory::config::ConfigError;
use query::Session;
use tinyfs::{Fs, NodePath};

use super::declared::{Declared, Refused, chain};
use super::perform::{Making, Outcome};
use crate::context::with_computed;
use crate::error::{Result, find_cause};

/// Children of one directory that are planned; of more only the names are
/// looked at.
const MAX_CHILDREN: usize = 256;

/// Plans every computed node that is created or updated.
pub(super) async fn plan(
    making: &Making<'_>,
    all: &[Declared],
    outcomes: &[Outcome],
    heading: &str,
) -> Result<()> {
    let Making { context, pond, view, .. } = *making;
    let fs = with_computed(&view.fs().read_only(), &derived::registry());
    let session = context.session_within(pond, &fs)?;
    let mut errors = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_unchanged()) {
        let Some(one) = all.iter().find(|one| one.path == outcome.path && one.is_computed()) else {
            continue;
        };
        let planned = node(&fs, &session, &one.path).await;
        if let Ok(notes) = &planned {
            for note in notes {
                context.say(&format!("note: {note}"));
            }
        }
        if let Err(error) = planned {
            let error = error.as_ref();
            if is_missing_input(error) {
                context.say(&format!("note: {}: {}", one.path, chain(error)));
                continue;
            }
            let mut told = ConfigError::new(one.place.clone(), chain(error));
            told.nearest = nearest(error);
            errors.push(told);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Refused(errors).into_error(heading.to_owned())) }
}

type Failure = Box<dyn StdError + Send + Sync>;

/// Plans a node; of a directory, what is in it. Returns what should be known of
/// it that is no error.
async fn node(fs: &Fs, session: &Session, path: &str) -> std::result::Result<Vec<String>, Failure> {
    let top = fs.resolve(path).await?;
    let is_reduction = top.node.factory.as_deref() == Some("temporal-reduce");
    let mut left: Vec<NodePath> = vec![top];
    let (mut planned, mut entries) = (0, 0);
    let mut failures: Vec<(String, query::Error)> = Vec::new();
    while let Some(found) = left.pop() {
        let entry_type = found.node.entry_type;
        if entry_type.is_directory() {
            let below = fs.list(&found.path).await?;
            entries += below.len();
            left.extend(below);
        } else if entry_type.is_tabular() && planned < MAX_CHILDREN {
            planned += 1;
            match session.table(&found.path).await {
                Ok(_) => {}
                // Of many series one may lack a column, and the others not.
                Err(error) if is_reduction && lacks_column(&error) => {
                    failures.push((found.path, error));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if !failures.is_empty() && failures.len() == planned {
        return Err(failures.swap_remove(0).1.into());
    }
    if is_reduction && entries == 0 {
        return Ok(vec![format!("{path}: nothing is in it yet: no input matches")]);
    }
    // A series fails at each of its resolutions: once is enough.
    failures.sort_by(|a, b| a.0.cmp(&b.0));
    failures.dedup_by(|a, b| tinyfs::path::parent(&a.0) == tinyfs::path::parent(&b.0));
    Ok(failures.into_iter().map(|(_, error)| chain(&error)).collect())
}

/// Whether a series does not have a column, or not of numbers, that is to be
/// reduced.
fn lacks_column(error: &query::Error) -> bool {
    let query::Error::Computed { source, .. } = error else { return false };
    let cause: &(dyn StdError + 'static) = source.as_ref();
    matches!(
        derived::Error::find(cause),
        Some(derived::Error::NoColumn { .. } | derived::Error::NotANumber { .. })
    )
}

/// Whether all that is wrong is something that may yet come.
fn is_missing_input(error: &(dyn StdError + 'static)) -> bool {
    match find_cause::<query::Error>(error).map(innermost) {
        // A name that was not looked for in the pond is one that the query's own
        // configuration does not give, and that nobody will collect.
        Some(query::Error::NoSuchTable { deepest, .. }) => deepest.is_some(),
        Some(query::Error::NoMatch { .. }) => true,
        _ => matches!(find_cause(error), Some(tinyfs::Error::NotFound { .. })),
    }
}

/// What is inside of errors that only say which node could not be computed.
fn innermost(error: &query::Error) -> &query::Error {
    let mut error = error;
    while let query::Error::Computed { source, .. } = error {
        let inner: &(dyn StdError + 'static) = source.as_ref();
        match find_cause::<query::Error>(inner) {
            Some(inner) => error = inner,
            None => break,
        }
    }
    error
}

/// The column that may have been meant.
fn nearest(error: &(dyn StdError + 'static)) -> Option<String> {
    let error = innermost(find_cause(error)?);
    if let query::Error::NoSuchColumn { name, nearest } = error {
        return nearest_one(name, nearest).cloned();
    }
    if let query::Error::Computed { source, .. } = error {
        let inner: &(dyn StdError + 'static) = source.as_ref();
        if let Some(derived::Error::NoColumn { column, columns }) = derived::Error::find(inner) {
            return nearest_one(column, columns).cloned();
        }
    }
    None
}
