//! The configuration of `template`.

use std::collections::BTreeMap;

use factory::config::{Field, Schema};
use factory::{Config, TemplateFault, template_includes};
use serde::{Deserialize, Serialize};

use crate::input::{self, pond_path};
use crate::{Error, Result};

/// Rows of a table that a template sees, unless it is said.
const ROWS: usize = 1_000;
/// The most rows of a table.
const MAX_ROWS: usize = 100_000;

/// The configuration of `template`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) template: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) template_file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) in_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) out_pattern: Option<String>,
    #[serde(default = "rows")]
    pub(super) rows: usize,
    #[serde(default)]
    pub(super) take: Taken,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) values: BTreeMap<String, serde_json::Value>,
}

const fn rows() -> usize {
    ROWS
}

/// Which rows of a table a template sees when there are more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Taken {
    #[default]
    First,
    Last,
}

/// Where the text of a template is.
pub(super) enum Text<'a> {
    /// In the configuration.
    Here(&'a str),
    /// In a file of the pond.
    File(&'a str),
}

impl TemplateConfig {
    /// The JSON Schema.
    pub(super) fn schema() -> Schema {
        Schema::object([
            Field::optional("template", Schema::text(), "The text of the template"),
            Field::optional("template_file", Schema::text(), "Or a file of the pond with it"),
            Field::optional("input", Schema::text(), "The table that one file is made of"),
            Field::optional("in_pattern", Schema::text(), "Or a glob: a directory of files"),
            Field::optional(
                "out_pattern",
                Schema::text(),
                "With it, the file of a match: `$0` is what the first wildcard stood for",
            ),
            Field::optional(
                "rows",
                Schema::integer().default(ROWS),
                "Rows of each table that the template sees, at most",
            ),
            Field::optional(
                "take",
                Schema::one_of(&["first", "last"]).default("first"),
                "Which, where a table has more; `last` is of a series",
            ),
            Field::optional("values", Schema::any_object(), "More that it sees, as `values`"),
        ])
    }

    /// Checks what its types do not.
    pub(super) fn check(&self, config: &Config) -> factory::Result<()> {
        match (&self.template, &self.template_file) {
            (Some(text), None) => {
                template_includes(text).map_err(|TemplateFault { message, line }| {
                    let on = line.map_or_else(String::new, |line| format!("line {line}: "));
                    config.complaint("template", format!("{on}{message}"))
                })?;
            }
            (None, Some(path)) => {
                pond_path(path)
                    .map_err(|error| config.complaint("template_file", error.to_string()))?;
            }
            (None, None) => {
                return Err(config.complaint("", "`template` is missing").into());
            }
            (Some(_), Some(_)) => {
                let what = "takes either `template` or `template_file`";
                return Err(config.complaint("template_file", what).into());
            }
        }
        let paths = [("input", &self.input), ("in_pattern", &self.in_pattern)];
        for (at, path) in paths {
            if let Some(path) = path {
                input::check(path).map_err(|error| config.complaint(at, error.to_string()))?;
            }
        }
        match (&self.input, &self.in_pattern, &self.out_pattern) {
            (Some(_), Some(_), _) => {
                let what = "takes either `input` or `in_pattern`";
                return Err(config.complaint("in_pattern", what).into());
            }
            (_, Some(_), None) => {
                let what = "goes with `out_pattern`, as `$0.html`";
                return Err(config.complaint("in_pattern", what).into());
            }
            (_, None, Some(_)) => {
                return Err(config.complaint("out_pattern", "goes with `in_pattern`").into());
            }
            _ => {}
        }
        if self.rows > MAX_ROWS {
            return Err(config.complaint("rows", format!("is more than {MAX_ROWS}")).into());
        }
        Ok(())
    }

    /// Where the text is.
    pub(super) fn text(&self) -> Result<Text<'_>> {
        match (&self.template, &self.template_file) {
            (Some(text), _) => Ok(Text::Here(text)),
            (None, Some(path)) => Ok(Text::File(path)),
            (None, None) => Err(Error::Query(query::Error::BadRequest {
                what: "a template without a text".to_owned(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use factory::Factory;
    use tinyfs::EntryType;

    use super::super::TemplateFactory;
    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (text, at, what) in [
            ("input: /a", "", "`template` is missing"),
            ("{ template: a, template_file: /a }", "template_file", "either"),
            ("{ template_file: a }", "template_file", "begins with `/`"),
            ("{ template: a, input: /a, in_pattern: /b }", "in_pattern", "either"),
            ("{ template: a, in_pattern: /b }", "in_pattern", "out_pattern"),
            ("{ template: a, out_pattern: b }", "out_pattern", "in_pattern"),
            ("{ template: a, input: 'host+csv:///etc/passwd' }", "input", "file of the host"),
            ("{ template: a, rows: 200000 }", "rows", "100000"),
            ("template: \"a\\n{{ b \"", "template", "line 2"),
            ("template: '{% include \"/etc/passwd\" %}{% extends \"/a\" %}'", "template", "no tag"),
            ("template: '{{ a | nosuchfilter }}'", "template", "nosuchfilter"),
            ("template: '{% set a = b %}{% set a = a ~ a %}'", "template", "only numbers"),
        ] {
            let config = Config::parse("/c", text).unwrap();
            match TemplateFactory.check(&config) {
                Err(factory::Error::Config(error)) => {
                    assert_eq!(error.at, at, "{text}: {error}");
                    assert!(error.to_string().contains(what), "{error}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_pattern_makes_a_directory_and_an_input_a_file() {
        let made = |text: &str| TemplateFactory.check(&Config::parse("/c", text).unwrap()).unwrap();
        assert_eq!(made("{ template: a, input: /a }"), EntryType::DynamicData);
        assert_eq!(made("template: a"), EntryType::DynamicData);
        let directory = "{ template: a, in_pattern: '/*', out_pattern: $0.txt }";
        assert_eq!(made(directory), EntryType::DynamicDirectory);
    }
}
