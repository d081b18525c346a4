//! What the values of a column have in common.
//!
//! What always holds: the type of a column holds every value of the file, and
//! does not depend on where chunks begin. A value that looks like a number but
//! would lose something as one (`007`, twenty digits) is text.
//!
//! What is deliberately not here: looking at names. A number is never a time.

use arrow::datatypes::{DataType, TimeUnit};

use crate::format::options::ColumnType;
use crate::format::time::iso;

/// A set of kinds of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    pub(super) const BOOL: Self = Self(1);
    /// An integer that a float holds exactly.
    pub(super) const INT: Self = Self(1 << 1);
    /// An integer of 64 bits beyond that.
    pub(super) const LONG: Self = Self(1 << 2);
    /// More digits than 64 bits hold.
    pub(super) const HUGE: Self = Self(1 << 3);
    pub(super) const FLOAT: Self = Self(1 << 4);
    pub(super) const DATE: Self = Self(1 << 5);
    /// A time without an offset.
    pub(super) const LOCAL: Self = Self(1 << 6);
    /// A time with an offset.
    pub(super) const INSTANT: Self = Self(1 << 7);
    /// A time finer than microseconds; beside one of the two above.
    pub(super) const FINER: Self = Self(1 << 8);
    /// A time that nanoseconds do not reach; beside one of the two above.
    pub(super) const FAR: Self = Self(1 << 9);
    pub(super) const TEXT: Self = Self(1 << 10);

    const WHOLE: Self = Self(Self::INT.0 | Self::LONG.0);
    const NUMBERS: Self = Self(Self::WHOLE.0 | Self::HUGE.0 | Self::FLOAT.0);
    const TIME_DETAILS: Self = Self(Self::FINER.0 | Self::FAR.0);

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

/// The type of a column, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no value; a null column unites with any other.
    Null,
    Bool,
    Int64,
    Float64,
    Date,
    /// A local time; the flag asks for nanoseconds.
    Local {
        nanos: bool,
    },
    /// An instant; the flag asks for nanoseconds.
    Instant {
        nanos: bool,
    },
    Text,
}

/// What was seen of one column.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) kinds: Kinds,
    /// The first value that is text, with its line.
    pub(super) first_text: Option<(u64, String)>,
}

impl Seen {
    /// Adds what was seen of the column further down.
    pub(super) fn merge(&mut self, later: Self) {
        self.kinds = self.kinds.with(later.kinds);
        if self.first_text.is_none() {
            self.first_text = later.first_text;
        }
    }

    /// The type that holds all, and what the user should know about it.
    pub(super) fn decide(&self, name: &str) -> (Kind, Option<String>) {
        let kinds = Kinds(self.kinds.0 & !Kinds::TIME_DETAILS.0);
        let nanos = self.kinds.has(Kinds::FINER) && !self.kinds.has(Kinds::FAR);
        let name = name.escape_debug();
        if kinds == Kinds::NONE {
            let note = format!("column `{name}` has no values and so no type");
            return (Kind::Null, Some(note));
        }
        if kinds == Kinds::TEXT {
            return (Kind::Text, None);
        }
        if kinds == Kinds::BOOL {
            return (Kind::Bool, None);
        }
        if kinds.within(Kinds::WHOLE) {
            return (Kind::Int64, None);
        }
        if kinds.within(Kinds::NUMBERS) && kinds.has(Kinds::FLOAT) {
            let loses = kinds.has(Kinds::LONG.with(Kinds::HUGE));
            let note = loses.then(|| {
                format!(
                    "column `{name}` mixes fractions with integers above 2^53, which lose digits"
                )
            });
            return (Kind::Float64, note);
        }
        if kinds == Kinds::DATE {
            return (Kind::Date, None);
        }
        let cut = self.kinds.has(Kinds::FINER) && self.kinds.has(Kinds::FAR);
        let cut = cut.then(|| format!("column `{name}`: digits below microseconds are cut off"));
        if kinds.within(Kinds::DATE.with(Kinds::LOCAL)) {
            return (Kind::Local { nanos }, cut);
        }
        if kinds == Kinds::INSTANT {
            return (Kind::Instant { nanos }, cut);
        }
        (Kind::Text, Some(self.why_text(&name.to_string())))
    }

    fn why_text(&self, name: &str) -> String {
        match &self.first_text {
            Some((line, text)) => format!(
                "column `{name}` is text because of `{text}` on line {line}; \
                 if that means \"no value\", say so with --null '{text}'"
            ),
            None => format!("column `{name}` is text because its values are of several kinds"),
        }
    }
}

impl Kind {
    /// The column as Arrow has it.
    pub(super) fn data_type(self) -> DataType {
        let unit = |nanos| if nanos { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
        match self {
            Self::Null => DataType::Null,
            Self::Bool => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Local { nanos } => DataType::Timestamp(unit(nanos), None),
            Self::Instant { nanos } => DataType::Timestamp(unit(nanos), Some("UTC".into())),
            Self::Text => DataType::Utf8,
        }
    }
}

/// Why a value does not have the type that is declared; `None` if it does.
pub(super) fn misfit(kind: ColumnType, text: &[u8]) -> Option<&'static str> {
    let (fits, reason) = match kind {
        ColumnType::Bool => (parse_bool(text).is_some(), "is not true or false"),
        ColumnType::Int64 => (parse_int(text).is_some(), "is not a 64-bit integer"),
        ColumnType::Float64 => (parse_float(text).is_some(), "is not a number"),
        ColumnType::Date => {
            (iso::parse(text).is_some_and(|civil| civil.date_only), "is not a date (YYYY-MM-DD)")
        }
        ColumnType::Timestamp => (iso::parse(text).is_some(), "is not an ISO 8601 time"),
        ColumnType::Utf8 => (true, ""),
    };
    (!fits).then_some(reason)
}

/// A 64-bit integer with an optional sign; zeros before it mean nothing.
pub(super) fn parse_int(text: &[u8]) -> Option<i64> {
    // A value that is no integer is the normal answer here.
    lexical_core::parse(text).ok()
}

/// A float, an integer, or the name of what is neither.
pub(super) fn parse_float(text: &[u8]) -> Option<f64> {
    // A value that is no number is the normal answer here.
    lexical_core::parse(text).ok()
}

/// What kind of value a text is, without spaces around it.
pub(super) fn classify(text: &[u8]) -> Kinds {
    let Some(&first) = text.first() else { return Kinds::NONE };
    match first {
        b'0'..=b'9' if text.get(4) == Some(&b'-') => time(text),
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(text),
        _ if parse_bool(text).is_some() => Kinds::BOOL,
        _ if is_named_float(text) => Kinds::FLOAT,
        _ => Kinds::TEXT,
    }
}

/// `true` or `false`, in any case.
pub(super) fn parse_bool(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// `nan`, `inf` or `infinity`, in any case, without a sign.
fn is_named_float(text: &[u8]) -> bool {
    [b"nan".as_slice(), b"inf", b"infinity"].iter().any(|name| text.eq_ignore_ascii_case(name))
}

fn number(text: &[u8]) -> Kinds {
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    };
    let run = |from: usize| unsigned[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = run(0);
    if whole == unsigned.len() && whole > 0 {
        return whole_number(text, unsigned);
    }
    let mut at = whole;
    let mut fraction = 0;
    if unsigned.get(at) == Some(&b'.') {
        fraction = run(at + 1);
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return if is_named_float(unsigned) { Kinds::FLOAT } else { Kinds::TEXT };
    }
    if let Some(b'e' | b'E') = unsigned.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = unsigned.get(at) {
            at += 1;
        }
        let exponent = run(at);
        if exponent == 0 {
            return Kinds::TEXT;
        }
        at += exponent;
    }
    if at == unsigned.len() { Kinds::FLOAT } else { Kinds::TEXT }
}

fn whole_number(text: &[u8], digits: &[u8]) -> Kinds {
    const EXACT: u64 = 1 << 53;
    if digits.len() > 1 && digits[0] == b'0' {
        return Kinds::TEXT;
    }
    if digits.len() <= 15 {
        return Kinds::INT;
    }
    match lexical_core::parse::<i64>(text) {
        Ok(value) if value.unsigned_abs() <= EXACT => Kinds::INT,
        Ok(_) => Kinds::LONG,
        Err(_) => Kinds::HUGE,
    }
}

fn time(text: &[u8]) -> Kinds {
    let Some(civil) = iso::parse(text) else { return Kinds::TEXT };
    if civil.date_only {
        return Kinds::DATE;
    }
    let mut kinds = if civil.offset.is_some() { Kinds::INSTANT } else { Kinds::LOCAL };
    if civil.finer {
        kinds = kinds.with(Kinds::FINER);
    }
    let secs = civil.local - i64::from(civil.offset.unwrap_or(0));
    // Wider than the day by which dates beside these times can differ.
    if !(-9_223_000_000..=9_223_000_000).contains(&secs) {
        kinds = kinds.with(Kinds::FAR);
    }
    kinds
}
