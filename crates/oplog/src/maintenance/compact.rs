//! Merging data files: physical, without a transaction of its own.
//!
//! Files of contiguous transactions become one file of metadata and one of
//! contents, sorted as every file is, so that a lookup finds its row groups by
//! their least and greatest node. Commits' own files and contents are merged by
//! level, as a log-structured tree does: each row is written again once a level,
//! and the levels grow with the logarithm of the history. A content is looked for
//! in one file; what is known of a name or a node may be in every file of
//! metadata. So of these there are fewer: they are merged until the next older
//! one is larger than a few times all that is newer.

use std::collections::VecDeque;
use std::sync::Arc;

use super::keep::Keeper;
use super::merged_rows::{MergedRows, Told};
use super::{Policy, Report, Step, commit_id, landed};
use crate::columns::{ContentRow, kind};
use crate::delta::{Commit, TableState};
use crate::file::{FileName, FileWriter, LiveFile, Packing, Parts};
use crate::large::large_path;
use crate::medium::blocking;
use crate::reader::{Reads, content_key};
use crate::{Error, LinkRow, Log, Result, Stamped, TransactionRow, VersionRow};

/// Rows from which on those that are superseded are laid apart.
const APART_FROM_ROWS: u64 = 512;

/// A file of metadata is merged with what is newer until it is larger than so
/// many times the newer together.
const RATIO: u64 = 2;

/// A file of metadata up to this is merged with whatever is newer.
const SMALL_BYTES: u64 = 64 << 10;

/// The merges that are due: at most one for small files, metadata, contents.
pub(super) fn plan(state: &TableState, policy: &Policy) -> Vec<Step> {
    let mut steps = Vec::new();
    for parts in [Parts::All, Parts::Metadata, Parts::Content] {
        let files: Vec<_> = state.files.iter().filter(|file| file.parts == parts).collect();
        let run = match parts {
            Parts::All => by_level(&files, policy.small_files, policy.merge_bytes),
            Parts::Content => by_level(&files, policy.fan_in, policy.merge_bytes),
            Parts::Metadata => by_bytes(&files, policy.fan_in / 2, policy.merge_bytes),
        };
        if let Some(run) = run {
            steps.push(Step::Merge {
                files: run.iter().map(|file| file.path.clone()).collect(),
                transactions: (run[0].from, run[run.len() - 1].to),
                bytes: run.iter().map(|file| file.size_bytes).sum(),
            });
        }
    }
    steps
}

/// Files of one level. Levels fall with age, so they lie side by side; the
/// lowest comes last and is merged first.
fn by_level<'a, 'b>(
    files: &'a [&'b LiveFile],
    due: usize,
    limit: u64,
) -> Option<&'a [&'b LiveFile]> {
    files
        .chunk_by(|a, b| a.level == b.level && are_neighbours(a, b))
        .filter(|run| run.len() >= due.max(2))
        .filter_map(|run| within(run, limit))
        .next_back()
}

/// The newest files none of which is much larger than all that are newer, where
/// there are enough of them and a merge can read them.
fn by_bytes<'a, 'b>(
    files: &'a [&'b LiveFile],
    due: usize,
    limit: u64,
) -> Option<&'a [&'b LiveFile]> {
    let mut rest = files;
    while let Some((newest, older)) = rest.split_last() {
        let mut bytes = newest.size_bytes;
        let mut next = *newest;
        let together = older.iter().rev().take_while(|file| {
            let fits = are_neighbours(file, next)
                && file.size_bytes <= SMALL_BYTES.max(bytes.saturating_mul(RATIO));
            bytes = bytes.saturating_add(file.size_bytes);
            next = **file;
            fits && bytes <= limit
        });
        let start = older.len() - together.count();
        if rest.len() - start >= due.max(2) {
            return Some(&rest[start..]);
        }
        rest = &rest[..start];
    }
    None
}

/// Whether two files of one kind can become one.
fn are_neighbours(a: &LiveFile, b: &LiveFile) -> bool {
    a.parts == b.parts
        && (a.to + 1 == b.from
            // A merge leaves no file of contents where there are none.
            || (a.parts == Parts::Content && a.to < b.from))
}

/// The oldest files of a run, two at least, that a merge can read within a
/// limit; those that are too large for it stay as they are.
fn within<'a, 'b>(run: &'a [&'b LiveFile], limit: u64) -> Option<&'a [&'b LiveFile]> {
    (0..run.len()).find_map(|start| {
        let mut bytes = 0_u64;
        let fitting = run[start..].iter().take_while(|file| {
            bytes = bytes.saturating_add(file.size_bytes);
            bytes <= limit
        });
        let count = fitting.count();
        (count >= 2).then(|| &run[start..start + count])
    })
}

/// The live files of these names, which must be of one kind and contiguous.
fn live(state: &TableState, names: &[String]) -> Result<Vec<LiveFile>> {
    let files: Vec<_> =
        state.files.iter().filter(|file| names.contains(&file.path)).cloned().collect();
    let fits = files.len() == names.len()
        && !files.is_empty()
        && files.windows(2).all(|pair| are_neighbours(&pair[0], &pair[1]));
    if fits { Ok(files) } else { Err(Error::StalePlan) }
}

/// Merges files and commits that.
pub(super) async fn merge(
    log: &mut Log,
    names: &[String],
    keeper: Keeper,
    now_us: i64,
    report: &mut Report,
) -> Result<()> {
    let inputs = live(&log.state, names)?;
    let mut keeper = keeper.rewriting(inputs[0].from..=inputs[inputs.len() - 1].to);
    let parts = inputs[0].parts;
    let mut outputs = Vec::new();
    if parts.has_metadata() {
        outputs.push(merge_metadata(log, &inputs, &mut keeper, now_us).await?);
    }
    if parts.has_content() {
        outputs.extend(merge_contents(log, &inputs, &mut keeper, now_us).await?);
    }
    // A reader that began before the commit may need the inputs for as long
    // as the retention, which counts from the time of the file. So may it need
    // the large files that lose their last name now.
    touch(log, &inputs, &keeper).await?;
    // A rewrite that drops nothing gives the same file; it stays.
    let remove: Vec<_> = inputs
        .iter()
        .filter(|input| !outputs.iter().any(|output| output.path == input.path))
        .cloned()
        .collect();
    let rows = |files: &[LiveFile]| files.iter().map(|file| file.rows).sum::<u64>();
    let commit = Commit {
        operation: "OPTIMIZE",
        timestamp_ms: now_us / 1000,
        txn_id: Some(commit_id(outputs.iter().chain(&remove).map(|file| file.path.as_str()))),
        add: outputs.clone(),
        remove,
        data_change: rows(&inputs) != rows(&outputs),
        ..Commit::default()
    };
    landed(log.put_commit(&commit).await)?;
    report.files_merged += inputs.len();
    report.bytes_written += outputs.iter().map(|file| file.size_bytes).sum::<u64>();
    Ok(())
}

/// Sets the times of files that are replaced, and of large files that dropped
/// versions named, to now.
async fn touch(log: &Log, files: &[LiveFile], keeper: &Keeper) -> Result<()> {
    let data = files.iter().map(|file| (log.root.join(&file.path), true));
    let large = keeper.dropped_large().iter().map(|hash| (log.root.join(large_path(*hash)), false));
    let paths: Vec<_> = data.chain(large).collect();
    let medium = Arc::clone(&log.medium);
    blocking("noting when files were replaced", move || {
        for (path, needed) in paths {
            match medium.touch(&path) {
                Ok(()) => {}
                // A large file that is lost already needs no time.
                Err(error) if !needed && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let doing = format!("noting when `{}` was replaced", path.display());
                    return Err(Error::io(doing, error));
                }
            }
        }
        Ok(())
    })
    .await
}

fn output(
    inputs: &[LiveFile],
    parts: Parts,
    keeper: &Keeper,
    written: crate::file::Written,
    now_us: i64,
) -> LiveFile {
    let (first, last) = (&inputs[0], &inputs[inputs.len() - 1]);
    // Files after the horizon have nothing to be pruned of.
    let pruned = inputs.iter().filter(|file| file.from <= keeper.oldest()).map(|file| file.pruned);
    let rewritten = inputs.len() == 1 && first.parts == parts;
    LiveFile {
        path: written.path,
        size_bytes: written.size_bytes,
        hash: written.hash,
        rows: written.rows,
        modified_ms: now_us / 1000,
        parts,
        level: if rewritten {
            first.level
        } else {
            inputs.iter().map(|file| file.level).max().unwrap_or_default() + 1
        },
        from: first.from,
        to: last.to,
        chain: last.chain,
        ended_max_us: inputs.iter().map(|file| file.ended_max_us).max().unwrap_or_default(),
        pruned: keeper.pruned_to().max(pruned.min().unwrap_or_default()),
        sections: written.sections,
        // A file of contents alone is never asked about names or nodes.
        about: written.about.filter(|_| parts.has_metadata()),
    }
}

fn file_name(inputs: &[LiveFile], what: &str) -> FileName {
    let (from, to) = (inputs[0].from, inputs[inputs.len() - 1].to);
    FileName::Hashed(format!("{from:020}-{to:020}-{what}"))
}

async fn merge_metadata(
    log: &Log,
    inputs: &[LiveFile],
    keeper: &mut Keeper,
    now_us: i64,
) -> Result<LiveFile> {
    let reads = &log.reads;
    let name = file_name(inputs, "metadata");
    let mut writer = FileWriter::create(&log.medium, log.root.clone(), name, Packing::Dense);

    let mut rows = MergedRows::<TransactionRow>::open(reads, inputs, false);
    while let Some(row) = rows.next().await? {
        if keeper.keep_transaction(&row) {
            writer.transaction(&row).await?;
        }
    }
    writer.end_section().await?;

    // What is superseded comes after what is not, so it is read twice; where
    // there are few rows it stays among the others.
    let apart = inputs.iter().map(|file| file.rows).sum::<u64>() >= APART_FROM_ROWS;
    let mut rows = Told::<LinkRow>::open(reads, inputs, !apart);
    while let Some((row, superseded)) = rows.next().await? {
        if !(apart && superseded) && keeper.keep_link(&row).await? {
            writer.link(&row).await?;
        }
    }
    writer.end_section().await?;
    let mut rows = Told::<VersionRow>::open(reads, inputs, !apart);
    while let Some((row, superseded)) = rows.next().await? {
        if !(apart && superseded) && keeper.keep_version(&row).await? {
            writer.version(&row).await?;
        }
    }
    if apart {
        writer.begin_history().await?;
        let mut rows = Told::<LinkRow>::open(reads, inputs, true);
        while let Some((row, superseded)) = rows.next().await? {
            if superseded && keeper.keep_link(&row).await? {
                writer.link(&row).await?;
            }
        }
        writer.end_section().await?;
        let mut rows = Told::<VersionRow>::open(reads, inputs, true);
        while let Some((row, superseded)) = rows.next().await? {
            if superseded && keeper.keep_version(&row).await? {
                writer.version(&row).await?;
            }
        }
    }
    let written = writer.finish().await?;
    Ok(output(inputs, Parts::Metadata, keeper, written, now_us))
}

/// Contents of many files as one; `None` when nothing is left of them.
async fn merge_contents(
    log: &Log,
    inputs: &[LiveFile],
    keeper: &mut Keeper,
    now_us: i64,
) -> Result<Option<LiveFile>> {
    if inputs[0].parts == Parts::Content {
        keeper.look_up_named(inputs[0].from, inputs[inputs.len() - 1].to).await?;
    }
    let mut cursors = Vec::new();
    for file in inputs {
        cursors.push(ContentCursor::open(&log.reads, file).await?);
    }
    let mut writer: Option<FileWriter> = None;
    loop {
        for cursor in &mut cursors {
            cursor.fill(&log.reads).await?;
        }
        let least = cursors
            .iter_mut()
            .filter(|cursor| !cursor.rows.is_empty())
            .min_by(|a, b| a.rows.front().map(content_key).cmp(&b.rows.front().map(content_key)));
        let Some(row) = least.and_then(|cursor| cursor.rows.pop_front()) else { break };
        if !keeper.keep_content(&row) {
            continue;
        }
        let writer = writer.get_or_insert_with(|| {
            FileWriter::create(
                &log.medium,
                log.root.clone(),
                file_name(inputs, "content"),
                Packing::Dense,
            )
        });
        writer.content(&row).await?;
    }
    let Some(writer) = writer else { return Ok(None) };
    let written = writer.finish().await?;
    Ok(Some(output(inputs, Parts::Content, keeper, written, now_us)))
}

struct ContentCursor<'a> {
    file: &'a LiveFile,
    footer: Arc<crate::footer::Footer>,
    group: usize,
    rows: VecDeque<Stamped<ContentRow>>,
}

impl<'a> ContentCursor<'a> {
    async fn open(reads: &Reads, file: &'a LiveFile) -> Result<Self> {
        let footer = reads.footer(file).await?;
        Ok(Self { file, footer, group: 0, rows: VecDeque::new() })
    }

    async fn fill(&mut self, reads: &Reads) -> Result<()> {
        while self.rows.is_empty() && self.group < self.footer.groups.len() {
            if self.footer.groups[self.group].may_have(kind::CONTENT) {
                self.rows = reads.read_contents(self.file, &self.footer, self.group).await?.into();
            }
            self.group += 1;
        }
        Ok(())
    }
}
