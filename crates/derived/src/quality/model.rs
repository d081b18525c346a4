//! Flags against what their definitions say, over whole series and parts.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int8Type, Int64Type, Schema};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, col, ident, lit};
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use query::{ComputedTable, Lineage, Locality};
use tinyfs::{ContentHash, TimeUnit};

use super::flags::{Bounds, FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT, Test};
use super::table::{QualityTable, Tested};

/// Seconds, and values that may be missing, of two columns.
type Row = (i64, Option<f64>, Option<f64>);

const S: i64 = 1_000_000;

/// How the column of times is typed.
#[derive(Clone, Copy, Debug)]
enum Times {
    Seconds,
    Micros,
    Nanos,
    Integers,
}

fn input(rows: &[Row], times: Times) -> ComputedTable {
    let scaled = |factor: i64| rows.iter().map(move |row| row.0 * factor);
    let (times, unit): (ArrayRef, _) = match times {
        Times::Seconds => (Arc::new(TimestampSecondArray::from_iter_values(scaled(1))), None),
        Times::Micros => {
            let times = TimestampMicrosecondArray::from_iter_values(scaled(S));
            (Arc::new(times.with_timezone("UTC")), None)
        }
        Times::Nanos => {
            (Arc::new(TimestampNanosecondArray::from_iter_values(scaled(1_000 * S))), None)
        }
        Times::Integers => {
            let times = Int64Array::from_iter_values(scaled(1_000));
            (Arc::new(times), Some(TimeUnit::Millisecond))
        }
    };
    let schema = Arc::new(Schema::new(vec![
        Field::new("a.b", DataType::Float64, true),
        Field::new("t", times.data_type().clone(), false),
        Field::new("v", DataType::Float64, true),
    ]));
    let column = |of: fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Float64Array>())
    };
    let columns = vec![column(|row| row.2), times, column(|row| row.1)];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    // In pieces that cut instants apart.
    let pieces = (0..batch.num_rows()).step_by(4);
    let pieces = pieces.map(|at| batch.slice(at, 4.min(batch.num_rows() - at))).collect();
    let (definition, locality) = (ContentHash::of(b""), Locality::Same);
    let path = "test".to_owned();
    ComputedTable {
        provider: Arc::new(MemTable::try_new(schema, vec![pieces]).unwrap()),
        time_column: Some("t".into()),
        time_unit: unit,
        lineage: Arc::new(Lineage::Computed { path, definition, locality, inputs: Vec::new() }),
        notes: Vec::new(),
    }
}

/// The flag of a value by the words of its tests.
fn naive(tests: &[Test], readings: &[(i64, f64)], time: i64, value: Option<f64>) -> i8 {
    let Some(value) = value.filter(|value| value.is_finite()) else { return MISSING };
    let ago = |reading: &(i64, f64)| (time - reading.0) * S;
    let before = readings.iter().filter(|reading| reading.0 < time).map(|reading| reading.0).max();
    let before: Vec<(i64, f64)> =
        readings.iter().filter(|reading| Some(reading.0) == before).copied().collect();
    let mut all = Vec::new();
    for test in tests {
        match *test {
            Test::Range { fail, suspect } => {
                let outside = |of: Bounds| value < of.least || value > of.greatest;
                all.push(if outside(fail) {
                    FAIL
                } else if outside(suspect) {
                    SUSPECT
                } else {
                    PASS
                });
            }
            Test::Rate { per_us, within_us, fail, suspect } => {
                for reading in before.iter().filter(|reading| ago(reading) <= within_us) {
                    let rate = (value - reading.1).abs() * per_us as f64 / ago(reading) as f64;
                    all.push(if rate > fail {
                        FAIL
                    } else if rate > suspect {
                        SUSPECT
                    } else {
                        PASS
                    });
                }
            }
            Test::Gap { longer_than_us } => {
                let any = before.iter().any(|reading| ago(reading) <= longer_than_us);
                all.push(if any { PASS } else { SUSPECT });
            }
            Test::Flat { tolerance, after_us, flag } => {
                let within = |from: i64| {
                    readings
                        .iter()
                        .filter(move |one| from <= one.0 && one.0 <= time)
                        .map(|one| one.1)
                };
                let differ = |from: i64| {
                    within(from).fold(f64::MIN, f64::max) - within(from).fold(f64::MAX, f64::min)
                };
                let begins = readings
                    .iter()
                    .filter(|one| (after_us..=2 * after_us).contains(&ago(one)))
                    .map(|one| one.0)
                    .max();
                let recent = readings.iter().filter(|one| (0..after_us).contains(&ago(one)));
                let recent = recent.map(|one| one.0).min();
                match (begins, recent) {
                    (Some(begins), _) if differ(begins) <= tolerance => all.push(flag),
                    (Some(_), _) => all.push(PASS),
                    (None, Some(recent)) if differ(recent) > tolerance => all.push(PASS),
                    (None, _) => {}
                }
            }
        }
    }
    [FAIL, SUSPECT, PASS].into_iter().find(|flag| all.contains(flag)).unwrap_or(NOT_EVALUATED)
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (-8..8_i8, 0..8_i8).prop_map(|(least, more)| Bounds {
        least: f64::from(least),
        greatest: f64::from(least) + f64::from(more),
    })
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        (bounds(), bounds()).prop_map(|(fail, suspect)| Test::Range { fail, suspect }),
        (1..5_i64, 1..20_i64, 0..6_i8, 0..6_i8).prop_map(|(per, within, fail, suspect)| {
            let (fail, suspect) = (f64::from(fail), f64::from(suspect));
            Test::Rate { per_us: per * S, within_us: within * S, fail, suspect }
        }),
        (0..3_i8, 1..15_i64, prop_oneof![Just(SUSPECT), Just(FAIL)]).prop_map(
            |(tolerance, after, flag)| {
                Test::Flat { tolerance: f64::from(tolerance), after_us: after * S, flag }
            }
        ),
        (1..12_i64).prop_map(|longer| Test::Gap { longer_than_us: longer * S }),
    ]
}

fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        8 => (-4..4_i8).prop_map(|value| Some(f64::from(value) / 2.0)),
        2 => (-9..9_i8).prop_map(|value| Some(f64::from(value))),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::INFINITY)),
    ]
}

/// Rows near each other, with ties and gaps.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((prop_oneof![8 => 0..4_i64, 1 => 5..40_i64], value(), value()), 0..60)
        .prop_map(|steps| {
            let mut time = -50;
            steps
                .into_iter()
                .map(|(step, a, b)| {
                    time += step;
                    (time, a, b)
                })
                .collect()
        })
}

fn at(times: Times, second: i64) -> Expr {
    let us = |factor: i64| Some(second * factor);
    lit(match times {
        Times::Seconds => ScalarValue::TimestampSecond(us(1), None),
        Times::Micros => ScalarValue::TimestampMicrosecond(us(S), Some("UTC".into())),
        Times::Nanos => ScalarValue::TimestampNanosecond(us(1_000 * S), None),
        Times::Integers => ScalarValue::Int64(us(1_000)),
    })
}

fn context() -> SessionContext {
    let config = SessionConfig::new().with_batch_size(3).with_target_partitions(2);
    SessionContext::new_with_config(config)
}

/// Rows with their flags; the values as text, because NaN is not itself.
type Flagged = (i64, String, String, i8, i8);

fn flagged(time: i64, v: Option<f64>, ab: Option<f64>, of_v: i8, of_ab: i8) -> Flagged {
    (time, format!("{v:?}"), format!("{ab:?}"), of_v, of_ab)
}

/// What the table gives, whose order among rows of one time is open.
async fn answer(table: QualityTable, filter: Option<Expr>, times: Times) -> Vec<Flagged> {
    let mut frame = context().read_table(Arc::new(table)).unwrap();
    // A filter is worked at in several places at once, which keeps no order.
    let is_ordered = filter.is_none();
    if let Some(filter) = filter {
        frame = frame.filter(filter).unwrap();
    }
    let names = ["t", "v", "a.b", "v.flag", "a.b.flag"];
    let frame = frame.select(names.map(ident)).unwrap();
    let per_second = match times {
        Times::Seconds => 1,
        Times::Micros => S,
        Times::Nanos => 1_000 * S,
        Times::Integers => 1_000,
    };
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap() {
        let time = cast(batch.column(0), &DataType::Int64).unwrap();
        let time = time.as_primitive::<Int64Type>();
        let value = |at: usize, row: usize| {
            let column = batch.column(at).as_primitive::<Float64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let flag = |at: usize, row: usize| batch.column(at).as_primitive::<Int8Type>().value(row);
        for row in 0..batch.num_rows() {
            let time = time.value(row) / per_second;
            rows.push(flagged(time, value(1, row), value(2, row), flag(3, row), flag(4, row)));
        }
    }
    assert!(!is_ordered || rows.is_sorted_by_key(|row| row.0));
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn flags_are_what_the_tests_say_wherever_reading_begins(
        mut rows in rows(),
        of_v in prop::collection::vec(test(), 1..4),
        of_ab in prop::collection::vec(test(), 1..3),
        times in prop_oneof![
            Just(Times::Seconds), Just(Times::Micros), Just(Times::Nanos), Just(Times::Integers)],
        from in prop::option::of(-60..60_i64),
        to in prop::option::of(-60..60_i64),
        is_past in any::<bool>(),
    ) {
        let mut filter: Option<Expr> = None;
        let mut and = |more: Expr| {
            filter = Some(filter.take().map_or(more.clone(), |other| other.and(more)));
        };
        if let Some(from) = from {
            let (from, time) = (at(times, from), col("t"));
            and(if is_past { time.gt(from) } else { time.gt_eq(from) });
        }
        if let Some(to) = to {
            let (to, time) = (at(times, to), col("t"));
            and(if is_past { time.lt(to) } else { time.lt_eq(to) });
        }
        let readings = |of: fn(&Row) -> Option<f64>| -> Vec<(i64, f64)> {
            let finite = |row: &Row| Some((row.0, of(row).filter(|value| value.is_finite())?));
            rows.iter().filter_map(finite).collect()
        };
        let (all_v, all_ab) = (readings(|row| row.1), readings(|row| row.2));
        let is_seen = |row: &&Row| {
            let before = |limit: i64| if is_past { row.0 < limit } else { row.0 <= limit };
            let after = |limit: i64| if is_past { row.0 > limit } else { row.0 >= limit };
            from.is_none_or(after) && to.is_none_or(before)
        };
        let mut expected: Vec<Flagged> = rows
            .iter()
            .filter(is_seen)
            .map(|&(time, v, ab)| {
                let (v_flag, ab_flag) =
                    (naive(&of_v, &all_v, time, v), naive(&of_ab, &all_ab, time, ab));
                flagged(time, v, ab, v_flag, ab_flag)
            })
            .collect();
        expected.sort();
        // Whatever order the rows come in that have one time.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..2 {
            let tested = vec![
                Tested { column: 0, tests: of_ab.clone() },
                Tested { column: 2, tests: of_v.clone() },
            ];
            let table = QualityTable::new(input(&rows, times), "/a", "t", tested).unwrap();
            let answer = runtime.block_on(answer(table, filter.clone(), times));
            prop_assert_eq!(&answer, &expected);
            for instant in rows.chunk_by_mut(|a, b| a.0 == b.0) {
                instant.reverse();
            }
        }
    }
}

fn ramp() -> QualityTable {
    let rows: Vec<Row> = (0..100).map(|at| (at, Some(at as f64), Some(0.0))).collect();
    let tests = vec![Test::Gap { longer_than_us: 10 * S }];
    let tested = vec![Tested { column: 2, tests }];
    QualityTable::new(input(&rows, Times::Micros), "/a", "t", tested).unwrap()
}

#[tokio::test]
async fn a_scan_reads_what_is_asked_for_and_so_far_back_as_the_tests_look() {
    let plan = |table: QualityTable, names: &'static [&'static str]| async move {
        let frame = context().read_table(Arc::new(table)).unwrap();
        let frame = frame.filter(col("t").gt_eq(at(Times::Micros, 50))).unwrap();
        let frame = frame.select(names.iter().map(|name| ident(*name))).unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        displayable(plan.as_ref()).indent(true).to_string()
    };
    let shown = plan(ramp(), &["v.flag"]).await;
    assert!(shown.contains("QualityExec: tested=[v]"), "{shown}");
    assert!(shown.contains("t@") && shown.contains("40"), "{shown}");
    assert!(!shown.contains("a.b"), "{shown}");
    // Without a flag there is nothing to test.
    let shown = plan(ramp(), &["v"]).await;
    assert!(!shown.contains("QualityExec") && !shown.contains("SortExec"), "{shown}");
}

#[tokio::test]
async fn values_that_a_filter_leaves_out_still_decide_flags() {
    let frame = context().read_table(Arc::new(ramp())).unwrap();
    let frame = frame.filter(ident("v").eq(lit(70.0)).and(ident("v.flag").eq(lit(PASS)))).unwrap();
    let frame = frame.select(vec![ident("v"), ident("a.b")]).unwrap();
    let batches = frame.collect().await.unwrap();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 1);
    assert_eq!(batches[0].column(0).as_primitive::<Float64Type>().value(0), 70.0);
    let count = context().read_table(Arc::new(ramp())).unwrap().count().await.unwrap();
    assert_eq!(count, 100);
}

#[test]
fn a_column_is_not_flagged_twice() {
    let of = |table: ComputedTable| {
        let tests = vec![Test::Gap { longer_than_us: S }];
        QualityTable::new(table, "/a", "t", vec![Tested { column: 2, tests }])
    };
    let once = of(input(&[], Times::Micros)).unwrap();
    let again = ComputedTable { provider: Arc::new(once), ..input(&[], Times::Micros) };
    let told = of(again).expect_err("it is there").to_string();
    assert!(told.contains("both give a column `v.flag`"), "{told}");
}
