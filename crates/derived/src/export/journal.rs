//! What a run has come to, while it is at work: `.pond-export.run`.
//!
//! The first line is the hash of the `.pond-export.json` that it goes on from;
//! each other is a table, as it is from then on. So each table costs a run its
//! own line, and not all that the directory says of itself.
//!
//! Always true: before the first file of a table is written, it is on disk that
//! the table is begun; a line that was cut off is of a table of which nothing
//! was written; a file that goes on from another state means nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tinyfs::ContentHash;

use super::directory::Directory;
use super::error::{ExportError, Result};
use super::state::{Exported, State};

/// The name of the file.
const FILE: &str = ".pond-export.run";

/// What is noted while a run is at work.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// None before the first table.
    file: Option<File>,
}

/// A table, to be written.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    table: &'a Exported,
}

/// A table that was read.
#[derive(Deserialize)]
struct ReadLine {
    path: String,
    table: Exported,
}

impl Journal {
    /// Notes that the files of a table of `state` are about to change.
    pub(crate) fn begin(&mut self, directory: &Directory, state: &State, path: &str) -> Result<()> {
        let place = directory.place(FILE);
        let failed = |source| ExportError::io("write", &place, source);
        match &self.file {
            None => {
                let hash = directory.put_state(state)?;
                let mut file = File::create(&place).map_err(failed)?;
                writeln!(file, "{hash}").map_err(failed)?;
                self.file = Some(file);
            }
            Some(file) => {
                self.note(directory, state, path)?;
                file.sync_data().map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Notes what there is of a table of `state`; it is on disk at the latest
    /// when the next is begun.
    pub(crate) fn note(&self, directory: &Directory, state: &State, path: &str) -> Result<()> {
        let (Some(mut file), Some(table)) = (self.file.as_ref(), state.tables.get(path)) else {
            return Ok(());
        };
        let place = directory.place(FILE);
        let line = serde_json::to_vec(&Line { path, table });
        let mut line = line.map_err(|source| ExportError::State { path: place.clone(), source })?;
        line.push(b'\n');
        file.write_all(&line).map_err(|source| ExportError::io("write", place, source))
    }

    /// Ends a run whose state is in place.
    pub(crate) fn end(&mut self, directory: &Directory) -> Result<()> {
        self.file = None;
        directory.remove_at_top(FILE)
    }
}

/// Brings `state`, which was read as `bytes`, up to what a run came to that was
/// cut short.
pub(crate) fn go_on(root: &Path, bytes: &[u8], state: &mut State) -> Result<()> {
    let path = root.join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ExportError::io("read", path, source)),
    };
    // What is after the last line end was cut off.
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    let mut lines = lines.filter_map(|line| line.strip_suffix(b"\n"));
    let hash = ContentHash::of(bytes).to_string();
    if lines.next() != Some(hash.as_bytes()) {
        return Ok(());
    }
    for line in lines {
        let line: ReadLine = serde_json::from_slice(line)
            .map_err(|source| ExportError::State { path: path.clone(), source })?;
        state.tables.insert(line.path, line.table);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_came_to_is_known_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Directory::open(dir.path(), "pond", false).unwrap();
        let (directory, mut state) = open();
        let mut journal = Journal::default();
        let mut begin = |path: &str| {
            let begun = serde_json::json!({
                "dir": path.trim_start_matches('/'), "layout": { "format": "csv" },
                "begun": true, "stamp": null, "columns": [], "files": {},
            });
            state.tables.insert(path.to_owned(), serde_json::from_value(begun).unwrap());
            journal.begin(&directory, &state, path).unwrap();
        };
        begin("/a");
        begin("/b");
        let line = File::options().append(true).open(dir.path().join(FILE));
        line.unwrap().write_all(b"{\"path\": \"/c").unwrap();
        drop(directory);
        let (directory, read) = open();
        assert_eq!(read, state);

        // Of a state that another run has replaced it says nothing.
        let other = State::new("pond");
        directory.put_state(&other).unwrap();
        drop(directory);
        assert_eq!(open().1, other);
    }
}
