//! Which columns are reduced, to what, and how the result is computed from
//! what tiles hold.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit,
};
use datafusion::error::DataFusionError;
use jiff::tz::TimeZone;
use query::UNIT_KEY;

use super::config::{Aggregation, AggregationType, TemporalReduceConfig};
use super::partial::{Keeps, Reduced, SKETCH, sketch_at};
use super::resolution::{Resolution, zone_name};
use crate::column_glob::ColumnGlob;
use crate::{Error, Result};

/// Field metadata that is carried over to what is measured as the input was.
const CARRIED: [&str; 3] = [UNIT_KEY, "instrument", "parameter"];
/// Field metadata that says how a column was made.
const AGGREGATION_KEY: &str = "aggregation";

/// What a reduction makes of an input's columns.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// What tiles keep.
    pub(crate) reduced: Arc<[Reduced]>,
    /// What comes out beside the time, in order.
    outputs: Vec<Output>,
}

/// What is made of a column: an aggregation, and which quantile that is.
#[derive(Clone, Copy, Debug)]
struct Made {
    kind: AggregationType,
    q: f64,
}

impl Made {
    fn all_of(aggregation: &Aggregation) -> Vec<Self> {
        let kind = aggregation.r#type;
        match &aggregation.q {
            Some(wanted) => wanted.iter().map(|&q| Self { kind, q }).collect(),
            None => vec![Self { kind, q: 0.0 }],
        }
    }

    /// What its column's name ends in.
    fn name(self) -> String {
        match self.kind {
            AggregationType::Quantile => format!("q{}", self.q),
            kind => kind.as_str().to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
struct Output {
    made: Made,
    /// The column's name.
    column: String,
    field: FieldRef,
}

/// Whether a column says of another's readings how good they are.
fn is_flag(name: &str, schema: &Schema) -> bool {
    name.strip_suffix(".flag").is_some_and(|of| schema.field_with_name(of).is_ok())
}

impl Columns {
    /// Applies `config` to an input of `schema`, whose times are in `time`.
    pub(crate) fn of(config: &TemporalReduceConfig, schema: &Schema, time: &str) -> Result<Self> {
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        // By column, in the order of the input; within one as declared.
        let mut wanted: BTreeMap<usize, Vec<Made>> = BTreeMap::new();
        for aggregation in &config.aggregations {
            let (kind, made) = (aggregation.r#type, Made::all_of(aggregation));
            let Some(patterns) = &aggregation.columns else {
                for (at, field) in schema.fields().iter().enumerate() {
                    let is_reading = field.name() != time
                        && (config.exclude_flags.is_empty() || !is_flag(field.name(), schema));
                    if field.data_type().is_numeric() && is_reading {
                        wanted.entry(at).or_default().extend(&made);
                    }
                }
                continue;
            };
            let mut matched = vec![false; schema.fields().len()];
            for pattern in patterns {
                let glob = ColumnGlob::parse(pattern)?;
                let mut any = false;
                for (at, field) in schema.fields().iter().enumerate() {
                    if field.name() == time || !glob.matches(field.name()) {
                        continue;
                    }
                    any = true;
                    if !field.data_type().is_numeric() && kind != AggregationType::Count {
                        return Err(Error::NotANumber {
                            column: field.name().clone(),
                            actual: query::plain_type(field.data_type()).to_string(),
                            aggregation: kind.as_str(),
                        });
                    }
                    matched[at] = true;
                }
                if !any {
                    return Err(glob.no_match(names()));
                }
            }
            for (at, _) in matched.iter().enumerate().filter(|(_, matched)| **matched) {
                wanted.entry(at).or_default().extend(&made);
            }
        }

        let mut reduced = Vec::with_capacity(wanted.len());
        let mut outputs: Vec<Output> = Vec::new();
        let mut taken: HashMap<String, String> = HashMap::new();
        taken.insert(time.to_owned(), format!("column `{time}`"));
        for (at, all) in wanted {
            let field = schema.field(at);
            let mut keeps = Keeps::default();
            for made in all {
                keeps = keeps.with(made.kind);
                let output = output(field, made);
                let name = output.field.name().clone();
                let by = format!("`{}` of column `{}`", made.name(), field.name());
                if let Some(first) = taken.insert(name.clone(), by.clone()) {
                    return Err(Error::NameTwice { name, first, second: by });
                }
                outputs.push(output);
            }
            reduced.push(Reduced { name: field.name().clone(), keeps });
        }
        Ok(Self { reduced: reduced.into(), outputs })
    }

    /// The schema of a resolution.
    pub(crate) fn schema(&self, time: &str, resolution: &Resolution, zone: &TimeZone) -> SchemaRef {
        let zone = if resolution.is_civil() { zone_name(zone) } else { "UTC" };
        let time_type = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(zone)));
        let mut fields = vec![Arc::new(Field::new(time, time_type, false))];
        fields.extend(self.outputs.iter().map(|output| Arc::clone(&output.field)));
        Arc::new(Schema::new(fields))
    }

    /// The columns of `schema` out of buckets in the layout of a tile; `wanted`
    /// are their places among all columns that come out.
    pub(crate) fn compute(
        &self,
        buckets: &RecordBatch,
        schema: &SchemaRef,
        wanted: &[usize],
    ) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(wanted.len());
        for (field, &at) in schema.fields().iter().zip(wanted) {
            arrays.push(match at.checked_sub(1) {
                None => {
                    let times = buckets.column(0).as_primitive::<Int64Type>().values().clone();
                    let DataType::Timestamp(_, zone) = field.data_type() else {
                        unreachable!("the first column that comes out is a time");
                    };
                    let times = TimestampMicrosecondArray::new(times, None);
                    Arc::new(times.with_timezone_opt(zone.clone()))
                }
                Some(at) => self.outputs[at].compute(buckets),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(buckets.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options);
        Ok(batch.map_err(DataFusionError::from)?)
    }
}

impl Keeps {
    const fn with(mut self, kind: AggregationType) -> Self {
        match kind {
            AggregationType::Count => {}
            AggregationType::Sum | AggregationType::Avg => self.sum = true,
            AggregationType::Min => self.min = true,
            AggregationType::Max => self.max = true,
            AggregationType::First => self.first = true,
            AggregationType::Last => self.last = true,
            AggregationType::Stddev => {
                self.sum = true;
                self.m2 = true;
            }
            AggregationType::Quantile => {
                (self.min, self.max) = (true, true);
                self.sketch = true;
            }
        }
        self
    }
}

fn output(input: &Field, made: Made) -> Output {
    let (aggregation, name) = (made.kind, format!("{}.{}", input.name(), made.name()));
    let mut metadata: HashMap<String, String> = HashMap::new();
    metadata.insert(AGGREGATION_KEY.to_owned(), made.name());
    let field = if aggregation == AggregationType::Count {
        Field::new(name, DataType::Int64, false)
    } else {
        for key in CARRIED {
            if let Some(value) = input.metadata().get(key) {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
        Field::new(name, DataType::Float64, true)
    };
    let field = Arc::new(field.with_metadata(metadata));
    Output { made, column: input.name().clone(), field }
}

impl Output {
    fn compute(&self, buckets: &RecordBatch) -> ArrayRef {
        let kept = |part: &str| {
            let name = format!("{}.{part}", self.column);
            match buckets.column_by_name(&name) {
                Some(array) => array,
                None => unreachable!("a tile has what its aggregations need: {name}"),
            }
        };
        let numbers = |part: &str| kept(part).as_primitive::<Float64Type>();
        let counts = || kept("count").as_primitive::<Int64Type>();
        match self.made.kind {
            AggregationType::Count => Arc::clone(kept("count")),
            AggregationType::Sum => Arc::clone(kept("sum")),
            AggregationType::Min => Arc::clone(kept("min")),
            AggregationType::Max => Arc::clone(kept("max")),
            AggregationType::First => Arc::clone(kept("first")),
            AggregationType::Last => Arc::clone(kept("last")),
            AggregationType::Avg => {
                quotients(numbers("sum"), counts(), |sum, count| (count > 0.0).then(|| sum / count))
            }
            AggregationType::Stddev => quotients(numbers("m2"), counts(), |m2, count| {
                (count > 1.0).then(|| (m2 / (count - 1.0)).sqrt())
            }),
            AggregationType::Quantile => {
                let sketches = kept(SKETCH).as_binary::<i32>();
                quantiles(self.made.q, sketches, numbers("min"), numbers("max"))
            }
        }
    }
}

/// Of each number and its count; what is not finite is not known.
fn quotients(
    numbers: &Float64Array,
    counts: &Int64Array,
    of: impl Fn(f64, f64) -> Option<f64>,
) -> ArrayRef {
    let values = numbers.iter().zip(counts.values()).map(|(number, &count)| {
        number.and_then(|number| of(number, count as f64)).filter(|value| value.is_finite())
    });
    Arc::new(Float64Array::from_iter(values))
}

/// A quantile of each sketch.
fn quantiles(
    q: f64,
    sketches: &BinaryArray,
    least: &Float64Array,
    greatest: &Float64Array,
) -> ArrayRef {
    let values = least.iter().zip(greatest).enumerate().map(|(row, (least, greatest))| {
        let (least, greatest) = (least?, greatest?);
        sketch_at(sketches, row)?.quantile(q, least, greatest)
    });
    Arc::new(Float64Array::from_iter(values))
}
