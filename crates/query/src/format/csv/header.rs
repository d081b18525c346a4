//! The names of columns, and the units in them.
//!
//! What always holds: every column has a name of its own. A name is kept as it
//! stands, without the spaces around it; whatever had to be changed (a name
//! that is empty, taken, garbled or not UTF-8) is noted.
//!
//! What is deliberately not here: converting units.

use std::collections::HashSet;

/// The columns' names, made usable, and notes about what was changed.
pub(super) fn names<'a>(raw: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, Vec<String>) {
    let mut taken = HashSet::new();
    let mut notes = Vec::new();
    let names = raw
        .enumerate()
        .map(|(place, raw)| {
            let number = place + 1;
            let mut name = readable(raw, number, &mut notes).trim().to_owned();
            if name.is_empty() {
                name = format!("column_{number}");
                notes.push(format!("column {number} has no name: it is called `{name}`"));
            }
            let wanted = name.clone();
            let mut copy = 1;
            while !taken.insert(name.clone()) {
                copy += 1;
                name = format!("{wanted}_{copy}");
            }
            if name != wanted {
                notes.push(format!(
                    "the name `{wanted}` is taken: column {number} is called `{name}`"
                ));
            }
            name
        })
        .collect();
    (names, notes)
}

fn readable(raw: &[u8], number: usize, notes: &mut Vec<String>) -> String {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            // Latin-1 maps each byte to the character of its number.
            let text: String = raw.iter().map(|&byte| char::from(byte)).collect();
            notes.push(format!(
                "the name of column {number} is not UTF-8: it is read as Latin-1, `{}`",
                text.escape_debug()
            ));
            text
        }
    };
    if let Some(meant) = decoded_twice(&text) {
        notes.push(format!(
            "the name of column {number} is garbled, `{text}` (perhaps `{meant}`): it is kept as it is"
        ));
    }
    if !text.contains(garbled) {
        return text;
    }
    let clean: String = text.chars().map(|c| if garbled(c) { '\u{fffd}' } else { c }).collect();
    notes.push(format!(
        "the name of column {number} is garbled, `{}`: it is called `{clean}`",
        text.escape_debug()
    ));
    clean
}

/// What a name was before its UTF-8 was taken for Latin-1: `Â°C` was `°C`.
fn decoded_twice(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    // Characters beyond Latin-1, or bytes that are no UTF-8: it was not.
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<_>>()?;
    String::from_utf8(bytes).ok()
}

fn garbled(character: char) -> bool {
    character.is_control()
}

/// The unit at the end of a name: `Temperature (C)`, `Temp [°C]`.
pub(super) fn unit(name: &str) -> Option<&str> {
    let (open, inside) = if let Some(rest) = name.strip_suffix(')') {
        ('(', rest)
    } else {
        ('[', name.strip_suffix(']')?)
    };
    let (before, unit) = inside.rsplit_once(open)?;
    let unit = unit.trim();
    let fits = !unit.is_empty() && unit.chars().count() <= 24 && !before.trim().is_empty();
    fits.then_some(unit)
}
