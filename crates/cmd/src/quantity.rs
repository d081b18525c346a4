//! Amounts as people write and read them: sizes, durations, counts.
//!
//! Always true: what is read with a unit is exact (`1KiB` is 1,024 bytes,
//! `1kB` 1,000); what is printed for people is rounded and says its unit.

use std::time::Duration;

const DAY_S: u64 = 86_400;

/// Reads a size: a number with `B`, `kB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`.
///
/// # Errors
/// A sentence that says what a size looks like.
pub(crate) fn parse_bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = split_unit(text);
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("`{unit}` is not a unit of size: use kB, MB, GB, KiB, MiB, GiB")),
    };
    let value: f64 =
        number.parse().map_err(|_| format!("`{text}` is not a size, such as 256MiB"))?;
    let bytes = value * factor;
    if !bytes.is_finite() || !(1.0..=9e15).contains(&bytes) {
        return Err(format!("`{text}` is not a size between 1 byte and 9 PB"));
    }
    // In range by the check above.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Ok(bytes as usize)
}

/// Reads a duration: a number with `ms`, `s`, `m` or `min`, `h`, `d` or `w`.
///
/// # Errors
/// A sentence that says what a duration looks like.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_S * 1_000,
        "w" => DAY_S * 7_000,
        "" if number == "0" => 0,
        _ => return Err(format!("`{text}` is not a duration, such as 30s, 5min, 12h or 30d")),
    };
    let count: u64 = number
        .parse()
        .map_err(|_| format!("`{text}` is not a duration, such as 30s, 5min, 12h or 30d"))?;
    count
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is too long"))
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (text[..end].trim(), text[end..].trim())
}

/// A count with a separator every three digits: `12,345`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun, which takes an `s` when it needs one: `1 row`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    if n == 1 {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{} {stem}ies", count(n)),
        _ if noun.ends_with("series") => format!("{} {noun}", count(n)),
        _ => format!("{} {noun}s", count(n)),
    }
}

/// A length of time as it is declared, exactly: `3h`, `1d12h`, `90s`.
pub(crate) fn whole_duration(seconds: u64) -> String {
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, length) in [("d", DAY_S), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest / length > 0 {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A length of time for people, to its two largest units: `3d 4h`, `59s`.
pub(crate) fn about_duration(seconds: u64) -> String {
    let whole = whole_duration(seconds);
    let mut units = whole.split_inclusive(|c: char| c.is_ascii_alphabetic());
    let shown: Vec<&str> = units.by_ref().take(2).collect();
    shown.join(" ")
}

/// A size for people: `312 B`, `4.2 KiB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "rounded for people anyway")]
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(parse_bytes("256MiB"), Ok(256 << 20));
        assert_eq!(parse_bytes("1.5 kB"), Ok(1_500));
        assert_eq!(parse_bytes("17"), Ok(17));
        assert!(parse_bytes("much").is_err());
        assert!(parse_bytes("0").is_err());
        assert!(parse_bytes("5 parsecs").is_err());
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(parse_duration("30d"), Ok(Duration::from_secs(30 * DAY_S)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        assert!(parse_duration("30").is_err());
        assert!(parse_duration("99999999999999999999d").is_err());
    }

    #[test]
    fn lengths_of_time_read_as_they_are_declared() {
        for (seconds, whole, about) in [
            (0, "0s", "0s"),
            (59, "59s", "59s"),
            (10_800, "3h", "3h"),
            (DAY_S + 3_661, "1d1h1m1s", "1d 1h"),
        ] {
            assert_eq!(whole_duration(seconds), whole);
            assert_eq!(about_duration(seconds), about);
        }
    }

    #[test]
    fn counts_and_sizes_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2, "directory"), "2 directories");
        assert_eq!(counted(3, "day"), "3 days");
        assert_eq!(bytes(65_536), "64.0 KiB");
        assert_eq!(bytes(12), "12 B");
    }
}
