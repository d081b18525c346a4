//! Hints that need a look around: the nearest name in the pond, the nearest
//! column, what to type next.
//!
//! Always true: looking for a hint never fails a second time; when the pond can
//! not be read, there is no hint.

use diagnostics::{nearest, nearest_one};

use crate::context::Context;
use crate::error::{CommandError, find_cause};
use crate::quote;

/// How many names are suggested.
const SUGGESTIONS: usize = 3;

/// How many columns are named where none is near.
const COLUMNS: usize = 5;

/// Adds what the user can do next, where nobody has said it.
pub(crate) async fn complete(context: &Context, error: CommandError) -> CommandError {
    if error.has_hints() {
        return error;
    }
    if let Some(tinyfs::Error::NotFound { path, deepest }) = error.find() {
        let (path, deepest) = (path.clone(), deepest.clone());
        if let Some(host) = meant_of_host(&path) {
            let host = quote::shell(&host).into_owned();
            return error.hint(format!(
                "a file of this machine is host:{host}, or as a table host+csv:{host}"
            ));
        }
        return match nearest_path(context, &path, &deepest).await {
            // The newest state has it, so an earlier one was asked for.
            Some(near) if near == path => error.hint(format!(
                "it is there in the newest state; `pond show {}` tells since when",
                quote::shell(&near)
            )),
            Some(near) => error.hint(format!("did you mean `{}`?", quote::shell(&near))),
            None => {
                let shell = quote::shell(&deepest).into_owned();
                error.hint(format!("`pond list {shell}` shows what is there"))
            }
        };
    }
    if let Some(hint) = hint_for(&error) {
        return error.hint(hint);
    }
    error
}

/// The word of the command line that is no path of the pond, but one of this
/// machine.
fn meant_of_host(path: &str) -> Option<String> {
    let relative = path.trim_start_matches('/');
    std::env::args_os()
        .skip(1)
        .filter_map(|word| word.into_string().ok())
        .find(|word| word == path || word == relative || word.strip_prefix("./") == Some(relative))
        .filter(|word| std::fs::metadata(word).is_ok())
}

/// What exists where the path went wrong, by the nearest name.
async fn nearest_path(context: &Context, path: &str, deepest: &str) -> Option<String> {
    let rest = path.strip_prefix(deepest)?.trim_start_matches('/');
    let (missing, below) = rest.split_once('/').unwrap_or((rest, ""));
    let names = context.names_in(deepest).await?;
    let near = nearest_one(missing, names.iter().map(String::as_str))?;
    let near = tinyfs::path::join(deepest, near);
    Some(if below.is_empty() { near } else { format!("{near}/{below}") })
}

/// Hints that follow from what went wrong alone.
fn hint_for(error: &CommandError) -> Option<String> {
    if let Some(error) = error.find::<steward::Error>() {
        return of_pond(error);
    }
    if let Some(error) = error.find::<derived::Error>()
        && let Some(hint) = of_computed(error)
    {
        return Some(hint);
    }
    if let Some(error) = error.find::<query::Error>()
        && let Some(hint) = of_query(match error {
            // Why it can not be computed tells more.
            query::Error::Computed { source, .. } => {
                find_cause::<query::Error>(source.as_ref()).unwrap_or(error)
            }
            error => error,
        })
    {
        return Some(hint);
    }
    if let Some(tlogfs::Error::NoColumn { column, nearest, .. }) = error.find() {
        return of_columns(column, nearest, ticked);
    }
    match error.find::<tinyfs::Error>()? {
        tinyfs::Error::NotEmpty { path } => {
            Some(format!("pond rm -r {} removes it with all that is in it", quote::shell(path)))
        }
        tinyfs::Error::AlreadyExists { path } => {
            Some(format!("`pond describe {}` shows what it is", quote::shell(path)))
        }
        tinyfs::Error::NoSuchVersion { path, .. } => {
            Some(format!("`pond show {}` lists its versions", quote::shell(path)))
        }
        error if error.is_damage() => Some("`pond fsck` says what is damaged".to_owned()),
        tinyfs::Error::NotAFile { path, actual } if actual.is_directory() => {
            Some(format!("`pond list {}` shows what is in it", quote::shell(path)))
        }
        tinyfs::Error::WrongType { .. } => {
            Some("a name keeps its type; use another name".to_owned())
        }
        _ => None,
    }
}

fn of_pond(error: &steward::Error) -> Option<String> {
    use steward::Error as E;
    Some(match error {
        error if error.is_pruned() => {
            "`pond status` tells how far back the history goes".to_owned()
        }
        E::LostTail { .. } => {
            "`pond recover` shows what is missing and what can be done".to_owned()
        }
        error if error.is_damage() => {
            "`pond fsck` says what is damaged, `pond recover` what can be done".to_owned()
        }
        E::NoSuchDirectory { path } | E::NotAPond { path, .. } => {
            format!("`pond init --pond {}` makes one", quote::shell(&path.to_string_lossy()))
        }
        E::NotEmpty { .. } => "name a directory that is empty or does not exist".to_owned(),
        E::AlreadyAPond { path } => {
            format!("pond status --pond {}", quote::shell(&path.to_string_lossy()))
        }
        E::NewerFormat { .. } => {
            "use the version of `pond` that wrote it, or a later one".to_owned()
        }
        E::Locked { .. } => {
            "wait longer with --lock-timeout 10min, or look what the other does".to_owned()
        }
        E::Unknown { .. } => "`pond log -n 3` shows whether it is there".to_owned(),
        E::NoSuchTransaction { .. } => "`pond log` lists the transactions".to_owned(),
        E::NoSuchSetting { key, nearest } => match nearest_one(key, [nearest]) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`pond config` lists the settings".to_owned(),
        },
        E::BadSetting { .. } => "`pond config` lists the settings".to_owned(),
        E::BadSettings { path, .. } => format!(
            "repair the file, or delete it to have the defaults back: rm {}",
            quote::shell(&path.to_string_lossy())
        ),
        _ => return None,
    })
}

/// A name as configurations have it.
fn ticked(name: &str) -> String {
    format!("`{name}`")
}

/// The columns that may have been meant; where none is near, those there are.
fn of_columns(wish: &str, columns: &[String], shown: impl Fn(&str) -> String) -> Option<String> {
    // A plan knows some columns by two qualifiers.
    let mut seen = std::collections::HashSet::new();
    let columns = columns.iter().map(String::as_str).filter(|name| seen.insert(*name));
    let columns: Vec<&str> = columns.collect();
    let near = nearest(wish, columns.iter().copied(), SUGGESTIONS);
    if !near.is_empty() {
        return Some(did_you_mean(near.into_iter().map(&shown)));
    }
    let some: Vec<_> = columns.iter().take(COLUMNS).map(|name| shown(name)).collect();
    let more = if columns.len() > some.len() { ", .." } else { "" };
    (!some.is_empty()).then(|| format!("the columns are {}{more}", some.join(", ")))
}

/// Asks for one or several.
fn did_you_mean(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => {
            format!("did you mean {} or {last}?", first.join(", "))
        }
        _ => format!("did you mean {}?", names.concat()),
    }
}

fn of_computed(error: &derived::Error) -> Option<String> {
    use derived::Error as E;
    Some(match error {
        E::NoColumn { column, columns } => return of_columns(column, columns, ticked),
        E::Unit(derived::UnitError::Unknown { nearest, .. }) => match nearest.as_slice() {
            [] => "`docs/derived.md` lists the units".to_owned(),
            near => did_you_mean(near.iter().map(|name| ticked(name))),
        },
        E::TimeColumn { candidates } if candidates.is_empty() => {
            "no column holds times; a table needs none".to_owned()
        }
        E::TimeColumn { candidates } => {
            let candidates: Vec<_> = candidates.iter().map(|name| ticked(name)).collect();
            format!("say `time_column` in its configuration: {}", candidates.join(", "))
        }
        E::HostPath { .. } => "copy the file into the pond: pond copy host:FILE PATH".to_owned(),
        _ => return None,
    })
}

fn of_query(error: &query::Error) -> Option<String> {
    use query::Error as E;
    Some(match error {
        E::NoSuchTable { nearest, .. } if nearest.is_empty() => {
            "name a table by its path in single quotes: FROM '/sensors/a.series'".to_owned()
        }
        E::NoSuchTable { nearest, .. } => {
            did_you_mean(nearest.iter().map(|name| format!("'{name}'")))
        }
        E::NoMatch { .. } => "`pond list '/**/*.series'` shows which series there are".to_owned(),
        E::NoSuchColumn { name, nearest } => {
            return of_columns(name, nearest, quote::sql_name);
        }
        E::NotATable { actual: tinyfs::EntryType::Data, .. } => {
            "rows are in tables and series: pond copy host+csv+table:FILE PATH makes a table"
                .to_owned()
        }
        E::Refused { .. } => "change a pond with pond copy, rm, mv and mkdir".to_owned(),
        E::NotParquet { .. } | E::Undecodable { .. } => {
            "`pond fsck` says what is damaged in the pond".to_owned()
        }
        E::Deadline { .. } => "give it more with --timeout".to_owned(),
        E::NoAnswer { message } if message == "division by zero" => {
            "nullif(x, 0) makes a divisor that is zero null".to_owned()
        }
        E::NoAnswer { message } if message.starts_with("Cannot cast string") => {
            "try_cast(x AS TYPE) is null where cast fails".to_owned()
        }
        E::OutOfMemory { .. } => "give it more with --memory-limit 1GiB".to_owned(),
        E::OutOfTempSpace { .. } => "give it another place with --temp-dir DIR".to_owned(),
        _ => return None,
    })
}
