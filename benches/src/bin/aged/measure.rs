//! Running the program on ponds of many ages.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::Outcome;

/// The commands that are measured, by name. The last writes.
const COMMANDS: &[(&str, &[&str])] = &[
    ("list /", &["list", "/"]),
    ("cat small", &["cat", "/d000/f00"]),
    ("query series", &["sql", "SELECT count(*), max(value) FROM '/series/s0'"]),
    ("as-of list", &["list", "--as-of", "5", "/"]),
    ("as-of cat", &["cat", "--as-of", "5", "/d000/f00"]),
    ("log -n 5", &["log", "-n", "5"]),
    ("status", &["status"]),
    ("copy 1 KiB", &["copy"]),
];

/// Milliseconds that a process takes; its output is thrown away.
fn run(program: &Path, pond: &Path, arguments: &[&str], host: &Path) -> Outcome<f64> {
    let mut command = Command::new(program);
    command.arg("--pond").arg(pond).args(arguments);
    if arguments == ["copy"] {
        command.arg(format!("host://{}", host.display())).arg("/measured");
    }
    let begun = Instant::now();
    let status =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let elapsed = begun.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(elapsed)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Files, entries of the log and bytes below a pond.
fn sizes(pond: &Path) -> Outcome<(u64, u64, u64)> {
    let (mut files, mut entries, mut bytes) = (0, 0, 0);
    let mut left = vec![pond.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_dir() {
                left.push(entry.path());
                continue;
            }
            files += 1;
            bytes += about.len();
            entries += u64::from(directory.ends_with("_delta_log"));
        }
    }
    Ok((files, entries, bytes))
}

/// The host file that is copied in.
fn small_file() -> Outcome<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), [b'x'; 1024])?;
    Ok(file)
}

/// A row for each pond and command: the median of its runs, their range, and
/// how many times that of the first pond it is.
pub(crate) fn ages(program: &Path, runs: usize, ponds: &[impl AsRef<Path>]) -> Outcome<Vec<Value>> {
    let host = small_file()?;
    let mut lines = Vec::new();
    for pond in ponds {
        let (files, entries, bytes) = sizes(pond.as_ref())?;
        lines.push(json!({
            "pond": pond.as_ref(), "files": files, "log_entries": entries, "bytes": bytes,
        }));
    }
    for (name, arguments) in COMMANDS {
        let mut times = vec![Vec::new(); ponds.len()];
        // Side by side, so that what else the machine does strikes all alike;
        // the first run of each warms the page cache and does not count.
        for round in 0..=runs {
            for (pond, times) in ponds.iter().zip(&mut times) {
                let time = run(program, pond.as_ref(), arguments, host.path())?;
                if round > 0 {
                    times.push(time);
                }
            }
        }
        let youngest = times.first().cloned().map_or(0.0, median);
        for (pond, times) in ponds.iter().zip(times) {
            let most = times.iter().copied().fold(0.0, f64::max);
            let median = median(times);
            lines.push(json!({
                "pond": pond.as_ref(), "command": name, "runs": runs, "median_ms": median,
                "max_ms": most, "times_youngest": median / youngest,
            }));
        }
    }
    Ok(lines)
}

/// Reading of a series that was appended to, beside one written once.
pub(crate) fn series(
    program: &Path,
    runs: usize,
    appended: &Path,
    once: &Path,
) -> Outcome<Vec<Value>> {
    let commands: &[(&str, &[&str])] = &[
        ("aggregate", &["sql", "SELECT count(*), avg(value), max(value) FROM '/s'"]),
        (
            "one day",
            &[
                "sql",
                "SELECT avg(value) FROM '/s' WHERE time >= '2024-01-03T00:00:00Z' \
                 AND time < '2024-01-04T00:00:00Z'",
            ],
        ),
        ("cat", &["cat", "/s"]),
        ("list /", &["list", "/"]),
    ];
    let host = small_file()?;
    let (files, entries, bytes) = sizes(appended)?;
    let (_, _, bytes_once) = sizes(once)?;
    let mut lines = vec![json!({
        "pond": appended, "files": files, "log_entries": entries, "bytes": bytes,
        "bytes_once": bytes_once,
    })];
    for (name, arguments) in commands {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for round in 0..=runs {
            let times = (
                run(program, appended, arguments, host.path())?,
                run(program, once, arguments, host.path())?,
            );
            if round > 0 {
                a.push(times.0);
                b.push(times.1);
            }
        }
        let (a, b) = (median(a), median(b));
        lines.push(json!({
            "pond": appended, "command": name, "runs": runs, "appended_ms": a, "once_ms": b,
            "times_once": a / b,
        }));
    }
    Ok(lines)
}
