//! Input that means harm: names, files and queries made to break out, to
//! exhaust memory or to deceive whoever reads a listing.
//!
//! Always true: an error with a code of its own, or an answer; never a panic, a
//! file outside of what was named, or memory beyond the limit and
//! [`BEYOND_LIMIT_KIB`].

mod files;
mod names;
mod queries;

use std::ffi::OsStr;
use std::process::Command;

use crate::program::{Place, Ran, finish};

/// What the program may take besides `--memory-limit`: itself, its threads,
/// one batch of each operator, and what a single call of a function makes.
const BEYOND_LIMIT_KIB: u64 = 320 << 10;

/// Runs the program and gives the most memory it had, in KiB; `None` where
/// there is no GNU time to tell.
fn measured<S: AsRef<OsStr>>(place: &Place, args: &[S]) -> (Ran, Option<u64>) {
    let time = "/usr/bin/time";
    if !std::path::Path::new(time).exists() {
        return (place.run(args), None);
    }
    let program = place.command();
    let told = place.path("peak");
    let mut command = Command::new(time);
    command.args(["-f", "%M", "-o"]).arg(&told).arg(program.get_program()).args(args);
    command.env_clear().current_dir(place.dir()).stdin(std::process::Stdio::null());
    for (key, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    let ran = finish(&mut command);
    let text = std::fs::read_to_string(told).unwrap();
    // A line about the exit code may come first.
    let peak = text.lines().last().and_then(|line| line.parse().ok());
    (ran, peak)
}

/// The command must fail, with little memory and an error of the program's own.
#[track_caller]
fn refused<S: AsRef<OsStr>>(place: &Place, args: &[S], limit_mib: u64) -> Ran {
    let (ran, peak) = measured(place, args);
    assert!(matches!(ran.code, 1 | 3 | 6), "{} {}", ran.code, ran.stderr);
    let code = ran.code;
    let ran = ran.fails(code);
    if let Some(peak) = peak {
        assert!(peak < (limit_mib << 10) + BEYOND_LIMIT_KIB, "{peak} KiB: {}", ran.stderr);
    }
    ran
}
