//! What the values of JSON fields have in common, nested ones included.
//!
//! What always holds: fields come in the order of their first appearance in
//! the file. Numbers widen to floats, scalars of several kinds to text; a
//! scalar, an object and an array under one name are refused, with the lines
//! of both. A key that stands twice in one object makes its record malformed.
//!
//! What is deliberately not here: values. Nothing of a record is kept.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use arrow::datatypes::{DataType, Field, Fields};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The most fields that an object may have.
const MAX_FIELDS: usize = 10_000;

/// Integers up to here are exact in a float.
const EXACT: u64 = 1 << 53;

/// What was seen under one name, each kind with the first line it is on.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    boolean: Option<u64>,
    int: Option<u64>,
    /// An integer that a float does not hold.
    long: Option<u64>,
    /// An integer beyond 64 bits with a sign.
    huge: Option<u64>,
    float: Option<u64>,
    text: Option<u64>,
    object: Option<(u64, Fieldset)>,
    array: Option<(u64, Box<Seen>)>,
    /// The last object that had it, by [`Marks`]; 0 for none.
    last_object: u64,
}

/// The fields of an object, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fieldset {
    names: Vec<String>,
    seen: Vec<Seen>,
    places: HashMap<String, usize>,
}

impl Fieldset {
    fn entry(&mut self, name: &str) -> Option<&mut Seen> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None if self.names.len() >= MAX_FIELDS => return None,
            None => {
                let place = self.names.len();
                self.places.insert(name.to_owned(), place);
                self.names.push(name.to_owned());
                self.seen.push(Seen::default());
                place
            }
        };
        self.seen.get_mut(place)
    }

    /// Adds what was seen further down. `false` when there are too many fields.
    pub(super) fn merge(&mut self, later: Self) -> bool {
        later
            .names
            .into_iter()
            .zip(later.seen)
            .all(|(name, seen)| self.entry(&name).is_some_and(|entry| entry.merge(seen)))
    }

    /// How many fields there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The fields' types; `path` names the object, empty at the top.
    pub(super) fn decide(&self, path: &str, notes: &mut Vec<String>) -> Result<Fields, Conflict> {
        let mut fields = Vec::with_capacity(self.names.len());
        for (name, seen) in self.names.iter().zip(&self.seen) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match seen.decide(&path, notes)? {
                Some(kind) => fields.push(Field::new(name, kind, true)),
                None => notes.push(format!(
                    "`{}` holds only empty objects and is left out",
                    path.escape_debug()
                )),
            }
        }
        Ok(fields.into())
    }
}

/// Two kinds of values under one name that no type holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) path: String,
    pub(super) first: (&'static str, u64),
    pub(super) second: (&'static str, u64),
}

fn earliest(here: &mut Option<u64>, later: Option<u64>) {
    if here.is_none() {
        *here = later;
    }
}

impl Seen {
    fn merge(&mut self, later: Self) -> bool {
        earliest(&mut self.boolean, later.boolean);
        earliest(&mut self.int, later.int);
        earliest(&mut self.long, later.long);
        earliest(&mut self.huge, later.huge);
        earliest(&mut self.float, later.float);
        earliest(&mut self.text, later.text);
        let objects = match (&mut self.object, later.object) {
            (Some((_, here)), Some((_, later))) => here.merge(later),
            (here @ None, later) => {
                *here = later;
                true
            }
            (Some(_), None) => true,
        };
        let arrays = match (&mut self.array, later.array) {
            (Some((_, here)), Some((_, later))) => here.merge(*later),
            (here @ None, later) => {
                *here = later;
                true
            }
            (Some(_), None) => true,
        };
        objects && arrays
    }

    /// The type that holds all; `None` for an object without fields.
    fn decide(&self, path: &str, notes: &mut Vec<String>) -> Result<Option<DataType>, Conflict> {
        let number = [self.int, self.long, self.huge, self.float].into_iter().flatten().min();
        let kinds = [
            ("a boolean", self.boolean),
            ("a number", number),
            ("text", self.text),
            ("an object", self.object.as_ref().map(|(line, _)| *line)),
            ("an array", self.array.as_ref().map(|(line, _)| *line)),
        ];
        let mut seen: Vec<(&'static str, u64)> =
            kinds.into_iter().filter_map(|(kind, line)| Some((kind, line?))).collect();
        let nested = self.object.is_some() || self.array.is_some();
        seen.sort_by_key(|(_, line)| *line);
        if let ([first, second, ..], true) = (seen.as_slice(), nested) {
            return Err(Conflict { path: path.to_owned(), first: *first, second: *second });
        }
        if let Some((_, fields)) = &self.object {
            let fields = fields.decide(path, notes)?;
            return Ok((!fields.is_empty()).then_some(DataType::Struct(fields)));
        }
        if let Some((_, items)) = &self.array {
            let kind = items.decide(&format!("{path}[]"), notes)?;
            return Ok(kind.map(|kind| DataType::new_list(kind, true)));
        }
        if let [first, second, ..] = seen.as_slice() {
            notes.push(format!(
                "`{}` is text because it is {} on line {} and {} on line {}",
                path.escape_debug(),
                first.0,
                first.1,
                second.0,
                second.1
            ));
            return Ok(Some(DataType::Utf8));
        }
        Ok(Some(self.decide_scalar(path, notes)))
    }

    fn decide_scalar(&self, path: &str, notes: &mut Vec<String>) -> DataType {
        if self.text.is_some() {
            DataType::Utf8
        } else if self.boolean.is_some() {
            DataType::Boolean
        } else if self.float.is_some() {
            if self.long.or(self.huge).is_some() {
                notes.push(format!(
                    "`{}` mixes fractions with integers above 2^53, which lose digits",
                    path.escape_debug()
                ));
            }
            DataType::Float64
        } else if let Some(line) = self.huge {
            notes.push(format!(
                "`{}` is text because line {line} has an integer of more than 64 bits",
                path.escape_debug()
            ));
            DataType::Utf8
        } else if self.int.or(self.long).is_some() {
            DataType::Int64
        } else {
            DataType::Null
        }
    }
}

/// Tells the objects of one record apart, so that a key that stands twice in
/// one of them is seen.
#[derive(Default)]
pub(super) struct Marks {
    objects: Cell<u64>,
    /// The key that stands twice, once one was met.
    pub(super) repeated: Cell<Option<String>>,
}

impl Marks {
    fn next_object(&self) -> u64 {
        let object = self.objects.get() + 1;
        self.objects.set(object);
        object
    }
}

/// Looks at one record: a seed for serde that fills in what it sees.
pub(super) struct Look<'a> {
    pub(super) line: u64,
    pub(super) fields: &'a mut Fieldset,
    pub(super) marks: &'a Marks,
    /// The name of the time column, and its value in the record as text.
    pub(super) time: Option<(&'a str, &'a mut Option<String>)>,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { line, fields, marks, mut time } = self;
        let object = marks.next_object();
        while let Some(name) = map.next_key::<String>()? {
            let seen = entry::<A::Error>(fields, &name, object, marks)?;
            match &mut time {
                Some((column, value)) if **column == name => {
                    **value = map.next_value::<Scalar>()?.0;
                }
                _ => map.next_value_seed(Value { line, seen, marks })?,
            }
        }
        Ok(())
    }
}

fn entry<'a, E: serde::de::Error>(
    fields: &'a mut Fieldset,
    name: &str,
    object: u64,
    marks: &Marks,
) -> Result<&'a mut Seen, E> {
    let seen =
        fields.entry(name).ok_or_else(|| E::custom(format!("more than {MAX_FIELDS} fields")))?;
    if std::mem::replace(&mut seen.last_object, object) == object {
        marks.repeated.set(Some(name.to_owned()));
        return Err(E::custom("a key stands twice"));
    }
    Ok(seen)
}

/// A time as text, whether a number or a string says it; `None` is null.
struct Scalar(Option<String>);

impl<'de> serde::Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null => Ok(Self(None)),
            serde_json::Value::String(text) => Ok(Self(Some(text))),
            serde_json::Value::Number(number) => Ok(Self(Some(plain_number(&number.to_string())))),
            _ => Err(D::Error::custom("the time is neither text nor a number")),
        }
    }
}

/// A number without an exponent.
pub(super) fn plain_number(text: &str) -> String {
    let exponent = text.contains(['e', 'E']);
    match text.parse::<f64>() {
        Ok(number) if exponent => number.to_string(),
        _ => text.to_owned(),
    }
}

struct Value<'a> {
    line: u64,
    seen: &'a mut Seen,
    marks: &'a Marks,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _value: bool) -> Result<(), E> {
        self.seen.boolean.get_or_insert(self.line);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        let exact = value.unsigned_abs() <= EXACT;
        let kind = if exact { &mut self.seen.int } else { &mut self.seen.long };
        kind.get_or_insert(self.line);
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => {
                self.seen.huge.get_or_insert(self.line);
                Ok(())
            }
        }
    }

    fn visit_f64<E>(self, _value: f64) -> Result<(), E> {
        self.seen.float.get_or_insert(self.line);
        Ok(())
    }

    fn visit_str<E>(self, _value: &str) -> Result<(), E> {
        self.seen.text.get_or_insert(self.line);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { line, seen, marks } = self;
        let (_, inner) = seen.array.get_or_insert_with(|| (line, Box::default()));
        while items.next_element_seed(Value { line, seen: inner, marks })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { line, seen, marks } = self;
        let (_, fields) = seen.object.get_or_insert_with(|| (line, Fieldset::default()));
        let object = marks.next_object();
        while let Some(name) = map.next_key::<String>()? {
            let seen = entry::<A::Error>(fields, &name, object, marks)?;
            map.next_value_seed(Value { line, seen, marks })?;
        }
        Ok(())
    }
}
