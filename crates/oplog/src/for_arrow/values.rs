//! Numbers, texts, bytes and lists as columns.

use std::sync::Arc;

use arrow::array::{
    Array, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder, FixedSizeBinaryArray,
    FixedSizeBinaryBuilder, ListArray, ListBuilder, PrimitiveArray, PrimitiveBuilder, StringArray,
    StringBuilder,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalDayTime, IntervalDayTimeType, IntervalMonthDayNano,
    IntervalMonthDayNanoType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use bytes::Bytes;
use half::f16;

use super::field::field;
use super::{ArrowField, ArrowValue};

macro_rules! primitive {
    ($($value:ty => $arrow:ty),* $(,)?) => {
        $(impl ArrowValue for $value {
            type Array = PrimitiveArray<$arrow>;
            type Builder = PrimitiveBuilder<$arrow>;

            fn data_type() -> DataType {
                <$arrow as arrow::datatypes::ArrowPrimitiveType>::DATA_TYPE
            }

            fn builder() -> Self::Builder {
                Self::Builder::new()
            }

            fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
                builder.append_option(value.copied());
            }

            fn get_value(array: &Self::Array, row: usize) -> Self {
                array.value(row)
            }
        })*
        field! { $([] $value);* }
    };
}

primitive! {
    i8 => Int8Type,
    i16 => Int16Type,
    i32 => Int32Type,
    i64 => Int64Type,
    u8 => UInt8Type,
    u16 => UInt16Type,
    u32 => UInt32Type,
    u64 => UInt64Type,
    f16 => Float16Type,
    f32 => Float32Type,
    f64 => Float64Type,
    IntervalDayTime => IntervalDayTimeType,
    IntervalMonthDayNano => IntervalMonthDayNanoType,
}

field! {
    [] bool;
    [] String;
    [] Bytes;
    [const N: usize] [u8; N];
    [const P: u8, const S: i8] Decimal<P, S>;
    [T: ArrowField] Vec<T>;
}

impl ArrowValue for bool {
    type Array = BooleanArray;
    type Builder = BooleanBuilder;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn builder() -> Self::Builder {
        BooleanBuilder::new()
    }

    fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
        builder.append_option(value.copied());
    }

    fn get_value(array: &Self::Array, row: usize) -> Self {
        array.value(row)
    }
}

impl ArrowValue for String {
    type Array = StringArray;
    type Builder = StringBuilder;

    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn builder() -> Self::Builder {
        StringBuilder::new()
    }

    fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
        builder.append_option(value);
    }

    fn get_value(array: &Self::Array, row: usize) -> Self {
        array.value(row).to_owned()
    }
}

impl ArrowValue for Bytes {
    type Array = BinaryArray;
    type Builder = BinaryBuilder;

    fn data_type() -> DataType {
        DataType::Binary
    }

    fn builder() -> Self::Builder {
        BinaryBuilder::new()
    }

    fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
        builder.append_option(value);
    }

    fn get_value(array: &Self::Array, row: usize) -> Self {
        Self::copy_from_slice(array.value(row))
    }
}

/// `N` bytes, no more and no fewer.
impl<const N: usize> ArrowValue for [u8; N] {
    type Array = FixedSizeBinaryArray;
    type Builder = FixedSizeBinaryBuilder;

    fn data_type() -> DataType {
        const { assert!(N <= i32::MAX as usize, "Arrow has no bytes that wide") };
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "asserted")]
        DataType::FixedSizeBinary(N as i32)
    }

    fn builder() -> Self::Builder {
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "asserted")]
        FixedSizeBinaryBuilder::new(N as i32)
    }

    fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
        // The width is that of the builder, so appending can not fail.
        match value {
            Some(value) => drop(builder.append_value(value)),
            None => builder.append_null(),
        }
    }

    fn get_value(array: &Self::Array, row: usize) -> Self {
        let mut value = [0; N];
        value.copy_from_slice(array.value(row));
        value
    }
}

/// A decimal of `P` digits in all, `S` of them after the point: the number
/// without the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal<const P: u8, const S: i8>(pub i128);

impl<const P: u8, const S: i8> ArrowValue for Decimal<P, S> {
    type Array = PrimitiveArray<Decimal128Type>;
    type Builder = PrimitiveBuilder<Decimal128Type>;

    fn data_type() -> DataType {
        const { assert!(P >= 1 && P <= 38, "a decimal has 1 to 38 digits") };
        DataType::Decimal128(P, S)
    }

    fn builder() -> Self::Builder {
        PrimitiveBuilder::new().with_data_type(Self::data_type())
    }

    fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
        builder.append_option(value.map(|value| value.0));
    }

    fn get_value(array: &Self::Array, row: usize) -> Self {
        Self(array.value(row))
    }
}

fn item<T: ArrowField>() -> Arc<Field> {
    Arc::new(Field::new_list_field(T::Value::data_type(), T::NULLABLE))
}

/// A list; of options, a list with nulls in it.
impl<T: ArrowField> ArrowValue for Vec<T> {
    type Array = ListArray;
    type Builder = ListBuilder<<T::Value as ArrowValue>::Builder>;

    fn data_type() -> DataType {
        DataType::List(item::<T>())
    }

    fn builder() -> Self::Builder {
        ListBuilder::new(T::Value::builder()).with_field(item::<T>())
    }

    fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
        for item in value.into_iter().flatten() {
            item.append(builder.values());
        }
        builder.append(value.is_some());
    }

    fn get_value(array: &Self::Array, row: usize) -> Self {
        let items = array.value(row);
        let Some(items) = items.as_any().downcast_ref::<<T::Value as ArrowValue>::Array>() else {
            // The column's type was checked when it was found.
            return Self::new();
        };
        (0..items.len()).map(|item| T::get(items, item)).collect()
    }

    fn has_stray_nulls(array: &Self::Array) -> bool {
        let items = array.values();
        let inner = items.as_any().downcast_ref::<<T::Value as ArrowValue>::Array>();
        (!T::NULLABLE && items.null_count() > 0) || inner.is_none_or(T::Value::has_stray_nulls)
    }
}
