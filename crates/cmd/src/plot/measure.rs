//! How wide text will be, guessed without the reader's fonts, and how it is
//! made to fit.
//!
//! Always true: guesses are on the wide side for the usual fonts, so that what
//! fits here fits there.

/// One character of a 12-pixel label, in pixels.
pub(super) const COLUMN: f64 = 7.0;

/// About as wide as a label is drawn.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().map(columns_of).sum::<f64>() * COLUMN
}

/// Scripts beyond Latin, Greek and Cyrillic are mostly as wide as high.
fn columns_of(character: char) -> f64 {
    if u32::from(character) < 0x1100 { 1.0 } else { 2.0 }
}

/// A text on one line or, where that does not do, on two, broken at a space.
pub(super) fn in_two_lines(text: &str, columns: f64) -> Vec<String> {
    let fits = |text: &str| text.chars().map(columns_of).sum::<f64>() <= columns;
    if fits(text) {
        return vec![text.to_owned()];
    }
    let spaces = text.match_indices(' ').map(|(at, _)| at);
    match spaces.take_while(|at| fits(&text[..*at])).last() {
        Some(at) => vec![text[..at].to_owned(), shortened(&text[at + 1..], columns)],
        None => vec![shortened(text, columns)],
    }
}

/// A text cut to about `columns`, with an ellipsis where something is missing.
pub(super) fn shortened(text: &str, columns: f64) -> String {
    let needed: f64 = text.chars().map(columns_of).sum();
    if needed <= columns {
        return text.to_owned();
    }
    let mut used = 1.0;
    let mut kept: String = text
        .chars()
        .take_while(|character| {
            used += columns_of(*character);
            used <= columns
        })
        .collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_title_takes_two_lines() {
        assert_eq!(in_two_lines("one two three", 8.0), ["one two", "three"]);
        assert_eq!(in_two_lines("one two three four five", 8.0), ["one two", "three f…"]);
        assert_eq!(in_two_lines("incomprehensible", 8.0), ["incompr…"]);
    }
}
