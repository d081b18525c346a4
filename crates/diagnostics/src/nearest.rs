//! Which of the valid names somebody may have meant.
//!
//! Always true: a name is proposed only when it is near: a slip or two of the
//! fingers for its length, a beginning, the last part of a name with dots, or
//! a word of the same meaning. Far names are worse than none, because they are
//! believed.

use std::cmp::Reverse;

/// Words of one meaning; whichever of them is valid is meant by the others.
const SYNONYMS: [&[&str]; 16] = [
    &["avg", "mean", "average"],
    &["stddev", "std", "stdev", "sd", "sigma"],
    &["min", "minimum", "lowest"],
    &["max", "maximum", "highest"],
    &["sum", "total"],
    &["count", "n", "num", "number"],
    &["first", "earliest"],
    &["last", "latest", "newest"],
    &["utf8", "text", "string", "str", "varchar"],
    &["int64", "int", "integer", "long", "bigint"],
    &["float64", "float", "double", "real"],
    &["bool", "boolean"],
    &["timestamp", "datetime"],
    &["day", "daily"],
    &["month", "monthly"],
    &["year", "yearly"],
];

/// How far a name is from what was written; less is nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// The same but for its case.
    Case,
    /// So many slips away.
    Slips(usize),
    /// The same meaning.
    Synonym,
    /// One is a part of the other that stands for it.
    Part,
}

/// The valid names near to `written`, nearest first, at most `limit`. Among
/// equally near ones those come first that are nearer in their case.
pub fn nearest<S: AsRef<str>>(
    written: &str,
    valid: impl IntoIterator<Item = S>,
    limit: usize,
) -> Vec<S> {
    let mut near: Vec<_> = valid
        .into_iter()
        .filter_map(|name| Some((distance(written, name.as_ref())?, name)))
        .map(|(distance, name)| (rank(distance, written, name.as_ref()), name))
        .collect();
    near.sort_by_key(|(rank, _)| *rank);
    near.into_iter().take(limit).map(|(_, name)| name).collect()
}

/// The one valid name that is nearest to `written`; `None` when none is near,
/// or when several are as near and nothing tells which of them was meant.
pub fn nearest_one<S: AsRef<str>>(written: &str, valid: impl IntoIterator<Item = S>) -> Option<S> {
    let mut near = nearest(written, valid, 2).into_iter();
    let (first, second) = (near.next()?, near.next());
    let rank = |name: &S| {
        distance(written, name.as_ref()).map(|distance| rank(distance, written, name.as_ref()))
    };
    let is_alone = second.is_none_or(|second| rank(&first) < rank(&second));
    is_alone.then_some(first)
}

/// The distance first, then how much of the case is as written.
fn rank(distance: Distance, written: &str, name: &str) -> (Distance, Reverse<usize>) {
    let same = written.chars().zip(name.chars()).filter(|(a, b)| a == b).count();
    match distance {
        // Of names that differ in their case alone one is the better.
        Distance::Case | Distance::Slips(0) => (distance, Reverse(same)),
        _ => (distance, Reverse(0)),
    }
}

fn distance(written: &str, name: &str) -> Option<Distance> {
    let (wish, name) = (written.to_lowercase(), name.to_lowercase());
    if wish == name {
        return Some(Distance::Case);
    }
    let one = SYNONYMS.iter().find(|words| words.contains(&name.as_str()));
    if one.is_some_and(|words| words.contains(&wish.as_str())) {
        return Some(Distance::Synonym);
    }
    let length = wish.chars().count();
    // A slip in three letters or so; of one or two letters only one too many
    // or too few is believed.
    let most = match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    // What differs this much in length needs more than that many slips.
    if length.abs_diff(name.chars().count()) <= most {
        let slips = strsim::osa_distance(&wish, &name);
        if slips <= most {
            return Some(Distance::Slips(slips));
        }
    }
    if length <= 2 && length.abs_diff(name.chars().count()) == 1 {
        let begins = wish.starts_with(name.as_str()) || name.starts_with(wish.as_str());
        return begins.then_some(Distance::Slips(1));
    }
    let is_part = |part: &str, whole: &str| {
        let ends = |end: &str| end.starts_with(['.', '_', '-', ' ']);
        part.chars().count() >= 3
            && (whole.starts_with(part)
                || whole.strip_suffix(part).is_some_and(|rest| ends(&rest[last_char(rest)..])))
    };
    (is_part(&wish, &name) || is_part(&name, &wish)).then_some(Distance::Part)
}

/// Where the last character of a text begins.
fn last_char(text: &str) -> usize {
    text.char_indices().next_back().map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_one};

    const AGGREGATIONS: [&str; 8] =
        ["count", "sum", "avg", "min", "max", "first", "last", "stddev"];

    #[test]
    fn a_slip_is_forgiven_and_a_guess_is_not_made() {
        assert_eq!(nearest_one("patern", ["pattern", "patterns", "path"]), Some("pattern"));
        assert_eq!(nearest_one("dok.series", ["dock.series", "sites.table"]), Some("dock.series"));
        assert_eq!(nearest_one("Sensors", ["sensors", "tables"]), Some("sensors"));
        assert_eq!(nearest_one("zzz", ["dock.series"]), None);
        assert_eq!(nearest_one("min", ["max"]), None);
        assert_eq!(nearest_one("a", ["b"]), None);
        assert_eq!(nearest_one("tt", ["t", "v"]), Some("t"));
    }

    #[test]
    fn a_word_of_the_same_meaning_is_meant() {
        assert_eq!(nearest_one("mean", AGGREGATIONS), Some("avg"));
        assert_eq!(nearest_one("average", AGGREGATIONS), Some("avg"));
        assert_eq!(nearest_one("Maximum", AGGREGATIONS), Some("max"));
        assert_eq!(nearest_one("median", AGGREGATIONS), None);
    }

    #[test]
    fn of_several_equally_near_none_is_the_nearest_and_all_are_candidates() {
        let units = ["degC", "degF", "m"];
        assert_eq!(nearest_one("degX", units), None);
        assert_eq!(nearest("degX", units, 3), ["degC", "degF"]);
        assert_eq!(nearest_one("degc", units), Some("degC"));
        assert_eq!(nearest_one("MPA", ["mPa", "MPa"]), Some("MPa"));
    }

    #[test]
    fn the_end_of_a_name_with_dots_stands_for_it() {
        assert_eq!(
            nearest_one("temperature", ["North.temperature", "x"]),
            Some("North.temperature")
        );
        assert_eq!(nearest_one("temp", ["temperature", "level"]), Some("temperature"));
        assert_eq!(nearest_one("ature", ["temperature"]), None);
    }
}
