//! Dates, times, durations and timestamps as columns: unit and zone are part
//! of the type, so that a second is never taken for a millisecond.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{PrimitiveArray, PrimitiveBuilder};
use arrow::datatypes::{
    ArrowPrimitiveType, ArrowTimestampType, DataType, Date32Type, Date64Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use super::ArrowValue;
use super::field::field;

/// A unit of time, as a type.
pub trait TimeUnitOf: Copy + fmt::Debug + Send + Sync + 'static {
    /// Arrow's timestamp of the unit.
    type Timestamp: ArrowTimestampType;
    /// Arrow's duration of the unit.
    type Duration: ArrowPrimitiveType<Native = i64>;
}

/// A zone, as a type. A crate can declare its own.
pub trait Zone: Copy + fmt::Debug + Send + Sync + 'static {
    /// What Arrow calls it; `None` for times without a zone.
    const NAME: Option<&'static str>;
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident: $timestamp:ty, $duration:ty);* $(;)?) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name;

        impl TimeUnitOf for $name {
            type Timestamp = $timestamp;
            type Duration = $duration;
        })*
    };
}

units! {
    /// Seconds.
    Seconds: TimestampSecondType, DurationSecondType;
    /// Milliseconds.
    Millis: TimestampMillisecondType, DurationMillisecondType;
    /// Microseconds.
    Micros: TimestampMicrosecondType, DurationMicrosecondType;
    /// Nanoseconds.
    Nanos: TimestampNanosecondType, DurationNanosecondType;
}

/// Coordinated universal time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc;

impl Zone for Utc {
    const NAME: Option<&'static str> = Some("UTC");
}

/// Times of a clock on the wall, wherever the wall is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoZone;

impl Zone for NoZone {
    const NAME: Option<&'static str> = None;
}

macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident<$($param:ident: $bound:ident),*>($native:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<$($param: $bound),*> {
            /// The number, in the unit of the type.
            pub value: $native,
            marker: PhantomData<($($param,)*)>,
        }

        impl<$($param: $bound),*> $name<$($param),*> {
            /// A value in the unit of the type.
            #[must_use]
            pub const fn new(value: $native) -> Self {
                Self { value, marker: PhantomData }
            }
        }
    };
}

wrapper! {
    /// An instant: so many units since 1970.
    Timestamp<U: TimeUnitOf, Z: Zone>(i64)
}

wrapper! {
    /// A length of time.
    Duration<U: TimeUnitOf>(i64)
}

wrapper! {
    /// A time of day in [`Seconds`] or [`Millis`].
    Time32<U: Time32Unit>(i32)
}

wrapper! {
    /// A time of day in [`Micros`] or [`Nanos`].
    Time64<U: Time64Unit>(i64)
}

/// Units of a [`Time32`].
pub trait Time32Unit: TimeUnitOf {
    /// Arrow's type for it.
    type Arrow: ArrowPrimitiveType<Native = i32>;
}

/// Units of a [`Time64`].
pub trait Time64Unit: TimeUnitOf {
    /// Arrow's type for it.
    type Arrow: ArrowPrimitiveType<Native = i64>;
}

impl Time32Unit for Seconds {
    type Arrow = Time32SecondType;
}

impl Time32Unit for Millis {
    type Arrow = Time32MillisecondType;
}

impl Time64Unit for Micros {
    type Arrow = Time64MicrosecondType;
}

impl Time64Unit for Nanos {
    type Arrow = Time64NanosecondType;
}

macro_rules! column {
    ($([$($generics:tt)*] $value:ty => $arrow:ty, $data_type:expr);* $(;)?) => {
        $(impl<$($generics)*> ArrowValue for $value {
            type Array = PrimitiveArray<$arrow>;
            type Builder = PrimitiveBuilder<$arrow>;

            fn data_type() -> DataType {
                $data_type
            }

            fn builder() -> Self::Builder {
                PrimitiveBuilder::new().with_data_type(Self::data_type())
            }

            fn append_value(value: Option<&Self>, builder: &mut Self::Builder) {
                builder.append_option(value.map(|value| value.value));
            }

            fn get_value(array: &Self::Array, row: usize) -> Self {
                Self::new(array.value(row))
            }
        }

        field! { [$($generics)*] $value })*
    };
}

column! {
    [U: TimeUnitOf, Z: Zone] Timestamp<U, Z> => U::Timestamp,
        DataType::Timestamp(U::Timestamp::UNIT, Z::NAME.map(Arc::from));
    [U: TimeUnitOf] Duration<U> => U::Duration, U::Duration::DATA_TYPE;
    [U: Time32Unit] Time32<U> => U::Arrow, U::Arrow::DATA_TYPE;
    [U: Time64Unit] Time64<U> => U::Arrow, U::Arrow::DATA_TYPE;
    [] Date32 => Date32Type, DataType::Date32;
    [] Date64 => Date64Type, DataType::Date64;
    [] YearMonths => IntervalYearMonthType, IntervalYearMonthType::DATA_TYPE;
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident($native:ty));* $(;)?) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// The number, in the unit of the type.
            pub value: $native,
        }

        impl $name {
            /// A value in the unit of the type.
            #[must_use]
            pub const fn new(value: $native) -> Self {
                Self { value }
            }
        })*
    };
}

plain! {
    /// A day: days since 1970.
    Date32(i32);
    /// A day: milliseconds since 1970, whole days.
    Date64(i64);
    /// A span of months.
    YearMonths(i32);
}
