//! `pond factory`: which computed nodes there are, and what they are told.

use clap::{Args, Subcommand};
use factory::About;
use serde::Serialize;

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::{CommandError, Result};
use crate::output::{ListFormat, Stdout, TextTable, print_list};

/// Show what a computed node can be
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond factory list
  pond factory example timeseries-join
  pond factory schema timeseries-join > join.schema.json")]
pub(crate) struct FactoryArgs {
    #[command(subcommand)]
    what: What,
}

/// What to show.
#[derive(Debug, Subcommand)]
enum What {
    /// Every factory, and what it makes
    List {
        #[command(flatten)]
        format: ListFormatArg,
    },
    /// The JSON Schema of a factory's configuration, for editors
    Schema {
        /// The factory
        #[arg(value_name = "FACTORY")]
        name: String,
    },
    /// A configuration that works, in YAML
    Example {
        /// The factory
        #[arg(value_name = "FACTORY")]
        name: String,
    },
}

/// One factory as `pond factory list --format json` and `ndjson` print it.
#[derive(Debug, Serialize)]
struct Row {
    /// Its name, as configurations give it.
    factory: &'static str,
    /// What it makes.
    summary: &'static str,
    /// Whether `pond run` does something with its nodes.
    runs: bool,
}

/// Shows it.
pub(crate) fn run(context: &Context, args: &FactoryArgs) -> Result<()> {
    let mut out = Stdout::new();
    match &args.what {
        What::List { format } => return list(context, format.format),
        What::Schema { name } => {
            let about = find(name)?;
            let mut schema = about.schema;
            if let Some(schema) = schema.as_object_mut() {
                let dialect = "https://json-schema.org/draft/2020-12/schema";
                schema.insert("$schema".to_owned(), dialect.into());
                schema.insert("title".to_owned(), about.name.into());
                schema.insert("description".to_owned(), about.summary.into());
            }
            out.line(&format!("{schema:#}"))?;
        }
        What::Example { name } => out.line(find(name)?.example.trim_end())?,
    }
    out.finish()
}

fn list(context: &Context, format: ListFormat) -> Result<()> {
    let registry = derived::registry();
    let rows: Vec<Row> = registry
        .list()
        .filter(|about| !about.hidden)
        .map(|about| Row { factory: about.name, summary: about.summary, runs: about.runs })
        .collect();
    if format != ListFormat::Text {
        return print_list(format, rows, |_, _| Ok(()));
    }
    let style = context.output_style();
    let mut table = TextTable::new("<<");
    for row in rows {
        table.push([style.heading(row.factory), row.summary.to_owned()]);
    }
    let mut out = Stdout::new();
    table.print(&mut out)?;
    out.finish()
}

/// A factory that a user may name.
fn find(name: &str) -> Result<About> {
    let registry = derived::registry();
    let error = match registry.get(name).map(|factory| factory.about()) {
        Ok(about) if !about.hidden => return Ok(about),
        Ok(about) => factory::Error::NoSuchFactory { name: about.name.to_owned(), nearest: None },
        Err(error) => error,
    };
    let hint = match &error {
        factory::Error::NoSuchFactory { nearest: Some(nearest), .. } => {
            format!("did you mean `{nearest}`?")
        }
        _ => "`pond factory list` shows them".to_owned(),
    };
    Err(CommandError::not_found(format!("there is no factory `{name}`")).hint(hint))
}
