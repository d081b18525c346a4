//! `pond completions SHELL`: the script that teaches a shell to complete.

use std::io::Write as _;

use clap::Args;
use clap_complete::env::Shells;

use crate::error::{CommandError, OrFail as _, Result};
use crate::output::Stdout;

/// Print a script that makes a shell complete pond's verbs, options and paths
///
/// Paths in the pond are completed by asking the pond that --pond or POND
/// names, so set POND in the shell that is to complete them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  source <(pond completions bash)                             in ~/.bashrc
  source <(pond completions zsh)                              in ~/.zshrc, after compinit
  pond completions fish > ~/.config/fish/completions/pond.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs) -> Result<()> {
    let name = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    let shells = Shells::builtins();
    let shell = shells.completer(name).ok_or_else(|| {
        CommandError::failure(format!("no completion script for {name} is built in"))
    })?;
    let program = program()?;
    let mut script = Vec::new();
    shell
        .write_registration("COMPLETE", "pond", "pond", &program, &mut script)
        .or_fail(|| format!("cannot write the completion script for {name}"))?;
    let mut out = Stdout::new();
    out.write_all(&script).map_err(CommandError::stdout)?;
    out.finish()
}

/// How the shell is to call us: by name when that is how we were called,
/// otherwise by a path that stays true after `cd`.
fn program() -> Result<String> {
    let called = std::env::args_os().next().unwrap_or_default();
    if let Some(name) = called.to_str()
        && !name.is_empty()
        && !name.contains('/')
    {
        return Ok(name.to_owned());
    }
    let path =
        std::env::current_exe().or_fail(|| "cannot find this program's own path".to_owned())?;
    path.into_os_string().into_string().map_err(|path| {
        CommandError::failure(format!(
            "the program's path `{}` is not UTF-8",
            path.to_string_lossy()
        ))
    })
}
