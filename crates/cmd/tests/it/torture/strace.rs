//! The program under `strace`, which tells its system calls and tampers with
//! them.
//!
//! Where `strace` is missing or may not trace, tests that need it say so and
//! pass: a fresh machine and most containers are like that.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::program::{Place, Ran, finish};

/// The calls that change a disk.
pub(super) const CHANGING: &str = "write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,\
renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,ftruncate,fchmod,copy_file_range";

/// Whether the program can be traced here.
pub(super) fn is_there() -> bool {
    let there = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "inject=fsync:delay_enter=1", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !there {
        super::tell("skipped: there is no strace that may trace");
    }
    there
}

/// The program in this directory, traced. `strace` is the grandchild: the
/// child that is started, killed and waited for is the program itself.
fn traced<S: AsRef<OsStr>>(place: &Place, options: &[S]) -> Command {
    let program = place.command();
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-s", "0"]).args(options).arg(program.get_program());
    command.env_clear().current_dir(place.dir());
    for (key, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end while some of its calls fail, as `inject` says
/// (`CALLS:error=ERROR:when=N`; strace counts for each thread), and gives how
/// often one did. With a path, only calls that touch it count.
pub(super) fn with_faults<S: AsRef<OsStr>>(
    place: &Place,
    inject: &str,
    path: Option<&Path>,
    args: &[S],
) -> (Ran, usize) {
    let log = place.path("strace.log");
    let calls = inject.split(':').next().unwrap_or_default();
    let (trace, inject) = (format!("trace={calls}"), format!("inject={inject}"));
    let mut options = vec![OsStr::new("-o"), log.as_os_str()];
    options.extend(["-e", &trace, "-e", &inject].map(OsStr::new));
    options.extend(path.iter().flat_map(|path| [OsStr::new("-P"), path.as_os_str()]));
    let ran = finish(traced(place, &options).args(args));
    // The log is whole once strace has seen the program end, which is later.
    let injected = loop {
        let log = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
        if log.contains("+++ exited") || log.contains("+++ killed") {
            break log.matches("(INJECTED)").count();
        }
        std::thread::yield_now();
    };
    (ran, injected)
}

/// How a run went that was to be killed.
#[derive(Debug)]
pub(super) struct Killed {
    /// The exit code; `None` when the signal came first.
    pub(super) code: Option<i32>,
    /// The call at which it was killed.
    pub(super) call: String,
    pub(super) stderr: String,
}

/// Starts the program and kills it as it enters its `nth` disk-changing call,
/// counted over all threads. Each of these calls is held up for a while, so
/// that the signal comes before the call is made, or soon after.
pub(super) fn kill_at<S: AsRef<OsStr>>(place: &Place, nth: usize, args: &[S]) -> Killed {
    let trace = format!("trace={CHANGING}");
    let inject = format!("inject={CHANGING}:delay_enter=4000");
    let mut command = traced(place, &["-o", "/dev/stdin", "-e", &trace, "-e", &inject]);
    let (mut told, tell) = std::io::pipe().unwrap();
    // The program reads nothing; the pipe at its stdin is what strace writes to.
    command.args(args).stdin(tell).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(command);
    let call = kill_after(&mut told, nth, &mut child);
    let output = child.wait_with_output().unwrap();
    Killed {
        code: output.status.code(),
        call,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Follows the log of calls to its end, killing at the nth. Texts are left out
/// of the log, so an opening parenthesis after a word is a call.
fn kill_after(told: &mut std::io::PipeReader, nth: usize, child: &mut Child) -> String {
    let (mut seen, mut call, mut log) = (0, String::new(), Vec::new());
    let mut chunk = [0; 4096];
    loop {
        let got = told.read(&mut chunk).unwrap();
        if got == 0 {
            return call;
        }
        for &byte in &chunk[..got] {
            // As in `fsync(`, and not as in `= 0 (DELAYED)`.
            if byte == b'(' && log.last().is_some_and(u8::is_ascii_alphanumeric) {
                seen += 1;
                if seen == nth {
                    child.kill().unwrap();
                    let name: Vec<u8> =
                        log.iter().rev().take_while(|b| !b" \n".contains(b)).copied().collect();
                    call = name.iter().rev().map(|&b| char::from(b)).collect();
                }
                log.clear();
            }
            log.push(byte);
        }
    }
}
