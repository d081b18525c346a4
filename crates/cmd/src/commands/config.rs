//! `pond config`: the settings of this replica.

use clap::Args;
use serde::Serialize;

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::{OrFail as _, Result};
use crate::output::{ListFormat, TextTable, print_list};

/// Show or change the settings of this copy of the pond
///
/// Settings hold for this directory alone, not for copies of the pond.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond config
  pond config lock.timeout_seconds
  pond config lock.timeout_seconds 300
  pond config --unset lock.timeout_seconds")]
pub(crate) struct ConfigArgs {
    /// The setting
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Its new value
    #[arg(value_name = "VALUE", requires = "key")]
    value: Option<String>,
    /// Bring back the default
    #[arg(long, requires = "key", conflicts_with = "value")]
    unset: bool,
    #[command(flatten)]
    format: ListFormatArg,
}

/// One setting as `pond config --format json` and `ndjson` print it.
#[derive(Debug, Serialize)]
struct Setting {
    /// Its name.
    key: &'static str,
    /// Its value.
    value: String,
    /// Its value unless another is set.
    default: &'static str,
    /// Whether its value was chosen.
    chosen: bool,
    /// What it does.
    help: &'static str,
}

/// Shows or changes them.
pub(crate) async fn run(context: &Context, args: &ConfigArgs) -> Result<()> {
    let pond = context.open().await?;
    if let Some(key) = &args.key {
        if let Some(value) = &args.value {
            pond.set_setting(key, value).or_fail(|| format!("cannot set `{key}`"))?;
            context.say(&format!("{key} = {value}"));
            return Ok(());
        }
        if args.unset {
            pond.unset_setting(key).or_fail(|| format!("cannot unset `{key}`"))?;
        }
    }
    let settings = pond.settings().or_fail(|| "cannot read the settings".to_owned())?;
    if let Some(key) = &args.key {
        // Names the nearest setting when there is none of this name.
        settings.get(key).or_fail(|| "cannot show the setting".to_owned())?;
    }
    let shown: Vec<Setting> = settings
        .list()
        .filter(|(setting, _)| args.key.as_deref().is_none_or(|key| key == setting.key))
        .map(|(setting, value)| Setting {
            key: setting.key,
            value: value.to_owned(),
            default: setting.default,
            chosen: settings.is_chosen(setting.key),
            help: setting.help,
        })
        .collect();
    if args.format.format != ListFormat::Text {
        return print_list(args.format.format, shown, |_, _| Ok(()));
    }
    let style = context.output_style();
    let mut table = TextTable::new("<<<");
    for setting in &shown {
        let value =
            if setting.chosen { style.heading(&setting.value) } else { setting.value.clone() };
        let help = if setting.chosen {
            format!("{} (default {})", setting.help, setting.default)
        } else {
            setting.help.to_owned()
        };
        table.push([setting.key.to_owned(), value, style.faint(help)]);
    }
    let mut out = crate::output::Stdout::new();
    table.print(&mut out)?;
    out.finish()
}
