//! Whether rows fit with the version before them.
//!
//! Versions of a series are united by column name. A column may be missing on
//! either side, and its type may change where both sides fit into one type
//! without loss of meaning. Everything else is refused before it is written,
//! because a series that holds it could no longer be read as one table.
//!
//! Deliberately not here: the uniting itself, which is the reader's.

use arrow::datatypes::{DataType, Schema};

use crate::{Error, Result};

/// Refuses columns of `rows` that contradict those of `before`.
pub(crate) fn check(path: &str, version: u64, before: &Schema, rows: &Schema) -> Result<()> {
    for field in rows.fields() {
        let Some((_, had)) = before.column_with_name(field.name()) else { continue };
        if !fits(had.data_type(), field.data_type()) {
            return Err(Error::SchemaConflict {
                path: path.to_owned(),
                column: field.name().clone(),
                version,
                had: had.data_type().to_string(),
                got: field.data_type().to_string(),
            });
        }
    }
    Ok(())
}

/// Refuses two columns of one name: by name they could not be united.
pub(crate) fn check_names(path: &str, schema: &Schema) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    match schema.fields().iter().find(|field| !names.insert(field.name())) {
        None => Ok(()),
        Some(field) => {
            Err(Error::DuplicateColumn { path: path.to_owned(), column: field.name().clone() })
        }
    }
}

/// Whether one type can hold the values of both.
fn fits(a: &DataType, b: &DataType) -> bool {
    use DataType as T;
    match (a, b) {
        _ if a == b => true,
        (T::Null, _) | (_, T::Null) => true,
        (T::Dictionary(_, value), other) | (other, T::Dictionary(_, value)) => fits(value, other),
        // Numbers fit into the wider of the two, and integers beside floats
        // into a float of 64 bits: instruments write `7` where they mean `7.0`.
        _ if a.is_numeric() && b.is_numeric() => is_plain_number(a) && is_plain_number(b),
        (T::Timestamp(_, zone), T::Timestamp(_, other)) => zone.is_some() == other.is_some(),
        (T::Date32 | T::Date64, T::Date32 | T::Date64) => true,
        (T::Utf8 | T::LargeUtf8 | T::Utf8View, T::Utf8 | T::LargeUtf8 | T::Utf8View) => true,
        (
            T::Binary | T::LargeBinary | T::BinaryView,
            T::Binary | T::LargeBinary | T::BinaryView,
        ) => true,
        (
            T::List(a) | T::LargeList(a) | T::ListView(a) | T::LargeListView(a),
            T::List(b) | T::LargeList(b) | T::ListView(b) | T::LargeListView(b),
        ) => fits(a.data_type(), b.data_type()),
        (T::Struct(a), T::Struct(b)) => a.iter().all(|field| {
            b.find(field.name()).is_none_or(|(_, other)| fits(field.data_type(), other.data_type()))
        }),
        _ => false,
    }
}

fn is_plain_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating()
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn missing_and_additional_columns_fit() {
        let a = Schema::new(vec![Field::new("t", DataType::Int64, false)]);
        let b = Schema::new(vec![Field::new("x", DataType::Utf8, true)]);
        check("/s", 1, &a, &b).unwrap();
    }

    #[test]
    fn text_in_place_of_a_number_is_refused_with_both_types() {
        let a = Schema::new(vec![Field::new("x", DataType::Float64, true)]);
        let b = Schema::new(vec![Field::new("x", DataType::Utf8, true)]);
        let error = check("/s", 3, &a, &b).unwrap_err().to_string();
        assert_eq!(error, "column `x` of `/s` is Float64 in version 3 and Utf8 in the rows given");
    }

    #[test]
    fn local_times_do_not_pass_for_instants() {
        let local = DataType::Timestamp(TimeUnit::Second, None);
        assert!(!fits(&local, &DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))));
        assert!(fits(&local, &DataType::Timestamp(TimeUnit::Nanosecond, None)));
    }

    #[test]
    fn two_columns_of_one_name_are_refused() {
        let field = Field::new("x", DataType::Int8, true);
        let schema = Schema::new(vec![field.clone(), field]);
        assert!(matches!(check_names("/s", &schema), Err(Error::DuplicateColumn { .. })));
    }
}
