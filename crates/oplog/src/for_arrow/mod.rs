//! A struct's Arrow schema, checked at compile time.
//!
//! [`for_arrow!`](crate::for_arrow!) declares a struct and how its values go
//! into record batches and come back. A field's type decides its column: a
//! type without a place in Arrow does not compile. `Option` makes a column
//! nullable, `Vec` a list, [`Timestamp`] carries unit and zone in its type.
//!
//! ```
//! use oplog::for_arrow::{ForArrow, Micros, Timestamp, Utc};
//!
//! oplog::for_arrow! {
//!     /// A reading.
//!     #[derive(Clone, Debug, PartialEq)]
//!     pub struct Reading {
//!         pub time: Timestamp<Micros, Utc>,
//!         pub level_m: Option<f64>,
//!         pub flags: Vec<String>,
//!     }
//! }
//!
//! let readings = [Reading { time: Timestamp::new(1), level_m: None, flags: vec!["a".into()] }];
//! let batch = Reading::to_batch(&readings)?;
//! assert_eq!(Reading::from_batch(&batch)?, readings);
//! # Ok::<(), oplog::Error>(())
//! ```
//!
//! A field that has no column is refused by the compiler:
//!
//! ```compile_fail,E0277
//! oplog::for_arrow! {
//!     pub struct Wrong { pub path: std::path::PathBuf }
//! }
//! ```
//!
//! Deliberately not here: reading and writing files (`tlogfs`), and structs in
//! structs, which a table of readings has no need of.

mod field;
mod time;
mod values;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

pub use field::{ArrowField, ArrowValue};
pub use time::{
    Date32, Date64, Duration, Micros, Millis, Nanos, NoZone, Seconds, Time32, Time32Unit, Time64,
    Time64Unit, TimeUnitOf, Timestamp, Utc, YearMonths, Zone,
};
pub use values::Decimal;

use crate::{Error, Result};

/// A type whose values are rows of record batches.
pub trait ForArrow: Sized {
    /// The schema of its batches.
    fn schema() -> SchemaRef;

    /// The values as a batch.
    ///
    /// # Errors
    /// [`Error::WrongSchema`] when a value does not fit its column, such as a
    /// decimal with more digits than its type has.
    fn to_batch(items: &[Self]) -> Result<RecordBatch>;

    /// The rows of a batch as values. Columns are found by name; there may be
    /// others.
    ///
    /// # Errors
    /// [`Error::WrongSchema`] names the column that is missing, of another
    /// type, or null where the field is not an `Option`.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>>;
}

/// A column of a batch, checked once, then read row by row.
#[derive(Debug)]
pub struct Column<F: ArrowField>(<F::Value as ArrowValue>::Array);

impl<F: ArrowField> Column<F> {
    /// Finds a column by name and checks that it holds what the field wants.
    ///
    /// # Errors
    /// [`Error::WrongSchema`].
    pub fn find(batch: &RecordBatch, name: &str) -> Result<Self> {
        let wrong = |what: String| Error::WrongSchema { column: name.to_owned(), what };
        let array = batch.column_by_name(name).ok_or_else(|| wrong("it is missing".to_owned()))?;
        let wanted = <F::Value as ArrowValue>::data_type();
        let array = same_layout(array, &wanted)
            .ok_or_else(|| wrong(format!("it is {}, not {wanted}", array.data_type())))?;
        let array = array
            .as_any()
            .downcast_ref::<<F::Value as ArrowValue>::Array>()
            .ok_or_else(|| wrong(format!("it is {}, not {wanted}", array.data_type())))?;
        if (!F::NULLABLE && array.null_count() > 0) || F::Value::has_stray_nulls(array) {
            return Err(wrong("it has nulls, which the field does not take".to_owned()));
        }
        Ok(Self(array.clone()))
    }

    /// The value of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> F {
        F::get(&self.0, row)
    }
}

/// The array in the layout wanted, where that is a matter of layout alone:
/// texts and bytes have several, and a list's inner field may be named
/// differently.
fn same_layout(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    fn family(data_type: &DataType) -> Option<u8> {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(0),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(1),
            DataType::Dictionary(_, values) => family(values),
            _ => None,
        }
    }
    fn equal(found: &DataType, wanted: &DataType) -> bool {
        match (found, wanted) {
            (DataType::List(found), DataType::List(wanted)) => {
                equal(found.data_type(), wanted.data_type())
            }
            (found, wanted) => {
                found == wanted || (family(found).is_some() && family(found) == family(wanted))
            }
        }
    }
    if array.data_type() == wanted {
        return Some(ArrayRef::clone(array));
    }
    if !equal(array.data_type(), wanted) {
        return None;
    }
    arrow::compute::cast(array, wanted).ok()
}

/// Makes a batch of columns; for the macro.
#[doc(hidden)]
pub fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(schema, columns)
        .map_err(|error| Error::WrongSchema { column: "*".into(), what: error.to_string() })
}

#[doc(hidden)]
pub use arrow as __arrow;

/// Declares a struct whose values are rows of record batches; see
/// [`for_arrow!`](macro@crate::for_arrow).
#[macro_export]
macro_rules! for_arrow {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident : $type:ty ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $( $(#[$field_meta])* $field_vis $field: $type, )*
        }

        impl $crate::for_arrow::ForArrow for $name {
            fn schema() -> $crate::for_arrow::__arrow::datatypes::SchemaRef {
                use $crate::for_arrow::{__arrow::datatypes::{Field, Schema}, ArrowField, ArrowValue};
                ::std::sync::Arc::new(Schema::new(vec![
                    $( Field::new(
                        stringify!($field).trim_start_matches("r#"),
                        <<$type as ArrowField>::Value as ArrowValue>::data_type(),
                        <$type as ArrowField>::NULLABLE,
                    ), )*
                ]))
            }

            fn to_batch(
                items: &[Self],
            ) -> $crate::Result<$crate::for_arrow::__arrow::array::RecordBatch> {
                use $crate::for_arrow::{__arrow::array::ArrayBuilder, ArrowField, ArrowValue};
                $( let mut $field = <<$type as ArrowField>::Value as ArrowValue>::builder(); )*
                for item in items {
                    $( <$type as ArrowField>::append(&item.$field, &mut $field); )*
                }
                $crate::for_arrow::batch(
                    <Self as $crate::for_arrow::ForArrow>::schema(),
                    vec![ $( ArrayBuilder::finish(&mut $field), )* ],
                )
            }

            fn from_batch(
                batch: &$crate::for_arrow::__arrow::array::RecordBatch,
            ) -> $crate::Result<Vec<Self>> {
                $( let $field = $crate::for_arrow::Column::<$type>::find(
                    batch,
                    stringify!($field).trim_start_matches("r#"),
                )?; )*
                Ok((0..batch.num_rows()).map(|row| Self { $( $field: $field.get(row), )* }).collect())
            }
        }
    };
}
