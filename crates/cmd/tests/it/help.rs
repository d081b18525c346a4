//! Help, version and completion work without a pond and say all there is.

use crate::program::Place;

const VERBS: [&str; 21] = [
    "init",
    "list",
    "mkdir",
    "copy",
    "cat",
    "describe",
    "rm",
    "mv",
    "ln",
    "sql",
    "log",
    "show",
    "diff",
    "status",
    "config",
    "fsck",
    "maintain",
    "recover",
    "plot",
    "demo",
    "completions",
];

#[test]
fn every_verb_has_help_with_an_example() {
    let place = Place::empty();
    for verb in VERBS {
        let help = place.run([verb, "--help"]).ok();
        assert!(help.text().contains("Examples:"), "{verb}: {}", help.text());
        assert!(help.text().contains("Usage: pond "), "{verb}");
        assert!(help.stderr.is_empty(), "{verb}");
    }
}

#[test]
fn help_lists_every_verb_and_exit_code() {
    let help = Place::empty().run(["--help"]).ok();
    for verb in VERBS {
        assert!(help.text().contains(&format!("\n  {verb}")), "{verb}");
    }
    for code in 0..=7 {
        assert!(help.text().contains(&format!("\n  {code}  ")), "{code}");
    }
}

#[test]
fn version_is_printed_to_stdout() {
    let version = Place::empty().run(["--version"]).ok();
    assert!(version.text().starts_with("pond "));
}

#[test]
fn nothing_to_do_is_a_usage_error() {
    let ran = Place::empty().run(Vec::<String>::new());
    assert_eq!(ran.code, 2);
    Place::empty().run(["frobnicate"]).fails(2);
    Place::empty().run(["list", "--frobnicate"]).fails(2);
}

#[test]
fn completion_scripts_are_made_for_each_shell() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(["completions", shell]).ok();
        assert!(script.text().contains("COMPLETE"), "{shell}: {}", script.text());
    }
    place.run(["completions", "tcsh"]).fails(2);
}

#[test]
fn shells_are_offered_paths_of_the_pond() {
    let place = Place::with_pond();
    place.run(["mkdir", "/sensors", "/tables"]).ok();
    let mut command = place.command();
    command
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", "2")
        .args(["--", "pond", "list", "/s"]);
    let ran = crate::program::finish(&mut command).ok();
    assert_eq!(ran.text().trim(), "/sensors/");
}
