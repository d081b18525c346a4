//! The factory `synthetic-timeseries`: a series out of formulas, for tests and
//! demonstrations.
//!
//! Always true: a value is a function of the configuration and its time alone,
//! so the same configuration is the same series for ever; a filter on the time
//! is a bit of arithmetic, and nothing outside it is computed.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use factory::config::{Field, Instant, Interval, Schema};
use factory::{About, Config, Factory};
use query::{Inputs, Locality, UNIT_KEY};
use serde::Deserialize;
use tinyfs::{EntryType, NodePath};

use crate::Result;
use crate::computed::{Derived, Planned, Planner};
use crate::time_filter::{narrowing, times_of};
use crate::units;

/// The most rows of one series.
const MAX_ROWS: i64 = 50_000_000;
/// Rows in a batch.
const BATCH_ROWS: i64 = 8_192;
/// The column of times, unless it is named.
const TIME_COLUMN: &str = "timestamp";

/// A series out of formulas.
#[derive(Debug)]
pub(crate) struct Synthetic;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SyntheticConfig {
    start: Instant,
    end: Instant,
    interval: Interval,
    time_column: Option<String>,
    points: Vec<Point>,
}

/// One column.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    name: String,
    unit: Option<String>,
    components: Vec<Component>,
}

/// One addend of a column.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    r#type: Wave,
    amplitude: Option<f64>,
    period: Option<Interval>,
    #[serde(default)]
    offset: f64,
    #[serde(default)]
    phase: f64,
    slope: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Wave {
    Sine,
    Triangle,
    Square,
    Line,
}

impl Component {
    /// Its value `seconds` after the start.
    fn at(&self, seconds: f64) -> f64 {
        if self.r#type == Wave::Line {
            return self.offset + self.slope.unwrap_or_default() * seconds;
        }
        let period = self.period.map_or(1.0, |period| period.us as f64 / 1e6);
        // Turns since the start, of which only the part matters.
        let turn = (seconds / period + self.phase / TAU).rem_euclid(1.0);
        let shape = match self.r#type {
            Wave::Sine => (TAU * turn).sin(),
            Wave::Triangle if turn < 0.25 => 4.0 * turn,
            Wave::Triangle if turn < 0.75 => 2.0 - 4.0 * turn,
            Wave::Triangle => 4.0 * turn - 4.0,
            Wave::Square if turn < 0.5 => 1.0,
            Wave::Square => -1.0,
            Wave::Line => 0.0,
        };
        self.offset + self.amplitude.unwrap_or_default() * shape
    }
}

impl SyntheticConfig {
    fn rows(&self) -> i64 {
        (self.end.us - self.start.us) / self.interval.us + 1
    }

    fn time_column(&self) -> &str {
        self.time_column.as_deref().unwrap_or(TIME_COLUMN)
    }

    fn schema(&self) -> SchemaRef {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let mut fields = vec![ArrowField::new(self.time_column(), utc, false)];
        fields.extend(self.points.iter().map(|point| {
            let field = ArrowField::new(&point.name, DataType::Float64, false);
            let unit = point.unit.iter().map(|unit| (UNIT_KEY.to_owned(), unit.clone()));
            field.with_metadata(unit.collect())
        }));
        Arc::new(ArrowSchema::new(fields))
    }
}

impl Factory for Synthetic {
    fn about(&self) -> About {
        let component = Schema::object([
            Field::required(
                "type",
                Schema::one_of(&["sine", "triangle", "square", "line"]),
                "The shape",
            ),
            Field::optional("amplitude", Schema::number(), "How far it swings; not of a line"),
            Field::optional("period", Schema::interval(), "How long it swings; not of a line"),
            Field::optional("offset", Schema::number(), "Added to it"),
            Field::optional("phase", Schema::number(), "Radians ahead at the start"),
            Field::optional("slope", Schema::number(), "Of a line: how much it rises a second"),
        ]);
        let point = Schema::object([
            Field::required("name", Schema::text(), "The column"),
            Field::optional("unit", Schema::text(), "Its unit"),
            Field::required("components", Schema::list(component), "What its values add up from"),
        ]);
        let fields = [
            Field::required("start", Schema::instant(), "The first time"),
            Field::required("end", Schema::instant(), "No time is after it"),
            Field::required("interval", Schema::interval(), "From one row to the next"),
            Field::optional("time_column", Schema::text(), "The column of times"),
            Field::required("points", Schema::list(point), "The other columns"),
        ];
        About {
            name: "synthetic-timeseries",
            summary: "a series out of formulas, for tests and demonstrations",
            schema: Schema::object(fields).into_json(),
            example: "\
start: 2025-01-01T00:00:00Z
end: 2025-12-31T23:45:00Z
interval: 15m
points:
  - name: temperature
    unit: degC
    components:
      - { type: sine, amplitude: 4, period: 24h, offset: 14 }
      - { type: line, slope: 0.0000001 }
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: SyntheticConfig = config.read()?;
        if read.end < read.start {
            return Err(config.complaint("end", "is before the start").into());
        }
        if read.rows() > MAX_ROWS {
            let what = format!("gives {} rows, and {MAX_ROWS} are the most", read.rows());
            return Err(config.complaint("interval", what).into());
        }
        let mut names = vec![read.time_column().to_owned()];
        for (index, point) in read.points.iter().enumerate() {
            let at = format!("points[{index}]");
            if names.contains(&point.name) {
                let what = format!("there is a column `{}` already", point.name);
                return Err(config.complaint(&format!("{at}.name"), what).into());
            }
            names.push(point.name.clone());
            if let Some(unit) = &point.unit {
                let at = format!("{at}.unit");
                units::known(unit).map_err(|error| units::complaint(config, &at, &error))?;
            }
            for (index, component) in point.components.iter().enumerate() {
                let at = format!("{at}.components[{index}]");
                check_component(config, &at, component)?;
            }
        }
        Ok(EntryType::DynamicSeries)
    }
}

/// Which numbers go with which shape.
fn check_component(config: &Config, at: &str, component: &Component) -> factory::Result<()> {
    let is_line = component.r#type == Wave::Line;
    let given = [
        ("amplitude", component.amplitude.is_some(), !is_line),
        ("period", component.period.is_some(), !is_line),
        ("slope", component.slope.is_some(), is_line),
    ];
    for (name, is_given, is_wanted) in given {
        match (is_given, is_wanted) {
            (false, true) => {
                return Err(config.complaint(at, format!("`{name}` is missing")).into());
            }
            (true, false) => {
                let what = "does not go with this type";
                return Err(config.complaint(&format!("{at}.{name}"), what).into());
            }
            _ => {}
        }
    }
    Ok(())
}

#[async_trait]
impl Planner for Synthetic {
    async fn plan(
        &self,
        _node: &NodePath,
        config: &Config,
        _inputs: &Inputs,
        _derived: &Derived,
    ) -> Result<Planned> {
        let config: SyntheticConfig = config.read()?;
        let time_column = Arc::from(config.time_column());
        let schema = config.schema();
        Ok(Planned {
            provider: Arc::new(SyntheticTable { config: Arc::new(config), schema }),
            time_column: Some(time_column),
            time_unit: None,
            inputs: Vec::new(),
            locality: Locality::Same,
            notes: Vec::new(),
        })
    }
}

/// The series as a table.
#[derive(Debug)]
struct SyntheticTable {
    config: Arc<SyntheticConfig>,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for SyntheticTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(narrowing(filters, self.config.time_column()))
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let config = &self.config;
        let wanted: Vec<usize> = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema: SchemaRef = Arc::new(self.schema.project(&wanted)?);
        let mut rows = 0..config.rows();
        for filter in filters {
            if let Some(times) = times_of(filter, config.time_column()) {
                // The first row that is not before a time.
                let row = |us: i64| {
                    let after = i128::from(us) - i128::from(config.start.us);
                    let interval = i128::from(config.interval.us);
                    let row =
                        after.div_euclid(interval) + i128::from(after.rem_euclid(interval) > 0);
                    i64::try_from(row.clamp(0, i128::from(config.rows()))).unwrap_or(0)
                };
                rows = rows.start.max(row(times.start))..rows.end.min(row(times.end));
            }
        }
        let ordering = wanted.iter().position(|&at| at == 0).and_then(|at| {
            let time = Arc::new(Column::new(config.time_column(), at));
            let options = SortOptions { descending: false, nulls_first: false };
            LexOrdering::new([PhysicalSortExpr::new(time, options)])
        });
        let rows = Rows {
            config: Arc::clone(config),
            schema: Arc::clone(&schema),
            wanted,
            start: rows.start,
            end: rows.end,
        };
        let partitions: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(rows)];
        let plan = StreamingTableExec::try_new(schema, partitions, None, ordering, false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// A stretch of rows.
struct Rows {
    config: Arc<SyntheticConfig>,
    schema: SchemaRef,
    /// The columns of `schema` among the table's.
    wanted: Vec<usize>,
    start: i64,
    end: i64,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "synthetic rows {}..{}", self.start, self.end)
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (config, schema) = (Arc::clone(&self.config), Arc::clone(&self.schema));
        let (wanted, end) = (self.wanted.clone(), self.end);
        let starts = (self.start..end).step_by(BATCH_ROWS as usize);
        let batches = starts.map(move |start| {
            let rows = start..end.min(start + BATCH_ROWS);
            batch(&config, &schema, &wanted, rows)
        });
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

/// The wanted columns of a few rows.
fn batch(
    config: &SyntheticConfig,
    schema: &SchemaRef,
    wanted: &[usize],
    rows: std::ops::Range<i64>,
) -> DfResult<RecordBatch> {
    let column = |at: usize| -> ArrayRef {
        // Column 0 is the time, the others are the points.
        match at.checked_sub(1).and_then(|at| config.points.get(at)) {
            None => {
                let times = rows.clone().map(|row| config.start.us + row * config.interval.us);
                let times: TimestampMicrosecondArray = times.collect::<Vec<_>>().into();
                Arc::new(times.with_timezone("UTC"))
            }
            Some(point) => {
                let values = rows.clone().map(|row| {
                    let seconds = (row * config.interval.us) as f64 / 1e6;
                    point.components.iter().map(|component| component.at(seconds)).sum::<f64>()
                });
                Arc::new(Float64Array::from_iter_values(values))
            }
        }
    };
    let columns = wanted.iter().map(|&at| column(at)).collect();
    let count = usize::try_from(rows.end - rows.start).unwrap_or(0);
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(DataFusionError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(text: &str) -> Component {
        let config = Config::parse("/c", text).unwrap();
        config.read().unwrap()
    }

    #[test]
    fn shapes_pass_through_their_corners() {
        let wave = |shape: &str, seconds: f64| {
            component(&format!("{{type: {shape}, amplitude: 2, period: 4s, offset: 10}}"))
                .at(seconds)
        };
        for (shape, values) in [
            ("triangle", [10.0, 12.0, 10.0, 8.0]),
            ("square", [12.0, 12.0, 8.0, 8.0]),
            ("sine", [10.0, 12.0, 10.0, 8.0]),
        ] {
            for (second, expected) in values.into_iter().enumerate() {
                let got = wave(shape, second as f64);
                assert!((got - expected).abs() < 1e-12, "{shape} {second}: {got}");
                // A period later it is the same.
                assert!((wave(shape, second as f64 + 4.0) - got).abs() < 1e-12);
            }
        }
        let line = component("{type: line, slope: 0.5, offset: 1}");
        assert!((line.at(4.0) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_phase_is_in_radians() {
        let ahead = component("{type: sine, amplitude: 1, period: 1h, phase: 1.5707963267948966}");
        assert!((ahead.at(0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let base = "start: 2025-01-01T00:00:00Z\nend: 2025-01-02T00:00:00Z\n";
        for (rest, at) in [
            (
                "interval: 1m\npoints: [{name: a, components: [{type: line}]}]",
                "points[0].components[0]",
            ),
            (
                "interval: 1m\npoints: [{name: a, components: [{type: line, slope: 1, period: 1h}]}]",
                "points[0].components[0].period",
            ),
            ("interval: 1ms\npoints: []", "interval"),
            ("interval: 1m\npoints: [{name: timestamp, components: []}]", "points[0].name"),
        ] {
            let config = Config::parse("/c", &format!("{base}{rest}\n"));
            let config = config.unwrap();
            match Synthetic.check(&config) {
                Err(factory::Error::Config(error)) => assert_eq!(error.at, at, "{error}"),
                other => panic!("{rest}: {other:?}"),
            }
        }
    }
}
