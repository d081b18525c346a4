//! What files declare, read and checked as far as the files alone tell.
//!
//! Always true: every file is read to its end and every error is told, each
//! with its file, line and column.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use factory::config::{
    Config, ConfigError, Document, Freshness, Kind, MAX_TEXT_BYTES, Mknod, Node, Place, Values,
    expand, parse_documents,
};
use factory::{Factory, Registry};
use tinyfs::EntryType;

use super::copied::Copying;
use crate::error::{CommandError, OrFail as _, Result};
use crate::node_limits::NodeLimits;

/// The factory whose configuration holds others.
const HOLDS_OTHERS: &str = "dynamic-dir";
/// The fields below which it does.
const ENTRIES: &str = "entries";

/// A file's text.
pub(in crate::commands) struct SourceText {
    /// As the user named it.
    name: String,
    text: String,
}

/// One thing that is declared.
#[derive(Debug)]
pub(in crate::commands) struct Declared {
    /// Its path, absolute.
    pub(in crate::commands) path: String,
    /// Where the path stands.
    pub(in crate::commands) place: Place,
    /// What it is to be.
    pub(in crate::commands) what: What,
    /// What else is said of it.
    pub(in crate::commands) limits: NodeLimits,
}

impl Declared {
    /// Whether it is a computed node.
    pub(super) const fn is_computed(&self) -> bool {
        matches!(self.what, What::Computed { .. })
    }
}

/// What something is to be.
#[derive(Debug)]
pub(in crate::commands) enum What {
    /// A directory.
    Directory,
    /// Whatever it is.
    AsItIs,
    /// A copy of a host file.
    Copied(Box<Copying>),
    /// A computed node.
    Computed {
        /// Its factory.
        factory: String,
        /// Its type, as the factory says.
        entry_type: EntryType,
        /// Its configuration.
        config: Config,
    },
}

/// Everything that is wrong with what was declared.
#[derive(Debug)]
pub(in crate::commands) struct Refused(pub(in crate::commands) Vec<ConfigError>);

impl fmt::Display for Refused {
    /// One error as it is, its nearest name being a hint; several a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.0.as_slice() {
            return fmt::Display::fmt(one, f);
        }
        write!(f, "{} errors", self.0.len())?;
        for error in &self.0 {
            write!(f, "\n  {error}")?;
            if let Some(nearest) = &error.nearest {
                write!(f, " (did you mean `{nearest}`?)")?;
            }
        }
        Ok(())
    }
}

impl StdError for Refused {}

impl Refused {
    /// The error that a command ends with.
    pub(in crate::commands) fn into_error(self, message: String) -> CommandError {
        let hint = match self.0.as_slice() {
            [one] => one.nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?")),
            _ => None,
        };
        let error = CommandError::bad_input(message).because(self);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// The variables of `--var`.
pub(in crate::commands) fn set_variables(given: &[String]) -> Result<Values> {
    let mut values = Values::default();
    for word in given {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            CommandError::usage(format!("`{word}` gives no value to a variable"))
                .hint(format!("-v {word}=VALUE"))
        })?;
        values.set(name, value).map_err(CommandError::usage)?;
    }
    Ok(values)
}

/// The texts of the files, those of a directory by name.
pub(super) fn read_files(files: &[PathBuf]) -> Result<Vec<SourceText>> {
    let mut sources = Vec::new();
    for file in files {
        if file.is_dir() {
            for inside in yaml_in(file)? {
                sources.push(read_file(&inside)?);
            }
        } else {
            sources.push(read_file(file)?);
        }
    }
    Ok(sources)
}

/// The YAML files of a directory, by name.
fn yaml_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read the directory `{}`", dir.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).or_fail(cannot)? {
        let path = entry.or_fail(cannot)?.path();
        let is_yaml =
            path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && path.is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        let shown = dir.display();
        return Err(CommandError::not_found(format!("there is no *.yaml file in `{shown}`")));
    }
    found.sort();
    Ok(found)
}

/// One file, or stdin for `-`, up to what a parser would take.
pub(in crate::commands) fn read_file(file: &Path) -> Result<SourceText> {
    let is_stdin = file == Path::new("-");
    let name = if is_stdin { "stdin".to_owned() } else { file.display().to_string() };
    let cannot = || format!("cannot read `{name}`");
    let mut bytes = Vec::new();
    let limit = MAX_TEXT_BYTES as u64 + 1;
    if is_stdin {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).or_fail(cannot)?;
    } else {
        let opened = std::fs::File::open(file).or_fail(cannot)?;
        opened.take(limit).read_to_end(&mut bytes).or_fail(cannot)?;
    }
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(CommandError::bad_input(format!("`{name}` is larger than 1 MiB"))
            .hint("`-f` takes any number of files"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        CommandError::bad_input(format!("`{name}` is not UTF-8")).because(error)
    })?;
    Ok(SourceText { name, text })
}

impl SourceText {
    /// Its name and its text.
    pub(in crate::commands) fn parts(&self) -> (&str, &str) {
        (&self.name, &self.text)
    }
}

/// Everything that the files declare, checked as far as they alone tell.
pub(super) fn read(
    sources: &[SourceText],
    values: &Values,
    registry: &Registry,
) -> Result<Vec<Declared>> {
    let mut declared = Vec::new();
    let mut errors = Vec::new();
    for source in sources {
        match parse_documents(&source.name, &source.text) {
            Err(error) => errors.push(error),
            Ok(documents) => {
                for document in documents {
                    match one(document, values, registry) {
                        Ok(one) => declared.push(one),
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
    }
    errors.extend(declared_twice(&declared));
    if errors.is_empty() {
        return Ok(in_order(declared));
    }
    Err(Refused(errors).into_error(heading(sources)))
}

/// The words over everything that keeps the files from being applied.
pub(super) fn heading(sources: &[SourceText]) -> String {
    match sources {
        [one] => format!("{} can not be applied", one.name),
        many => format!("{} files can not be applied", many.len()),
    }
}

/// Directories first and what is said of nodes last, each by path, so that what
/// holds others is made first.
fn in_order(mut declared: Vec<Declared>) -> Vec<Declared> {
    declared.sort_by(|a, b| {
        let rank = |one: &Declared| match one.what {
            What::Directory => 0,
            What::Copied(_) | What::Computed { .. } => 1,
            What::AsItIs => 2,
        };
        rank(a).cmp(&rank(b)).then_with(|| a.path.cmp(&b.path))
    });
    declared
}

fn declared_twice(declared: &[Declared]) -> Vec<ConfigError> {
    let mut first: BTreeMap<(&str, bool), &Place> = BTreeMap::new();
    let mut errors = Vec::new();
    for one in declared {
        // Something may be made by one document and told its limits by another.
        let key = (one.path.as_str(), matches!(one.what, What::AsItIs));
        if let Some(before) = first.insert(key, &one.place) {
            let what = format!("`{}` is declared already, at {before}", one.path);
            errors.push(ConfigError::new(one.place.clone(), what).at("metadata.path"));
        }
    }
    errors
}

/// One document, expanded, typed, and checked by its factory.
fn one(document: Node, values: &Values, registry: &Registry) -> Result<Declared, ConfigError> {
    let document = expand_document(document, values, registry)?;
    let document = Document::read(&document)?;
    let path = absolute(&document)?;
    let mut limits = NodeLimits {
        freshness_s: document.freshness.map(|limit| match limit {
            Freshness::Any => None,
            Freshness::Within(seconds) => Some(seconds),
        }),
        bounds: None,
    };
    let what = match document.kind {
        Kind::Mkdir => What::Directory,
        Kind::Mknod(node) => check_node(node, registry)?,
        Kind::Copy(spec) => What::Copied(Box::new(Copying::read(&spec)?)),
        Kind::Attributes(said) => {
            limits.bounds = said.temporal_bounds;
            What::AsItIs
        }
    };
    Ok(Declared { path, place: document.path_place, what, limits })
}

/// The path of a document, without `.`, `..` and doubled slashes.
fn absolute(document: &Document) -> Result<String, ConfigError> {
    let wrong =
        |what: String| ConfigError::new(document.path_place.clone(), what).at("metadata.path");
    if !document.path.starts_with('/') {
        return Err(wrong(format!("`{}` does not begin with `/`", document.path)));
    }
    let path = tinyfs::path::normalise(&document.path).map_err(|error| wrong(error.to_string()))?;
    if path == "/" {
        return Err(wrong("the root is there already".to_owned()));
    }
    Ok(path)
}

/// A computed node as its factory accepts it.
pub(in crate::commands) fn check_node(
    node: Mknod,
    registry: &Registry,
) -> Result<What, ConfigError> {
    let factory = find_factory(registry, &node.factory).map_err(|nearest| ConfigError {
        nearest,
        ..ConfigError::new(
            node.factory_place.clone(),
            format!("there is no factory `{}`; `pond factory list` shows them", node.factory),
        )
        .at("spec.factory")
    })?;
    let place = node.config.place.clone();
    let told = |error: factory::Error| match error {
        factory::Error::Config(error) => error,
        other => ConfigError::new(place.clone(), chain(&other)),
    };
    let config = Config::from_node(node.config).map_err(told)?;
    let entry_type = factory.check(&config).map_err(told)?;
    Ok(What::Computed { factory: node.factory, entry_type, config })
}

/// A factory that a user may name, or the name nearest to it.
fn find_factory<'a>(
    registry: &'a Registry,
    name: &str,
) -> std::result::Result<&'a dyn Factory, Option<String>> {
    match registry.get(name) {
        Ok(factory) if !factory.about().hidden => Ok(factory.as_ref()),
        Ok(_) => Err(None),
        Err(factory::Error::NoSuchFactory { nearest, .. }) => Err(nearest),
        Err(_) => Err(None),
    }
}

/// An error and its causes as one text.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// A document with its expressions expanded, but for the fields that are
/// templates of their factory.
pub(in crate::commands) fn expand_document(
    document: Node,
    values: &Values,
    registry: &Registry,
) -> Result<Node, ConfigError> {
    let mut raw = Vec::new();
    if let Some(spec) = document.get("spec") {
        raw_fields(spec, registry, "spec", &mut raw);
    }
    let expanded = expand(document, values, &|path| raw.iter().any(|raw| raw == path));
    // A place in a configuration is named as the factory that checks it does.
    expanded.map_err(|error| match error.at.strip_prefix("spec.config.") {
        Some(at) => ConfigError { at: at.to_owned(), ..error },
        None => error,
    })
}

/// The paths of fields that are templates themselves, of a node with `factory`
/// and `config`, and of those that its configuration holds.
fn raw_fields(node: &Node, registry: &Registry, path: &str, raw: &mut Vec<String>) {
    let Some(name) = node.get("factory").and_then(Node::text) else { return };
    if let Ok(factory) = registry.get(name) {
        raw.extend(factory.about().raw.iter().map(|field| format!("{path}.config.{field}")));
    }
    if name != HOLDS_OTHERS {
        return;
    }
    let entries = node.get("config").and_then(|config| config.get(ENTRIES));
    for (index, entry) in entries.map_or(&[][..], Node::items).iter().enumerate() {
        raw_fields(entry, registry, &format!("{path}.config.{ENTRIES}[{index}]"), raw);
    }
}
