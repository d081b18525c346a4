//! Functions whose result can be far larger than what they are given, held to
//! a share of the memory limit.
//!
//! `SELECT repeat('x', 1000000000)` asks for a gigabyte in one call, and no
//! operator that counts its memory takes part. So what such a call would make
//! is reckoned from its arguments first, and a call that goes beyond the share
//! fails as any query does that needs more memory than it has.
//!
//! Always true: a result that is within the share is what the function itself
//! gives; nothing is allocated for one that is not.
//!
//! Deliberately not here: functions whose result is about as large as their
//! arguments.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, FieldRef, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::{ScalarValue, resources_err};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};

/// The result of one call, over one batch of rows, may take this part of the
/// memory limit.
const SHARE: usize = 4;

/// The functions, by what their results grow with.
const FUNCTIONS: &[(&str, Growth)] = &[
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Times),
    ("lpad", Growth::Length),
    ("rpad", Growth::Length),
    ("array_resize", Growth::Length),
    ("range", Growth::Between),
    ("generate_series", Growth::Between),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Replaced),
];

/// A padded character or an element of a list takes at most about so much.
const ELEMENT_BYTES: u64 = 8;
const DAY_US: i64 = 86_400_000_000;

/// The functions that stand in for those of the same names in `registry`.
pub(crate) fn functions(
    registry: &dyn FunctionRegistry,
    memory_limit_bytes: usize,
) -> Result<Vec<ScalarUDF>> {
    let limit_bytes = (memory_limit_bytes / SHARE) as u64;
    let bounded = |(name, growth): &(&str, Growth)| {
        let inner = registry.udf(name)?;
        Ok(ScalarUDF::new_from_impl(Bounded { inner, growth: *growth, limit_bytes }))
    };
    FUNCTIONS.iter().map(bounded).collect()
}

/// What the size of a result follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument, as often as the second says.
    Times,
    /// As long as the second argument says.
    Length,
    /// From one number or time to another in steps.
    Between,
    /// At worst the third argument for each character of the first.
    Replaced,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    limit_bytes: u64,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalars { 1 } else { args.number_rows };
        let sizes = self.growth.sizes(&args.args, rows)?;
        let all = sizes.iter().fold(0_u64, |all, size| all.saturating_add(*size));
        if all <= self.limit_bytes {
            self.inner.invoke_with_args(args)
        } else if self.growth == Growth::Replaced && !scalars {
            self.in_parts(&args, &sizes)
        } else {
            self.too_much(all)
        }
    }
}

impl Bounded {
    fn too_much<T>(&self, bytes: u64) -> Result<T> {
        resources_err!(
            "a call of {} would make {bytes} bytes at once, and may make {}",
            self.name(),
            self.limit_bytes
        )
    }

    /// Calls the function for so few rows at a time that the worst is within
    /// the share; together they may still be too much.
    fn in_parts(&self, args: &ScalarFunctionArgs, sizes: &[u64]) -> Result<ColumnarValue> {
        let mut parts: Vec<ArrayRef> = Vec::new();
        let (mut start, mut made) = (0, 0_u64);
        while start < sizes.len() {
            let (mut end, mut worst) = (start, 0_u64);
            while let Some(size) = sizes.get(end)
                && worst.saturating_add(*size) <= self.limit_bytes
            {
                worst += size;
                end += 1;
            }
            if end == start {
                return self.too_much(sizes[start]);
            }
            let rows = end - start;
            let slice = |arg: &ColumnarValue| match arg {
                ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(start, rows)),
                ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
            };
            let part = ScalarFunctionArgs {
                args: args.args.iter().map(slice).collect(),
                number_rows: rows,
                ..args.clone()
            };
            let part = self.inner.invoke_with_args(part)?.into_array(rows)?;
            made = made.saturating_add(part.to_data().get_slice_memory_size()? as u64);
            if made > self.limit_bytes {
                return self.too_much(made);
            }
            parts.push(part);
            start = end;
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }
}

impl Growth {
    /// What the result takes in each row, at most and about.
    fn sizes(self, args: &[ColumnarValue], rows: usize) -> Result<Vec<u64>> {
        let each = |size: &dyn Fn(usize) -> u64| Ok((0..rows).map(size).collect());
        match (self, args) {
            (Self::Times, [what, times]) => {
                let (what, times) = (Widths::of(what)?, Numbers::of(times, &DataType::Int64)?);
                each(&|row| what.at(row).saturating_mul(positive(times.at(row))))
            }
            (Self::Length, [_, length, ..]) => {
                let length = Numbers::of(length, &DataType::Int64)?;
                each(&|row| positive(length.at(row)).saturating_mul(ELEMENT_BYTES))
            }
            (Self::Replaced, [text, _, by, ..]) => {
                let (text, by) = (Widths::of(text)?, Widths::of(by)?);
                each(&|row| {
                    let places = text.at(row).saturating_add(1);
                    places.saturating_mul(by.at(row)).saturating_add(text.at(row))
                })
            }
            (Self::Between, [stop]) => {
                let stop = Numbers::of(stop, &DataType::Int64)?;
                each(&|row| positive(stop.at(row)).saturating_mul(ELEMENT_BYTES))
            }
            (Self::Between, [start, stop, step @ ..]) => {
                let times = DataType::Timestamp(TimeUnit::Microsecond, None);
                let of = if start.data_type().is_integer() { &DataType::Int64 } else { &times };
                let (start, stop) = (Numbers::of(start, of)?, Numbers::of(stop, of)?);
                let step = step.first().map(steps).transpose()?;
                each(&|row| {
                    let (Some(start), Some(stop)) = (start.at(row), stop.at(row)) else { return 0 };
                    let step = step.as_ref().map_or(Some(1), |step| step.at(row));
                    // Without a step, or with one of nothing, the function gives
                    // nothing or an error.
                    let step = step.map_or(u64::MAX, i64::unsigned_abs).max(1);
                    (start.abs_diff(stop) / step).saturating_add(1).saturating_mul(ELEMENT_BYTES)
                })
            }
            // The function refuses these itself.
            _ => Ok(vec![0; rows]),
        }
    }
}

/// Numbers as they are, and intervals as microseconds (of short months).
fn steps(step: &ColumnarValue) -> Result<Numbers> {
    let as_us = |months: i32, days: i32, nanoseconds: i64| {
        let days = i64::from(months).saturating_mul(28).saturating_add(i64::from(days));
        days.saturating_mul(DAY_US).saturating_add(nanoseconds / 1_000)
    };
    Ok(match step {
        ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(step)) => {
            Numbers::Same(step.map(|step| as_us(step.months, step.days, step.nanoseconds)))
        }
        ColumnarValue::Array(array)
            if let Some(steps) = array.as_primitive_opt::<IntervalMonthDayNanoType>() =>
        {
            let each = steps
                .iter()
                .map(|step| step.map(|step| as_us(step.months, step.days, step.nanoseconds)));
            Numbers::Each(each.collect())
        }
        other if other.data_type().is_integer() => Numbers::of(other, &DataType::Int64)?,
        // As fine as any step is.
        _ => Numbers::Same(Some(1)),
    })
}

fn positive(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// A whole number in each row; what is none counts as absent.
enum Numbers {
    Same(Option<i64>),
    Each(Int64Array),
}

impl Numbers {
    fn of(value: &ColumnarValue, by_way_of: &DataType) -> Result<Self> {
        let array = match value {
            ColumnarValue::Array(array) => Arc::clone(array),
            ColumnarValue::Scalar(value) => value.to_array()?,
        };
        let numbers = cast(&cast(&array, by_way_of)?, &DataType::Int64)?;
        let numbers = numbers.as_primitive::<arrow::datatypes::Int64Type>().clone();
        Ok(match value {
            ColumnarValue::Array(_) => Self::Each(numbers),
            ColumnarValue::Scalar(_) => Self::Same(numbers.is_valid(0).then(|| numbers.value(0))),
        })
    }

    fn at(&self, row: usize) -> Option<i64> {
        match self {
            Self::Same(number) => *number,
            Self::Each(numbers) => numbers.is_valid(row).then(|| numbers.value(row)),
        }
    }
}

/// What a value takes in each row, in bytes.
enum Widths {
    Same(u64),
    Each(Vec<u64>),
}

impl Widths {
    fn of(value: &ColumnarValue) -> Result<Self> {
        let width = |text: Option<&str>| text.map_or(0, str::len) as u64;
        let array = match value {
            ColumnarValue::Scalar(value) => {
                return Ok(Self::Same(match value.try_as_str() {
                    Some(text) => width(text),
                    None => value.size() as u64,
                }));
            }
            ColumnarValue::Array(array) => array,
        };
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Each(array.as_string::<i32>().iter().map(width).collect()),
            DataType::LargeUtf8 => Self::Each(array.as_string::<i64>().iter().map(width).collect()),
            DataType::Utf8View => Self::Each(array.as_string_view().iter().map(width).collect()),
            _ => {
                let bytes = array.to_data().get_slice_memory_size()?;
                Self::Same((bytes / array.len().max(1)).max(1) as u64)
            }
        })
    }

    fn at(&self, row: usize) -> u64 {
        match self {
            Self::Same(width) => *width,
            Self::Each(widths) => widths.get(row).copied().unwrap_or(0),
        }
    }
}
