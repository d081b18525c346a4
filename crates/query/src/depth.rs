//! Queries too deep to be planned on an ordinary stack.
//!
//! The parser limits what nests in parentheses; a chain such as `1 + 1 + ...`
//! nests without them, and planning, evaluating and even dropping it recurse.
//!
//! Always true: what passes here is walked by the engine within the 2 MiB of
//! stack that a thread has, also in a build without optimisation.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::{Error, Result};

/// The deepest expression.
const MAX_DEPTH: usize = 200;

/// The most operators in a text, whatever they nest.
const MAX_OPERATORS: usize = 10_000;

/// The most joins and set operations, each of which nests a plan.
const MAX_COMBINED: usize = 200;

/// Looks at a text before it is parsed.
///
/// # Errors
/// [`Error::Parse`] for what has no tokens; [`Error::TooDeep`].
pub(crate) fn check_text(text: &str) -> Result<()> {
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize()
        .map_err(|error| Error::parse(&error.to_string()))?;
    let (mut operators, mut combined) = (0, 0);
    for token in &tokens {
        match token {
            Token::Word(word) => match word.keyword {
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::JOIN => {
                    combined += 1;
                }
                Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::IS | Keyword::LIKE => {
                    operators += 1;
                }
                _ => {}
            },
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Whitespace(_)
            | Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::Period
            | Token::SemiColon => {}
            _ => operators += 1,
        }
    }
    if combined > MAX_COMBINED {
        return Err(Error::TooDeep { what: "joins and set operations", limit: MAX_COMBINED });
    }
    if operators > MAX_OPERATORS {
        return Err(Error::TooDeep { what: "operators", limit: MAX_OPERATORS });
    }
    Ok(())
}

/// Looks at a parsed statement.
///
/// # Errors
/// [`Error::TooDeep`].
pub(crate) fn check_statement(statement: &Statement) -> Result<()> {
    let mut statement = statement;
    while let Statement::Explain(explain) = statement {
        statement = &explain.statement;
    }
    let Statement::Statement(statement) = statement else { return Ok(()) };
    match statement.visit(&mut Depth(0)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(Error::TooDeep { what: "nested operations", limit: MAX_DEPTH })
        }
    }
}

struct Depth(usize);

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        self.0 += 1;
        if self.0 > MAX_DEPTH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        self.0 -= 1;
        ControlFlow::Continue(())
    }
}
