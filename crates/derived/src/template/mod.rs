//! The factory `template`: text files made of tables, and of what a glob
//! matches.
//!
//! - [`config`]: what a template is told.
//! - [`values`]: what it sees of tables.
//!
//! Always true: a template sees the values it is given and includes files of
//! the pond; it ends within its limits (see [`factory::Template`]). Its text is
//! not expanded when it is declared.
//!
//! Deliberately not here: more than the first or last rows of a table, which a
//! query makes fewer.

mod config;
mod values;

use std::collections::BTreeMap;

use async_trait::async_trait;
use factory::config::{Field, Schema};
use factory::{About, Child, Config, Factory, Look, RenderLimits, Template, template_includes};
use query::Inputs;
use serde::{Deserialize, Serialize};
use tinyfs::{EntryType, Fs, Glob, GlobOptions, Name, NodePath};
use tokio::io::AsyncWrite;

use self::config::{TemplateConfig, Text};
use self::values::Matched;
use crate::computed::{Derived, Planner, write_all};
use crate::input::{Input, pond_path};
use crate::reduce::out_path;
use crate::{Error, Result};

/// The factory of files in a directory of rendered files.
const RENDERED_FILE: &str = "rendered-file";

/// Texts that templates include, and their bytes in all.
const MAX_INCLUDES: usize = 64;
const MAX_INCLUDED_BYTES: usize = 1 << 20;
/// The bytes of the configurations of a directory's files.
const MAX_LISTED_BYTES: usize = 64 << 20;

/// Files made by a template.
#[derive(Debug)]
pub(crate) struct TemplateFactory;

#[async_trait]
impl Factory for TemplateFactory {
    fn about(&self) -> About {
        About {
            name: "template",
            summary: "a text file made of a table, or a directory of one for each match of a glob",
            schema: TemplateConfig::schema().into_json(),
            example: "\
input: /sensors/dock.series
rows: 10
take: last
template: |
  # {{ name }}
  {% for row in rows %}{{ row.time }}: {{ row.level }}
  {% endfor %}
",
            raw: &["template"],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: TemplateConfig = config.read()?;
        read.check(config)?;
        Ok(match read.out_pattern {
            Some(_) => EntryType::DynamicDirectory,
            None => EntryType::DynamicData,
        })
    }

    async fn children(&self, look: &Look, config: &Config) -> factory::Result<Vec<Child>> {
        let config: TemplateConfig = config.read()?;
        let children = children(look, &config).await;
        children.map_err(|error| match error {
            Error::Factory(error) => error,
            Error::Config(error) => error.into(),
            Error::Query(query::Error::Store(error)) => error.into(),
            error => factory::Error::Run {
                doing: format!("`{}` can not be listed", look.path),
                source: Box::new(error),
            },
        })
    }
}

/// A file of a directory of rendered files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RenderedFileConfig {
    template: TemplateConfig,
    matches: Vec<Matched>,
}

/// What the files of a directory are made by.
#[derive(Debug)]
pub(crate) struct RenderedFile;

impl Factory for RenderedFile {
    fn about(&self) -> About {
        let matches = Schema::list(Schema::any_object());
        About {
            name: RENDERED_FILE,
            summary: "a file of a template's directory",
            schema: Schema::object([
                Field::required("template", TemplateConfig::schema(), "The template"),
                Field::required("matches", matches, "What it is made of"),
            ])
            .into_json(),
            example: "\
template: { template: '{{ name }}', in_pattern: '/raw/*.series', out_pattern: $0.txt }
matches: [{ path: /raw/north.series, captures: [north] }]
",
            raw: &["template"],
            runs: false,
            hidden: true,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        config.read::<RenderedFileConfig>()?;
        Ok(EntryType::DynamicData)
    }
}

/// A file for each name that the matches go to.
async fn children(look: &Look, config: &TemplateConfig) -> Result<Vec<Child>> {
    let (Some(in_pattern), Some(out_pattern)) = (&config.in_pattern, &config.out_pattern) else {
        return Ok(Vec::new());
    };
    let input = Input::parse(in_pattern)?;
    let in_pattern = input.path().to_owned();
    let options = GlobOptions { hidden: false, follow: true };
    let mut matches = look.fs.matches(Glob::parse(&in_pattern)?, options);
    let mut files: BTreeMap<String, Vec<Matched>> = BTreeMap::new();
    while let Some(found) = matches.next().await? {
        let entry_type = found.path.node.entry_type;
        if entry_type.is_directory() || entry_type.is_symlink() {
            continue;
        }
        let path = out_path(out_pattern, &in_pattern, &found.captures)?;
        let [name] = path.as_slice() else {
            return Err(Error::OutPath { out: path.join("/"), pattern: in_pattern });
        };
        let path = input.at(&found.path.path).to_string();
        let matched = Matched { path, captures: found.captures };
        files.entry(name.clone()).or_default().push(matched);
    }
    let mut bytes = 0_usize;
    let mut children = Vec::with_capacity(files.len());
    for (name, matches) in files {
        let own = RenderedFileConfig { template: config.clone(), matches };
        let text = serde_json::to_string(&own).map_err(|error| {
            Error::Query(query::Error::BadRequest { what: format!("{name}: {error}") })
        })?;
        bytes += text.len();
        if bytes > MAX_LISTED_BYTES {
            let what = "what its files are made by (a `template_file` takes less)".to_owned();
            let limit_bytes = MAX_LISTED_BYTES as u64;
            return Err(factory::Error::TooLong { what, limit_bytes }.into());
        }
        let path = tinyfs::path::join(&look.path, &name);
        children.push(Child {
            name: Name::new(name)?,
            factory: RENDERED_FILE.to_owned(),
            entry_type: EntryType::DynamicData,
            config: Config::parse(&path, &text)?,
        });
    }
    Ok(children)
}

#[async_trait]
impl Planner for TemplateFactory {
    async fn bytes(
        &self,
        _node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64> {
        let config: TemplateConfig = config.read()?;
        let matches = match &config.input {
            Some(input) => vec![Matched { path: input.clone(), captures: Vec::new() }],
            None => Vec::new(),
        };
        write_all(&rendered(&config, &matches, inputs, derived).await?, out).await
    }
}

#[async_trait]
impl Planner for RenderedFile {
    async fn bytes(
        &self,
        _node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64> {
        let config: RenderedFileConfig = config.read()?;
        write_all(&rendered(&config.template, &config.matches, inputs, derived).await?, out).await
    }
}

/// The text that a template makes of `matches`.
async fn rendered(
    config: &TemplateConfig,
    matches: &[Matched],
    inputs: &Inputs,
    derived: &Derived,
) -> Result<Vec<u8>> {
    let (at, text) = match config.text()? {
        Text::Here(text) => ("template".to_owned(), text.to_owned()),
        Text::File(path) => {
            let path = pond_path(path)?;
            let text = text_of(inputs.fs(), &path).await?;
            (path, text)
        }
    };
    let includes = includes(inputs.fs(), &at, &text).await?;
    let template = Template::new(&at, &text, &includes)?;
    let values = values::of(config, matches, inputs, derived).await?;
    Ok(template.render(values, RenderLimits::default()).await?)
}

/// The texts that a text includes, and those that they do.
async fn includes(fs: &Fs, at: &str, text: &str) -> Result<Vec<(String, String)>> {
    let asked = |at: &str, text: &str| {
        template_includes(text).map_err(|fault| factory::Error::Template {
            at: at.to_owned(),
            message: fault.message,
            line: fault.line,
        })
    };
    let mut wanted = asked(at, text)?;
    let mut found: Vec<(String, String)> = Vec::new();
    let mut bytes = 0;
    while let Some(path) = wanted.pop() {
        if path == at || found.iter().any(|(name, _)| *name == path) {
            continue;
        }
        if found.len() >= MAX_INCLUDES {
            return Err(factory::Error::TooMany { limit: MAX_INCLUDES }.into());
        }
        let text = text_of(fs, &path).await?;
        bytes += text.len();
        if bytes > MAX_INCLUDED_BYTES {
            let what = format!("what `{at}` includes");
            let limit_bytes = MAX_INCLUDED_BYTES as u64;
            return Err(factory::Error::TooLong { what, limit_bytes }.into());
        }
        wanted.extend(asked(&path, &text)?);
        found.push((path, text));
    }
    Ok(found)
}

/// The text of a stored file.
async fn text_of(fs: &Fs, path: &str) -> Result<String> {
    let found = fs.resolve(path).await?;
    let wrong = |what: &str| Error::Input { text: path.to_owned(), what: what.to_owned() };
    if found.node.entry_type != EntryType::Data {
        return Err(wrong("a template is a stored file of text"));
    }
    let bytes = fs.read_to_end(&found.path, factory::MAX_TEMPLATE_BYTES as u64).await?;
    String::from_utf8(bytes).map_err(|_| wrong("a template is text in UTF-8"))
}
