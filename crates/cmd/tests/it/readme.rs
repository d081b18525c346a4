//! The commands of the pages for users, as written.

use crate::program::{Place, finish};

/// The comment above a block that is to be run.
const MARK: &str = "<!-- These commands are run by a test, in this order. -->";

#[test]
fn commands_of_the_readme_work_as_written() {
    run_blocks_of("README.md");
}

#[test]
fn commands_for_operators_work_as_written() {
    run_blocks_of("docs/operations.md");
}

#[test]
fn commands_for_computed_nodes_work_as_written() {
    run_blocks_of("docs/derived.md");
}

#[test]
fn commands_for_exports_work_as_written() {
    run_blocks_of("docs/export.md");
}

/// Runs the marked blocks of a page as one script, beside the bundled data.
fn run_blocks_of(page: &str) {
    let root = testing::repository();
    let text = std::fs::read_to_string(root.join(page)).unwrap();
    let place = Place::empty();
    let bin = place.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pond"), bin.join("pond")).unwrap();
    std::os::unix::fs::symlink(root.join("data"), place.path("data")).unwrap();
    let script = blocks(&text).join("\n");
    assert!(script.contains("pond init"), "{page} has commands to run: {script}");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = std::process::Command::new("sh");
    command
        .args(["-eu", "-c", &script])
        .env_clear()
        .env("HOME", place.dir())
        .env("TZ", "UTC")
        .env("PATH", format!("{}:{path}", bin.display()))
        .current_dir(place.dir());
    finish(&mut command).ok();
}

/// The shell blocks that follow the mark.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != MARK {
            continue;
        }
        while lines.next_if(|line| line.trim().is_empty()).is_some() {}
        if lines.next_if(|line| line.trim() == "```sh").is_none() {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
        found.push(block.join("\n"));
    }
    found
}
