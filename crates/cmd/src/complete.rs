//! Completion of pond paths in shells.
//!
//! Always true: a pond that is missing, broken or slow to answer offers
//! nothing and says nothing; a prompt is no place for errors.

use std::ffi::OsStr;

use clap_complete::CompletionCandidate;

use crate::context;

/// At most so many candidates are offered.
const MOST: usize = 500;

/// The paths in the pond that begin with what was typed.
pub(crate) fn pond_paths(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = current.to_str() else { return Vec::new() };
    let Some(dir) = context::pond_dir_for_completion() else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let found = runtime.block_on(context::list_for_completion(&dir, typed));
    found.into_iter().take(MOST).map(CompletionCandidate::new).collect()
}

/// The directory part of a partly typed path, and what its name begins with.
pub(crate) fn split(typed: &str) -> (&str, &str) {
    match typed.rfind('/') {
        Some(at) => (&typed[..=at], &typed[at + 1..]),
        None => ("", typed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_paths_split_at_their_last_slash() {
        assert_eq!(split("/sensors/do"), ("/sensors/", "do"));
        assert_eq!(split("do"), ("", "do"));
        assert_eq!(split("/"), ("/", ""));
    }
}
