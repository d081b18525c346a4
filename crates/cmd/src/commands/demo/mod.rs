//! `pond demo`: a pond of real readings, made step by step before the user's
//! eyes. It is the tutorial.
//!
//! Always true: what is printed as a command is what runs, through the same
//! entry as the command line; the first failure ends it; nothing is deleted or
//! overwritten that a demo did not make, nor a pond that was changed since.

mod data;
mod place;
mod script;

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use clap::{Args, Parser as _};

use crate::args::{Cli, Global};
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::{Stdout, Style};
use crate::{host, quote};
use place::Place;

/// Show what a pond does, on real readings
///
/// Makes a directory with a pond in it, and runs some twenty-five commands on tides,
/// groundwater, weather and a pipeline's flow. Each command is printed as you
/// would type it, so that this is also the tutorial. Run it again at any time:
/// a pond that you changed is kept, and the next one gets another name.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond demo
  pond demo --dir /tmp/first-look
  pond demo | less -R")]
pub(crate) struct DemoArgs {
    /// Where to make it
    #[arg(long, value_name = "DIR", default_value = "pond-demo", value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
}

/// Shows it.
pub(crate) async fn run(context: &Context, args: &DemoArgs) -> Result<()> {
    let started = Instant::now();
    let mut place = Place::open(&args.dir)?;
    place.write_data(context)?;
    let pond = place.choose_pond(context).await?;
    // From here on every path is relative, as the user would type it. Nothing
    // else runs in this process that could mind, but this option.
    let mut global = context.global().clone();
    global.pond = Some(PathBuf::from(&pond));
    global.temp_dir = match &global.temp_dir {
        Some(dir) => Some(
            std::path::absolute(dir).or_fail(|| format!("cannot find `{}`", host::show(dir)))?,
        ),
        None => None,
    };
    std::env::set_current_dir(place.dir())
        .or_fail(|| format!("cannot enter `{}`", host::show(place.dir())))?;

    let mut teller = Teller { global, style: context.output_style(), commands: 0 };
    teller.shell(&["cd", &place.dir().to_string_lossy()])?;
    teller.shell(&["export", &format!("POND={pond}")])?;
    script::begin(&mut teller).await?;
    place.remember_new_pond(context).await?;
    script::rest(&mut teller).await?;
    place.remember_end(context).await?;

    let commands = teller.commands;
    teller.text(&format!(
        "\nDone: {commands} commands in {}. All of it is in {}:",
        seconds(started.elapsed()),
        quote::shell(&place.dir().to_string_lossy()),
    ))?;
    for (name, what) in [
        (pond.as_str(), "the pond"),
        ("data/", "the readings it was made from; data/README.md says where they are from"),
        (script::CHART, "the chart: open it in a browser"),
    ] {
        teller.text(&format!("  {name:<18} {what}"))?;
    }
    teller.text("\nTry next:")?;
    teller.shell(&["cd", &place.dir().to_string_lossy()])?;
    teller.shell(&["export", &format!("POND={pond}")])?;
    for line in script::NEXT {
        teller.text(&format!("$ {line}"))?;
    }
    Ok(())
}

/// Tells what is done, and does it.
struct Teller {
    /// The options of every command, the pond among them.
    global: Global,
    style: Style,
    commands: usize,
}

impl Teller {
    /// A line of the story, at once where the commands' own output goes.
    fn text(&self, line: &str) -> Result<()> {
        let mut out = Stdout::new();
        out.line(line)?;
        out.finish()
    }

    /// A new chapter.
    fn chapter(&self, heading: &str, why: &str) -> Result<()> {
        self.text(&format!("\n{}", self.style.heading(format_args!("# {heading}"))))?;
        why.lines().try_for_each(|line| self.text(&format!("# {line}")))
    }

    /// A command of the shell itself, which is only shown.
    fn shell(&self, words: &[&str]) -> Result<()> {
        let line: Vec<String> = words.iter().map(|word| typed(word)).collect();
        self.text(&format!("$ {}", self.style.changed(line.join(" "))))
    }

    /// A verb: shown as it would be typed, then run.
    async fn pond(&mut self, words: &[&str]) -> Result<()> {
        let line: Vec<String> =
            std::iter::once("pond").chain(words.iter().copied()).map(typed).collect();
        self.text(&format!("\n$ {}", self.style.changed(line.join(" "))))?;
        let command = std::iter::once("pond").chain(words.iter().copied());
        let cli = Cli::try_parse_from(command.clone()).map_err(|error| {
            CommandError::failure("a command of the demo is wrong").because(error)
        })?;
        let context = Context::new(self.global.clone()).with_command_line(command);
        self.commands += 1;
        // The demo is itself a verb, so the compiler needs an end to the type.
        let verb: Pin<Box<dyn Future<Output = Result<()>> + '_>> =
            Box::pin(super::run(&context, cli.verb));
        verb.await
    }

    /// The newest transaction of the pond.
    async fn transaction(&self) -> Result<u64> {
        Ok(Context::new(self.global.clone()).read(None).await?.txn_seq())
    }
}

/// A time that people waited for.
fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// A word as people type it: in double quotes where that is enough and reads
/// better, as in SQL with paths.
fn typed(word: &str) -> String {
    let double = word.contains('\'') && !word.contains(['"', '$', '`', '\\', '!']);
    if double { format!("\"{word}\"") } else { quote::shell(word).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_people_do() {
        assert_eq!(typed("host+csv:data/x.csv"), "host+csv:data/x.csv");
        assert_eq!(typed("SELECT 1 FROM '/a'"), "\"SELECT 1 FROM '/a'\"");
        assert_eq!(typed("/**/*.series"), "'/**/*.series'");
        assert_eq!(typed("it's $5"), r"'it'\''s $5'");
    }
}
