//! What a type needs to be a column.

use arrow::array::{Array, ArrayBuilder};
use arrow::datatypes::DataType;

/// A type that can stand in a column, without nulls.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no column type in Arrow",
    note = "numbers, `bool`, `String`, `Bytes`, dates, times, timestamps, `Vec` of these and `Option` of these have one"
)]
pub trait ArrowValue: Sized {
    /// The array it is read from.
    type Array: Array + Clone + 'static;
    /// What it is gathered in.
    type Builder: ArrayBuilder;

    /// The type of the column.
    fn data_type() -> DataType;

    /// An empty builder of that type.
    fn builder() -> Self::Builder;

    /// Appends a value, or a null.
    fn append_value(value: Option<&Self>, builder: &mut Self::Builder);

    /// The value of a row that is not null.
    fn get_value(array: &Self::Array, row: usize) -> Self;

    /// Whether there are nulls inside the values, where they can not be.
    fn has_stray_nulls(_array: &Self::Array) -> bool {
        false
    }
}

/// A type that can be a field: an [`ArrowValue`] or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be a column of a record batch",
    note = "numbers, `bool`, `String`, `Bytes`, dates, times, timestamps, `Vec` of these and `Option` of these can"
)]
pub trait ArrowField: Sized {
    /// The value without its null.
    type Value: ArrowValue;
    /// Whether the column takes nulls.
    const NULLABLE: bool;

    /// Appends this value.
    fn append(&self, builder: &mut <Self::Value as ArrowValue>::Builder);

    /// The value of a row.
    fn get(array: &<Self::Value as ArrowValue>::Array, row: usize) -> Self;
}

/// Makes values fields that take no null.
macro_rules! field {
    ($([$($generics:tt)*] $value:ty);* $(;)?) => {
        $(impl<$($generics)*> $crate::for_arrow::ArrowField for $value {
            type Value = Self;
            const NULLABLE: bool = false;

            fn append(&self, builder: &mut <Self as $crate::for_arrow::ArrowValue>::Builder) {
                <Self as $crate::for_arrow::ArrowValue>::append_value(Some(self), builder);
            }

            fn get(
                array: &<Self as $crate::for_arrow::ArrowValue>::Array,
                row: usize,
            ) -> Self {
                <Self as $crate::for_arrow::ArrowValue>::get_value(array, row)
            }
        })*
    };
}

pub(super) use field;

impl<T: ArrowValue> ArrowField for Option<T> {
    type Value = T;
    const NULLABLE: bool = true;

    fn append(&self, builder: &mut T::Builder) {
        T::append_value(self.as_ref(), builder);
    }

    fn get(array: &T::Array, row: usize) -> Self {
        array.is_valid(row).then(|| T::get_value(array, row))
    }
}
