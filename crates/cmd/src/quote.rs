//! Texts as a shell, a terminal and SQL take them.
//!
//! Always true: what [`shell`] and [`sql_name`] return can be pasted and means
//! the text it was made from; what [`terminal`] returns can not move a cursor.

use std::borrow::Cow;

/// The text as one word of a POSIX shell's command line.
pub(crate) fn shell(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

/// The text as a quoted SQL identifier.
pub(crate) fn sql_name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Whether a character does something to a terminal other than take a place:
/// control characters, and those that turn the direction of what follows, so
/// that a name reads as another one.
fn acts(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The text with characters that act on a terminal escaped.
pub(crate) fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if acts(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(shell("/sensors/dock.series"), "/sensors/dock.series");
    }

    #[test]
    fn odd_words_are_quoted_for_a_shell() {
        assert_eq!(shell("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("/a/*"), "'/a/*'");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(terminal("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(terminal("a\u{202e}b\u{9b}"), "a\\u{202e}b\\u{9b}");
    }

    #[test]
    fn names_are_quoted_for_sql() {
        assert_eq!(sql_name("say \"hi\""), "\"say \"\"hi\"\"\"");
    }
}
