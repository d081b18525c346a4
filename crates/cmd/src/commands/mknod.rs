//! `pond mknod`: one computed node.

use std::path::PathBuf;

use clap::Args;
use factory::Registry;
use factory::config::{ConfigError, Key, Mknod, Node, Place, Value, Values, parse_documents};
use steward::WriteView;

use super::apply::{
    self, Declared, Making, Outcome, Refused, check_node, expand_document, perform, read_file,
    set_variables,
};
use crate::args;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::node_limits::NodeLimits;
use crate::quote;

/// Make one computed node
///
/// Its configuration is read from a YAML file that holds just that; with
/// --overwrite a node that is there gets it as its next version. What is made
/// by many of them is better declared in one file: see `pond apply`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond factory example sql-derived-series > daily.yaml
  pond mknod sql-derived-series /views/daily --config-path daily.yaml
  pond mknod sql-derived-series /views/daily --config-path daily.yaml --overwrite")]
pub(crate) struct MknodArgs {
    /// The factory; `pond factory list` shows them
    #[arg(value_name = "FACTORY")]
    factory: String,
    /// The node
    #[arg(value_name = "PATH", add = args::pond_path())]
    path: String,
    /// The file that holds its configuration, or `-` for stdin
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config_path: PathBuf,
    /// Replace the configuration of a computed node that is there
    #[arg(long)]
    overwrite: bool,
    /// A variable for the expressions; also -v KEY=VALUE
    #[arg(long = "var", value_name = "KEY=VALUE")]
    variables: Vec<String>,
}

/// Makes it.
pub(crate) async fn run(context: &Context, args: &MknodArgs) -> Result<()> {
    let values = set_variables(&args.variables)?;
    let registry = derived::registry();
    let heading = format!("cannot make `{}`", args.path);
    let source = read_file(&args.config_path)?;
    let (name, text) = source.parts();
    let what = node(name, text, &args.factory, &values, &registry)
        .and_then(|node| check_node(node, &registry))
        .map_err(|error| Refused(vec![error]).into_error(heading.clone()))?;
    let path =
        tinyfs::path::normalise(&args.path).or_fail(|| format!("cannot make `{}`", args.path))?;
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let limits = NodeLimits::default();
    let declared = [Declared { path: path.clone(), place: Place::default(), what, limits }];
    let pond = context.open().await?;
    let outcomes = pond
        .write(context.intent(), async |view: &WriteView| {
            let fs = view.fs();
            let there = match fs.resolve_link(&path).await {
                Ok(found) => Some(found),
                Err(error) if error.is_absence() => None,
                Err(error) => {
                    return Err(
                        CommandError::failure(format!("cannot make `{path}`")).because(error)
                    );
                }
            };
            if let Some(there) = there.filter(|_| !args.overwrite) {
                let shown = quote::shell(&path).into_owned();
                let mut error = CommandError::bad_input(format!("`{path}` exists"));
                if there.node.entry_type.is_dynamic() {
                    error = error.hint("--overwrite gives it its next configuration");
                }
                return Err(error.hint(format!("`pond describe {shown}` shows what it is")));
            }
            let making = Making { context, pond: &pond, view, copies: &[], is_rehearsal: false };
            let made = perform(&making, &declared, &heading).await?;
            // From here on it is committed or not, and says which.
            context.lift_ceiling();
            Ok(made.outcomes)
        })
        .await?
        .value;
    for line in apply::changes(&outcomes) {
        context.say(&line);
    }
    if outcomes.iter().all(Outcome::is_unchanged) {
        context.say(&format!("{path} is so already"));
    }
    Ok(())
}

/// The node that a file of configuration alone makes with this factory.
fn node(
    name: &str,
    text: &str,
    factory: &str,
    values: &Values,
    registry: &Registry,
) -> std::result::Result<Mknod, ConfigError> {
    let mut documents = parse_documents(name, text)?;
    let place = Place::in_file(name);
    if documents.len() > 1 {
        let what = "has several documents; `pond apply` takes them";
        return Err(ConfigError::new(place, what));
    }
    let config = documents.pop().unwrap_or_else(|| Node::empty(place.clone()));
    // In the shape of a document, so that the same rules hold of what is
    // expanded.
    let key = |text: &str| Key { text: text.to_owned(), place: place.clone() };
    let factory_node = Node::new(Value::Text(factory.to_owned()), place.clone());
    let spec = vec![(key("factory"), factory_node), (key("config"), config)];
    let spec = Node::new(Value::Map(spec), place.clone());
    let document = Node::new(Value::Map(vec![(key("spec"), spec)]), place.clone());
    let document = expand_document(document, values, registry)?;
    let config = document.find("spec.config").clone();
    Ok(Mknod { factory: factory.to_owned(), factory_place: Place::default(), config })
}
